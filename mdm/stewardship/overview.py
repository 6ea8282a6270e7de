"""An overview of the queue: how much waits, told by one thing at a time."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from mdm.stewardship.queue import Count

_TOLD = ("state", "severity", "owner", "rule", "kind")


def of(counts: Iterable[Count]) -> dict[str, Any]:
    """Add the counts up: all, those that are overdue, and by state, severity, owner, rule and kind, the most first."""
    listed = list(counts)
    told: dict[str, Any] = {
        "tasks": sum(count.tasks for count in listed),
        "overdue": sum(count.tasks for count in listed if count.is_overdue),
    }
    for name in _TOLD:
        by: Counter[str] = Counter()
        for count in listed:
            by[str(getattr(count, name) or "none")] += count.tasks
        told[f"by_{name}"] = dict(by.most_common())
    return told
