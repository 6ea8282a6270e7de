"""What an audit finds: one finding a place and rule, a run of them, and when a run passes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

EQUALITY = 0
"""In place of a rule's code: that a view equals the golden records."""

SAMPLE = 20
"""The most records that a finding names."""


class Outcome(StrEnum):
    """Whether nothing speaks against the place, something does, or the rule could not be looked for there."""

    PASSED = "passed"
    FAILED = "failed"
    ABSENT = "not looked for"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule found at one place.

    `inline` is how many the inline checks had found, None where they look at no such place; `differing` how many only
    one of the two found. `sample` names some that failed, those that differ first, by the hub's own ids.
    """

    place: str
    rule: int
    rule_version: int
    outcome: Outcome
    looked_at: int = 0
    failed: int = 0
    inline: int | None = None
    differing: int = 0
    sample: tuple[str, ...] = ()
    seconds: float = 0.0
    reason: str | None = None

    @property
    def share(self) -> float:
        """The share of what was looked at that failed."""
        return self.failed / self.looked_at if self.looked_at else 0.0

    def passes(self, threshold: float | None) -> bool:
        """Whether audit and inline checks agree, and no more failed than the threshold allows."""
        if self.rule == EQUALITY and self.failed:
            return False
        return not self.differing and (threshold is None or self.share <= threshold)

    def as_json(self) -> dict[str, Any]:
        """Return the finding as programs read it."""
        return asdict(self) | {"sample": list(self.sample), "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the audit. `asked_for` says what was: source, view, entity, sample, threshold; absent where all."""

    run_id: int | None
    started_at: datetime
    finished_at: datetime
    asked_for: Mapping[str, Any]
    by: str
    findings: Sequence[Finding]

    @property
    def threshold(self) -> float | None:
        """The share of failing records above which the run does not pass."""
        return self.asked_for.get("threshold")

    @property
    def passed(self) -> bool:
        """Whether every finding passes."""
        return all(finding.passes(self.threshold) for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return the run as programs read it."""
        return {
            "run_id": self.run_id,
            "started_at": self.started_at.isoformat(),
            "finished_at": self.finished_at.isoformat(),
            "asked_for": dict(self.asked_for),
            "by": self.by,
            "passed": self.passed,
            "findings": [finding.as_json() for finding in self.findings],
        }
