"""mdm source: the declared source systems: list, add, check and reload them."""

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from mdm.errors import MdmError

if TYPE_CHECKING:
    from mdm.capture.sources import Source
    from mdm.db import Connection
    from mdm.settings import Settings

app = typer.Typer()

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


class TableNotCaptured(MdmError):
    """A table that is to be loaded anew is none of the source's captured tables, or is being loaded already."""

    exit_code = 2


@app.command(name="list")
def list_(as_json: _Json = False) -> None:
    """List the declared sources: kind, slot, tables, and the setting that holds their address.

    Declarations are YAML files; MDM_SOURCES says where they are.

    Example: mdm source list
    """
    from mdm import settings
    from mdm.capture import registration

    declared = registration.choose(settings.load())
    if as_json:
        typer.echo(json.dumps([_described(source) for source in declared]))
        return
    for source in declared:
        typer.echo(
            f"{source.source:12} {source.kind:5} {len(source.tables):3} tables  slot {source.slot:20} "
            f"{source.dsn_setting or 'the market'}"
        )


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A declared source.")],
    publication: Annotated[
        bool, typer.Option(help="Make the publication at the source, or add the tables that it lacks.")
    ] = True,
) -> None:
    """Add a declared source to the hub, and make its publication; then 'mdm capture' loads and captures it.

    Example: mdm source add smrs10
    """
    from mdm import db, hub, settings
    from mdm.capture import capturing, chunks, prerequisites, registration

    chosen = settings.load()
    (source,) = registration.choose(chosen, [name])
    if publication:
        with chunks.connect(registration.dsn(source, chosen)) as connection:
            for command in prerequisites.ensure_publication(
                connection, capturing.request(source), sorted(source.tables)
            ):
                typer.echo(f"At the source: {command}")
    with db.connect(hub.initialise(chosen)) as connection:
        source_id = registration.register(connection, source)
    typer.echo(f"{name} is source {source_id} of the hub. Next: 'mdm source check {name}', 'mdm capture {name}'.")


@app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="The sources to check; all by default.")] = None,
    as_json: _Json = False,
) -> None:
    """Check what the sources must allow: address, wal_level, role, publication, replica identity; and their mappings.

    Each problem is told with the SQL that mends it; the exit status is 1 when there is one.

    Example: mdm source check smrs10
    """
    from mdm import settings
    from mdm.capture import registration

    chosen = settings.load()
    found = {source.source: _problems(source, chosen) for source in registration.choose(chosen, names or [])}
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for name, problems in found.items():
            typer.echo(f"{name}: {'ready to be captured' if not problems else ''}")
            for problem in problems:
                typer.echo(f"  - {problem}")
    if any(found.values()):
        raise typer.Exit(1)


@app.command(name="reload")
def reload_(
    name: Annotated[str, typer.Argument(help="The source to load anew.")],
    table: Annotated[str | None, typer.Option(help="Only this table, as schema.table.")] = None,
    new_slot: Annotated[
        bool, typer.Option("--new-slot", help="Drop the slot, so that the stream begins anew at the present.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until everything is loaded.")] = False,
) -> None:
    """Load a source, or one table of it, anew while it is being captured; no golden record is dropped.

    It is the way back from a slot that is lost or was read by somebody else, and from a source that was restored or
    replaced. The worker of the source does it: the running one, or the next one.

    Example: mdm source reload smrs10 --table public.supplier_period
    """
    from mdm import db, hub, settings
    from mdm.capture import registration

    chosen = settings.load()
    (source,) = registration.choose(chosen, [name])
    with db.connect(hub.dsn(chosen)) as connection:
        source_id = registration.register(connection, source)
        if new_slot:
            _drop_slot(source, chosen)
        with db.transaction(connection):
            _request(connection, source, source_id, table)
        typer.echo(f"{table or name} will be loaded anew by the worker of {name}; 'mdm status --watch' shows it.")
        if wait:
            _await_loaded(connection, source_id)


def _described(source: "Source") -> dict[str, object]:
    known = source.model_dump(include={"source", "kind", "participant", "distributors", "publication", "slot"})
    return known | {"dsn_setting": source.dsn_setting, "tables": sorted(source.tables)}


def _problems(source: "Source", chosen: "Settings") -> list[str]:
    from mdm.capture import chunks, registration

    try:
        with chunks.connect(registration.dsn(source, chosen)) as connection:
            return [str(problem) for problem in registration.list_problems(connection, source)]
    except MdmError as error:
        return [str(error)]


def _drop_slot(source: "Source", chosen: "Settings") -> None:
    from mdm.capture import capturing, chunks, registration, slots

    with chunks.connect(registration.dsn(source, chosen)) as connection:
        slots.drop(connection, capturing.request(source))


def _request(connection: "Connection", source: "Source", source_id: int, table: str | None) -> None:
    from mdm.capture import checkpoint, loads

    if table is None:
        checkpoint.request_reload(connection, source_id)
        return
    loading = [load for load in loads.list_loads(connection, source_id) if load.relation == table]
    if table not in source.tables:
        raise TableNotCaptured(
            f"{source.source} has no captured table {table}. It has {', '.join(sorted(source.tables))}."
        )
    if loading and loading[0].state is loads.LoadState.LOADING:
        raise TableNotCaptured(f"{table} of {source.source} is being loaded now. 'mdm status' shows how far it is.")
    loads.expect(connection, source_id, [table], replaces=True)


def _await_loaded(connection: "Connection", source_id: int) -> None:
    from mdm.capture import checkpoint, loads

    while checkpoint.get(connection, source_id).reload_requested or loads.are_waiting(connection, source_id):
        time.sleep(0.5)
    typer.echo("Loaded.")
