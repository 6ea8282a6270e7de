"""The tables of stewardship (schema `hub`): tasks and their histories.

A task is never removed. Its version moves with every change, and each version has its event (primary key task_id,
version of the history), so a history has no gap and nobody overwrites what he has not seen.
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

from golden_records.metadata import metadata

SCHEMA = "hub"

_Moment = DateTime(timezone=True)
_IS_LIVE = text("closed_at is null")

# One small index for each thing that the queue is filtered by: the rarest of them finds a page's tasks (see queue).
FILTERED = ("kind", "entity", "item", "rule", "source_id", "owner", "assignee")


task = Table(
    "task",
    metadata,
    Column("task_id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject_id", BigInteger, nullable=False),
    Column("entity", Text),
    Column("golden_id", BigInteger),
    Column("item_group", Text),
    Column("item", Text),
    Column("rule", Integer),
    Column("source_id", SmallInteger),
    Column("owner", Text, nullable=False, comment="Who is accountable for what the task is about."),
    Column("severity", Text, nullable=False),
    Column(
        "facts",
        BigInteger,
        nullable=False,
        comment="Digest of what the subject says: a task that a steward has closed is opened again when it changes.",
    ),
    Column("state", Text, nullable=False),
    Column("assignee", Text, comment="Who holds the claim; of an open task, to whom it is assigned."),
    Column("claimed_until", _Moment, comment="When a claim runs out: from then on the task counts as open."),
    Column("due_at", _Moment, nullable=False),
    Column("visible_from", _Moment, nullable=False, comment="The end of the item's grace; hidden until then."),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("opened_at", _Moment, nullable=False),
    Column("closed_at", _Moment),
    Column("closed_by", Text),
    Column("outcome", Text),
    Column("decision_id", BigInteger),
    Column("note", Text, comment="Why it was closed or opened again."),
    CheckConstraint("state in ('open', 'claimed', 'resolved', 'dismissed')", name="state"),
    CheckConstraint("severity in ('E', 'W')", name="severity"),
    CheckConstraint("(state in ('resolved', 'dismissed')) = (closed_at is not null)", name="closed"),
    CheckConstraint("(closed_at is null) = (outcome is null)", name="outcome"),
    CheckConstraint("state <> 'claimed' or (assignee is not null and claimed_until is not null)", name="claim"),
    UniqueConstraint("kind", "subject_id"),
    Index("task_golden_id_ix", "golden_id"),
    Index("task_decision_id_ix", "decision_id", postgresql_where=text("decision_id is not null")),
    Index("task_closed_at_ix", "closed_at", "task_id", postgresql_where=text("closed_at is not null")),
    Index("task_due_at_ix", "severity", "due_at", "task_id", postgresql_where=_IS_LIVE),
    Index("task_opened_at_ix", "severity", "opened_at", "task_id", postgresql_where=_IS_LIVE),
    Index("task_claimed_until_ix", "claimed_until", postgresql_where=text("state = 'claimed'")),
    *(Index(f"task_{column}_ix", "severity", column, postgresql_where=_IS_LIVE) for column in FILTERED),
    schema=SCHEMA,
    comment="What a steward may have to settle: one task a subject (conflict, violation, quarantined record, possible "
    "match, override), opened again when its subject comes back. The version moves with every change.",
    postgresql_with={"fillfactor": "80"},
)

task_event = Table(
    "task_event",
    metadata,
    Column("task_id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("event", Text, nullable=False),
    Column("at", _Moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("assignee", Text, comment="Who claimed it or to whom it was assigned; whose claim ran out."),
    Column("outcome", Text),
    Column("decision_id", BigInteger),
    Column("note", Text),
    schema=SCHEMA,
    comment="The history of each task, dense: the event that made each of its versions. Added to, never changed.",
)
