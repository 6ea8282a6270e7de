"""Waiting for the hub, as long as it goes forward: until all is loaded, until it has caught up with the sources."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from golden_records import unjudged
from mdm import db
from mdm.capture import checkpoint
from mdm.capture.checkpoint import State
from mdm.capture.lsn import Lsn
from mdm.capture.status import SourceStatus, Watched
from mdm.demo import looks
from mdm.demo.looks import Look
from mdm.demo.market import Dsns
from mdm.errors import MdmError

LONGEST_STANDSTILL = 180.0
_BETWEEN_LOOKS = 0.5


class CaptureStopped(MdmError):
    """A source needs a person before it is captured any further."""


class NotCaughtUp(MdmError):
    """The hub stands still before it has caught up."""


@dataclass(slots=True, kw_only=True)
class Waiting:
    """Looks at the hub until something holds, and shows each look; `check` raises when a process beside it is gone."""

    hub: db.Connection
    watched: Sequence[Watched]
    show: Callable[[Look], None]
    check: Callable[[], None]
    log: Path
    _began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _moved_at: float = field(default_factory=time.monotonic)
    _seen: object = None

    def until(self, holds: Callable[[Look], bool], *, what: str) -> Look:
        """Return the look in which it holds; raises NotCaughtUp, which says who lags, when nothing moves any more."""
        self._moved_at = time.monotonic()
        while True:
            look = self.look()
            if holds(look):
                return look
            self._refuse_standstill(look, what)
            time.sleep(_BETWEEN_LOOKS)

    def look(self) -> Look:
        """Look once, and show it; raises CaptureStopped when a source cannot be captured any further."""
        self.check()
        look = looks.look(self.hub, self.watched)
        for source in look.sources:
            # A failure of an earlier run stands until the source is captured again.
            if source.state == State.FAILED and source.updated_at and source.updated_at > self._began_at:
                raise CaptureStopped(f"The source {source.source} is not captured any further. {source.last_error}")
        self.show(look)
        return look

    def _refuse_standstill(self, look: Look, what: str) -> None:
        seen = [(s.position, s.lag_bytes, s.rows_loaded, s.updated_at) for s in look.sources], look.feed
        if seen != self._seen:
            self._seen, self._moved_at = seen, time.monotonic()
        if time.monotonic() - self._moved_at > LONGEST_STANDSTILL:
            raise NotCaughtUp(
                f"Nothing has moved for {LONGEST_STANDSTILL:.0f} seconds, while waiting for {what}: "
                f"{'; '.join(map(_described, filter(_lags, look.sources)))}. See {self.log} for why, then run the demo "
                "again: it goes on."
            )

    def has_reached(self, targets: Mapping[str, Lsn]) -> bool:
        """Tell whether every source is mastered up to its target, and what was mastered is judged."""
        ids: dict[int, str] = dict(self.hub.execute("select source_id, name from golden.source_system").fetchall())
        reached = {
            ids[known.source_id]: known.position.end_lsn - known.offset
            for known in checkpoint.list_all(self.hub)
            if known.position is not None
        }
        are_mastered = all(reached.get(source, 0) >= target for source, target in targets.items())
        return are_mastered and not unjudged.are_any(self.hub)


def positions(dsns: Dsns) -> dict[str, Lsn]:
    """Return where the write-ahead log of each source ends now."""
    found = {}
    for source, dsn in dsns.items():
        with db.connect(dsn) as connection:
            row = connection.execute("select pg_current_wal_insert_lsn()::text").fetchone()
        found[source] = Lsn.parse(row[0] if row else "0/0")
    return found


def _lags(source: SourceStatus) -> bool:
    return source.state != State.STREAMING or not source.worker_runs or source.lag_bytes != 0


def _described(source: SourceStatus) -> str:
    worker = "" if source.worker_runs else ", no worker runs"
    behind = "its server does not answer" if source.lag_bytes is None else f"{source.lag_bytes:,} bytes behind"
    return f"{source.source} ({source.state}, {behind}{worker})"
