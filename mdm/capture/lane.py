"""The lane: of all workers of a hub, one masters what all have put into the inbox, in one hub transaction at a time.

Side by side, workers would wait for each other: the same points are in the batches of every source, and nearly all of a
batch's work is done under their locks. Together, points are locked, judged and projected once, and what a batch costs
however small it is, is paid once. Each source's checkpoint moves in that transaction, as if its own worker had
mastered it, and stands still if another worker has taken the source over (law 1). What cannot be mastered together is
given back: its own worker masters it, or holds back what is refused of it.
"""

import threading
from itertools import groupby
from operator import attrgetter
from types import TracebackType
from typing import Self

import psycopg
import structlog

from mdm import batches, db, mastering
from mdm.capture import checkpoint, inbox
from mdm.capture.capturing import Captured
from mdm.capture.checkpoint import Move, Progress
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
_LINGER_LARGE = 0.05


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
                self._linger(hub)
                told = list(hub.notifies(timeout=0))  # of what is taken now
                if not self._master_waiting(hub) and not told:
                    self._await_put(hub)

    def _await_put(self, hub: Connection) -> None:
        """Wait until a batch was put in, and a moment longer: what changed at one time comes from several sources."""
        for _ in hub.notifies(timeout=_PATIENCE, stop_after=1):
            self._closing.wait(_LINGER)
            break

    def _linger(self, hub: Connection) -> None:
        """Wait for what belongs to a large batch that has just come: together they take half as long."""
        waited = inbox.seconds_since_put(hub, changes=_LARGE)
        if waited is not None and waited < _LINGER_LARGE:
            self._closing.wait(_LINGER_LARGE - waited)

    def _master_waiting(self, hub: Connection) -> bool:
        """Master the oldest of what waits; tell whether anything did."""
        taken: list[Waiting] = []

        def master() -> None:
            with db.transaction(hub):
                taken[:] = inbox.take(hub, changes=_MOST)
                self._master(hub, _current(hub, taken))

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

    def _master(self, hub: Connection, together: list[Waiting]) -> None:
        changed = [waiting.batch for waiting in together if waiting.batch.changes.height]
        if changed:
            mastering.apply(hub, *changed)
            self._captured.at(Point.PART_MASTERED)
            mastering.finish(hub)
        if together:
            checkpoint.advance(hub, *(waiting.move for waiting in together))
            self._captured.at(Point.CHECKPOINT_WRITTEN)


def _current(hub: Connection, taken: list[Waiting]) -> list[Waiting]:
    """Return one batch a source; what a worker has left whose source was taken over comes again, so it is dropped."""
    workers = checkpoint.lock_workers(hub, {waiting.source_id for waiting in taken})
    current = [waiting for waiting in taken if workers.get(waiting.source_id) == waiting.worker]
    by_source = attrgetter("source_id")
    return [_chained(list(group)) for _, group in groupby(sorted(current, key=by_source), by_source)]


def _chained(group: list[Waiting]) -> Waiting:
    first, last = group[0].move, group[-1].move
    progress = Progress(
        changes=sum(waiting.move.progress.changes for waiting in group),
        rate=last.progress.rate,
        source_at=last.progress.source_at,
    )
    return Waiting(
        worker=group[-1].worker,
        move=Move(source_id=first.source_id, known=first.known, reached=last.reached, progress=progress),
        batch=batches.chain([waiting.batch for waiting in group]),
    )
