"""mdm key: API keys."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mdm.api.keys import Key

app = typer.Typer()


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is, as it shall be listed.")],
    purpose: Annotated[str, typer.Option(help="What the holder may use the values for.")],
    scope: Annotated[
        list[str],
        typer.Option(
            help="view:read, view:read-all, golden:read, golden:read-identified, steward:read, steward:write or "
            "steward:approve; may be given more than once."
        ),
    ],
    role: str = typer.Option(None, help="For a service: its role, MSS, MSA, UMSO or MDS."),
    recipient: str = typer.Option(None, help="For a service: its MPID, to whose views and points the key is confined."),
    days: int = typer.Option(None, min=1, help="Days after which the key expires. [default: never]"),
    as_json: bool = typer.Option(False, "--json", help="Print JSON for a program to read."),
) -> None:
    """Issue an API key and show it, this one time.

    Example: mdm key create bolt --purpose "metering service" --scope view:read --role MSS --recipient BOLT
    """
    from datetime import UTC, datetime, timedelta

    from mdm import db, hub, settings
    from mdm.api import keys

    grant = keys.Grant.parse(
        name=name,
        purpose=purpose,
        scopes=scope,
        role=role,
        recipient=recipient,
        expires_at=datetime.now(UTC) + timedelta(days=days) if days else None,
    )
    with db.connect(hub.initialise(settings.load())) as connection, db.transaction(connection):
        key = keys.create(connection, grant)
    if as_json:
        typer.echo(json.dumps({"key": key}))
        return
    typer.echo(key)
    typer.echo("Keep it now: it cannot be shown again. Send it as 'Authorization: Bearer KEY'.", err=True)


@app.command("list")
def list_keys(as_json: bool = typer.Option(False, "--json", help="Print JSON for a program to read.")) -> None:
    """List the API keys, without their secrets.

    Example: mdm key list
    """
    from mdm import db, hub, settings
    from mdm.api import keys

    with db.connect(hub.initialise(settings.load())) as connection:
        listed = keys.list_keys(connection)
    if as_json:
        typer.echo(json.dumps([_summary(key) for key in listed], default=str))
        return
    for key in listed:
        shown = _summary(key)
        typer.echo("  ".join(str(shown[column]) for column in ("prefix", "state", "name", "recipient", "scopes")))
    if not listed:
        typer.echo("There are no keys. 'mdm key create --help' tells how to issue one.")


@app.command()
def revoke(prefix: str = typer.Argument(help="The key's prefix, as 'mdm key list' shows it.")) -> None:
    """Revoke an API key at once.

    Example: mdm key revoke 3f9a01bc
    """
    from mdm import db, hub, settings
    from mdm.api import keys

    with db.connect(hub.initialise(settings.load())) as connection, db.transaction(connection):
        keys.revoke(connection, prefix)
    typer.echo(f"The key {prefix} is revoked.")


def _summary(key: "Key") -> dict[str, object]:
    return {
        "prefix": key.prefix,
        "name": key.grant.name,
        "state": key.state,
        "scopes": [scope.value for scope in key.grant.scopes],
        "role": key.grant.role,
        "recipient": key.grant.recipient,
        "purpose": key.grant.purpose,
        "created_at": key.created_at,
        "expires_at": key.grant.expires_at,
        "revoked_at": key.revoked_at,
    }
