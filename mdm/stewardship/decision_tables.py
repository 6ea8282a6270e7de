"""The tables of decisions (schema `hub`): what stewards decided, and what they asked owners to correct.

A decision is never deleted and never done over: it goes from proposed to applied or rejected, and from applied to
undone, each once, and what undoes it is a decision of its own.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from golden_records.metadata import metadata

SCHEMA = "hub"

_Moment = DateTime(timezone=True)

decision = Table(
    "decision",
    metadata,
    Column("decision_id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("parent_id", BigInteger, comment="The bulk decision that it is a part of."),
    Column("task_id", BigInteger),
    Column("golden_id", BigInteger),
    Column("item_group", Text),
    Column("item", Text),
    Column("decided_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decided_at", _Moment, nullable=False),
    Column("wants_approval", Text, comment="Why another person has to approve it."),
    Column("approved_by", Text),
    Column("approved_at", _Moment),
    Column("rejected_by", Text),
    Column("rejected_at", _Moment),
    Column("rejected_because", Text),
    Column("undoes", BigInteger),
    Column("undone_by", BigInteger),
    Column("payload", JSONB, nullable=False, comment="What was decided, as it is carried out."),
    Column("effect", JSONB, comment="What it did, as it is taken back: ids and changes, no values."),
    Column("change_id", BigInteger, comment="The hub's change in the journal."),
    Column("version", Integer, nullable=False, server_default=text("1")),
    CheckConstraint("state in ('proposed', 'applied', 'rejected', 'undone')", name="state"),
    CheckConstraint("reason <> ''", name="reason"),
    CheckConstraint("approved_by <> decided_by", name="four_eyes"),
    CheckConstraint("(state = 'undone') = (undone_by is not null)", name="undone"),
    Index(
        "decision_undoes_uq",
        "undoes",
        unique=True,
        postgresql_where=text("undoes is not null and state <> 'rejected'"),
    ),
    Index("decision_parent_id_ix", "parent_id", "decision_id", postgresql_where=text("parent_id is not null")),
    Index("decision_proposed_ix", "decision_id", postgresql_where=text("state = 'proposed'")),
    Index("decision_golden_id_ix", "golden_id", "decision_id", postgresql_where=text("golden_id is not null")),
    Index("decision_task_id_ix", "task_id", postgresql_where=text("task_id is not null")),
    schema=SCHEMA,
    comment="What stewards decided, why, and what it did. Proposed, applied or rejected, undone: each state is entered "
    "once; whoever proposed does not approve.",
)

correction = Table(
    "correction",
    metadata,
    Column("correction_id", BigInteger, Identity(always=True), primary_key=True),
    Column("reference", Text, nullable=False, unique=True),
    Column("recipient", Text, nullable=False, comment="MPID of the participant whose system holds the item."),
    Column("source_id", SmallInteger, nullable=False),
    Column("golden_id", BigInteger, nullable=False),
    Column("entity", Text, nullable=False),
    Column("item_group", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("held_value", JSONB, comment="What the owner's system said when it was asked."),
    Column("asked_value", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("decision_id", BigInteger, nullable=False),
    Column("asked_at", _Moment, nullable=False),
    Column("reply", Text),
    Column("sender_reference", Text, comment="The owner's own, of its last reply."),
    Column("replied_at", _Moment),
    Column("closed_at", _Moment),
    Column("version", Integer, nullable=False, server_default=text("1")),
    CheckConstraint("state in ('open', 'accepted', 'rejected', 'corrected', 'withdrawn')", name="state"),
    Index("correction_awaited_ix", "golden_id", postgresql_where=text("closed_at is null")),
    schema=SCHEMA,
    comment="What owners are asked to correct, and what they said to it. It closes itself when the owner's system says "
    "the value that was asked for.",
)

correction_head = Table(
    "correction_head",
    metadata,
    Column("recipient", Text, primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
    schema=SCHEMA,
    comment="Where each owner's view of corrections stands; its row is locked by whoever adds to it, until the commit, "
    "so that the numbers are dense and none is passed over.",
)

correction_entry = Table(
    "correction_entry",
    metadata,
    Column("recipient", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("correction_id", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("at", _Moment, nullable=False),
    Column("sender_reference", Text, comment="Of the owner's reply: never used twice by one sender (MSG1006)."),
    UniqueConstraint("recipient", "sender_reference"),
    schema=SCHEMA,
    comment="The view of corrections of each owner's system: one entry a change of a correction's state.",
)
