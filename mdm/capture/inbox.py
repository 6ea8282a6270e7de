"""The inbox: batches that wait in the hub to be mastered together with those of other sources (mdm.capture.lane).

Workers write them down as they are to be staged, each in its own session; whoever masters them moves the rows by a few
statements. It is a place of passage, no record: after a crash of the hub's server it is empty, and what stood in it
comes again from the checkpoints. A batch is taken out in the transaction that masters it and moves its source's
checkpoint.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import psycopg

from golden_records import journal, rows, staging
from mdm.batches import MappedBatch
from mdm.capture.checkpoint import Move, Position, Progress
from mdm.capture.lsn import Lsn
from mdm.db import Connection

CHANNEL = "mdm_inbox"
"""PostgreSQL's channel on which it is told that a batch was put in."""

_PUT = """
insert into hub.inbox (source_id, worker, commit_lsn, end_lsn, reached_commit_lsn, reached_end_lsn, source_at,
                       change_count, transaction_count, is_partial, rate, is_behind)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning put_no
"""
_TRANSACTION = ["tx", "xid", "commit_lsn", "committed_at"]
_CHANGE = ["change_no", "tx", "ordinal", "relation", "op", "source_key", "payload"]
_RECORD = ["change_no", "tx", "op", "entity", "item_group", "key", "alt_key", "source_key"]
_RECORD += ["effective_from", "effective_to", "is_partial", "item_values", "point_key", "address_key", "contract_key"]
_REJECT = ["change_no", "reason"]

# Of a source that got a batch back, which comes first, nothing is taken.
_WAITING = """
hub.inbox i where put_no <> all (%(but)s)
    and not exists (select from hub.inbox r where r.source_id = i.source_id and r.is_returned)
"""

# The oldest first, so that the changes of one time, which belong together, are mastered together.
_TAKE = f"""
with waiting as (
    select put_no, change_count, max(source_at) over (partition by source_id order by put_no) as source_at
    from {_WAITING}
), fitting as (
    select put_no from (
        select put_no, sum(change_count) over (order by source_at, put_no) - change_count as before from waiting) w
    where before < %(changes)s
)
delete from hub.inbox where put_no = any (array(select put_no from fitting))
returning put_no, source_id, worker, commit_lsn::text, end_lsn::text, reached_commit_lsn::text, reached_end_lsn::text,
          source_at, change_count, transaction_count, is_partial, rate,
          extract(epoch from clock_timestamp() - put_at)::float8
"""

_LOOK = f"""
select count(*), coalesce(sum(change_count), 0)::int,
       extract(epoch from clock_timestamp() - max(put_at) filter (where is_behind))::float8
from {_WAITING}
"""

# A source's transactions keep their order; among each other they stand by when they were committed.
_STAGE_TRANSACTIONS = """
with gone as (delete from hub.inbox_transaction where put_no = any (%(put_nos)s) returning *), timed as (
    select g.*, p.source_id, max(g.committed_at) over (partition by p.source_id order by g.put_no, g.tx) as at
    from gone g join unnest(%(put_nos)s::bigint[], %(source_ids)s::int[]) p (put_no, source_id) using (put_no)
)
insert into stage_tx (tx, source_id, xid, commit_lsn, committed_at, put_no, put_tx)
select row_number() over (order by at, source_id, put_no, tx) - 1, source_id, xid, commit_lsn, committed_at, put_no, tx
from timed
"""
_NUMBERED = """
unnest(%(put_nos)s::bigint[], %(source_ids)s::int[], %(firsts)s::bigint[]) p (put_no, source_id, first) using (put_no)
"""
_CHANGE_ID = f"(%(block)s + p.first + g.change_no) << {journal.SOURCE_BITS} | p.source_id"
_JOURNAL = f"""
with gone as (delete from hub.inbox_change where put_no = any (%(put_nos)s) returning *)
insert into golden.journal_change (source_id, commit_lsn, ordinal, change_id, xid, committed_at, relation, op,
                                   source_key, payload)
select p.source_id, t.commit_lsn, g.ordinal, {_CHANGE_ID}, t.xid, t.committed_at, g.relation, g.op, g.source_key,
       g.payload
from gone g join {_NUMBERED} join hub.inbox_transaction t on t.put_no = g.put_no and t.tx = g.tx
"""
_STAGE_RECORDS = f"""
with gone as (delete from hub.inbox_record where put_no = any (%(put_nos)s) returning *)
insert into stage_record (source_id, change_no, tx, op, entity, item_group, key, alt_key, source_key, effective_from,
                          effective_to, is_partial, item_values, point_key, address_key, contract_key, change_id)
select p.source_id, p.first + g.change_no, t.tx, g.op, g.entity, g.item_group, g.key, g.alt_key, g.source_key,
       g.effective_from, g.effective_to, g.is_partial, g.item_values, g.point_key, g.address_key, g.contract_key,
       {_CHANGE_ID}
from gone g join {_NUMBERED} join stage_tx t on t.put_no = g.put_no and t.put_tx = g.tx
"""
_STAGE_REJECTS = f"""
with gone as (delete from hub.inbox_reject where put_no = any (%(put_nos)s) returning *)
insert into stage_reject (change_id, reason) select {_CHANGE_ID}, g.reason from gone g join {_NUMBERED}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A batch that waits: of which worker it is, and how it moves the checkpoint of its source.

    `waited` are the seconds since it was put in.
    """

    put_no: int
    worker: int
    move: Move
    transactions: int
    is_partial: bool
    waited: float

    @property
    def source_id(self) -> int:
        """The source of the batch."""
        return self.move.source_id

    @property
    def changes(self) -> int:
        """How many changes it has."""
        return self.move.progress.changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """What waits, and since how many seconds no worker that catches up has put in more; None where none of it has."""

    batches: int
    changes: int
    quiet: float | None


