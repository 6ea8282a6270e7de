"""mdm status: how the capture of each source stands, and how consistent the systems are."""

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Group
    from rich.table import Table

    from mdm.capture.status import SourceStatus
    from mdm.db import Connection
    from mdm.settings import Settings

app = typer.Typer()


@app.command()
def status(
    sources: Annotated[list[str] | None, typer.Argument(help="The sources to show; all by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every second until Ctrl-C.")] = False,
    consistency: Annotated[
        bool, typer.Option("--consistency", help="Show instead on how many golden records the systems agree.")
    ] = False,
) -> None:
    """Show each source's state, lag, held WAL, rate and last error.

    The states are new, loading, assembling, streaming, reloading, failed. Lag is what the hub has not mastered yet;
    held WAL is what the slot keeps the source from removing. Below stands when matching ran last, and what it did. It
    starts nothing: without a hub that runs it says so, in JSON as {"error": ...}, and exits with 1.

    Example: mdm status --watch

    With --consistency: the share of golden records on which each two systems agree, the address first, and how long
    copies take to follow their owner. What differs is counted now; what both hold, every ten minutes at most.

    Example: mdm status --consistency --json
    """
    from rich.console import Group

    from mdm import db, settings
    from mdm.capture import registration
    from mdm.capture import status as capture_status

    chosen = settings.load()
    with db.connect(_hub_dsn(chosen, as_json=as_json), application_name="mdm status") as connection:
        if consistency:
            _show_consistency(connection, sources or None, as_json=as_json)
            return

        def look() -> list["SourceStatus"]:
            return capture_status.collect(connection, registration.watch(chosen, sources or []))

        if as_json or not sys.stdout.isatty():
            _print(look(), as_json=as_json)
            while watch:
                time.sleep(1)
                _print(look(), as_json=as_json)
            if not as_json:
                typer.echo(_matching(connection))
            return

        _show(lambda: Group(_table(look()), _matching(connection)), watch=watch)


def _show(look: "Callable[[], Group]", *, watch: bool) -> None:
    """Show what a look gives at a terminal, again every second where it is watched."""
    from rich.console import Console
    from rich.live import Live

    with Live(look(), console=Console(), auto_refresh=False) as live:
        while watch:
            time.sleep(1)
            live.update(look(), refresh=True)


def _show_consistency(connection: "Connection", sources: "Sequence[str] | None", *, as_json: bool) -> None:
    from datetime import UTC, datetime

    from mdm.governance import consistency, consistency_lines

    consistency.renew_if_stale(connection, now=datetime.now(UTC))
    measure = consistency.look(connection, now=datetime.now(UTC), sources=sources)
    if as_json:
        typer.echo(json.dumps(measure, default=str))
    else:
        typer.echo("\n".join(consistency_lines.lines(measure)))


def _hub_dsn(chosen: "Settings", *, as_json: bool) -> str:
    from mdm import hub

    try:
        return hub.running_dsn(chosen)
    except hub.HubAbsent as absent:
        if as_json:
            typer.echo(json.dumps({"error": str(absent)}))
        raise


def _print(statuses: list["SourceStatus"], *, as_json: bool) -> None:
    from rich.console import Console

    if as_json:
        typer.echo(json.dumps([status.as_json() for status in statuses]))
    else:
        Console(width=160).print(_table(statuses))


def _table(statuses: list["SourceStatus"]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table("source", "state", "loaded", "lag", "age", "WAL held", "slot", "rate", "error", box=box.SIMPLE)
    for status in statuses:
        loaded = f"{status.chunks_loaded}/{status.chunks} chunks, {status.rows_loaded:,} rows"
        table.add_row(
            status.source,
            status.state if status.worker_runs or status.state == "failed" else f"{status.state} (no worker)",
            loaded,
            _size(status.lag_bytes),
            "?" if status.lag_seconds is None else f"{status.lag_seconds:.1f} s",
            _size(status.wal_held_bytes),
            status.wal_status or "none",
            f"{status.rate:,.0f}/s",
            status.source_error or (status.last_error or "" if status.state == "failed" else ""),
        )
    return table


def _matching(connection: "Connection") -> str:
    from golden_records import match_runs

    last = match_runs.find_last(connection)
    if last is None:
        return "What may be one thing was not looked for yet: 'mdm match run' does."
    told = f"{last['compared']:,} golden records compared, {last['opened']:,} matches opened or changed"
    return f"Matching ran last until {last['ended_at']:%Y-%m-%d %H:%M:%S}: {told}."


def _size(octets: int | None) -> str:
    if octets is None:
        return "?"
    for unit in ("B", "kB", "MB"):
        if octets < 1024:
            return f"{octets:.0f} {unit}"
        octets //= 1024
    return f"{octets:,} GB"
