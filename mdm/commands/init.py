"""mdm init: make the hub's database ready for its first source."""

import typer

app = typer.Typer()


@app.command()
def init() -> None:
    """Prepare the hub's database: the embedded server, or yours, and its schema.

    Without MDM_DATABASE_URL an embedded PostgreSQL is started on the data folder and left running. To run it again
    does no harm: the schema is brought to the present version.

    Example: MDM_DATABASE_URL=postgresql://mdm@db.example/hub mdm init
    """
    from mdm import db, hub, settings

    chosen = settings.load()
    address = hub.initialise(chosen)
    typer.echo(f"The hub's database is ready: {db.redacted(address)}")
    if not chosen.database_url:
        typer.echo(f"It is embedded, on {chosen.hub_folder.resolve()}, and runs until 'mdm db stop'.")
    typer.echo("Next: declare a source with 'mdm source --help', then capture it with 'mdm capture --help'.")
