"""Temporary tables through which a batch passes, one set a session, emptied before each part.

Every step of mastering reads and writes these; only the last ones touch the golden tables.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import orjson
import polars as pl
import psycopg

# A row is taken apart from its beginning, as far as it is needed: what is looked at most stands first in stage_version.
_TABLES = """
create temp table if not exists stage_tx (
    tx int, source_id int, xid bigint, commit_lsn pg_lsn, committed_at timestamptz, put_no bigint,
    put_tx int) on commit delete rows;
create temp table if not exists stage_record (
    source_id int, change_no bigint, tx int, op text, entity text, item_group text, key text, alt_key text,
    source_key text,
    effective_from timestamptz, effective_to timestamptz, is_partial boolean, item_values jsonb,
    point_key text, address_key text, contract_key text, change_id bigint, quarantine_id bigint) on commit delete rows;
create temp table if not exists stage_reject (change_id bigint, reason text) on commit delete rows;
create temp table if not exists stage_violation (
    source_id int, change_no bigint, source_key text, item_group text, rule int, severity text) on commit delete rows;
create temp table if not exists stage_key (
    entity text, key text, alt_key text, golden_id bigint, alt_golden_id bigint, own_id bigint,
    alt_own_id bigint) on commit delete rows;
create temp table if not exists stage_version (
    golden_id bigint, point_id bigint, source_id int, tx int, until_tx int, seq bigint, change_id bigint, op text,
    item_group text, entity text, prior_golden_id bigint, own_id bigint, stored_id bigint, quarantine_id bigint,
    place tid, is_partial boolean, effective_from timestamptz, effective_to timestamptz, source_key text,
    item_values jsonb, record jsonb) on commit delete rows;
create temp table if not exists stage_event (
    golden_id bigint, entity text, item_group text, tx int, change_id bigint, is_aside boolean) on commit delete rows;
create temp table if not exists stage_survivor (
    golden_id bigint, entity text, item_group text, tx int, is_aside boolean, cause_id bigint,
    item_values jsonb, change_id bigint, spoken jsonb, candidates bigint[]) on commit delete rows;
create temp table if not exists stage_copy (
    golden_id bigint, item_group text, tx int, copy jsonb, change_id bigint, place int) on commit delete rows;
create temp table if not exists stage_existing (
    golden_id bigint, item_group text, source_id int, source_key text, effective_from timestamptz,
    effective_to timestamptz, item_values jsonb, change_id bigint, place tid) on commit delete rows;
create temp table if not exists stage_fetched (golden_id bigint, item_group text) on commit delete rows;
create temp table if not exists stage_final (
    golden_id bigint, entity text, is_new boolean, versions int, updated_at timestamptz,
    changed jsonb, lineage jsonb) on commit delete rows;
create temp table if not exists stage_removed (golden_id bigint) on commit delete rows;
create temp table if not exists stage_delta (
    golden_id bigint, entity text, tx int, item_group text, version int, change_id bigint, candidates bigint[],
    changed jsonb, lineage jsonb) on commit delete rows;
create temp table if not exists stage_left (entity text, point_id bigint, tx int) on commit delete rows;
create temp table if not exists stage_retry (quarantine_id bigint) on commit delete rows;
create temp table if not exists stage_conflict (
    golden_id bigint, item_group text, item text, source_id int, change_id bigint, value jsonb,
    owner_source_id int, owner_change_id bigint, owner_value jsonb, at timestamptz, holders smallint[],
    opened_by text, said jsonb) on commit delete rows;
create temp table if not exists stage_survived (
    golden_id bigint, item_group text, item_values jsonb, change_id bigint, cause_id bigint, spoken jsonb,
    candidates bigint[], by_source_id int, committed_at timestamptz, copies jsonb[],
    change_ids bigint[]) on commit delete rows;
create temp table if not exists stage_ended (
    conflict_id bigint, closed_at timestamptz, closed_by text, outcome text) on commit delete rows;
create temp table if not exists stage_appointed (point_id bigint, tx int) on commit delete rows;
create temp table if not exists stage_due (
    due_at timestamptz, golden_id bigint, item_group text) on commit delete rows;
create temp table if not exists touched_point (golden_id bigint, committed_at timestamptz) on commit delete rows;
create temp table if not exists stage_said (
    anchor_id bigint, golden_id bigint, item_group text, source_id int, source_key text, from_tx int, until_tx int,
    effective_from timestamptz, effective_to timestamptz, item_values jsonb, change_id bigint) on commit delete rows;
create temp table if not exists stage_state (
    golden_id bigint, tx int, said jsonb, groups text[]) on commit delete rows;
create temp table if not exists stage_doubted (golden_id bigint, judged_steps int) on commit delete rows;
create temp table if not exists stage_judged (kind text, golden_id bigint) on commit delete rows;
create temp table if not exists stage_verdict (
    rule int, severity text, golden_id bigint, source_id int, source_key text, item_group text) on commit delete rows;
