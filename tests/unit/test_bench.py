"""What `mdm bench` writes and prints, without measuring anything."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from mdm import cli
from tests.benchmarks import feed_latency, population_rate, suite
from tests.benchmarks.budgets import BUDGETS, Measured, Name, Result
from tests.benchmarks.installation import Filled


def result(name: Name, value: float, baseline: float | None = None) -> Result:
    return Result(budget=BUDGETS[name], measured=Measured(value=value, baseline=baseline, notes=("a note",)))


def test_every_budget_has_its_figures_for_first_and_then() -> None:
    assert set(BUDGETS) == set(Name)
    assert all(budget.then < budget.first for budget in BUDGETS.values() if budget.is_ceiling)
    assert all(budget.then >= budget.first for budget in BUDGETS.values() if not budget.is_ceiling)


def test_the_file_is_one_object_with_the_figures_of_each_budget(tmp_path: Path) -> None:
    path = tmp_path / ".bench" / "result.json"
    suite.write([result(Name.MASTERING_RATE, 9_000, 18_000), result(Name.FEED_LATENCY, 250)], path)
    written = json.loads(path.read_text())
    assert set(written) == {"mastering_rate", "feed_latency"}
    assert written["mastering_rate"] == {
        "name": "mastering_rate",
        "value": 9_000,
        "baseline": 18_000,
        "ratio": 0.5,
        "unit": "changes/s",
        "first": 0.5,
        "then": 1.5,
        "met": True,
        "notes": ["a note"],
    }
    assert (written["feed_latency"]["ratio"], written["feed_latency"]["baseline"]) == (0.5, None)
    assert [file.name for file in path.parent.iterdir()] == ["result.json"]


@pytest.mark.parametrize(
    ("name", "value", "baseline", "met"),
    [
        (Name.CAPTURE_RATE, 60_000, 20_000, True),
        (Name.CAPTURE_RATE, 59_000, 20_000, False),
        (Name.CAPTURE_RATE, 59_000, None, None),
        (Name.FEED_LATENCY, 500, None, True),
        (Name.FEED_LATENCY, 501, None, False),
    ],
)
def test_a_budget_is_met_by_the_ratio_or_under_its_ceiling(
    name: Name, value: float, baseline: float | None, *, met: bool | None
) -> None:
    assert result(name, value, baseline).meets(BUDGETS[name].first) is met


def test_the_table_tells_pass_from_miss_and_an_absent_baseline() -> None:
    shown = io.StringIO()
    results = [
        result(Name.CAPTURE_RATE, 60_000, 20_000),
        result(Name.INITIAL_LOAD, 1_000, 100_000),
        result(Name.MASTERING_RATE, 10),
    ]
    suite.show(results, Console(file=shown, width=120), is_quick=True)
    assert all(word in shown.getvalue() for word in ("pass", "MISS", "no baseline", "a note", "--quick"))


def test_the_population_is_held_against_fifty_thousand_rows_a_second() -> None:
    measured = population_rate.of(Filled(rows=150_000, seconds=2), points=7_500)
    found = Result(budget=BUDGETS[Name.POPULATION_RATE], measured=measured)
    assert (measured.value, measured.baseline, found.ratio) == (75_000, 50_000, 1.5)
    assert (found.meets(found.budget.first), found.meets(found.budget.then)) == (True, True)


def test_an_entry_takes_until_the_answer_that_it_came_with() -> None:
    answers = [(3, 10.5), (7, 11.0)]
    entries = [(1, 10.0), (3, 10.25), (4, 10.0), (7, 10.75), (8, 10.0)]
    assert feed_latency.latencies(answers, entries) == [250.0, 250.0, 500.0, 1000.0]


def test_a_percentile_is_one_of_the_values() -> None:
    ordered = [float(value) for value in range(1, 101)]
    assert (feed_latency.percentile(ordered, 0.5), feed_latency.percentile(ordered, 0.99)) == (51.0, 100.0)


def test_an_unknown_budget_is_refused_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["bench", "--only", "speed"]) == 2
    assert "mastering_rate" in capsys.readouterr().err
