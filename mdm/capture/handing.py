"""Handing over: what a worker has put into the inbox and what is not mastered of it yet, in order."""

from collections import deque
from dataclasses import dataclass, field

from mdm import db
from mdm.batches import MappedBatch
from mdm.capture import checkpoint, inbox
from mdm.capture.checkpoint import Move, Position
from mdm.db import Connection

LARGEST = 10_000
"""Changes of a batch that is handed over, at most: with what else is mastered beside it, their numbers fit a block."""

_MOST_BATCHES = 8
_MOST_CHANGES = 12_000


@dataclass(slots=True, kw_only=True)
class Handed:
    """The batches of one source that wait to be mastered; `hub` is its worker's session."""

    hub: Connection
    source_id: int
    worker: int
    _waiting: deque[tuple[Move, MappedBatch]] = field(default_factory=deque)

    def __bool__(self) -> bool:
        """Tell whether anything waits."""
        return bool(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether so much waits that more is better gathered first."""
        changes = sum(batch.changes.height for _, batch in self._waiting)
        return len(self._waiting) >= _MOST_BATCHES or changes >= _MOST_CHANGES

    def put(self, move: Move, batch: MappedBatch, *, is_behind: bool) -> None:
        """Have a batch wait behind the others; tell whether more was there already when the worker began."""
        with db.transaction(self.hub):
            inbox.put(self.hub, move, batch, worker=self.worker, is_behind=is_behind)
        self._waiting.append((move, batch))

    def look(self) -> tuple[Position, list[tuple[Move, MappedBatch]]]:
        """Return how far the source is mastered by now, and what its own worker is to master itself, in order.

        Raises CheckpointMoved when another worker has taken the source over.
        """
        is_given_back = inbox.is_given_back(self.hub, self.source_id)  # first: nothing is mastered once it is
        position = checkpoint.reached(self.hub, self.source_id, self.worker)
        while self._waiting and self._waiting[0][0].reached <= position:
            self._waiting.popleft()
        return position, self._take_back() if is_given_back else []

    def _take_back(self) -> list[tuple[Move, MappedBatch]]:
        self.withdraw()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def withdraw(self) -> None:
        """Take all that waits out of the inbox."""
        with db.transaction(self.hub):
            inbox.withdraw(self.hub, self.source_id)
