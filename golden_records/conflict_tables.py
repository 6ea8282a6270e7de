"""The tables of disagreement (schema `golden`): copies that differ, and how many golden records two systems share."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from golden_records.metadata import metadata
from golden_records.tables import SCHEMA, Moment

_IS_OPEN = text("closed_at is null")
_IS_CLOSED = text("closed_at is not null")
_SIDES = "('owner', 'copy', 'hub')"

conflict = Table(
    "conflict",
    metadata,
    Column("conflict_id", BigInteger, Identity(always=True), primary_key=True),
    Column("golden_id", BigInteger, nullable=False),
    Column("item_group", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("source_id", SmallInteger, nullable=False),
    Column("change_id", BigInteger, nullable=False),
    Column("value", JSONB),
    Column("owner_source_id", SmallInteger, nullable=False),
    Column("owner_change_id", BigInteger, nullable=False),
    Column("owner_value", JSONB),
    Column("owner", Text, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("owner_participant", Text, comment="MPID of the party that is accountable for the item at this record."),
    Column(
        "is_fallback",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="The owner is silent: the value that survived is another system's.",
    ),
    Column(
        "holders",
        ARRAY(SmallInteger),
        nullable=False,
        server_default=text("'{}'"),
        comment="The systems that hold the item of this golden record.",
    ),
    Column("opened_by", Text, nullable=False, server_default=text("'hub'"), comment="Whose change made them differ."),
    Column("visible_from", Moment, nullable=False, server_default=text("now()"), comment="opened_at and the grace."),
    Column("changed_at", Moment, comment="When one of the values last changed while they differed."),
    Column("history", JSONB, nullable=False, server_default=text("'[]'"), comment="The values before, the last 20."),
    Column("accepted_until", Moment, comment="A decision lets them differ until then; ends when a value changes."),
    Column("closed_by", Text),
    Column("outcome", Text),
    Column("closed_in_grace", Boolean),
    CheckConstraint(f"opened_by in {_SIDES}", name="opened_by"),
    CheckConstraint(f"closed_by in {_SIDES}", name="closed_by"),
    CheckConstraint("outcome in ('agreed', 'withdrawn', 'survived')", name="outcome"),
    Index("conflict_open_uq", "golden_id", "item", "source_id", unique=True, postgresql_where=_IS_OPEN),
    # Of an index that serves only who asks for its own column too: the planner takes the live rows of a table that was
    # never analysed for very few, and would go through all of them instead of looking one golden record up.
    Index("conflict_queue_ix", "conflict_id", postgresql_where=text("closed_at is null and conflict_id > 0")),
    Index(
        "conflict_visible_from_ix",
        "visible_from",
        postgresql_where=text("closed_at is null and visible_from is not null"),
    ),
    Index("conflict_closed_ix", "closed_at", "conflict_id", postgresql_where=_IS_CLOSED),
    Index("conflict_golden_id_ix", "golden_id", "conflict_id", postgresql_where=_IS_CLOSED),
    schema=SCHEMA,
    comment="A copy that differs from the surviving value, and who is accountable for the item (law 4). One row from "
    "the moment they differ until they agree again, whatever the values become meanwhile.",
)

consistency = Table(
    "consistency",
    metadata,
    Column("item_group", Text, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("source_id", SmallInteger, primary_key=True),
    Column("other_source_id", SmallInteger, primary_key=True),
    Column("held", BigInteger, nullable=False),
    Column("refreshed_at", Moment, nullable=False),
    CheckConstraint("source_id < other_source_id", name="pair"),
    schema=SCHEMA,
    comment="How many golden records two systems both hold an item of, counted now and then; on how many of them they "
    "differ is counted from the open conflicts.",
)
