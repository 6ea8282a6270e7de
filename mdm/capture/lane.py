"""The lane: of all workers of a hub, one masters what all have put into the inbox, in one hub transaction at a time.

Side by side, workers would wait for each other: the same points are in the batches of every source, and nearly all of a
batch's work is done under their locks. Together, points are locked, judged and projected once, and what a batch costs
however small it is, is paid once. Each source's checkpoint moves in that transaction, as if its own worker had
mastered it, and stands still if another worker has taken the source over (law 1). What cannot be mastered together is
given back: its own worker masters it, or holds back what is refused of it.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import structlog

from golden_records import staging
from mdm import db, mastering
from mdm.capture import checkpoint, inbox
from mdm.capture.capturing import Captured
from mdm.capture.checkpoint import Move
from mdm.capture.crashes import Point
from mdm.capture.inbox import Taken, Waiting
from mdm.capture.retrying import retried
from mdm.db import Connection, DatabaseUnreachable

_log = structlog.get_logger(__name__)

LOCK = -1
"""What whoever keeps the lane holds, as its worker holds a source by its id (checkpoint.try_lock)."""

_MOST = 20_000  # changes, about
_BETWEEN_LOCK_TRIES = 0.5
_PATIENCE = 0.5
_PAUSE = 1.0
_LINGER = 0.01
_LARGE, _LINGER_LARGE = 200, 0.08
_HUGE, _LINGER_HUGE = 2_000, 0.25


class Lane:
    """Keeps the lane while no other worker does, in a thread and a hub session of its own, until it is closed."""

    def __init__(self, captured: Captured) -> None:
        self._captured = captured
        self._closing = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="lane", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what has ended the thread, if anything did."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Leave the lane to others, after the transaction at hand."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                try:
                    self._keep()
                except (DatabaseUnreachable, psycopg.OperationalError, psycopg.InterfaceError) as error:
                    # The lock went with the connection; batches are in the inbox still, or come again with it.
                    _log.warning("lane.interrupted", source=self._captured.name, error=type(error).__name__)
                    self._closing.wait(_PAUSE)
        except BaseException as failure:  # noqa: BLE001 - raised again by check(), in the worker's own thread
            self._failure = failure

    def _keep(self) -> None:
        with self._captured.connect_hub("lane") as hub:
            while not checkpoint.try_lock(hub, LOCK):
                if self._closing.wait(_BETWEEN_LOCK_TRIES):
                    return
            _log.info("lane.kept", source=self._captured.name)
            mastering.tune(hub, terms=self._captured.terms)
            hub.execute(f"listen {inbox.CHANNEL}")
            while not self._closing.is_set():
                told = list(hub.notifies(timeout=0))  # of what is taken now
                if not self._master_waiting(hub) and not told:
                    self._await_put(hub)

    def _await_put(self, hub: Connection) -> None:
        """Wait until a batch was put in, and a moment longer: what changed at one time comes from several sources."""
        for _ in hub.notifies(timeout=_PATIENCE, stop_after=1):
            self._closing.wait(_LINGER)
            break

    def _master_waiting(self, hub: Connection) -> bool:
        """Master the oldest of what waits; tell whether anything did."""
        taken: list[Waiting] = []

        def master() -> None:
            taken.clear()
            with db.transaction(hub):
                self._master(hub, taken)

        try:
            retried(master, source=self._captured.name)
        except Exception as error:
            if hub.closed:
                raise
            _log.warning("batches.returned", batches=len(taken), error=type(error).__name__)
            with db.transaction(hub):
                inbox.give_back(hub, [waiting.put_no for waiting in taken])
        else:
            if taken:
                self._captured.at(Point.HUB_COMMITTED)
        return bool(taken)

    def _master(self, hub: Connection, taken: list[Waiting]) -> None:
        """Master the oldest of what waits and move the checkpoints; tell in `taken` what it is, as soon as it is."""
        current = _take(hub, taken, changes=_MOST)
        if any(waiting.changes for waiting in current):
            until = _belonging_until(current)
            is_few = until is None and Taken(current).rows <= staging.FEW
            mastering.apply_together(hub, self._parts(hub, taken, current, until), is_few=is_few)
            self._captured.at(Point.PART_MASTERED)
            mastering.finish(hub)
        if current:
            checkpoint.advance(hub, *_moves(current))
            self._captured.at(Point.CHECKPOINT_WRITTEN)

    def _parts(
        self, hub: Connection, taken: list[Waiting], current: list[Waiting], until: float | None
    ) -> Iterator[Taken]:
        """Yield what was taken, and what comes until then."""
        yield Taken(tuple(current))
        while until is not None and (left := until - time.monotonic()) > 0:
            self._closing.wait(min(left, _LINGER))
            room = _MOST - Taken(current).changes
            further = _take(hub, taken, changes=room) if room > 0 else []
            current += further
            if further:
                yield Taken(further)


def _belonging_until(current: list[Waiting]) -> float | None:
    """Return until when to wait for what belongs to a large batch that has just come; None without one.

    Together they take half as long as one after the other.
    """
    left = max((_lingered(waiting.changes) - waiting.waited for waiting in current), default=0.0)
    return time.monotonic() + left if left > 0 else None


def _lingered(changes: int) -> float:
    """Return the seconds to wait beside a batch of so many changes: a part of what it takes to master them."""
    return _LINGER_HUGE if changes >= _HUGE else _LINGER_LARGE if changes >= _LARGE else 0.0


def _take(hub: Connection, taken: list[Waiting], *, changes: int) -> list[Waiting]:
    """Take what waits, and tell it in `taken`; return what is of the present workers of the sources.

    What a worker has left whose source was taken over is dropped: it comes again.
    """
    found = inbox.take(hub, changes=changes)
    taken += found
    workers = checkpoint.lock_workers(hub, {waiting.source_id for waiting in found}) if found else {}
    current = [waiting for waiting in found if workers.get(waiting.source_id) == waiting.worker]
    if len(current) < len(found):
        inbox.drop(hub, [waiting.put_no for waiting in found if waiting not in current])
    return current


def _moves(current: list[Waiting]) -> list[Move]:
    """Return how these batches move the checkpoints, one move a source."""
    moves: dict[int, Move] = {}
    for waiting in current:
        before = moves.get(waiting.source_id)
        moves[waiting.source_id] = waiting.move if before is None else _joined(before, waiting.move)
    return list(moves.values())


def _joined(before: Move, move: Move) -> Move:
    changes = before.progress.changes + move.progress.changes
    return replace(move, known=before.known, progress=replace(move.progress, changes=changes))
