"""Mastered changes a second, end to end, against Debezium's embedded engine reading the same changes.

The workload's changes wait in the slots of all sources. Ours: workers that stand by are let go, and timed until every
checkpoint has reached the end: journal, golden records, lineage, rules and feeds of all sources, side by side. The
baseline reads the same changes from second slots made at the same points, with an engine for each source, side by side
in one process, and is timed from its first batch to its last, JSON built and dropped.
"""

import time
from collections.abc import Mapping
from contextlib import ExitStack

from mdm.demo.market import PUBLICATION
from tests.benchmarks import backlog, debezium
from tests.benchmarks.budgets import Measured
from tests.benchmarks.installation import SOURCES, Installation

_LONGEST = 3600.0  # seconds
_MARGIN = 0.01  # of the events, those that Debezium may pass over at the beginning


def measure(installation: Installation, changes: int) -> Measured:
    """Master so many changes; the hub streams all sources already, and no worker runs."""
    with ExitStack() as stack:
        slots = {source: stack.enter_context(backlog.second_slot(installation, source)) for source in SOURCES}
        written = sum(backlog.write(installation, changes, seed=11).values())
        before = installation.changes()
        seconds = catch_up(installation)
        value = (installation.changes() - before) / seconds
        missing = debezium.missing()
        baseline = None if missing else _baseline(installation, slots, written)
    told = f"no baseline: {missing}" if missing else "Debezium on the same, an engine for each source side by side"
    return Measured(value=value, baseline=baseline, notes=(f"{written:,} changes of {len(SOURCES)} sources", told))


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


def _baseline(installation: Installation, slots: Mapping[str, str], changes: int) -> float:
    reached = {installation.market.tcp_dsn(source): slot for source, slot in slots.items()}
    return debezium.side_by_side(reached, PUBLICATION, int(changes * (1 - _MARGIN)))
