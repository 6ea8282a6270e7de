"""What a demo that ends by itself has to say at its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from mdm.demo.comparison import Comparison
from mdm.demo.filling import Filled
from mdm.demo.found_faults import FaultKind, Finding
from mdm.demo.ledger import Summary
from mdm.demo.looks import Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A demo that has ended: the market, what the workload did, what agrees; `seconds` is how long each part took."""

    filled: Filled
    work: Summary
    last: Look
    comparison: Comparison
    seconds: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """Return what --json prints."""
        loaded = sum(source.rows_loaded for source in self.last.sources)
        return {
            **self.comparison.as_json(),
            "market": {"metering_points": self.filled.metering_points, "seed": self.filled.seed},
            "rows_loaded": loaded,
            "changes": self.work.changes,
            "transactions": self.work.transactions,
            "happenings": dict(self.work.happenings),
            "golden": dict(self.last.golden),
            "feed": self.last.feed,
            "open": {
                "conflicts": self.last.conflicts,
                "violations": self.last.violations,
                "quarantine": self.last.quarantined,
            },
            "seconds": {phase: round(seconds, 2) for phase, seconds in self.seconds.items()},
        }


def show(ended: Ended, console: Console) -> None:
    """Print the summary: every check, what was found of the faults, and the verdict."""
    console.print(_checks(ended.comparison))
    if ended.comparison.faults:
        console.print(_faults(ended.comparison))
    for line in _closing(ended):
        console.print(line, highlight=False, soft_wrap=True)


def _checks(comparison: Comparison) -> Table:
    table = _table("compared", "at the sources", "in the hub", "values", "")
    for check in comparison.checks:
        values = f"{check.values:,}" if check.values else ""
        table.add_row(check.name, f"{check.expected:,}", f"{check.found:,}", values, check.said)
    return table


def _faults(comparison: Comparison) -> Table:
    table = _table("fault planted", "rule", "planted", "found", "")
    for kind in comparison.faults:
        table.add_row(kind.kind, "" if kind.rule is None else str(kind.rule), str(kind.planted), *_found(kind))
    return table


def _found(kind: FaultKind) -> tuple[str, str]:
    if kind.finding is Finding.UNDONE:
        return "", kind.finding.value
    if kind.is_complete:
        return str(kind.found), f"in {kind.finding.value}"
    return str(kind.found), f"MISSED {kind.planted - kind.found} in {kind.finding.value}"


def _table(first: str, *rest: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in rest[:-1]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(rest[-1])
    return table


def _closing(ended: Ended) -> list[str]:
    spent = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in ended.seconds.items())
    lines = [f"Time: {spent}."]
    if ended.comparison.left_out:
        left_out = ended.comparison.left_out
        lines.append(f"Metering points left out, for a fault that spoils their golden record: {left_out}.")
    if ended.comparison.agrees:
        lines.append("Sources, golden records, views and journal agree.")
    else:
        lines.append("There are DIFFERENCES: see the lines above that do not say OK.")
    return lines
