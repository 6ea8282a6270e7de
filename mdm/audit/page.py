"""The result of an audit as a page of its own: one HTML file that loads nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from jinja2 import Environment, PackageLoader, StrictUndefined

from mdm.audit.findings import EQUALITY, Finding, Outcome, Run
from mdm.audit.store import Moment
from rules import registry

_WIDTH, _HEIGHT, _MARGIN = 90.0, 24.0, 3.0
_TONES = {Outcome.PASSED: "passed", Outcome.FAILED: "failed", Outcome.ABSENT: "absent"}

Trends = Mapping[tuple[str, int], Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A finding as the page shows it."""

    rule: int
    title: str
    severity: str
    outcome: str
    tone: str
    looked_at: int
    failed: int
    share: float
    inline: int | None
    differing: int
    sample: tuple[str, ...]
    reason: str | None
    trend: Sequence[int]
    points: str


def write(run: Run, trend: Iterable[Moment]) -> str:
    """Return the page of a run, with the trend of each rule at each place as a small line."""
    environment = Environment(
        loader=PackageLoader("mdm.audit"), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    trends = _trends(trend)
    outcomes = [finding.outcome for finding in run.findings]
    ordered = sorted(run.findings, key=attrgetter("place", "rule"))
    return environment.get_template("audit.html").render(
        run=run,
        places={
            place: [_row(finding, trends) for finding in findings]
            for place, findings in groupby(ordered, key=attrgetter("place"))
        },
        passed=outcomes.count(Outcome.PASSED),
        failed=outcomes.count(Outcome.FAILED),
        absent=outcomes.count(Outcome.ABSENT),
    )


def points_of(values: Sequence[int]) -> str:
    """Return the points of a line through these values, the lowest at the bottom; level where all are the same."""
    low, high = min(values), max(values)
    step = (_WIDTH - 2 * _MARGIN) / max(len(values) - 1, 1)
    reach = (_HEIGHT - 2 * _MARGIN) / (high - low) if high > low else 0.0
    return " ".join(
        f"{_MARGIN + place * step:.1f},{_HEIGHT - _MARGIN - (value - low) * reach:.1f}"
        for place, value in enumerate(values)
    )


def _trends(moments: Iterable[Moment]) -> Trends:
    trends: dict[tuple[str, int], list[int]] = {}
    for moment in moments:
        trends.setdefault((moment.place, moment.rule), []).append(moment.failed)
    return trends


def _row(finding: Finding, trends: Trends) -> _Row:
    rule = registry.RULES.get(finding.rule)
    trend = trends.get((finding.place, finding.rule), ())
    equality = "The view equals the golden records" if finding.rule == EQUALITY else "A rule that is no more"
    return _Row(
        rule=finding.rule,
        title=rule.title if rule else equality,
        severity=rule.severity if rule else "",
        outcome=finding.outcome,
        tone=_TONES[finding.outcome],
        looked_at=finding.looked_at,
        failed=finding.failed,
        share=finding.share,
        inline=finding.inline,
        differing=finding.differing,
        sample=finding.sample,
        reason=finding.reason,
        trend=trend,
        points=points_of(trend) if trend else "",
    )
