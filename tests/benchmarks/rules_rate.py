"""Mastered changes a second with all rules on, against the first seven rules alone, on workloads of the same kind.

The first rules are measured before and after all of them, and count by what both took together, so that neither is
favoured by how much the hub holds already.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from rules import registry
from tests.benchmarks import backlog, mastering_rate
from tests.benchmarks.budgets import Measured
from tests.benchmarks.installation import Installation

FIRST = frozenset({1, 2, 11, 14, 16, 25, 34})


def measure(installation: Installation, changes: int) -> Measured:
    """Master so many changes thrice; the hub streams all sources already, and no worker runs."""
    with _only_first(installation):
        before = _master(installation, changes, seed=21)
    value, seconds = _master(installation, changes, seed=22)
    with _only_first(installation):
        after = _master(installation, changes, seed=23)
    baseline = (before[0] + after[0]) / (before[1] + after[1])
    return Measured(value=value / seconds, baseline=baseline, notes=(f"{changes:,} changes a run, three runs",))


def _master(installation: Installation, changes: int, *, seed: int) -> tuple[int, float]:
    """Return how many changes were mastered, and the seconds."""
    backlog.write(installation, changes, seed=seed)
    before = installation.changes()
    seconds = mastering_rate.catch_up(installation)
    return installation.changes() - before, seconds


@contextmanager
def _only_first(installation: Installation) -> Iterator[None]:
    """Have the workers that are started meanwhile know the first rules alone."""
    file = installation.folder / "first-rules.yaml"
    file.write_text(yaml.safe_dump({code: {"is_on": False} for code in registry.RULES if code not in FIRST}))
    os.environ["MDM_RULES"] = str(file)
    try:
        yield
    finally:
        del os.environ["MDM_RULES"]
