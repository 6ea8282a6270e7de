"""The lane: of all workers of a hub, one masters what all have put into the inbox, in one hub transaction at a time.

Side by side, workers would wait for each other: the same points are in the batches of every source, and nearly all of a
batch's work is done under their locks. Together, points are locked, judged and projected once, and what a batch costs
however small it is, is paid once. Each source's checkpoint moves in that transaction, as if its own worker had
mastered it, and stands still if another worker has taken the source over (law 1). What cannot be mastered together is
given back: its own worker masters it, or holds back what is refused of it.

Whoever keeps the lane does so with two sessions, which take turns (mdm.capture.turns): while one masters, the other
judges what it has mastered before, by the rules (mdm.capture.judging), and gathers what comes next.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import psycopg
import structlog

from mdm import db, mastering, parts
from mdm.capture import checkpoint, inbox, judging
from mdm.capture.capturing import Captured
from mdm.capture.checkpoint import Move
from mdm.capture.crashes import Point
from mdm.capture.inbox import Gathered, Waiting
from mdm.capture.retrying import ATTEMPTS, RETRIED
from mdm.capture.turns import Turn, TurnLost, Turns
from mdm.db import Connection, DatabaseUnreachable

_log = structlog.get_logger(__name__)

LOCK = -1
"""What whoever keeps the lane holds, as its worker holds a source by its id (checkpoint.try_lock)."""

_MOST = 20_000  # changes, about
_BETWEEN_LOCK_TRIES = 0.5
_PATIENCE = 0.5
_PAUSE = 1.0
_GATHERING = 0.05  # seconds from the first batch that is told until those that are there are taken
_LARGE, _LINGER = 200, 0.15  # changes, seconds
_TOGETHER = 3  # sources of a transfer of many points: their registration, their service, MDS
_QUIET, _LONGEST_UNQUIET, _FULL = 0.5, 2.0, 2 * _MOST  # seconds, changes: while workers catch up
_BETWEEN_TAKES = 0.01
_BETWEEN_JUDGEMENTS = 0.5  # seconds: it costs much the same for few records as for some more


class Lane:
    """Keeps the lane while no other worker does, in threads and hub sessions of its own, until it is closed."""

    def __init__(self, captured: Captured) -> None:
        self._captured = captured
        self._closing = threading.Event()
        self._failure: BaseException | None = None
        self._judged_at = 0.0
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

    def _open_session(self) -> Connection:
        return self._captured.connect_hub("lane", staged="64MB")  # a whole turn fits

    def _keep(self) -> None:
        with self._open_session() as hub:
            while not checkpoint.try_lock(hub, LOCK):
                if self._closing.wait(_BETWEEN_LOCK_TRIES):
                    return
            _log.info("lane.kept", source=self._captured.name)
            with self._open_session() as other, ThreadPoolExecutor(thread_name_prefix="lane") as threads:
                turns = Turns()
                for seat in [threads.submit(self._sit, session, turns) for session in (hub, other)]:
                    seat.result()

    def _sit(self, hub: Connection, turns: Turns) -> None:
        """Take turns with the other session, until either leaves."""
        try:
            mastering.tune(hub, terms=self._captured.terms)
            hub.execute(f"listen {inbox.CHANNEL}")
            while not self._is_over(turns):
                with suppress(TurnLost), Turn(turns) as turn:
                    self._take(hub, turn)
                if not self._is_over(turns) and time.monotonic() >= self._judged_at + _BETWEEN_JUDGEMENTS:
                    self._judged_at = time.monotonic()
                    judging.judge(hub)
        finally:
            turns.are_over.set()

    def _is_over(self, turns: Turns) -> bool:
        return self._closing.is_set() or turns.are_over.is_set()

    def _take(self, hub: Connection, turn: Turn) -> None:
        """Master the oldest of what waits; where nothing does, wait until something is put in."""
        told = list(hub.notifies(timeout=0))  # of what is taken now
        if not self._await_whole(hub, turn):
            if not told:
                self._await_put(hub)
            return
        taken: list[Waiting] = []
        try:
            with db.transaction(hub):
                self._master(hub, turn, taken)
        except TurnLost:
            raise
        except Exception as error:
            if hub.closed:
                raise
            turn.has_come()
            if turn.fail() < ATTEMPTS and isinstance(error, RETRIED):
                _log.info("turn.retried", batches=len(taken))
                return
            _log.warning("batches.returned", batches=len(taken), error=type(error).__name__)
            with db.transaction(hub):
                inbox.give_back(hub, [waiting.put_no for waiting in taken])
        else:
            if taken:
                self._captured.at(Point.HUB_COMMITTED)

    def _await_put(self, hub: Connection) -> None:
        """Wait until a batch was put in, and a moment longer: what changed at one time comes from several sources."""
        for _ in hub.notifies(timeout=_PATIENCE, stop_after=1):
            self._closing.wait(_GATHERING)
            break

    def _await_whole(self, hub: Connection, turn: Turn) -> bool:
        """Tell whether anything waits; while workers catch up, only when all have put in what they may.

        The oldest of it belongs together: of what one has put in before the others, records would be held back that
        wait for what these bring.
        """
        until = time.monotonic() + _LONGEST_UNQUIET
        while True:
            waits = inbox.look(hub, but=turn.in_hand)
            is_unquiet = waits.quiet is not None and waits.quiet < _QUIET and waits.changes < _FULL
            if not is_unquiet or time.monotonic() >= until or self._closing.wait(_BETWEEN_TAKES):
                return waits.batches > 0

    def _master(self, hub: Connection, turn: Turn, taken: list[Waiting]) -> None:
        """Master the oldest of what waits and move the checkpoints; tell in `taken` what it is, as soon as it is."""
        gathered = self._gather(hub, turn, taken)
        if gathered is None:
            return
        if checkpoint.lock_workers(hub, gathered.source_ids) != _workers(gathered.batches):
            raise TurnLost
        if gathered.changes:
            mastering.apply_journalled(hub, gathered, is_hurried=turn.is_first_try)
            self._captured.at(Point.PART_MASTERED)
            turn.end_soon([waiting.put_no for waiting in taken])
            mastering.finish(hub)
        if gathered.batches:
            checkpoint.advance(hub, *_moves(gathered.batches))
            self._captured.at(Point.CHECKPOINT_WRITTEN)

    def _gather(self, hub: Connection, turn: Turn, taken: list[Waiting]) -> Gathered | None:
        """Journal what waits, and what comes until it is this turn's time; None where nothing waits.

        What belongs to a large batch that has just come is waited for: together they take half as long as one after
        the other.
        """
        gathered: Gathered | None = None
        changes, until, large = 0, 0.0, set[int]()
        while True:
            if found := inbox.take(hub, changes=_MOST - changes, but=turn.in_hand):
                gathered = gathered or Gathered(block=parts.begin(hub))
                taken += found
                current = _current(hub, found)
                gathered.add(hub, current)
                large |= {waiting.source_id for waiting in current if waiting.changes >= _LARGE}
                until = until or _until(current)
                changes = gathered.changes
            if gathered is not None and changes >= _MOST and not gathered.is_staged:
                parts.stage_ahead(hub, gathered)  # nothing more comes to it
            left = until - time.monotonic() if changes < _MOST and len(large) < _TOGETHER else 0.0
            if gathered is None or (left <= 0 and turn.has_come(timeout=_BETWEEN_TAKES)):
                return gathered
            self._closing.wait(min(left, _BETWEEN_TAKES))


def _current(hub: Connection, found: list[Waiting]) -> list[Waiting]:
    """Return what was taken of the present workers of the sources.

    What a worker has left whose source was taken over is dropped: it comes again.
    """
    workers = checkpoint.workers(hub, {waiting.source_id for waiting in found})
    current = [waiting for waiting in found if workers.get(waiting.source_id) == waiting.worker]
    if len(current) < len(found):
        inbox.drop(hub, [waiting.put_no for waiting in found if waiting not in current])
    return current


def _until(current: list[Waiting]) -> float:
    """Return until when to wait for what belongs to a large batch that has just come; 0 without one."""
    left = max((_LINGER - waiting.waited for waiting in current if waiting.changes >= _LARGE), default=0.0)
    return time.monotonic() + left if left > 0 else 0.0


def _workers(current: list[Waiting]) -> dict[int, int]:
    return {waiting.source_id: waiting.worker for waiting in current}


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
