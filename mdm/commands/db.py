"""mdm db: the embedded PostgreSQL servers, one for the hub and one for the simulated market."""

import json
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def start() -> None:
    """Start the embedded servers and leave them running.

    Example: mdm db start
    """
    from mdm import hub, settings

    for server in hub.start_embedded(settings.load()):
        typer.echo(f"PostgreSQL runs on {server.folder}: {server.dsn()}")


@app.command()
def stop() -> None:
    """Stop the embedded servers; what they hold stays in the data folder.

    Example: mdm db stop
    """
    from mdm import hub, settings

    stopped = hub.stop_embedded(settings.load())
    typer.echo(f"Embedded servers stopped: {stopped}." if stopped else "No embedded server was running.")


@app.command()
def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False,
) -> None:
    """Show where the embedded servers are and how to connect to them.

    The address goes through a Unix socket, which only the server's account and root may use; it needs no password.

    Example: psql "$(mdm db show --json | jq -r .hub.dsn)"
    """
    from mdm import embedded, hub, settings

    chosen = settings.load()
    servers = {"market": embedded.find(chosen.market_folder), "hub": embedded.find(chosen.hub_folder)}
    databases = {"market": "postgres", "hub": hub.DATABASE}
    found = {
        name: {"dsn": server.dsn(databases[name]), "port": server.port, "pid": server.pid} if server else None
        for name, server in servers.items()
    }
    if as_json:
        typer.echo(json.dumps(found))
        return
    for name, place in found.items():
        typer.echo(f"{name}: {place['dsn']} (process {place['pid']})" if place else f"{name}: not running")
