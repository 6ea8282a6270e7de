"""mdm participant: who takes part in the market, in which role and when: the reference data that rules look up."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from mdm.errors import MdmError

app = typer.Typer()

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


class NothingGiven(MdmError):
    """The file tells of no participant."""

    exit_code = 2


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="YAML or CSV: mpid, role, name, valid_from, valid_to.")],
    as_json: _Json = False,
) -> None:
    """Add or renew participants from a file; nothing of a file with a mistake in it is taken.

    A participant is known by MPID, role and first day. To end one, load it again with its last day in valid_to. An
    unmetered supplies operator names the `distributors` for whose points it may be appointed, such as "10 20". What was
    held back because a participant was not known is put through again.

    Example: mdm participant load participants.csv
    """
    from golden_records import healing, reference
    from mdm import db, hub, mastering, participants, settings

    given = participants.read(file)
    if not given:
        raise NothingGiven(f"{file} tells of no participant. It needs rows with mpid, role, name and valid_from.")
    with db.connect(hub.initialise(settings.load())) as connection:
        with db.transaction(connection):
            reference.write_participants(connection, [each.model_dump() for each in given])
        mastering.tune(connection)
        with db.transaction(connection):
            mastering.retry(connection, now=datetime.now(UTC), rules=healing.REFERENCE_RULES)
            mastering.finish(connection)
    if as_json:
        typer.echo(json.dumps({"loaded": len(given)}))
        return
    typer.echo(f"{len(given):,} participants are added or renewed.")


@app.command(name="list")
def list_(
    role: Annotated[str, typer.Option(help="Only those in this role, such as SUPPLIER.")] = "",
    as_json: _Json = False,
) -> None:
    """List the participants that the hub knows.

    Example: mdm participant list --role MSS
    """
    from golden_records import reference
    from mdm import db, hub, settings

    with db.connect(hub.running_dsn(settings.load())) as connection:
        found = [row for row in reference.list_participants(connection) if not role or row["role"] == role.upper()]
    if as_json:
        typer.echo(json.dumps(found, default=str))
        return
    for row in found:
        typer.echo(_line(row))
    if not found:
        typer.echo("There are none. 'mdm participant load FILE' adds them.")


def _line(row: dict[str, Any]) -> str:
    until: date | None = row["valid_to"]
    return f"{row['mpid']}  {row['role']:12} {row['valid_from']} to {until or 'today and on':12}  {row['name']}"
