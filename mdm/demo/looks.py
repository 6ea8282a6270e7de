"""A look at everything while the demo runs: how each source stands, what the hub holds, what it has found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mdm import db
from mdm.capture import status
from mdm.capture.checkpoint import State
from mdm.capture.status import SourceStatus, Watched

# The statistics' counts of live rows cost nothing, and are at most a second behind.
_COUNTS = """
select coalesce((select sum(last_seq) from hub.view_head), 0)::bigint as feed,
       (select count(*) from golden.conflict where closed_at is null) as conflicts,
       (select count(*) from golden.violation where closed_at is null) as violations,
       (select count(*) from golden.quarantine where closed_at is null) as quarantined
"""
_GOLDEN = "select relname, n_live_tup from pg_stat_user_tables where schemaname = 'golden' and relname = any (%s)"
ENTITIES = ("metering_point", "meter", "address", "contract", "appointment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is there: golden records by entity, feed entries, and what is open: conflicts, violations, quarantine."""

    sources: Sequence[SourceStatus]
    golden: Mapping[str, int]
    feed: int
    conflicts: int
    violations: int
    quarantined: int

    @property
    def is_streaming(self) -> bool:
        """Whether every source is loaded, and its changes are mastered as they come."""
        return all(source.state == State.STREAMING and source.worker_runs for source in self.sources)

    @property
    def lag_bytes(self) -> int:
        """WAL of all sources that is not mastered yet."""
        return sum(source.lag_bytes or 0 for source in self.sources)


def look(hub: db.Connection, watched: Sequence[Watched]) -> Look:
    """Look at the hub and at each source's server."""
    counted = hub.execute(_COUNTS).fetchone() or (0, 0, 0, 0)
    live: dict[str, int] = dict(hub.execute(_GOLDEN, [list(ENTITIES)]).fetchall())
    feed, conflicts, violations, quarantined = counted
    return Look(
        sources=status.collect(hub, watched),
        golden={entity: live.get(entity, 0) for entity in ENTITIES},
        feed=feed,
        conflicts=conflicts,
        violations=violations,
        quarantined=quarantined,
    )