create temp table if not exists stage_subject (kind text, subject_id bigint, is_open boolean) on commit delete rows
"""

DOUBTED = "(not exists (select from stage_doubted) or {0} in (select golden_id from stage_doubted))"
"""Whether a golden record is to be looked at: all are, until some records of a part are held back."""

TABLES = (
    "stage_tx",
    "stage_record",
    "stage_reject",
    "stage_violation",
    "stage_key",
    "stage_version",
    "stage_event",
    "stage_survivor",
    "stage_copy",
    "stage_existing",
    "stage_fetched",
    "stage_final",
    "stage_removed",
    "stage_delta",
    "stage_left",
    "stage_retry",
    "stage_conflict",
    "stage_survived",
    "stage_ended",
    "stage_appointed",
    "stage_due",
    "touched_point",
    "stage_said",
    "stage_state",
    "stage_doubted",
    "stage_judged",
    "stage_verdict",
    "stage_subject",
)

# Lists: a frame gives up the columns of a list at a quarter of the cost of a selection, which is planned each time.
_TRANSACTION_COLUMNS = ["tx", "source_id", "xid", "commit_lsn", "committed_at"]
_RECORD_COLUMNS = [
    "source_id",
    "change_id",
    "change_no",
    "tx",
    "op",
    "entity",
    "item_group",
    "key",
    "alt_key",
    "source_key",
    "effective_from",
    "effective_to",
    "is_partial",
    "item_values",
    "point_key",
    "address_key",
    "contract_key",
]
_KEYS = ["key", "alt_key", "point_key", "address_key", "contract_key"]
_TEXTS = ["item_values", "source_key", *_KEYS]
_CLAIMED = ("change_no", "tx", "op", "entity", "item_group", "source_key", *_KEYS)
LONGEST = 3_500  # bytes of a staged record: it stands plain in a page, twice where it is kept for quarantine
LONGEST_KEY = 1_000  # bytes: an index holds no key of more than 2,700
_TOO_LONG = f"values of more than {LONGEST} bytes in one record, or a key of more than {LONGEST_KEY}"
_TYPES = {
    "tx": "int",
    "xid": "bigint",
    "commit_lsn": "pg_lsn",
    "committed_at": "timestamptz",
    "put_no": "bigint",
    "source_id": "int",
    "golden_id": "bigint",
    "change_id": "bigint",
    "change_no": "bigint",
    "ordinal": "bigint",
    "effective_from": "timestamptz",
    "effective_to": "timestamptz",
    "is_partial": "boolean",
    "item_values": "jsonb",
    "payload": "jsonb",
}  # of the columns that are not text
_UNCLAIMED = {"change_id": pl.lit(0), "item_values": pl.lit("{}")}
_REJECT_COLUMNS = ["change_id", "reason"]
FEW = 500
"""Rows up to which one statement inserts a frame, and plans made once serve as well; more are copied."""


_FILLED = """
select array_agg(name) from unnest(%s::text[]) name where pg_relation_size(to_regclass('pg_temp.' || name)) > 0
"""


def begin(connection: psycopg.Connection) -> bool:
    """Make the temporary tables where the session has none yet; empty them when a part of the transaction used them.

    Returns whether they were made now. To empty a table makes new files: those that have nothing are left alone.
    """
    row = connection.execute("select pg_relation_size(to_regclass('pg_temp.stage_tx'))").fetchone()
    octets = row[0] if row else None
    if octets is None:
        for statement in _stored_plain(_TABLES, connection.info.server_version).split(";\n"):
            connection.execute(statement)
    elif octets:
        (filled,) = connection.execute(_FILLED, [list(TABLES)]).fetchone() or ([],)
        connection.execute(f"truncate {', '.join(filled)}")
    return octets is None


def _stored_plain(statements: str, version: int) -> str:
    """Keep values in the row: a table without a TOAST table is emptied at commit at a fraction of the cost.

    The index of a TOAST table is written anew whenever it is emptied, and the file system waits for the disk to cut it
    off again. PostgreSQL 15 has no such clause; its tables keep their TOAST tables.
    """
    kept = r" \1 storage plain" if version >= 160000 else r" \1"
    return re.sub(r" ((?:text|jsonb|bigint|smallint)\[\]|text\b|jsonb\b)", kept, statements)


def fill(
    connection: psycopg.Connection,
    *,
    transactions: pl.DataFrame,
    records: pl.DataFrame,
    rejects: pl.DataFrame,
) -> bool:
    """COPY the canonical frames into their tables; records and rejects carry source_id and change_id.

    Returns whether all could be read: none is rejected, and none is too long to be staged.
    """
    fitting, oversized = parted(records)
    fill_transactions(connection, transactions)
    copy_in(connection, "stage_record", fitting[_RECORD_COLUMNS])
    copy_in(connection, "stage_reject", rejects[_REJECT_COLUMNS])
    copy_in(connection, "stage_reject", oversized[_REJECT_COLUMNS])
    return rejects.is_empty() and oversized.is_empty()


def fill_transactions(connection: psycopg.Connection, transactions: pl.DataFrame) -> None:
    """COPY the frame of transactions alone."""
    copy_in(connection, "stage_tx", transactions[_TRANSACTION_COLUMNS])


def parted(records: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the records that can be staged, and those that are too long for it with the reason."""
    if _all_fit(records):
        return records, records.clear().with_columns_seq(reason=pl.lit(_TOO_LONG))
    return records.filter(_fits()), records.filter(~_fits()).with_columns_seq(reason=pl.lit(_TOO_LONG))


