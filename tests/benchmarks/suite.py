"""Runs the benchmarks in an order in which each finds what it needs, and tells what came of them."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from rich import box
from rich.console import Console
from rich.table import Table

from tests.benchmarks import (
    audit_rate,
    bulk_decision,
    capture_rate,
    debezium,
    feed_latency,
    golden_read,
    golden_store,
    initial_load,
    installation,
    mastering_rate,
    population_rate,
    queue_page,
    rule_trial,
    rules_rate,
    worker_memory,
)
from tests.benchmarks.budgets import BUDGETS, Measured, Name, Result, as_json
from tests.benchmarks.installation import Filled, Installation

RESULT = Path(".bench") / "result.json"

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured. `QUICK` shows that all runs; its figures stand for nothing."""

    capture_transactions: int = 5_000
    capture_rows: int = 500_000
    golden_records: int = 1_000_000
    tasks: int = 100_000
    decided: int = 10_000
    points: int = 20_000
    changes: int = 150_000
    seconds: float = 60.0
    transaction: int = 1_000_000


FULL = Size()
QUICK = Size(
    capture_transactions=500,
    capture_rows=50_000,
    golden_records=20_000,
    tasks=5_000,
    decided=500,
    points=2_000,
    changes=10_000,
    seconds=10.0,
    transaction=50_000,
)


@dataclass(slots=True, kw_only=True)
class Suite:
    """One run: its servers are started when they are first needed, and are gone with it."""

    size: Size
    note: Note
    _stack: ExitStack = field(default_factory=ExitStack)
    _installation: Installation | None = None
    _filled: Filled | None = None
    _loaded: Measured | None = None
    _golden_store: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def measure(self, name: Name) -> Measured:  # noqa: C901 - a case for each budget
        """Measure one budget."""
        match name:
            case Name.CAPTURE_RATE:
                measured = self._capture_rate()
            case Name.GOLDEN_READ:
                measured = self._golden_read()
            case Name.QUEUE_PAGE:
                measured = queue_page.measure(self._opened().hub, tasks=self.size.tasks)
            case Name.BULK_DECISION:
                measured = bulk_decision.measure(self._opened().hub, tasks=self.size.decided)
            case Name.POPULATION_RATE:
                measured = population_rate.of(self._fill(), self.size.points)
            case Name.INITIAL_LOAD:
                measured = self._initial_load()
            case Name.FEED_LATENCY:
                measured = feed_latency.measure(self._streaming(), self.size.seconds)
            case Name.MASTERING_RATE:
                measured = mastering_rate.measure(self._streaming(), self.size.changes)
            case Name.RULES_RATE:
                measured = rules_rate.measure(self._streaming(), self.size.changes // 3)
            case Name.WORKER_MEMORY:
                measured = worker_memory.measure(self._streaming(), self.size.transaction)
            case Name.RULE_TRIAL:
                measured = rule_trial.measure(self._stored())
            case Name.AUDIT:
                measured = audit_rate.measure(self._stored())
        return measured

    def _capture_rate(self) -> Measured:
        found = capture_rate.measure(
            self._opened().market, rows=self.size.capture_rows, transactions=self.size.capture_transactions
        )
        notes = () if found.missing is None else (f"no baseline: {found.missing}",)
        return Measured(value=found.value, baseline=found.baseline, notes=notes)

    def _golden_read(self) -> Measured:
        found = golden_read.measure(self._opened().hub, records=self.size.golden_records)
        return Measured(value=found.value, baseline=found.baseline)

    def _fill(self) -> Filled:
        """Fill the market, once in a run."""
        if self._filled is None:
            self.note(f"filling the market with {self.size.points:,} metering points")
            self._filled = self._opened().fill(self.size.points)
        return self._filled

    def _initial_load(self) -> Measured:
        """Load the full market into the hub, once in a run."""
        if self._loaded is None:
            rows, opened = self._fill().rows, self._opened()
            self.note(f"loading {rows:,} rows into the hub")
            self._loaded = initial_load.measure(opened, rows)
            opened.stop()
        return self._loaded

    def _streaming(self) -> Installation:
        """Return the installation with all sources loaded and no worker running."""
        self._initial_load()
        return self._opened()

    def _stored(self) -> str:
        """Return the DSN of a golden store of many metering points, written once in a run."""
        if self._golden_store is None:
            self.note(f"writing {self.size.golden_records:,} metering points into a golden store")
            hub = self._opened().hub
            self._golden_store = self._stack.enter_context(golden_store.filled(hub, self.size.golden_records))
        return self._golden_store

    def _opened(self) -> Installation:
        if self._installation is None:
            self._installation = self._stack.enter_context(installation.temporary())
        return self._installation


def run(names: Iterable[Name], *, size: Size, note: Note) -> list[Result]:
    """Measure these budgets, in the order of their names' declaration."""
    wanted = set(names)
    results = []
    if missing := debezium.install():
        note(f"Debezium cannot run, so it is no baseline: {missing}")
    with Suite(size=size, note=note) as suite:
        for name in (name for name in Name if name in wanted):
            note(f"{name}: {BUDGETS[name].title}")
            began, load = time.monotonic(), os.getloadavg()[0]
            results.append(Result(budget=BUDGETS[name], measured=_beside(suite.measure(name), load)))
            note(f"{name}: {_figures(results[-1])}, in {time.monotonic() - began:.0f} s")
    return results


def _beside(measured: Measured, load: float) -> Measured:
    """Note what else the machine had to do when the measurement began."""
    return replace(measured, notes=(*measured.notes, f"load average {load:.1f} of {os.cpu_count()} cores before"))


def write(results: Iterable[Result], path: Path = RESULT) -> None:
    """Write the results to a file, all at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        json.dump(as_json(results), file, indent=2)
    Path(file.name).replace(path)


def show(results: Sequence[Result], console: Console, *, is_quick: bool) -> None:
    """Print the results as a table, pass or miss against `first`."""
    table = Table("budget", "value", "baseline", "ratio", "first", "then", "", box=box.SIMPLE)
    for result in results:
        budget = result.budget
        unit = f" {budget.unit}" if budget.is_ceiling else ""
        bounds = [f"{'≤' if budget.is_ceiling else '≥'} {bound:g}{unit}" for bound in (budget.first, budget.then)]
        table.add_row(budget.name, *_cells(result), *bounds, _verdict(result))
    console.print(table)
    for result in results:
        console.print(
            f"{result.budget.name}: {result.budget.title}. {'; '.join(result.measured.notes)}", soft_wrap=True
        )
    if is_quick:
        console.print("These are small sizes (--quick): the figures show that all runs, not how fast it is.")


def _cells(result: Result) -> tuple[str, str, str]:
    baseline, ratio = result.measured.baseline, result.ratio
    return (
        f"{result.measured.value:,.0f} {result.budget.unit}",
        "none" if baseline is None else f"{baseline:,.0f}",
        "none" if ratio is None else f"{ratio:.2f}",
    )


def _figures(result: Result) -> str:
    value, baseline, ratio = _cells(result)
    return f"{value} (baseline {baseline}, ratio {ratio}): {_verdict(result)}"


def _verdict(result: Result) -> str:
    match result.meets(result.budget.first):
        case True:
            return "pass"
        case False:
            return "MISS"
        case None:
            return "no baseline"
