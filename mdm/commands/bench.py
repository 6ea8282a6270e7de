"""mdm bench: the hub against its budgets."""

import json
from importlib.util import find_spec
from typing import Annotated

import typer

from mdm.errors import MdmError

app = typer.Typer()


class BenchmarksAbsent(MdmError):
    """The benchmarks are not part of an installed hub."""


@app.command()
def bench(
    only: Annotated[list[str] | None, typer.Option(help="A budget to measure, by its name; may be repeated.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Measure with small sizes, to see that all runs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False,
) -> None:
    """Measure the hub against its budgets, on servers of its own, and write .bench/result.json.

    The budgets are capture_rate, golden_read, queue_page, bulk_decision, population_rate, initial_load, feed_latency,
    mastering_rate, worker_memory, rule_trial and audit. Debezium's embedded engine is a baseline where a JDK is on the
    path; its jars are installed into .bench/venv when needed.

    Example: mdm bench --quick --only mastering_rate
    """
    if find_spec("tests") is None or find_spec("tests.benchmarks") is None:
        raise BenchmarksAbsent("The benchmarks come with the source, not with an installed hub. Run make bench there.")
    from rich.console import Console

    from tests.benchmarks import budgets, suite
    from tests.benchmarks.budgets import Name

    known = {name.value for name in Name}
    if unknown := sorted(set(only or ()) - known):
        raise typer.BadParameter(f"{', '.join(unknown)} is no budget. There are {', '.join(Name)}.")
    results = suite.run(
        [Name(name) for name in only] if only else list(Name),
        size=suite.QUICK if quick else suite.FULL,
        note=lambda words: typer.echo(words, err=True),
    )
    suite.write(results)
    if as_json:
        typer.echo(json.dumps(budgets.as_json(results)))
    else:
        suite.show(results, Console(), is_quick=quick)