class Gathered:
    """Batches that are taken out one after the other to be mastered as one: journalled as they come, then staged.

    Among each other, their transactions stand by when they were committed, whichever came first.
    """

    def __init__(self, *, block: int) -> None:
        self.block = block
        self.batches: list[Waiting] = []
        self.is_staged = False
        self._firsts: list[int] = []

    @property
    def changes(self) -> int:
        """How many changes they have."""
        return sum(batch.changes for batch in self.batches)

    @property
    def transactions(self) -> int:
        """How many transactions they have."""
        return sum(batch.transactions for batch in self.batches)

    @property
    def is_partial(self) -> bool:
        """Whether any leaves out values that did not change."""
        return any(batch.is_partial for batch in self.batches)

    @property
    def source_ids(self) -> set[int]:
        """The sources that they are of."""
        return {batch.source_id for batch in self.batches}

    def add(self, connection: Connection, batches: Sequence[Waiting]) -> None:
        """Take these in, behind the others of their sources, and move their changes into the journal."""
        counted = defaultdict[int, int](int)
        firsts = []
        for batch in batches:
            firsts.append(self.changes + counted[batch.source_id])
            counted[batch.source_id] += batch.changes
        with staging.frames_only(connection):
            connection.execute(_JOURNAL, self._parameters(batches, firsts))
        self.batches += batches
        self._firsts += firsts

    def stage(self, connection: psycopg.Connection) -> None:
        """Move what is mastered to where mastering finds it."""
        parameters = self._parameters(self.batches, self._firsts)
        with staging.frames_only(connection):
            for statement in (_STAGE_TRANSACTIONS, _STAGE_RECORDS, _STAGE_REJECTS):
                connection.execute(statement, parameters)
        self.is_staged = True

    def _parameters(self, batches: Sequence[Waiting], firsts: list[int]) -> dict[str, Any]:
        return {
            "put_nos": [batch.put_no for batch in batches],
            "source_ids": [batch.source_id for batch in batches],
            "firsts": firsts,
            "block": self.block,
        }


def put(connection: Connection, move: Move, batch: MappedBatch, *, worker: int, is_behind: bool = False) -> None:
    """Have a batch wait, behind those of its source that are there; it has no truncate.

    `is_behind` tells that its worker catches up: more was to be had than this when it began.
    """
    progress = move.progress
    positions = [str(lsn) for at in (move.known, move.reached) for lsn in (at.commit_lsn, at.end_lsn)]
    counts = [progress.changes, batch.transactions.height, bool(batch.records["is_partial"].any())]
    told = [move.source_id, worker, *positions, progress.source_at, *counts, progress.rate, is_behind]
    put_no = rows.single(connection, _PUT, told)
    records, oversized = staging.parted(batch.records)
    frames = {
        "transaction": batch.transactions[_TRANSACTION],
        "change": batch.changes[_CHANGE],
        "record": records[_RECORD],
        "reject": pl.concat([batch.rejects[_REJECT], oversized[_REJECT]]),
    }
    for name, frame in frames.items():
        numbered = frame.hstack([pl.Series("put_no", [put_no]).new_from_index(0, frame.height)])
        staging.copy_in(connection, f"hub.inbox_{name}", numbered)
    connection.execute(f"notify {CHANNEL}")


def take(connection: Connection, *, changes: int, but: Collection[int] = ()) -> list[Waiting]:
    """Take the oldest batches out but those, about so many changes, in the order in which they were put in."""
    return [_waiting(row) for row in sorted(connection.execute(_TAKE, {"changes": changes, "but": list(but)}))]


def look(connection: Connection, *, but: Collection[int] = ()) -> Waits:
    """Tell what waits but for those batches."""
    [(batches, changes, quiet)] = connection.execute(_LOOK, {"but": list(but)})
    return Waits(batches=batches, changes=changes, quiet=quiet)


def give_back(connection: Connection, put_nos: Iterable[int]) -> None:
    """Have batches mastered by the workers that put them in: together they could not be."""
    connection.execute("update hub.inbox set is_returned = true where put_no = any (%s)", [list(put_nos)])


def is_given_back(connection: Connection, source_id: int) -> bool:
    """Tell whether a batch of the source is to be mastered by its own worker."""
    found = connection.execute("select from hub.inbox where source_id = %s and is_returned limit 1", [source_id])
    return found.rowcount > 0


def withdraw(connection: Connection, source_id: int) -> None:
    """Take all batches of a source out without mastering them: they come again from its checkpoint."""
    withdrawn = connection.execute("delete from hub.inbox where source_id = %s returning put_no", [source_id])
    drop(connection, [put_no for (put_no,) in withdrawn])


def drop(connection: Connection, put_nos: Sequence[int]) -> None:
    """Drop the rows of batches that were taken out."""
    for name in ("transaction", "change", "record", "reject") if put_nos else ():
        connection.execute(f"delete from hub.inbox_{name} where put_no = any (%s)", [list(put_nos)])


def _waiting(row: Sequence[Any]) -> Waiting:
    put_no, source_id, worker, *lsns, source_at, changes, transactions, is_partial, rate, waited = row
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
        transactions=transactions,
        is_partial=is_partial,
        waited=waited,
    )
