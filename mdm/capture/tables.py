"""The tables of capture (schema `hub`): how far each source has been captured, and what of it is loaded.

Law 1 is kept here: `hub.checkpoint` moves in the transaction that masters the changes, and only forward.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    Identity,
    Integer,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from golden_records.metadata import metadata
from golden_records.tables import PgLsn

SCHEMA = "hub"

_Moment = DateTime(timezone=True)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("source_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("slot", Text, nullable=False),
    Column(
        "worker", BigInteger, nullable=False, server_default=text("0"), comment="Counts workers; the last one writes."
    ),
    Column("system_identifier", Text),
    Column("timeline", Integer),
    Column("era", SmallInteger, nullable=False, server_default=text("0"), comment="Counts clusters that stood here."),
    Column("commit_lsn", PgLsn, comment="Commit LSN of the last source transaction that is mastered."),
    Column("end_lsn", PgLsn, comment="Up to here the hub needs nothing more; the slot is confirmed no further."),
    Column("source_at", _Moment, comment="The source's clock at end_lsn."),
    Column("changes", BigInteger, nullable=False, server_default=text("0")),
    Column("rate", Float, nullable=False, server_default=text("0")),
    Column("assembled", BigInteger, comment="How far what was loaded is assembled; null when all is."),
    Column("reload_requested_at", _Moment, comment="Set while a reload of the whole source is asked for."),
    Column("last_error", Text),
    Column("failed_at", _Moment, comment="Set while a person is needed: capture stands still, nothing is dropped."),
    Column("updated_at", _Moment, nullable=False, server_default=text("now()")),
    CheckConstraint(
        "state in ('new', 'loading', 'assembling', 'streaming', 'reloading')",
        name="state",
    ),
    CheckConstraint("commit_lsn <= end_lsn", name="order"),
    schema=SCHEMA,
    comment="How far each source is mastered. Written in the hub transaction that masters the changes, before the "
    "slot is confirmed, and it only moves forward (law 1). Where a source was replaced or set back, its positions go "
    "on in a new era: era * 2^56 is added to its LSNs.",
    postgresql_with={"fillfactor": "50"},
)

table_load = Table(
    "table_load",
    metadata,
    Column("source_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("relation", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("replaces", Boolean, nullable=False, comment="Source records that the load does not see are removed."),
    Column("start_lsn", PgLsn, comment="Every row that is there has shown itself at or after this position."),
    Column("rows", BigInteger, nullable=False, server_default=text("0")),
    Column("requested_at", _Moment, nullable=False, server_default=text("now()")),
    Column("done_at", _Moment),
    CheckConstraint("state in ('waiting', 'loading', 'done')", name="state"),
    schema=SCHEMA,
    comment="The last load of each captured table: waiting (asked for: by the worker at first, by the reload command "
    "later), loading (its chunks are planned), done. The worker sets the last two.",
)

snapshot_chunk = Table(
    "snapshot_chunk",
    metadata,
    Column("source_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("relation", Text, primary_key=True),
    Column("chunk_no", Integer, primary_key=True, autoincrement=False),
    Column("partition_schema", Text, nullable=False),
    Column("partition", Text, nullable=False, comment="The table that holds the rows: the relation or a part of it."),
    Column("filenode", BigInteger, comment="Its file; when the table has been rewritten, block ranges mean nothing."),
    Column("first_block", BigInteger, comment="Null: the whole partition, for one without blocks."),
    Column("last_block", BigInteger, comment="Exclusive; null: to the end."),
    Column("rows", BigInteger),
    Column("commit_lsn", PgLsn),
    Column("done_at", _Moment),
    schema=SCHEMA,
    comment="The chunks that a load is made of. A chunk is done in the hub transaction that masters its rows, so that "
    "a killed load goes on where it stood (law 1).",
)

inbox = Table(
    "inbox",
    metadata,
    Column("put_no", BigInteger, Identity(always=True), primary_key=True),
    Column("source_id", SmallInteger, nullable=False),
    Column("worker", BigInteger, nullable=False, comment="The worker of the source that put it here."),
    Column("commit_lsn", PgLsn, nullable=False, comment="Where the source's checkpoint stands before it."),
    Column("end_lsn", PgLsn, nullable=False),
    Column("reached_commit_lsn", PgLsn, nullable=False, comment="Where it stands when the batch is mastered."),
    Column("reached_end_lsn", PgLsn, nullable=False),
    Column("source_at", _Moment, nullable=False),
    Column("change_count", Integer, nullable=False),
    Column("transaction_count", Integer, nullable=False),
    Column("is_partial", Boolean, nullable=False, comment="Values are left out that did not change."),
    Column("rate", Float, nullable=False),
    Column("is_behind", Boolean, nullable=False, comment="More was there already when its worker began to stream."),
    Column("put_at", _Moment, nullable=False, server_default=text("clock_timestamp()")),
    Column("is_returned", Boolean, nullable=False, server_default=text("false"), comment="For its own worker."),
    schema=SCHEMA,
    comment="Batches that wait to be mastered together. Unlogged: after a crash of the server it is empty, and what "
    "stood in it comes again from the checkpoints.",
    prefixes=["UNLOGGED"],
)

inbox_transaction = Table(
    "inbox_transaction",
    metadata,
    Column("put_no", BigInteger, nullable=False, index=True),
    Column("tx", Integer, nullable=False),
    Column("xid", BigInteger),
    Column("commit_lsn", PgLsn, nullable=False),
    Column("committed_at", _Moment, nullable=False),
    schema=SCHEMA,
    comment="The transactions of the batches in hub.inbox.",
    prefixes=["UNLOGGED"],
)

inbox_change = Table(
    "inbox_change",
    metadata,
    Column("put_no", BigInteger, nullable=False, index=True),
    Column("change_no", BigInteger, nullable=False),
    Column("tx", Integer, nullable=False),
    Column("ordinal", BigInteger, nullable=False),
    Column("relation", Text, nullable=False),
    Column("op", Text, nullable=False),
    Column("source_key", Text),
    Column("payload", JSONB),
    schema=SCHEMA,
    comment="The changes of the batches in hub.inbox, as the journal is to hold them.",
    prefixes=["UNLOGGED"],
)

inbox_record = Table(
    "inbox_record",
    metadata,
    Column("put_no", BigInteger, nullable=False, index=True),
    Column("change_no", BigInteger, nullable=False),
    Column("tx", Integer, nullable=False),
    Column("op", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("item_group", Text, nullable=False),
    Column("key", Text),
    Column("alt_key", Text),
    Column("source_key", Text),
    Column("effective_from", _Moment),
    Column("effective_to", _Moment),
    Column("is_partial", Boolean, nullable=False),
    Column("item_values", JSONB),
    Column("point_key", Text),
    Column("address_key", Text),
    Column("contract_key", Text),
    schema=SCHEMA,
    comment="What the changes of the batches in hub.inbox say of golden records, in the canonical form.",
    prefixes=["UNLOGGED"],
)

inbox_reject = Table(
    "inbox_reject",
    metadata,
    Column("put_no", BigInteger, nullable=False, index=True),
    Column("change_no", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    schema=SCHEMA,
    comment="The changes of the batches in hub.inbox that could not be typed.",
    prefixes=["UNLOGGED"],
)
