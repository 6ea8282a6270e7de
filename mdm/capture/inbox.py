"""The inbox: batches that wait in the hub until the worker whose turn it is masters all of them as one.

One row a source. It is a place of passage, no record: after a crash of the hub's server it is empty, and what stood in
it comes again from the checkpoints. A batch is taken in the transaction that masters it, so it is mastered once.
"""

from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import polars as pl
import psycopg

from golden_records import routines, rows
from golden_records.routines import Routine, when
from mdm.batches import MappedBatch
from mdm.capture.checkpoint import LOCK_CLASS, Move, Position, Progress
from mdm.capture.lsn import Lsn
from mdm.db import Connection

_TURN = -1  # beside the ids of sources in LOCK_CLASS

# In one routine, so that whoever finds its batch gone has the turn for no longer than it takes to see it.
_AWAIT = Routine(
    name="await_turn",
    parameters=("source int",),
    statements=(
        f"perform pg_advisory_lock({LOCK_CLASS}, {_TURN})",
        "select count(*) into _found from hub.inbox where source_id = %(source)s and taken_at is null",
        when("_found = 0", [f"perform pg_advisory_unlock({LOCK_CLASS}, {_TURN})"]),
    ),
)

_PUT = """
insert into hub.inbox (source_id, worker, commit_lsn, end_lsn, reached_commit_lsn, reached_end_lsn, source_at,
                       change_count, rate, transactions, changes, records, rejects)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (source_id) do update
set worker = excluded.worker, commit_lsn = excluded.commit_lsn, end_lsn = excluded.end_lsn,
    reached_commit_lsn = excluded.reached_commit_lsn, reached_end_lsn = excluded.reached_end_lsn,
    source_at = excluded.source_at, change_count = excluded.change_count, rate = excluded.rate,
    transactions = excluded.transactions, changes = excluded.changes, records = excluded.records,
    rejects = excluded.rejects, put_at = clock_timestamp(), taken_at = null
"""

_TAKE = """
with waiting as (
    update hub.inbox i
    set taken_at = clock_timestamp(), transactions = null, changes = null, records = null, rejects = null
    from (select * from hub.inbox where taken_at is null order by source_id for update) w
    where i.source_id = w.source_id
    returning w.*
)
select source_id, worker, commit_lsn::text, end_lsn::text, reached_commit_lsn::text, reached_end_lsn::text, source_at,
       change_count, rate, transactions, changes, records, rejects
from waiting where source_id <> %s order by source_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A batch to be mastered, of which worker it is, and how it moves the checkpoint of its source."""

    worker: int
    move: Move
    batch: MappedBatch

    @property
    def source_id(self) -> int:
        """The source of the batch."""
        return self.batch.source_id


def prepare(connection: Connection) -> None:
    """Make a session ready to wait for its turn."""
    _AWAIT.create(connection)


def try_turn(connection: Connection) -> bool:
    """Take the turn for this session if nobody has it, or waits for it."""
    return bool(rows.single(connection, "select pg_try_advisory_lock(%s, %s)", [LOCK_CLASS, _TURN]))


def await_turn(connection: Connection, source_id: int) -> bool:
    """Wait for the turn and keep it if the source's batch still waits; False where another has mastered it."""
    return routines.found(_AWAIT.call(connection, source_id)) > 0


def end_turn(connection: Connection) -> None:
    """Let the next have the turn; where the connection is lost, it has gone with it."""
    with suppress(psycopg.OperationalError, psycopg.InterfaceError):
        connection.execute("select pg_advisory_unlock(%s, %s)", [LOCK_CLASS, _TURN])


def put(connection: Connection, waiting: Waiting) -> None:
    """Have a batch wait; it takes the place of what an earlier worker of the source has left."""
    batch, move, progress = waiting.batch, waiting.move, waiting.move.progress
    positions = [str(lsn) for at in (move.known, move.reached) for lsn in (at.commit_lsn, at.end_lsn)]
    frames = [_encoded(frame) for frame in (batch.transactions, batch.changes, batch.records, batch.rejects)]
    connection.execute(
        _PUT,
        [waiting.source_id, waiting.worker, *positions, progress.source_at, progress.changes, progress.rate, *frames],
    )


def take_others(connection: Connection, source_id: int) -> list[Waiting]:
    """Take all out, inside the transaction that masters it; return what is of other sources than this one."""
    return [_waiting(row) for row in connection.execute(_TAKE, [source_id], binary=True)]


def withdraw(connection: Connection, source_id: int) -> None:
    """Take a source's batch out without mastering it: it comes again from the checkpoint."""
    connection.execute("delete from hub.inbox where source_id = %s", [source_id])


def _waiting(row: tuple[Any, ...]) -> Waiting:
    source_id, worker, commit_lsn, end_lsn, reached_commit_lsn, reached_end_lsn, source_at, changes, rate, *frames = row
    transactions, changed, records, rejects = (pl.read_ipc(BytesIO(frame)) for frame in frames)
    return Waiting(
        worker=worker,
        move=Move(
            source_id=source_id,
            known=Position(commit_lsn=Lsn.parse(commit_lsn), end_lsn=Lsn.parse(end_lsn)),
            reached=Position(commit_lsn=Lsn.parse(reached_commit_lsn), end_lsn=Lsn.parse(reached_end_lsn)),
            progress=Progress(changes=changes, rate=rate, source_at=source_at),
        ),
        batch=MappedBatch(
            source_id=source_id, transactions=transactions, changes=changed, records=records, rejects=rejects
        ),
    )


def _encoded(frame: pl.DataFrame) -> bytes:
    return frame.write_ipc(None, compression="lz4").getvalue()
