"""The inbox: batches that wait in the hub to be mastered together with those of other sources (mdm.capture.lane).

It is a place of passage, no record: after a crash of the hub's server it is empty, and what stood in it comes again
from the checkpoints. A batch is taken out in the transaction that masters it and moves its source's checkpoint.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import polars as pl

from mdm.batches import FRAMES, MappedBatch
from mdm.capture.checkpoint import Move, Position, Progress
from mdm.capture.lsn import Lsn
from mdm.db import Connection

CHANNEL = "mdm_inbox"
"""PostgreSQL's channel on which it is told that a batch was put in."""

_PUT = """
insert into hub.inbox (source_id, worker, commit_lsn, end_lsn, reached_commit_lsn, reached_end_lsn, source_at,
                       change_count, rate, transactions, changes, records, rejects)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

# The oldest first, so that the changes of one time, which belong together, are mastered together. Of a source that got
# a batch back, which comes first, nothing is taken.
_TAKE = """
with waiting as (
    select put_no, change_count, max(source_at) over (partition by source_id order by put_no) as source_at
    from hub.inbox i
    where not exists (select from hub.inbox r where r.source_id = i.source_id and r.is_returned)
), fitting as (
    select put_no from (
        select put_no, sum(change_count) over (order by source_at, put_no) - change_count as before from waiting) w
    where before < %s
)
delete from hub.inbox where put_no = any (array(select put_no from fitting))
returning put_no, source_id, worker, commit_lsn::text, end_lsn::text, reached_commit_lsn::text, reached_end_lsn::text,
          source_at, change_count, rate, extract(epoch from clock_timestamp() - put_at)::float8, transactions, changes,
          records, rejects
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A batch to be mastered, of which worker it is, and how it moves the checkpoint of its source.

    `put_no` is None until it is put into the inbox; `waited` are the seconds for which it was there.
    """

    put_no: int | None = None
    worker: int
    move: Move
    batch: MappedBatch
    waited: float = 0.0

    @property
    def source_id(self) -> int:
        """The source of the batch."""
        return self.batch.source_id


def put(connection: Connection, waiting: Waiting) -> None:
    """Have a batch wait, behind those of its source that are there."""
    move, progress = waiting.move, waiting.move.progress
    positions = [str(lsn) for at in (move.known, move.reached) for lsn in (at.commit_lsn, at.end_lsn)]
    frames = [_encoded(getattr(waiting.batch, name)) for name in FRAMES]
    told = [progress.source_at, progress.changes, progress.rate]
    connection.execute(_PUT, [waiting.source_id, waiting.worker, *positions, *told, *frames])
    connection.execute(f"notify {CHANNEL}")


def take(connection: Connection, *, changes: int) -> list[Waiting]:
    """Take the oldest batches out, about so many changes, in the order in which they were put in."""
    taken = connection.execute(_TAKE, [changes], binary=True).fetchall()
    return [_waiting(row) for row in sorted(taken)]


def give_back(connection: Connection, put_nos: Iterable[int]) -> None:
    """Have batches mastered by the workers that put them in: together they could not be."""
    connection.execute("update hub.inbox set is_returned = true where put_no = any (%s)", [list(put_nos)])


def is_given_back(connection: Connection, source_id: int) -> bool:
    """Tell whether a batch of the source is to be mastered by its own worker."""
    found = connection.execute("select from hub.inbox where source_id = %s and is_returned limit 1", [source_id])
    return found.rowcount > 0


def withdraw(connection: Connection, source_id: int) -> None:
    """Take all batches of a source out without mastering them: they come again from its checkpoint."""
    connection.execute("delete from hub.inbox where source_id = %s", [source_id])


def _waiting(row: Sequence[Any]) -> Waiting:
    put_no, source_id, worker, *lsns, source_at, changes, rate, waited, transactions, changed, records, rejects = row
    commit_lsn, end_lsn, reached_commit_lsn, reached_end_lsn = map(Lsn.parse, lsns)
    return Waiting(
        put_no=put_no,
        worker=worker,
        move=Move(
            source_id=source_id,
            known=Position(commit_lsn=commit_lsn, end_lsn=end_lsn),
            reached=Position(commit_lsn=reached_commit_lsn, end_lsn=reached_end_lsn),
            progress=Progress(changes=changes, rate=rate, source_at=source_at),
        ),
        batch=MappedBatch(
            source_id=source_id,
            transactions=_decoded(transactions),
            changes=_decoded(changed),
            records=_decoded(records),
            rejects=_decoded(rejects),
        ),
        waited=waited,
    )


def _encoded(frame: pl.DataFrame) -> bytes:
    return frame.write_ipc(None, compression="lz4").getvalue()


def _decoded(octets: bytes) -> pl.DataFrame:
    return pl.read_ipc(BytesIO(octets))
