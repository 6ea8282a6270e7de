"""From arriving messages to batches: whole transactions up to a limit, a larger one in parts, streamed ones spooled.

A transaction that the source streams while it is in progress waits in its spool until its commit, and leaves no trace
when it is rolled back. Batches come in commit order (law 3), whole transactions or in parts told as such (law 2).
"""

from collections import deque
from itertools import count
from pathlib import Path

import numpy as np

from mdm.capture import messages, pgoutput, transactions
from mdm.capture.backlog import Backlog, Limits
from mdm.capture.errors import DecodeError
from mdm.capture.frames import Batch
from mdm.capture.messages import Cursor, Kind
from mdm.capture.pgoutput import Definitions
from mdm.capture.spool import Spool
from mdm.capture.streamed import Replay, Streamed
from mdm.capture.transactions import Transaction
from mdm.capture.wire import Wire

_STREAM_KINDS = (Kind.STREAM_START, Kind.STREAM_STOP, Kind.STREAM_COMMIT, Kind.STREAM_ABORT)
_TURNS = np.isin(np.arange(256), _STREAM_KINDS)
_KNOWN = np.isin(np.arange(256), list(Kind))


class Assembly:
    """Takes messages in the order of the stream, gives batches in the order of the commits."""

    def __init__(self, spool_folder: Path, limits: Limits | None = None) -> None:
        self._folder = spool_folder
        self._limits = limits or Limits()
        self._queue: deque[Backlog | Replay] = deque()
        self._carried: Transaction | None = None
        self._definitions = Definitions()
        self._arrivals = count(1)
        self._announced: dict[int, int] = {}
        self._streamed: dict[int, Streamed] = {}
        self._current: Streamed | None = None

    @property
    def is_idle(self) -> bool:
        """Tell whether all that was fed has been taken, but for transactions that are still in progress."""
        return not self._queue and self._carried is None

    @property
    def rows(self) -> int:
        """How many changes wait that the next batch may take."""
        head = self._queue[0] if self._queue else None
        return head.rows if isinstance(head, Backlog) else 0

    @property
    def spooled_octets(self) -> int:
        """How much of transactions in progress lies in the spool folder."""
        return sum(streamed.spool.octets for streamed in self._streamed.values())

    def feed(self, wire: Wire) -> None:
        """Take in messages as they arrive."""
        start = 0
        pgoutput.refuse_unknown(wire, _KNOWN)
        for turn in np.flatnonzero(_TURNS[wire.kinds]).tolist():
            self._put(wire.between(start, turn))
            self._turn(wire, turn)
            start = turn + 1
        self._put(wire.between(start, len(wire)))

    def take(self, *, eager: bool) -> Batch | None:
        """Return the next batch: a full one, or if eager also one that could be filled further; None if there is none.

        After a batch that is not complete, only the rest of the same transaction follows, until one is.
        """
        if not self._queue:
            return None
        head = self._queue[0]
        if isinstance(head, Replay):
            return self._replayed(head)
        if len(self._queue) == 1:
            return self._plain(head, eager=eager)
        batch = self._plain(head, eager=True)
        if batch is None:
            raise head.joined().refuse(0, "a streamed transaction commits before this one has ended")
        return batch

    def close(self) -> None:
        """Give up what is pending, and its disk space."""
        for streamed in self._streamed.values():
            streamed.spool.close()
        for waiting in self._queue:
            if isinstance(waiting, Replay):
                waiting.close()
        self._streamed.clear()
        self._queue.clear()

    def _replayed(self, replay: Replay) -> Batch:
        if self._carried is not None:
            raise DecodeError("a streamed transaction commits inside another")
        batch = replay.take()
        if replay.done:
            self._definitions.by_oid.update(replay.lasting().by_oid)
            replay.close()
            self._queue.popleft()
        return batch

    def _plain(self, backlog: Backlog, *, eager: bool) -> Batch | None:
        if not backlog.exceeds(self._limits) and not (eager and backlog.may_close):
            return None
        cut = self._cut(backlog.joined())
        if not cut:
            return None
        wire = backlog.take(cut)
        batch, self._carried = transactions.plain(wire, self._definitions, self._carried, few=self._limits.few)
        if not backlog.wires:
            self._queue.popleft()
        return batch

    def _cut(self, wire: Wire) -> int:
        """Count the messages of the next batch: as many whole transactions as fit, or a part of one; 0 to wait."""
        ends = np.flatnonzero(transactions.depth(wire, is_open=self._carried is not None) == 0) + 1
        fitting = self._limits.fitting(wire)
        whole = ends[ends <= fitting]
        if whole.size:
            comfortable = whole[whole <= self._limits.comfortable(wire)]
            return int(comfortable[-1] if self._carried is None and comfortable.size else whole[0])
        return fitting if fitting < len(wire) else 0

    def _put(self, wire: Wire) -> None:
        if not len(wire):
            return
        self._announce(wire)
        if self._current is not None:
            self._current.spool.append(wire)
        else:
            self._plain_backlog().add(wire)

    def _plain_backlog(self) -> Backlog:
        last = self._queue[-1] if self._queue else None
        if not isinstance(last, Backlog):
            last = Backlog()
            self._queue.append(last)
        return last

    def _announce(self, wire: Wire) -> None:
        """Note when each table's definition arrived: a streamed one counts afterwards unless a plain one came later."""
        known = self._announced if self._current is None else self._current.announced
        for index in np.flatnonzero(wire.kinds == Kind.RELATION).tolist():
            oid = Cursor(wire, index, in_stream=self._current is not None).uint32()
            known[oid] = next(self._arrivals)

    def _turn(self, wire: Wire, index: int) -> None:
        match int(wire.kinds[index]):
            case Kind.STREAM_START:
                self._start(wire, index)
            case Kind.STREAM_STOP:
                self._stop(wire, index)
            case Kind.STREAM_COMMIT if self._current is None:
                self._commit(wire, index)
            case Kind.STREAM_ABORT if self._current is None:
                self._abort(wire, index)
            case _:
                raise pgoutput.unknown(wire, index)

    def _start(self, wire: Wire, index: int) -> None:
        start = messages.stream_start(Cursor(wire, index))
        if self._current is not None or start.is_first == (start.xid in self._streamed):
            raise wire.refuse(index, "a transaction in progress starts twice, or goes on without a start")
        if start.is_first:
            self._streamed[start.xid] = Streamed(Spool(self._folder))
        self._current = self._streamed[start.xid]

    def _stop(self, wire: Wire, index: int) -> None:
        Cursor(wire, index).done()
        if self._current is None:
            raise wire.refuse(index, "a transaction in progress stops that has not started")
        self._current = None

    def _commit(self, wire: Wire, index: int) -> None:
        commit = messages.stream_commit(Cursor(wire, index))
        streamed = self._streamed.pop(commit.xid, None)
        if streamed is None:
            raise wire.refuse(index, "a transaction commits of which nothing was streamed")
        transaction = Transaction(
            xid=commit.xid,
            commit_lsn=commit.commit_lsn,
            end_lsn=commit.end_lsn,
            committed_at=transactions.unix_microseconds(commit.committed_at),
        )
        lasting = [oid for oid, when in streamed.announced.items() if when > self._announced.get(oid, 0)]
        self._queue.append(Replay(streamed, transaction, self._limits, lasting))

    def _abort(self, wire: Wire, index: int) -> None:
        abort = messages.stream_abort(Cursor(wire, index))
        streamed = self._streamed.get(abort.xid)
        if streamed is None:
            return  # it began and ended within what is no longer streamed: nothing of it came here
        if abort.sub_xid != abort.xid:
            streamed.rolled_back.add(abort.sub_xid)
        else:
            del self._streamed[abort.xid]
            streamed.spool.close()
