"""The tables of the golden store (schema `golden`); typed golden tables follow the catalogue.

Law 3 is kept here: a golden record's versions are dense (primary key golden_id, version), a source's changes are
ordered by (commit LSN, ordinal) and stand once (primary keys of the journal's tables).
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    Interval,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import TypeEngine, UserDefinedType

from golden_records import catalogue
from golden_records.catalogue import Entity, ItemType
from golden_records.metadata import metadata

SCHEMA = "golden"


class PgLsn(UserDefinedType[str]):
    """PostgreSQL's pg_lsn: a position in the write-ahead log."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Name the type in DDL."""
        return "pg_lsn"


ischema_names["pg_lsn"] = PgLsn  # so that the check of migrations against these tables knows the type

Moment = DateTime(timezone=True)

change_block = Sequence("change_block", schema=SCHEMA, metadata=metadata, data_type=BigInteger, cache=1)
golden_id = Sequence("golden_id", schema=SCHEMA, metadata=metadata, data_type=BigInteger, cache=1)

source_system = Table(
    "source_system",
    metadata,
    Column("source_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("participant", Text),
    Column("distributors", ARRAY(Text)),
    schema=SCHEMA,
    comment="Systems that the hub captures; source 0 is the hub itself (retries, due dates, decisions).",
)

participant = Table(
    "participant",
    metadata,
    Column("mpid", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("valid_from", Date, primary_key=True),
    Column("valid_to", Date),
    schema=SCHEMA,
    comment="Market participants by role: reference data.",
)

distributor_area = Table(
    "distributor_area",
    metadata,
    Column("distributor", Text, primary_key=True),
    Column("gsp_group", Text, primary_key=True),
    Column("valid_from", Date, primary_key=True),
    Column("valid_to", Date),
    schema=SCHEMA,
    comment="Which GSP groups a distributor's points may lie in: dated reference data, never a formula.",
)

operator_area = Table(
    "operator_area",
    metadata,
    Column("mpid", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("distributor", Text, primary_key=True),
    Column("valid_from", Date, primary_key=True),
    Column("valid_to", Date),
    schema=SCHEMA,
    comment="Distributors for whose points an operator may be appointed in a role (UMSO): dated reference data.",
)

catalogue_item = Table(
    "catalogue_item",
    metadata,
    Column("item_group", Text, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("entity", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("classification", Text, nullable=False),
    Column("is_atomic", Boolean, nullable=False),
    Column("is_dated", Boolean, nullable=False),
    Column("survivorship", ARRAY(Text), nullable=False),
    Column("held_by", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("comparison", Text, nullable=False, server_default=text("'code'")),
    Column("grace", Interval, nullable=False, server_default=text("'5 minutes'")),
    schema=SCHEMA,
    comment="The catalogue as the queries of mastering read it; written from catalogue.yaml at upgrade.",
)

source_rank = Table(
    "source_rank",
    metadata,
    Column("source_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("item_group", Text, primary_key=True),
    Column("place", SmallInteger, nullable=False),
    Column("participant", Text),
    schema=SCHEMA,
    comment="Survivorship as a ranking of sources by group, from the catalogue; participant stands where the "
    "metering service appointed on the date comes first.",
)

journal_change = Table(
    "journal_change",
    metadata,
    Column("source_id", SmallInteger, primary_key=True),
    Column("commit_lsn", PgLsn, primary_key=True),
    Column("ordinal", BigInteger, primary_key=True),
    Column("change_id", BigInteger, nullable=False, unique=True),
    Column("xid", BigInteger),
    Column("committed_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False, server_default=text("clock_timestamp()")),
    Column("relation", Text, nullable=False),
    Column("op", Text, nullable=False),
    Column("source_key", Text),
    Column("payload", JSONB),
    schema=SCHEMA,
    comment="Every change but those in golden.journal_block, once: the primary key refuses a change that comes twice "
    "(law 1). golden.journal shows both.",
)

journal_block = Table(
    "journal_block",
    metadata,
    Column("source_id", SmallInteger, primary_key=True),
    Column("commit_lsn", PgLsn, primary_key=True),
    Column("first_ordinal", BigInteger, primary_key=True),
    Column("first_change_id", BigInteger, nullable=False, unique=True),
    Column("last_change_id", BigInteger, nullable=False),
    Column("xid", BigInteger),
    Column("committed_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False, server_default=text("clock_timestamp()")),
    Column("relation", Text, nullable=False),
    Column("changes", JSONB, nullable=False, comment="For each change, in order, its source key and its payload."),
    schema=SCHEMA,
    comment="What loads have read, of one table each, many changes to a row; golden.journal shows them one by one.",
)

crosswalk = Table(
    "crosswalk",
    metadata,
    Column("crosswalk_id", BigInteger, Identity(always=True), primary_key=True),
    Column("entity", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("golden_id", BigInteger, nullable=False),
    Column("own_id", BigInteger, comment="Whose it is of its own, where that one is merged into golden_id."),
    Column("origin", Text, nullable=False),
    Column("linked_at", Moment, nullable=False),
    Column("unlinked_at", Moment),
    CheckConstraint("origin in ('AUTO', 'MANUAL')", name="origin"),
    Index("crosswalk_live_uq", "entity", "key", unique=True, postgresql_where=text("unlinked_at is null")),
    Index("crosswalk_golden_id_ix", "golden_id"),
    schema=SCHEMA,
    comment="Which key is which golden record, dated. A live key belongs to one golden record: the claim that makes "
    "it safe that many sources present the same new thing at once.",
)

golden_record = Table(
    "golden_record",
    metadata,
    Column("golden_id", BigInteger, primary_key=True, autoincrement=False),
    Column("entity", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    schema=SCHEMA,
    comment="Every golden id ever given; its row is locked while the golden record is being mastered.",
)

source_record = Table(
    "source_record",
    metadata,
    Column("golden_id", BigInteger, nullable=False),
    Column("item_group", Text, nullable=False),
    Column("source_id", SmallInteger, nullable=False),
    Column("source_key", Text, nullable=False),
    Column("own_id", BigInteger, comment="Whose it is of its own, where that one is merged into golden_id."),
    Column("effective_from", Moment),
    Column("effective_to", Moment),
    Column("item_values", JSONB, nullable=False),
    Column("change_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("source_id", "source_key", "item_group"),
    Index("source_record_golden_id_item_group_ix", "golden_id", "item_group"),
    schema=SCHEMA,
    comment="What each source says now about each golden record: the candidates of survivorship, losers included.",
    postgresql_with={"fillfactor": "85"},
)

policy = Table(
    "policy",
    metadata,
    Column("policy_id", Integer, Identity(always=True), primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("catalogue", JSONB, nullable=False),
    Column("rules", JSONB, nullable=False),
    Column("valid_from", Moment, nullable=False, server_default=text("now()")),
    schema=SCHEMA,
    comment="The catalogue and the rules that golden values were mastered by; each version of a golden record names "
    "its policy (law 7).",
)

golden_version = Table(
    "golden_version",
    metadata,
    Column("golden_id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("entity", Text, nullable=False),
    Column("op", Text, nullable=False),
    Column("source_id", SmallInteger, nullable=False),
    Column("change_id", BigInteger, nullable=False),
    Column("commit_lsn", PgLsn, nullable=False),
    Column("committed_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("changed", JSONB, nullable=False),
    Column("lineage", JSONB, nullable=False),
    Column("candidates", JSONB, comment="Where several sources spoke: group -> change ids, the survivor first."),
    Column("policy_id", Integer, nullable=False),
    schema=SCHEMA,
    comment="One row a golden record and source transaction that changed it, versions dense from 1: what changed "
    "(item -> value) and where each value came from (item -> change_id).",
)

loaded = Table(
    "loaded",
    metadata,
    Column("loaded_id", BigInteger, Identity(always=True), primary_key=True),
    Column("pass", SmallInteger, nullable=False),
    Column("is_batch", Boolean, nullable=False),
    Column("golden_ids", ARRAY(BigInteger), nullable=False),
    Column(
        "point_ids",
        ARRAY(BigInteger),
        nullable=False,
        comment="The metering point at which each stands, null where at none. Batches have none.",
    ),
    schema=SCHEMA,
    comment="Golden records whose source records an initial load took in and that are not assembled yet: as each part "
    "of a load listed them, then cut into batches. A pass begins when the one before it has nothing left.",
)

violation = Table(
    "violation",
    metadata,
    Column("violation_id", BigInteger, Identity(always=True), primary_key=True),
    Column("rule", Integer, nullable=False),
    Column("severity", Text, nullable=False),
    Column("golden_id", BigInteger, nullable=False),
    Column("subject", Text, nullable=False, comment="The source record, where the rule speaks of one; else empty."),
    Column("source_id", SmallInteger),
    Column("source_key", Text),
    Column("item_group", Text),
    Column("change_id", BigInteger),
    Column("opened_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("note", Text),
    CheckConstraint("severity in ('E', 'W')", name="severity"),
    Index("violation_open_uq", "golden_id", "rule", "subject", unique=True, postgresql_where=text("closed_at is null")),
    schema=SCHEMA,
    comment="A rule that speaks against what is mastered: severity W passes so, severity E came to be wrong when "
    "something else changed. One open row a rule and golden record, or source record of it; the source record named "
    "is where the value comes from. Closed when the rule no longer speaks.",
)

unjudged = Table(
    "unjudged",
    metadata,
    Column("note_id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("golden_ids", ARRAY(BigInteger), nullable=False),
    Column("committed_at", Moment, nullable=False, comment="Of the last transaction that it was noted for."),
    schema=SCHEMA,
    comment="Golden records that have been mastered and are yet to be judged by the rules.",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", BigInteger, Identity(always=True), primary_key=True),
    Column("source_id", SmallInteger, nullable=False),
    Column("source_key", Text, nullable=False),
    Column("item_group", Text, nullable=False),
    Column("change_id", BigInteger, nullable=False),
    Column("commit_lsn", PgLsn, nullable=False),
    Column("ordinal", BigInteger, nullable=False),
    Column("rule", Integer),
    Column("rules", ARRAY(Integer), comment="All rules of severity E that speak against it; `rule` is the first."),
    Column("reason", Text, nullable=False),
    Column("record", JSONB),
    Column("point_key", Text),
    Column("other_key", Text, comment="Entity and key of another record whose change may heal it."),
    Column("attempts", Integer, nullable=False, server_default=text("1")),
    Column("quarantined_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("outcome", Text),
    Column("note", Text),
    CheckConstraint("outcome in ('mastered', 'superseded', 'withdrawn')", name="outcome"),
    Index(
        "quarantine_open_uq",
        "source_id",
        "source_key",
        "item_group",
        unique=True,
        postgresql_where=text("closed_at is null"),
    ),
    Index(
        "quarantine_asked_ix",
        "source_id",
        "source_key",
        postgresql_where=text("item_group = 'appointment' and outcome = 'superseded'"),
    ),
    Index("quarantine_point_ix", "point_key", postgresql_where=text("closed_at is null and point_key is not null")),
    Index("quarantine_other_ix", "other_key", postgresql_where=text("closed_at is null and other_key is not null")),
    schema=SCHEMA,
    comment="What could not be mastered, with its position and reason; the payload stands in the journal (law 6). "
    "Open rows can be put through again.",
)

due = Table(
    "due",
    metadata,
    Column("due_at", Moment, primary_key=True),
    Column("golden_id", BigInteger, primary_key=True, autoincrement=False),
    Column("item_group", Text, primary_key=True),
    schema=SCHEMA,
    comment="When a value dated ahead comes into force or runs out, so that mastering looks at it again then.",
)

SQL_TYPES: dict[ItemType, TypeEngine[Any]] = {
    ItemType.TEXT: Text(),
    ItemType.BOOL: Boolean(),
    ItemType.INT: Integer(),
    ItemType.DATE: Date(),
    ItemType.TIMESTAMPTZ: Moment,
    ItemType.GOLDEN_ID: BigInteger(),
}

_INDEXES: dict[str, tuple[Index, ...]] = {
    "metering_point": (
        Index("metering_point_mpan_ix", "mpan"),
        Index("metering_point_address_id_ix", "address_id"),
        Index("metering_point_linked_mpan_ix", "linked_mpan", postgresql_where=text("linked_mpan is not null")),
    ),
    "meter": (
        Index("meter_metering_point_id_ix", "metering_point_id"),
        Index("meter_serial_ix", text("upper(replace(meter_id, ' '::text, ''::text))")),
    ),
    "address": (),
    "contract": (),
    "appointment": (
        Index("appointment_metering_point_id_ix", "metering_point_id"),
        Index("appointment_contract_id_ix", "contract_id"),
    ),
}


def _typed(entity: Entity) -> Table:
    return Table(
        entity.name,
        metadata,
        Column("golden_id", BigInteger, primary_key=True, autoincrement=False),
        Column("version", Integer, nullable=False),
        *(Column(item.name, SQL_TYPES[item.type], comment=item.definition) for item in entity.items),
        Column("lineage", JSONB, nullable=False),
        Column("updated_at", Moment, nullable=False),
        *_INDEXES[entity.name],
        schema=SCHEMA,
        comment=f"Golden records: {entity.definition} Written by mastering alone.",
        postgresql_with={"fillfactor": "80"},
    )


golden: dict[str, Table] = {entity.name: _typed(entity) for entity in catalogue.load().entities.values()}
