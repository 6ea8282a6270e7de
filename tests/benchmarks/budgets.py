"""The budgets of the hub, and what a measurement says of one."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Name(StrEnum):
    """What is measured, in the order in which it is run."""

    CAPTURE_RATE = "capture_rate"
    GOLDEN_READ = "golden_read"
    QUEUE_PAGE = "queue_page"
    BULK_DECISION = "bulk_decision"
    POPULATION_RATE = "population_rate"
    INITIAL_LOAD = "initial_load"
    FEED_LATENCY = "feed_latency"
    MASTERING_RATE = "mastering_rate"
    RULES_RATE = "rules_rate"
    WORKER_MEMORY = "worker_memory"
    RULE_TRIAL = "rule_trial"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What is asked for `first`, and `then`: of the ratio to the baseline, or of the value where `is_ceiling`."""

    name: Name
    title: str
    unit: str
    first: float
    then: float
    is_ceiling: bool = False


BUDGETS = {
    budget.name: budget
    for budget in (
        Budget(
            name=Name.CAPTURE_RATE,
            title="capture alone, as Debezium-envelope JSON lines, against Debezium's embedded engine",
            unit="rows/s",
            first=3,
            then=5,
        ),
        Budget(
            name=Name.GOLDEN_READ,
            title="golden record by key at 1 million records, against one indexed SELECT behind the same web server",
            unit="requests/s",
            first=0.5,
            then=0.8,
        ),
        Budget(
            name=Name.QUEUE_PAGE,
            title="page of the stewards' queue at 100,000 open tasks, over every filter and sort, p99",
            unit="ms",
            first=100,
            then=50,
            is_ceiling=True,
        ),
        Budget(
            name=Name.BULK_DECISION,
            title="bulk decision over 10,000 tasks, and its undo: the slower of the two",
            unit="s",
            first=30,
            then=15,
            is_ceiling=True,
        ),
        Budget(
            name=Name.POPULATION_RATE,
            title="simulated market filled by COPY into its six databases, against 50,000 rows a second",
            unit="rows/s",
            first=1,
            then=1,
        ),
        Budget(
            name=Name.INITIAL_LOAD,
            title="initial load, source rows mastered, against COPY of the same rows into indexed tables",
            unit="rows/s",
            first=1 / 8,
            then=1 / 4,
        ),
        Budget(
            name=Name.FEED_LATENCY,
            title="source commit to visible in a view's feed at 1,000 changes a second, p99",
            unit="ms",
            first=500,
            then=100,
            is_ceiling=True,
        ),
        Budget(
            name=Name.MASTERING_RATE,
            title="mastered changes, end to end, against Debezium's capture alone",
            unit="changes/s",
            first=0.5,
            then=1.5,
        ),
        Budget(
            name=Name.RULES_RATE,
            title="mastered changes with all rules on, against the first seven rules alone",
            unit="changes/s",
            first=0.7,
            then=0.85,
        ),
        Budget(
            name=Name.WORKER_MEMORY,
            title="worker memory during a 1-million-row transaction",
            unit="MB",
            first=500,
            then=250,
            is_ceiling=True,
        ),
        Budget(
            name=Name.RULE_TRIAL,
            title="a rule tried on 1 million records, the slowest of several",
            unit="s",
            first=30,
            then=15,
            is_ceiling=True,
        ),
        Budget(
            name=Name.AUDIT,
            title="audit of 1 million metering points with all rules, against the same counts as one SQL statement",
            unit="rows/s",
            first=0,  # it is told, whatever it takes
            then=0.5,
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A measurement; without a baseline `notes` say why. They also say what the figures stand on."""

    value: float
    baseline: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A measurement beside its budget."""

    budget: Budget
    measured: Measured

    @property
    def ratio(self) -> float | None:
        """The value against the baseline; against `first` where that is a ceiling of the value itself."""
        against = self.budget.first if self.budget.is_ceiling else self.measured.baseline
        return self.measured.value / against if against else None

    def meets(self, bound: float) -> bool | None:
        """Tell whether the budget is met at `first` or `then`; None without a baseline."""
        if self.budget.is_ceiling:
            return self.measured.value <= bound
        return None if self.ratio is None else self.ratio >= bound

    def as_json(self) -> dict[str, Any]:
        """Return the result as it is written to the file."""
        return {
            "name": self.budget.name.value,
            "value": self.measured.value,
            "baseline": self.measured.baseline,
            "ratio": self.ratio,
            "unit": self.budget.unit,
            "first": self.budget.first,
            "then": self.budget.then,
            "met": self.meets(self.budget.first),
            "notes": list(self.measured.notes),
        }


def as_json(results: Iterable[Result]) -> dict[str, Any]:
    """Return one object with a member for each budget that was measured, under its name."""
    return {result.budget.name.value: result.as_json() for result in results}
