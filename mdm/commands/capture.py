"""mdm capture: changes from a source, into the hub or printed as JSON lines."""

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from mdm.errors import MdmError

if TYPE_CHECKING:
    from mdm.capture.printing import Printing

app = typer.Typer()

_FOR_PRINTING = ("dsn", "tables", "slot", "publication", "snapshot", "limit", "until_current", "name")


class NotAsked(MdmError):
    """The command was not told what to do."""


@app.command()
def capture(
    context: typer.Context,
    sources: Annotated[
        list[str] | None, typer.Argument(help="The sources to capture into the hub; all that are declared by default.")
    ] = None,
    as_lines: Annotated[
        bool, typer.Option("--print", help="Print changes as JSON lines in Debezium's envelope.")
    ] = False,
    dsn: Annotated[
        str | None, typer.Option(help="The database whose changes are printed.", envvar="MDM_SOURCE_DSN")
    ] = None,
    tables: Annotated[
        str | None,
        typer.Option(help="Its tables, with commas between: public.a,public.b; quoted as in SQL if need be."),
    ] = None,
    slot: Annotated[
        str | None, typer.Option(help="A replication slot to go on from; made if missing, and kept.")
    ] = None,
    publication: Annotated[str | None, typer.Option(help="A publication to read; made if missing, and kept.")] = None,
    snapshot: Annotated[bool, typer.Option("--snapshot", help="Print the rows that exist first, as op r.")] = False,
    limit: Annotated[int | None, typer.Option(min=0, help="End after so many lines.")] = None,
    until_current: Annotated[
        bool,
        typer.Option("--until-current", help="End when all that was committed before the stream began is printed."),
    ] = False,
    name: Annotated[
        str, typer.Option(help="The source's logical name in each line (Debezium's topic prefix).")
    ] = "mdm",
) -> None:
    """Capture changes from sources into the hub, or print a database's changes as JSON lines.

    Each source has a worker process of its own, which is started again when it ends; of one source, this process is
    the worker. A second worker of a source stands by. One more process looks for what may be one thing, every
    MDM_MATCH_SECONDS; beside a worker alone, 'mdm match run --every' does. It goes on until Ctrl-C or a SIGTERM, and
    then where it stood.

    Example: mdm capture smrs10 mss

    With --print, from any database: each change is a line as Debezium's PostgreSQL connector gives it, with schemas off
    and decimals and intervals as strings. A slot and publication that are not named are temporary.

    Example: mdm capture --print --dsn postgresql://me@db.example/shop --tables public.orders --snapshot
    """
    if not as_lines:
        if any(_is_given(context, option) for option in _FOR_PRINTING):
            raise NotAsked("These options are for printing: add --print, or leave them out to capture into the hub.")
        capture_into_hub(sources or [])
        return
    if sources:
        raise NotAsked("Changes are printed from a database: give --dsn and --tables, and no source.")
    if dsn is None:
        raise NotAsked("Say which database: --dsn postgresql://user@host/database, or MDM_SOURCE_DSN.")
    from mdm.capture.printing import Printing

    print_changes(
        Printing(
            dsn=dsn,
            tables=tables,
            slot=slot,
            publication=publication,
            name=name,
            snapshot=snapshot,
            limit=limit,
            until_current=until_current,
        )
    )


def _is_given(context: typer.Context, option: str) -> bool:
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def capture_into_hub(names: list[str]) -> None:
    """Run the worker of one source in this process, or one process for each of several."""
    # Workers share the machine, and most batches are small: handing them to a pool of threads takes longer than doing
    # them. Polars and NumPy read this when they are imported, below.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with _all_kept():
        from mdm import hub, settings
        from mdm.capture import registration, supervisor, worker

    chosen = settings.load()
    declared = registration.choose(chosen, names)
    hub_dsn = hub.dsn(chosen) if supervisor.is_above() else hub.initialise(chosen)
    stop = threading.Event()
    with stopped_by_signals(stop), _bars(hub_dsn, [source.source for source in declared]):
        if len(declared) == 1:
            if supervisor.is_above():
                supervisor.stop_with_supervisor(stop)
            source_dsn = registration.dsn(declared[0], chosen)
            worker.run(registration.captured(hub_dsn, declared[0], source_dsn, chosen), stop)
        else:
            supervisor.run([source.source for source in declared], stop, match_seconds=chosen.match_seconds)


@contextmanager
def _all_kept() -> Iterator[None]:
    """Look for no garbage while modules are imported, nor in what they have made later: it stays."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _bars(hub_dsn: str, names: list[str]) -> AbstractContextManager[None]:
    """Show bars while sources are being loaded, on a terminal; elsewhere the workers' log lines tell the same."""
    from mdm.capture import supervisor

    if supervisor.is_above() or not sys.stderr.isatty():
        return nullcontext()
    from mdm.capture import bars

    if "MDM_LOG_LEVEL" not in os.environ:
        # Lines would run through the bars; what matters still comes, from the workers of several sources too.
        os.environ["MDM_LOG_LEVEL"] = "warning"
        logging.getLogger().setLevel(logging.WARNING)
    return bars.shown(hub_dsn, names)


def print_changes(asked: "Printing") -> None:
    """Print to standard output until an end that was asked for, a signal, or until nobody reads any more."""
    from mdm.capture import printing

    stop, streaming = threading.Event(), threading.Event()
    try:
        with _ended_by_signals(stop, streaming):
            printing.run(asked, sys.stdout.fileno(), stop=stop, note=_note, began=streaming.set)
    except KeyboardInterrupt:
        return


def _note(words: str) -> None:
    typer.echo(words, err=True)


@contextmanager
def _ended_by_signals(stop: threading.Event, streaming: threading.Event) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the stream after what has been decoded, or at once before it and the second time."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set() or not streaming.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the work in order; a second one ends it at once."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