def _all_fit(records: pl.DataFrame) -> bool:
    """Tell whether all records fit; few that surely do, whatever their letters, are not looked at more closely."""
    if records.height <= FEW:
        lengths = (sum(len(text) for text in row if text) for row in records[_TEXTS].iter_rows())
        if max(lengths, default=0) * 4 <= LONGEST and all(len(key or "") * 4 <= LONGEST_KEY for key in _keys(records)):
            return True
    return bool(records.select_seq(_fits().all()).item())


def _keys(records: pl.DataFrame) -> Iterator[str | None]:
    for row in records[_KEYS].iter_rows():
        yield from row


def _fits() -> pl.Expr:
    octets = pl.sum_horizontal(pl.col(_TEXTS).str.len_bytes().fill_null(0))
    return (octets <= LONGEST) & (pl.max_horizontal(pl.col(_KEYS).str.len_bytes().fill_null(0)) <= LONGEST_KEY)


def fill_keys(connection: psycopg.Connection, records: pl.DataFrame, chosen: Sequence[bool], *, source_id: int) -> None:
    """Write the keys of the chosen records alone, to be claimed."""
    if sum(chosen) > FEW:
        keyed = records.filter(pl.Series(chosen) & _fits()).unique(("entity", *_KEYS), maintain_order=True)
        copy_in(connection, "stage_record", keyed.select_seq(*_CLAIMED, **_UNCLAIMED, source_id=pl.lit(source_id)))
        return
    told = records.select_seq(*_CLAIMED, fits=_fits()).iter_rows()
    rows = [
        (source_id, 0, "{}", *row) for is_chosen, (*row, fits) in zip(chosen, told, strict=True) if is_chosen and fits
    ]
    insert(connection, "stage_record", ("source_id", "change_id", "item_values", *_CLAIMED), rows)


def copy_in(connection: psycopg.Connection, table: str, frame: pl.DataFrame) -> None:
    """Write a frame into the table's columns of the same names; null stays null and empty text stays empty.

    Few rows are inserted by one statement, which need not be waited for; more are copied.
    """
    if frame.is_empty():
        return
    statement = f"copy {table} ({', '.join(frame.columns)}) from stdin"
    if frame.height <= FEW:
        insert(connection, table, frame.columns, [*frame.iter_rows()])
        return
    with connection.cursor() as cursor, cursor.copy(f"{statement} (format csv)") as copy:
        for block in _csv_blocks(frame):
            copy.write(block)


def insert(
    connection: psycopg.Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[object, ...]]
) -> None:
    """Insert a few rows by one statement."""
    connection.execute(_insertion(table, tuple(columns)), [orjson.dumps(rows).decode()])


@cache
def _insertion(table: str, columns: tuple[str, ...]) -> str:
    values = ", ".join(f"(row ->> {place})::{_TYPES.get(column, 'text')}" for place, column in enumerate(columns))
    return f"insert into {table} ({', '.join(columns)}) select {values} from jsonb_array_elements(%s::jsonb) as row"


def _csv_blocks(frame: pl.DataFrame, rows: int = 20_000) -> Iterator[str]:
    for start in range(0, frame.height, rows):
        yield frame.slice(start, rows).write_csv(
            include_header=False, quote_style="non_numeric", datetime_format="%Y-%m-%dT%H:%M:%S%.6f+00:00"
        )


@contextmanager
def pipelined(connection: psycopg.Connection) -> Iterator[None]:
    """Send statements without waiting for each; in a block of its own only where none is open around it.

    A result that is fetched is waited for; how many rows a statement wrote is known after wait(), or when the outermost
    block has ended. Nothing can be copied meanwhile.
    """
    if connection.pgconn.pipeline_status:
        yield
        return
    with connection.pipeline():
        yield


def wait(connection: psycopg.Connection) -> None:
    """Wait for all that was sent, so that it is known how many rows each statement wrote."""
    if connection.pgconn.pipeline_status:
        with connection.pipeline():  # a block inside another waits at its end
            return


@contextmanager
def frames_only(connection: psycopg.Connection) -> Iterator[None]:
    """Plan statements that read staged rows alone without nested loops: their number is not known beforehand."""
    with pipelined(connection):
        connection.execute("set local enable_nestloop = off")
        yield
        connection.execute("set local enable_nestloop = on")
