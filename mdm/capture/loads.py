"""What of each source is loaded, in the hub: a load for each table, made of chunks.

A chunk is noted as done in the hub transaction that masters its rows: each is mastered once, and a killed load goes on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from psycopg.rows import dict_row

from golden_records import rows
from mdm.capture.catalog import Partition
from mdm.capture.checkpoint import CheckpointMoved
from mdm.capture.chunks import Chunk
from mdm.capture.lsn import Lsn
from mdm.db import Connection


class LoadState(StrEnum):
    """Where a table's load stands. WAITING: asked for. LOADING: its chunks are planned. DONE: all of it is mastered."""

    WAITING = "waiting"
    LOADING = "loading"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLoad:
    """A table's load; `replaces` when source records that it does not see are to be removed at its end."""

    relation: str
    state: LoadState
    replaces: bool
    start_lsn: Lsn | None
    rows: int
    chunks: int
    chunks_done: int


def expect(connection: Connection, source_id: int, relations: Iterable[str], *, replaces: bool) -> None:
    """Ask for a load of these tables from the beginning, whatever was loaded of them before."""
    for relation in relations:
        connection.execute(
            "delete from hub.snapshot_chunk where source_id = %s and relation = %s", [source_id, relation]
        )
        connection.execute(
            """insert into hub.table_load (source_id, relation, state, replaces) values (%s, %s, 'waiting', %s)
               on conflict (source_id, relation) do update
               set state = 'waiting', replaces = excluded.replaces, start_lsn = null, rows = 0,
                   requested_at = now(), done_at = null""",
            [source_id, relation, replaces],
        )


def begin(connection: Connection, source_id: int, relation: str, *, start_lsn: Lsn, chunks: Sequence[Chunk]) -> None:
    """Note how a table that waits is cut into chunks, and from which position on its rows show themselves."""
    connection.execute("delete from hub.snapshot_chunk where source_id = %s and relation = %s", [source_id, relation])
    connection.execute(
        """update hub.table_load set state = 'loading', start_lsn = coalesce(start_lsn, %s)
           where source_id = %s and relation = %s""",
        [str(start_lsn), source_id, relation],
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            """insert into hub.snapshot_chunk (source_id, relation, chunk_no, partition_schema, partition, filenode,
                                               first_block, last_block)
               values (%s, %s, %s, %s, %s, %s, %s, %s)""",
            [(source_id, relation, *_planned(chunk)) for chunk in chunks],
        )


def finish_chunk(connection: Connection, source_id: int, chunk: Chunk, *, rows: int, commit_lsn: Lsn) -> None:
    """Note a chunk as done, inside the transaction that masters its rows; raises CheckpointMoved if it was already."""
    finished = connection.execute(
        """update hub.snapshot_chunk set rows = %s, commit_lsn = %s, done_at = clock_timestamp()
           where source_id = %s and relation = %s and chunk_no = %s and done_at is null""",
        [rows, str(commit_lsn), source_id, chunk.relation, chunk.chunk_no],
    )
    if finished.rowcount != 1:
        raise CheckpointMoved(
            f"Source {source_id}: chunk {chunk.chunk_no} of {chunk.relation} was loaded by another worker."
        )
    connection.execute(
        "update hub.table_load set rows = rows + %s where source_id = %s and relation = %s",
        [rows, source_id, chunk.relation],
    )


def finish(connection: Connection, source_id: int, relation: str) -> None:
    """Note that a table is loaded."""
    connection.execute(
        "update hub.table_load set state = 'done', done_at = clock_timestamp() where source_id = %s and relation = %s",
        [source_id, relation],
    )


def list_loads(connection: Connection, source_id: int) -> list[TableLoad]:
    """Return the loads of a source's tables, in the order in which they were asked for."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """select l.relation, l.state, l.replaces, l.start_lsn::text, l.rows, count(c.chunk_no) as chunks,
                      count(c.done_at) as chunks_done
               from hub.table_load l left join hub.snapshot_chunk c using (source_id, relation)
               where l.source_id = %s group by l.source_id, l.relation order by l.requested_at, l.relation""",
            [source_id],
        ).fetchall()
    return [_load(row) for row in rows]


def are_waiting(connection: Connection, source_id: int) -> bool:
    """Tell whether a table of the source is not loaded yet."""
    return bool(
        rows.single(
            connection,
            "select exists (select from hub.table_load where source_id = %s and state <> 'done')",
            [source_id],
        )
    )


def list_open_chunks(connection: Connection, source_id: int, relation: str | None = None) -> list[Chunk]:
    """Return the planned chunks that are not done, of one table or of all."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """select relation, chunk_no, partition_schema, partition, filenode, first_block, last_block
               from hub.snapshot_chunk
               where source_id = %s and done_at is null and relation = coalesce(%s, relation)
               order by relation, chunk_no""",
            [source_id, relation],
        ).fetchall()
    return [_chunk(row) for row in rows]


def _planned(chunk: Chunk) -> tuple[int, str, str, int | None, int | None, int | None]:
    partition = chunk.partition
    return (
        chunk.chunk_no,
        partition.schema,
        partition.name,
        partition.filenode,
        chunk.first_block,
        chunk.last_block,
    )


def _load(row: dict[str, object]) -> TableLoad:
    start = row["start_lsn"]
    known = row | {"state": LoadState(str(row["state"])), "start_lsn": None if start is None else Lsn.parse(str(start))}
    return TableLoad(**known)  # type: ignore[arg-type]  # the columns are those of the query above


def _chunk(row: dict[str, object]) -> Chunk:
    partition = Partition(
        schema=str(row.pop("partition_schema")),
        name=str(row.pop("partition")),
        filenode=row.pop("filenode"),  # type: ignore[arg-type]  # a bigint column
        blocks=None,
        rows_per_block=None,
    )
    return Chunk(partition=partition, **row)  # type: ignore[arg-type]  # the columns are those of the query above
