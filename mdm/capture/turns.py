"""Turns: one worker at a time masters what waits of all sources, in one hub transaction.

Side by side, workers would wait for each other: the same points are in the batches of every source, and nearly all of a
batch's work is done under their locks. Together, points are locked, judged and projected once, and what a batch costs
however small it is, is paid once. Whoever finds the turn taken puts its batch into the inbox and waits; it finds it
mastered, or has the turn. Each source's checkpoint moves in that transaction, as if its own worker had mastered it, and
stands still if another worker has taken the source over (law 1).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psycopg
import structlog

from mdm import db, mastering
from mdm.capture import checkpoint, inbox, isolating
from mdm.capture.capturing import Captured
from mdm.capture.checkpoint import CheckpointMoved
from mdm.capture.crashes import Point
from mdm.capture.inbox import Waiting
from mdm.capture.retrying import retried
from mdm.db import Connection

_log = structlog.get_logger(__name__)

_OWN = (psycopg.OperationalError, psycopg.InterfaceError, CheckpointMoved)
"""What keeps a worker from mastering anything, whoever's it is."""


@dataclass(slots=True, kw_only=True)
class Turns:
    """A worker's share in the turns; `hub` is the session that holds its source's lock."""

    captured: Captured
    hub: Connection

    def master(self, own: Waiting, *, at_last: Callable[[], None]) -> None:
        """Have a batch mastered and its source's checkpoint moved, here or by the worker whose turn it is.

        `at_last` is called when little is left to do before the commit. Raises what mastering raises, CheckpointMoved
        where another worker has taken the source over.
        """
        if not inbox.try_turn(self.hub):
            with db.transaction(self.hub):
                inbox.put(self.hub, own)
            self.captured.at(Point.BATCH_PUT)
            if not inbox.await_turn(self.hub, own.source_id):
                checkpoint.verify(self.hub, own.move, worker=own.worker)
                return
        try:
            self._lead(own, at_last)
        except BaseException:
            with suppress(psycopg.Error):
                inbox.withdraw(self.hub, own.source_id)
            raise
        finally:
            inbox.end_turn(self.hub)

    def _lead(self, own: Waiting, at_last: Callable[[], None]) -> None:
        together = [own]

        def master_all() -> None:
            with db.transaction(self.hub):
                checkpoint.fence(self.hub, own.source_id, own.worker)
                together[1:] = self._take_others(own)
                self._master(together, at_last)

        def master_own() -> None:
            with db.transaction(self.hub):
                checkpoint.fence(self.hub, own.source_id, own.worker)
                inbox.withdraw(self.hub, own.source_id)
                self._master([own], at_last)

        try:
            retried(master_all, source=self.captured.name)
        except _OWN:
            raise
        except Exception as error:
            # What is wrong is held back, or raised, by the worker of its source; the rest is not to wait for it.
            if len(together) == 1:
                raise
            _log.warning("batches.parted", sources=len(together), error=type(error).__name__)
            retried(master_own, source=self.captured.name)
        self.captured.at(Point.HUB_COMMITTED)

    def _master(self, together: list[Waiting], at_last: Callable[[], None]) -> None:
        if len(together) == 1:
            isolating.master(self.hub, together[0].batch, mastering.apply)
        else:
            mastering.apply(self.hub, *(waiting.batch for waiting in together))
        self.captured.at(Point.PART_MASTERED)
        at_last()
        mastering.finish(self.hub)
        checkpoint.advance(self.hub, *(waiting.move for waiting in together))
        self.captured.at(Point.CHECKPOINT_WRITTEN)

    def _take_others(self, own: Waiting) -> list[Waiting]:
        """Take what waits of other sources; what a worker has left whose source was taken over comes anew."""
        others = inbox.take_others(self.hub, own.source_id)
        current = checkpoint.fenced(self.hub, {waiting.source_id: waiting.worker for waiting in others})
        return [waiting for waiting in others if waiting.source_id in current]
