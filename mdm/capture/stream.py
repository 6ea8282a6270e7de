"""A source's changes as batches: the replication connection and the assembly of its messages, put together.

The consumer's loop: next_batch(), master it in a hub transaction together with the checkpoint, commit, confirm().
No heartbeat has to be written into an idle source: its keepalives tell how far its WAL has been read, and what they
tell becomes an empty batch, so that the checkpoint never falls behind what is confirmed.
"""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl

from mdm import db
from mdm.capture import replication
from mdm.capture.assembly import Assembly
from mdm.capture.backlog import Limits
from mdm.capture.frames import TRANSACTION_SCHEMA, Batch
from mdm.capture.lsn import Lsn
from mdm.capture.refusals import Request
from mdm.capture.replication import Arrival, ReplicationStream

_BETWEEN_IDLE_BATCHES = 10.0
_AHEAD = 2_000  # changes that are worth a batch before anyone waits for it
_ENOUGH = 200  # changes that are gathered no further when a batch is awaited
_BETWEEN_LOOKS = 0.005
_LONGER = 1.5  # times as long as the last batch took
_LONGEST_LINGER = 0.25


def _always() -> bool:
    return True


def start(
    connection: db.Connection,
    request: Request,
    *,
    at: Lsn,
    spool_folder: Path,
    limits: Limits | None = None,
    linger: float = 0.01,
) -> "ChangeStream":
    """Begin to stream from `at` on a connection of replication.connect(), which the stream owns from then on.

    A batch that could be filled further is kept back for `linger` seconds at most, while nothing else arrives.
    """
    source = replication.start(connection, request, at=at)
    return ChangeStream(source, Assembly(spool_folder, limits), at=at, linger=linger)


class ChangeStream:
    """Batches of a source's changes in commit order, each transaction whole, or in parts that are told as such."""

    def __init__(self, source: ReplicationStream, assembly: Assembly, *, at: Lsn, linger: float) -> None:
        self._source = source
        self._assembly = assembly
        self._linger = linger
        self._reached = at
        self._wal_end = at
        self._is_urgent = False
        self._idle_at = -_BETWEEN_IDLE_BATCHES  # long ago: the hub's position may be old, though nothing came since
        self._waiting_since = 0.0
        self._handed_at: float | None = None
        self._round = 0.0  # seconds that the last batch took to be mastered

    @property
    def wal_end(self) -> Lsn:
        """How far the source's WAL is known to reach: all that commits ahead of it has arrived."""
        return self._wal_end

    @property
    def spooled_octets(self) -> int:
        """How much of transactions in progress waits in the spool folder."""
        return self._assembly.spooled_octets

    def next_batch(self, *, timeout: float, is_awaited: Callable[[], bool] = _always) -> Batch | None:
        """Return the next batch, or None when none is due within so many seconds. Raises CaptureError.

        Few changes are kept back until the batch is awaited: meanwhile more of them come, and mastering them together
        takes hardly longer.

        When nothing is captured but the source's WAL goes on, an empty batch comes from time to time: save its
        end_lsn as the checkpoint, then confirm it, so that the source need not keep that WAL.
        """
        deadline = time.monotonic() + timeout
        while True:
            is_due = self._is_wanted(is_awaited) or self._assembly.rows >= _AHEAD
            batch = self._assembly.take(eager=is_due and self._has_waited()) or self._idle_batch()
            if batch is not None:
                self._reached = max(self._reached, batch.end_lsn)
                self._waiting_since = self._handed_at = time.monotonic()
                return batch
            arrival = self._source.take(timeout=self._patience(deadline, is_due=is_due))
            if arrival is not None:
                self._feed(arrival)
            elif time.monotonic() >= deadline:
                return None

    def confirm(self, lsn: Lsn) -> None:
        """Let the source forget what commits ahead of `lsn`: only after the hub has committed it (law 1)."""
        self._source.confirm(lsn)

    def close(self) -> None:
        """Leave the slot to others; what was not confirmed comes again."""
        self._source.close()
        self._assembly.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _feed(self, arrival: Arrival) -> None:
        if self._assembly.is_idle:
            self._waiting_since = time.monotonic()
        self._assembly.feed(arrival.wire)
        self._wal_end = max(self._wal_end, arrival.wal_end or self._wal_end)
        self._is_urgent |= arrival.is_urgent

    def _is_wanted(self, is_awaited: Callable[[], bool]) -> bool:
        """Tell whether the next batch is awaited; note how long the last one took until then."""
        wanted = is_awaited()
        if wanted and self._handed_at is not None:
            self._round, self._handed_at = time.monotonic() - self._handed_at, None
        return wanted

    @property
    def _gathering(self) -> float:
        """Seconds for which changes gather: the busier the hub is, the longer, so that it masters more at once."""
        return max(self._linger, min(_LONGER * self._round, _LONGEST_LINGER))

    @property
    def _ready_at(self) -> float:
        """When the next batch has gathered for long enough."""
        return 0.0 if self._assembly.rows >= _ENOUGH else self._waiting_since + self._gathering

    def _has_waited(self) -> bool:
        return not self._source.has_more and time.monotonic() >= self._ready_at

    def _patience(self, deadline: float, *, is_due: bool) -> float:
        now, due = time.monotonic(), self._ready_at
        if not is_due and not self._assembly.is_idle:
            due = max(due, now + _BETWEEN_LOOKS)
        return (due if now < due < deadline else deadline) - now

    def _idle_batch(self) -> Batch | None:
        """Build the batch that only moves the checkpoint, now and then, or when the source waits for it."""
        is_due = self._is_urgent or time.monotonic() >= self._idle_at + _BETWEEN_IDLE_BATCHES
        if not (is_due and self._assembly.is_idle and not self._source.has_more and self._wal_end > self._reached):
            return None
        self._idle_at, self._is_urgent = time.monotonic(), False
        nothing = pl.DataFrame(schema=TRANSACTION_SCHEMA)
        return Batch(transactions=nothing, tables=(), messages=(), complete=True, end_lsn=self._wal_end)
