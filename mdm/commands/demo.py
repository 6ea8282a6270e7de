"""mdm demo: a simulated market flows through the hub."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mdm.demo.display import Display
    from mdm.demo.running import Asked
    from mdm.demo.summary import Ended
    from mdm.settings import Settings

app = typer.Typer()

_INTERRUPTED = 130
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WIDTH = 120


_Points = Annotated[int | None, typer.Option(min=10, help="Metering points of a new market. (default: 2000)")]
_Changes = Annotated[
    int | None, typer.Option(min=1, help="Rows to change. (default: 5000 with --once, else without end)")
]
_Rate = Annotated[
    float | None,
    typer.Option(min=0, help="Rows to change a second, 0 as fast as can be. (default: 0 with --once, else 50)"),
]
_Seed = Annotated[int | None, typer.Option(help="What a new market is drawn from. (default: 1)")]
_Faults = Annotated[
    float, typer.Option(min=0, max=1, help="Share of what happens that plants a fault, for the hub to find.")
]
_Once = Annotated[
    bool, typer.Option("--once", help="End by itself: change, catch up, compare; exit 1 where anything differs.")
]
_Fresh = Annotated[bool, typer.Option("--fresh", help="Remove the market and the hub of the data folder first.")]
_Folder = Annotated[
    Path | None, typer.Option(help="The data folder, kept between runs. (default: MDM_DATA_FOLDER or .mdm)")
]
_Json = Annotated[
    bool, typer.Option("--json", help="Print the summary as JSON, progress on standard error; implies --once.")
]


@app.command()
def demo(
    metering_points: _Points = None,
    changes: _Changes = None,
    rate: _Rate = None,
    seed: _Seed = None,
    faults: _Faults = 0.0,
    once: _Once = False,
    fresh: _Fresh = False,
    data: _Folder = None,
    as_json: _Json = False,
) -> None:
    """Run a simulated market through the hub, with live progress.

    Six databases of a market are filled and captured, their changes mastered into golden records and published as
    views; the API is served on a free port. A second run goes on with the same market, also after a kill.

    Example: mdm demo --once --metering-points 2000 --changes 5000
    """
    from mdm import settings
    from mdm.demo import running
    from mdm.demo.filling import Wanted

    once = once or as_json
    chosen = settings.load()
    if data is not None:
        chosen = chosen.model_copy(update={"data_folder": data})
    asked = running.Asked(
        wanted=Wanted(metering_points=metering_points, seed=seed),
        changes=changes or (5_000 if once else None),
        rate=(0.0 if once else 50.0) if rate is None else rate,
        faults=faults,
        once=once,
        fresh=fresh,
    )
    _run(chosen, asked, as_json=as_json)


def _run(chosen: "Settings", asked: "Asked", *, as_json: bool) -> None:
    from mdm.demo import running

    with _shown(as_json=as_json) as display, _signals_interrupt():
        try:
            ended = running.run(chosen, asked, display)
        except KeyboardInterrupt:
            display.say(f"Ended. What there is stays in {chosen.data_folder}: the next 'mdm demo' goes on with it.")
            raise typer.Exit(_INTERRUPTED if asked.once else 0) from None
    if ended is not None:
        _print(ended, as_json=as_json)
        raise typer.Exit(0 if ended.comparison.agrees else 1)


def _print(ended: "Ended", *, as_json: bool) -> None:
    from rich.console import Console

    from mdm.demo import summary

    if as_json:
        typer.echo(json.dumps(ended.as_json()))
    else:
        summary.show(ended, Console(width=None if sys.stdout.isatty() else _WIDTH))


@contextmanager
def _shown(*, as_json: bool) -> Iterator["Display"]:
    """Show progress on the terminal, or in lines where there is none; JSON has the standard output for itself."""
    from mdm.demo.display import Lines, Terminal

    is_terminal = not as_json and sys.stdout.isatty()
    display: Display = Terminal() if is_terminal else Lines(sys.stderr if as_json else sys.stdout)
    try:
        yield display
    finally:
        display.close()


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let the first SIGINT, SIGTERM or SIGHUP raise KeyboardInterrupt; what follows must not disturb the end."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
