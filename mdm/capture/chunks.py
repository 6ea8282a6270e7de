"""Chunks: the ranges of a table's blocks that a load reads one by one, and how one is read as PostgreSQL prints it.

Values come through COPY in its text format, that is through the same output functions as the stream's. A plain cast to
text would differ: for booleans, padded characters and network addresses.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from psycopg import conninfo, errors, sql

from mdm import db
from mdm.capture import catalog
from mdm.capture.catalog import CapturedTable, Partition
from mdm.capture.errors import CaptureError, TableForbidden
from mdm.capture.frames import META_SCHEMA, TRANSACTION_SCHEMA, Batch, Relation, TableChanges
from mdm.capture.lsn import Lsn
from mdm.capture.replication import TEXT_OUTPUT
from mdm.db import Connection

ROWS = 16_000  # aimed at; a chunk's rows are mastered in parts where there are more
_ROWS_PER_BLOCK = 60.0  # where the source has never counted

# COPY's text format escapes these; one pass over the text, so that an escaped backslash is not read twice.
_ESCAPED = (r"\\", r"\t", r"\n", r"\r", r"\b", r"\f", r"\v")
_MEANT = ("\\", "\t", "\n", "\r", "\b", "\f", "\v")


class TableRewritten(CaptureError):
    """A table was written anew or altered while it was read in ranges, so the ranges left mean nothing."""

    passes = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A range of blocks of one partition, the last block exclusive, None open; without blocks the whole partition."""

    relation: str
    chunk_no: int
    partition: Partition
    first_block: int | None
    last_block: int | None


def plan(table: CapturedTable, *, rows: int = ROWS) -> list[Chunk]:
    """Cut a table into chunks of about so many rows; the last chunk of each partition is open to what is added."""
    ranges = ((partition, first, last) for partition in table.partitions for first, last in _ranges(partition, rows))
    return [
        Chunk(relation=table.name, chunk_no=number, partition=partition, first_block=first, last_block=last)
        for number, (partition, first, last) in enumerate(ranges)
    ]


def _ranges(partition: Partition, rows: int) -> Iterator[tuple[int | None, int | None]]:
    if partition.blocks is None:
        yield None, None
        return
    step = max(1, int(rows / (partition.rows_per_block or _ROWS_PER_BLOCK)))
    for first in range(0, max(partition.blocks, 1), step):
        yield first, first + step if first + step < partition.blocks else None


def connect(dsn: str) -> Connection:
    """Open a session at a source that prints values as the stream does, and sees every row or fails."""
    options = f"{conninfo.conninfo_to_dict(dsn).get('options') or ''} {TEXT_OUTPUT} -c row_security=off".strip()
    return db.connect(conninfo.make_conninfo(dsn, options=options), application_name="mdm snapshot")


def read(connection: Connection, table: CapturedTable, chunk: Chunk) -> pl.DataFrame:
    """Read a chunk in the caller's transaction: one String column for each published column, null is SQL null.

    Raises TableRewritten where its blocks are no longer those that were planned.
    """
    names = [column.name for column in table.relation.columns]
    try:
        with connection.cursor() as cursor, cursor.copy(_statement(table, chunk, names)) as copy:
            text = b"".join(copy)
    except (errors.UndefinedColumn, errors.UndefinedTable) as changed:
        raise TableRewritten(
            f"The table {chunk.relation} was altered at the source; its load begins anew."
        ) from changed
    except errors.InsufficientPrivilege as refused:
        raise TableForbidden(
            f"The source's role may not read {chunk.relation}. Run at the source: grant select on {chunk.relation} to "
            "the role that captures."
        ) from refused
    # The read holds a lock now that keeps the file as it is until the caller's transaction ends.
    if chunk.first_block is not None and catalog.filenode(connection, chunk.partition) != chunk.partition.filenode:
        raise TableRewritten(f"The table {chunk.relation} was rewritten at the source; its load begins anew.")
    return _parse(text, names)


def _statement(table: CapturedTable, chunk: Chunk, names: Iterable[str]) -> sql.Composed:
    conditions: list[sql.Composable] = [sql.SQL("true")]
    if chunk.first_block is not None:
        conditions.append(sql.SQL("ctid >= {}").format(sql.Literal(f"({chunk.first_block},0)")))
    if chunk.last_block is not None:
        conditions.append(sql.SQL("ctid < {}").format(sql.Literal(f"({chunk.last_block},0)")))
    if table.row_filter is not None:
        conditions.append(sql.SQL(f"({table.row_filter})"))  # the source's own expression
    # The leading zero keeps a line from being empty: an empty line is no row to the reader.
    return sql.SQL("copy (select 0, {columns} from only {table} where {conditions}) to stdout").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, names)),
        table=sql.Identifier(chunk.partition.schema, chunk.partition.name),
        conditions=sql.SQL(" and ").join(conditions),
    )


def _parse(text: bytes, names: list[str]) -> pl.DataFrame:
    if not text:
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    frame = pl.read_csv(
        io.BytesIO(text),
        schema={str(place): pl.String for place in range(len(names) + 1)},
        has_header=False,
        separator="\t",
        quote_char=None,
        null_values=[r"\N"],
        empty_string_is_null=False,
    )
    if b"\\" in text.replace(rb"\N", b""):
        frame = frame.with_columns(pl.all().str.replace_many(list(_ESCAPED), list(_MEANT)))
    return frame.drop("0").rename({str(place): name for place, name in enumerate(names, start=1)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the rows of a chunk stand in the order of changes: behind this commit, from this ordinal on."""

    commit_lsn: Lsn
    first_ordinal: int
    committed_at: datetime


def as_batch(relation: Relation, rows: pl.DataFrame, place: Place) -> Batch:
    """Lay rows that were read out as a batch of one transaction, op r."""
    count = rows.height
    meta = {
        "tx": pl.repeat(0, count, dtype=pl.Int32, eager=True),
        "ordinal": pl.int_range(place.first_ordinal, place.first_ordinal + count, dtype=pl.Int64, eager=True),
        "op": pl.repeat("r", count, eager=True),
        "lsn": pl.repeat(int(place.commit_lsn), count, dtype=pl.Int64, eager=True),
    }
    changes = TableChanges(
        relation=relation,
        meta=pl.DataFrame(meta, schema=META_SCHEMA),
        after=rows,
        before=pl.DataFrame({name: pl.repeat(None, count, dtype=pl.String, eager=True) for name in rows.columns}),
        before_kind=pl.repeat(None, count, dtype=pl.String, eager=True),
        unchanged={},
    )
    return Batch(
        transactions=transaction(place),
        tables=(changes,),
        messages=(),
        complete=True,
        end_lsn=place.commit_lsn,
    )


def transaction(place: Place) -> pl.DataFrame:
    """Return the only row of Batch.transactions for rows that were read, not streamed."""
    lsn = int(place.commit_lsn)
    return pl.DataFrame(
        {
            "tx": [0],
            "xid": [None],
            "commit_lsn": [lsn],
            "end_lsn": [lsn],
            "committed_at": [place.committed_at],
            "origin": [None],
        },
        schema=TRANSACTION_SCHEMA,
    )
