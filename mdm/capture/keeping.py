"""What one worker does for the whole hub: what has come due, tasks whose grace is over, views and their feeds."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from golden_records import journal
from mdm import db, mastering
from mdm.capture import checkpoint
from mdm.capture.capturing import Captured
from mdm.capture.retrying import retried
from mdm.db import Connection
from mdm.distribution import upkeep

_log = structlog.get_logger(__name__)

_BETWEEN_PRUNINGS = 3_600.0
_GRACED = 5_000
_LONGEST_TRANSACTION = timedelta(hours=1)
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Keeping:
    """The share of a worker in it: all of it, or none while another worker does it."""

    captured: Captured
    hub: Connection
    _is_keeper: bool = False
    _renewed: int | None = 0
    _graced: datetime = _EVER
    _pruned_at: float = field(default_factory=time.monotonic)

    def go_on(self) -> None:
        """Do what is due by now, unless another worker does it."""
        # The lock goes with the connection, so there is always one worker that has it.
        self._is_keeper = self._is_keeper or checkpoint.try_lock(self.hub, journal.HUB)
        if self._is_keeper:
            self._retried(self._come_due)
            self._retried(self._open_graced)
            self._keep_views()

    def _come_due(self) -> None:
        """Master what was dated ahead and is due now: one worker does it for the hub."""
        with db.transaction(self.hub):
            if mastering.come_due(self.hub, now=datetime.now(UTC)):
                mastering.finish(self.hub)

    def _open_graced(self) -> None:
        """Open the tasks of conflicts whose grace is over, and of those that long transactions brought meanwhile."""
        now, opened = datetime.now(UTC), _GRACED
        while opened == _GRACED:
            with db.transaction(self.hub):
                opened = mastering.open_graced(self.hub, after=self._graced, now=now, limit=_GRACED)
        self._graced = now - _LONGEST_TRANSACTION

    def _keep_views(self) -> None:
        """Bring views to their present contracts, and drop what is no longer kept: the same worker does it."""
        if self._renewed is not None:
            with db.transaction(self.hub):
                self._renewed = upkeep.renew(self.hub, after=self._renewed)
        if time.monotonic() >= self._pruned_at + _BETWEEN_PRUNINGS:
            with db.transaction(self.hub):
                pruned = upkeep.prune(self.hub, now=datetime.now(UTC), days=self.captured.feed_days)
            self._pruned_at = time.monotonic()
            _log.info("feeds.pruned", entries=pruned)

    def _retried(self, work: Callable[[], None]) -> None:
        retried(work, source=self.captured.name)
