"""The rows that exist when a snapshot is taken, as lines of Debezium's envelope: read ahead by COPY, table by table."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, islice

import polars as pl
import psycopg
from psycopg import sql
from psycopg.rows import class_row

from mdm.capture import catalog, chunks
from mdm.capture.catalog import CapturedTable
from mdm.capture.chunks import Chunk, Place
from mdm.capture.envelope import Envelope, Lines, Snapshot
from mdm.capture.errors import TableForbidden
from mdm.capture.frames import Column, TableChanges
from mdm.capture.lsn import Lsn
from mdm.capture.refusals import Refusal, quoted
from mdm.capture.table_names import TableName
from mdm.db import Connection

# Generated columns are not in the stream, but a reader of rows sees them, unless the publication lists its columns.
_GENERATED = """
select a.attname as name, a.atttypid::bigint as type_oid, a.atttypmod as type_modifier, false as is_key
from pg_attribute a
where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
    and (a.attname = any (%s) or a.attgenerated <> '' and not exists (
        select from pg_publication_rel r where r.prrelid = a.attrelid and to_jsonb(r) ->> 'prattrs' is not null))
order by a.attnum
"""

_READERS = 2
_AHEAD = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """A chunk's rows; `table_no` counts the tables from 0."""

    changes: TableChanges
    table_no: int


class Readers:
    """Sessions that all see the same snapshot; they keep it when the one that exported it goes."""

    def __init__(self, dsn: str, snapshot: str) -> None:
        with ExitStack() as opened:
            self._connections = [opened.enter_context(chunks.connect(dsn)) for _ in range(_READERS)]
            for connection in self._connections:
                _import(connection, snapshot)
            self._opened = opened.pop_all()

    def close(self) -> None:
        """End the sessions."""
        self._opened.close()

    def snapshot(self, at: Lsn) -> Snapshot:
        """Say when and where the snapshot was taken."""
        statement = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint, now()"
        [(xid, taken_at)] = self._connections[0].execute(statement).fetchall()
        return Snapshot(lsn=at, xid=xid, taken_at=_micros(taken_at))

    def tables(self, publications: Sequence[str], wanted: frozenset[TableName] | None) -> list[CapturedTable]:
        """Describe the wanted tables of the publications, sorted by schema and name."""
        found: dict[TableName, CapturedTable] = {}
        for publication in publications:
            for table in catalog.list_tables(self._connections[0], publication, self._names(publication, wanted)):
                found[TableName(table.relation.schema, table.relation.name)] = self._with_generated(table)
        return [found[name] for name in sorted(found)]

    def _with_generated(self, table: CapturedTable) -> CapturedTable:
        names = [column.name for column in table.relation.columns]
        with self._connections[0].cursor(row_factory=class_row(Column)) as cursor:
            columns = cursor.execute(_GENERATED, [table.relation.oid, names]).fetchall()
        return replace(table, relation=replace(table.relation, columns=tuple(columns)))

    def _names(self, publication: str, wanted: frozenset[TableName] | None) -> list[str]:
        statement = "select schemaname::text, tablename::text from pg_publication_tables where pubname = %s"
        names = [TableName(*row) for row in self._connections[0].execute(statement, [publication])]
        return [str(name) for name in names if wanted is None or name in wanted]

    def read(self, tables: Sequence[CapturedTable]) -> Iterator[_Rows]:
        """Return the tables' rows chunk by chunk, in order, some chunks read ahead."""
        planned = ((table, number, chunk) for number, table in enumerate(tables) for chunk in chunks.plan(table))
        with ThreadPoolExecutor(max_workers=_READERS) as pool:
            # One session takes one read at a time: the pool hands them out in turn to as many threads as sessions.
            waiting: list[Future[_Rows]] = [pool.submit(self._chunk, *one) for one in islice(planned, _AHEAD)]
            while waiting:
                rows = waiting.pop(0).result()
                waiting.extend(pool.submit(self._chunk, *one) for one in islice(planned, 1))
                yield rows

    def _chunk(self, table: CapturedTable, number: int, chunk: Chunk) -> _Rows:
        connection = self._connections.pop()
        try:
            rows = chunks.read(connection, table, chunk)
        except psycopg.errors.InsufficientPrivilege as error:
            raise TableForbidden(
                f"The role may not read all of {table.name}: {Refusal.of_diagnostic(error.diag).words}. Run at the "
                f"source: grant select on {quoted(table.relation.schema)}.{quoted(table.relation.name)} to the role; "
                "one with row security needs a role with bypassrls. Or leave --snapshot out."
            ) from error
        finally:
            self._connections.append(connection)
        place = Place(commit_lsn=Lsn(0), first_ordinal=1, committed_at=datetime.now(UTC))
        return _Rows(changes=chunks.as_batch(table.relation, rows, place).tables[0], table_no=number)


def lines(readers: Readers, envelope: Envelope, tables: Sequence[CapturedTable], snapshot: Snapshot) -> Iterator[Lines]:
    """Return the lines of all rows; each row's mark says whether it is the first or last, of all or of its table."""
    filled = (rows for rows in readers.read(tables) if rows.changes.meta.height)
    around: deque[_Rows | None] = deque([None, next(filled, None)], maxlen=3)
    for following in chain(filled, [None]):
        around.append(following)
        before, rows, after = around
        if rows is None:
            return
        marks = _marks(rows, before, after)
        yield envelope.snapshot_lines(rows.changes, marks=marks, snapshot=snapshot, now=time.time_ns())


def _marks(rows: _Rows, before: _Rows | None, after: _Rows | None) -> pl.Series:
    """Mark each row as Debezium does: as the first or last of all, else of its table."""
    marks = ["true"] * rows.changes.meta.height
    if before is None or before.table_no != rows.table_no:
        marks[0] = "first_in_data_collection"
    if after is None or after.table_no != rows.table_no:
        marks[-1] = "last_in_data_collection"
    if before is None:
        marks[0] = "first"
    if after is None:
        marks[-1] = "last"
    return pl.Series(marks, dtype=pl.String)


def _import(connection: Connection, snapshot: str) -> None:
    connection.execute("begin isolation level repeatable read read only")
    connection.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot)))


def _micros(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
