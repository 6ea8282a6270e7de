"""The tables of what stewards decided on values (schema `golden`): overrides and accepted differences.

Law 5 is kept here: an override has an author, a reason and an end, is superseded and never deleted, and holds what it
hid and what the owner says now.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from golden_records.metadata import metadata
from golden_records.tables import SCHEMA, Moment

override = Table(
    "override",
    metadata,
    Column("override_id", BigInteger, Identity(always=True), primary_key=True),
    Column("golden_id", BigInteger, nullable=False),
    Column("entity", Text, nullable=False),
    Column("item_group", Text, nullable=False),
    Column("item", Text, nullable=False, comment="Empty where an atomic group is overridden as a whole."),
    Column("value", JSONB, nullable=False, comment="Item -> value; all items of an atomic group together."),
    Column("hidden_value", JSONB, comment="What the owner said when the override was made or last reviewed."),
    Column("hidden_change_id", BigInteger),
    Column("owner_value", JSONB, comment="What the owner says now; {} where it says nothing."),
    Column("owner_change_id", BigInteger),
    Column("changed_at", Moment, comment="Since when the owner says another value than the one that was hidden."),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("review_at", Moment),
    Column("due_since", Moment, comment="Since when it waits to be reviewed."),
    Column("decision_id", BigInteger, nullable=False),
    Column("retired_at", Moment),
    Column("retired_why", Text),
    Column("version", Integer, nullable=False, server_default=text("1")),
    CheckConstraint("reason <> ''", name="reason"),
    CheckConstraint(
        "retired_why in ('expired', 'equal', 'gone', 'replaced', 'undone', 'ended')"
        " and (retired_why is null) = (retired_at is null)",
        name="retired",
    ),
    Index(
        "override_live_uq", "golden_id", "item_group", "item", unique=True, postgresql_where=text("retired_at is null")
    ),
    Index(
        "override_changed_ix",
        "override_id",
        postgresql_where=text("retired_at is null and changed_at is not null"),
    ),
    Index("override_review_at_ix", "review_at", postgresql_where=text("retired_at is null and review_at is not null")),
    schema=SCHEMA,
    comment="Values of stewards, which stand above survivorship until they expire, are ended, or equal what the owner "
    "says (law 5). A live one is a source record of the hub's own, under the key override|ID.",
)

acceptance = Table(
    "acceptance",
    metadata,
    Column("acceptance_id", BigInteger, Identity(always=True), primary_key=True),
    Column("conflict_id", BigInteger, nullable=False),
    Column("value", JSONB),
    Column("owner_value", JSONB),
    Column("accepted_until", Moment, nullable=False),
    Column("decision_id", BigInteger, nullable=False),
    Column("ended_at", Moment),
    Index("acceptance_live_uq", "conflict_id", unique=True, postgresql_where=text("ended_at is null")),
    schema=SCHEMA,
    comment="Differences that a steward accepts until a date: the conflict stands, but is nobody's task until then, or "
    "until one of the two values is another.",
)
