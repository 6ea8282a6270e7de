"""The lane: of all workers of a hub, one masters what all have put into the inbox, in one hub transaction at a time.

Side by side, workers would wait for each other: the same points are in the batches of every source, and nearly all of a
batch's work is done under their locks. Together, points are locked, judged and projected once, and what a batch costs
however small it is, is paid once. Each source's checkpoint moves in that transaction, as if its own worker had
mastered it, and stands still if another worker has taken the source over (law 1). What cannot be mastered together is
given back: its own worker masters it, or holds back what is refused of it.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from types import TracebackType
from typing import Self

import psycopg
import structlog

from mdm import batches, db, mastering
from mdm.batches import MappedBatch
from mdm.capture import checkpoint, inbox
from mdm.capture.capturing import Captured
from mdm.capture.checkpoint import Move
from mdm.capture.crashes import Point
from mdm.capture.inbox import Waiting
from mdm.capture.retrying import retried
from mdm.db import Connection, DatabaseUnreachable

_log = structlog.get_logger(__name__)

_LOCK = -1  # beside the ids of sources
_MOST = 20_000  # changes, about
_BETWEEN_LOCK_TRIES = 0.5
_PATIENCE = 0.5
_PAUSE = 1.0
_LINGER = 0.01
_LARGE = 200
_LINGER_LARGE = 0.06


class Lane:
    """Keeps the lane while no other worker does, in a thread and a hub session of its own."""

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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
            while not checkpoint.try_lock(hub, _LOCK):
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
                inbox.give_back(hub, [waiting.put_no for waiting in taken if waiting.put_no is not None])
        else:
            if taken:
                self._captured.at(Point.HUB_COMMITTED)
        return bool(taken)

    def _master(self, hub: Connection, taken: list[Waiting]) -> None:
        """Master the oldest of what waits and move the checkpoints; tell in `taken` what it is, as soon as it is."""
        current = _take(hub, taken, changes=_MOST)
        changed = _changes(current)
        if changed:
            mastering.apply(hub, *changed, further=self._come(hub, taken, current))
            self._captured.at(Point.PART_MASTERED)
            mastering.finish(hub)
        if current:
            checkpoint.advance(hub, *(_move(group) for group in _by_source(current)))
            self._captured.at(Point.CHECKPOINT_WRITTEN)

    def _come(
        self, hub: Connection, taken: list[Waiting], current: list[Waiting]
    ) -> Iterator[list[MappedBatch]] | None:
        """Wait, beside a large batch that has just come, for what belongs to it: together they take half as long."""
        waited = max((each.waited for each in current if each.batch.changes.height >= _LARGE), default=_LINGER_LARGE)
        if waited >= _LINGER_LARGE:
            return None
        return self._come_until(time.monotonic() + _LINGER_LARGE - waited, hub, taken, current)

    def _come_until(
        self, deadline: float, hub: Connection, taken: list[Waiting], current: list[Waiting]
    ) -> Iterator[list[MappedBatch]]:
        while (left := deadline - time.monotonic()) > 0:
            self._closing.wait(min(left, _LINGER))
            room = _MOST - sum(waiting.batch.changes.height for waiting in current)
            further = _take(hub, taken, changes=room) if room > 0 else []
            current += further
            if changed := _changes(further):
                yield changed


def _take(hub: Connection, taken: list[Waiting], *, changes: int) -> list[Waiting]:
    """Take what waits, and tell it in `taken`; return what is of the present workers of the sources.

    What a worker has left whose source was taken over is dropped: it comes again.
    """
    found = inbox.take(hub, changes=changes)
    taken += found
    workers = checkpoint.lock_workers(hub, {waiting.source_id for waiting in found})
    return [waiting for waiting in found if workers.get(waiting.source_id) == waiting.worker]


def _by_source(waiting: Iterable[Waiting]) -> list[list[Waiting]]:
    by_source = attrgetter("source_id")
    return [list(group) for _, group in groupby(sorted(waiting, key=by_source), by_source)]


def _changes(waiting: list[Waiting]) -> list[MappedBatch]:
    """Return one batch a source, of those that change anything."""
    changed = [each for each in waiting if each.batch.changes.height]
    return [batches.chain([each.batch for each in group]) for group in _by_source(changed)]


def _move(group: list[Waiting]) -> Move:
    """Return how the batches of a source move its checkpoint together."""
    first, last = group[0].move, group[-1].move
    changes = sum(waiting.move.progress.changes for waiting in group)
    return replace(last, known=first.known, progress=replace(last.progress, changes=changes))
