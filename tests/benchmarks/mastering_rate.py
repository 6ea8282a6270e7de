"""Mastered changes a second, end to end, against Debezium's embedded engine reading the same changes.

The workload's changes wait in the slots of all sources. Ours: workers that stand by are let go, and timed until every
checkpoint has reached the end: journal, golden records, lineage, rules and feeds of all sources, side by side. The
baseline reads the changes of the source that has most of them, alone, from a second slot made at the same point, and
is timed from its first batch to its last, JSON built and dropped: the most that it can do here.
"""

import time

from mdm.demo.market import PUBLICATION
from tests.benchmarks import backlog, debezium
from tests.benchmarks.budgets import Measured
from tests.benchmarks.installation import Installation

_LONGEST = 3600.0  # seconds
_MARGIN = 0.02  # of the events, those that Debezium may pass over at the beginning
_BUSIEST = "mds"  # it has a copy of every point


def measure(installation: Installation, changes: int) -> Measured:
    """Master so many changes; the hub streams all sources already, and no worker runs."""
    with backlog.second_slot(installation, _BUSIEST) as slot:
        written = backlog.write(installation, changes, seed=11)
        before = installation.changes()
        seconds = catch_up(installation)
        value = (installation.changes() - before) / seconds
        events = {source.value: count for source, count in written.items()}[_BUSIEST]
        baseline = None if (missing := debezium.missing()) else _baseline(installation, slot, events)
    told = f"no baseline: {missing}" if missing else f"Debezium on {events:,} changes of {_BUSIEST}"
    return Measured(
        value=value, baseline=baseline, notes=(f"{sum(written.values()):,} changes of {len(written)} sources", told)
    )


def catch_up(installation: Installation) -> float:
    """Let the workers master what waits in all sources; return the seconds."""
    ends = installation.ends()
    with installation.standing_by():
        pass
    began = time.perf_counter()
    installation.await_mastered(ends, seconds=_LONGEST)
    seconds = time.perf_counter() - began
    installation.stop()
    return seconds


def _baseline(installation: Installation, slot: str, events: int) -> float:
    dsn = installation.market.tcp_dsn(_BUSIEST)
    return debezium.debezium_rate(dsn, slot, PUBLICATION, int(events * (1 - _MARGIN)))
