"""mdm serve: golden records and views over HTTP."""

import typer

app = typer.Typer()


@app.command()
def serve(
    host: str = typer.Option(None, help="Address to serve on. [default: MDM_API_HOST or 127.0.0.1]"),
    port: int = typer.Option(None, min=0, max=65535, help="Port to serve on. [default: MDM_API_PORT or 8420]"),
) -> None:
    """Serve golden records and views over HTTP, until Ctrl-C or a SIGTERM.

    Callers need an API key: see 'mdm key create --help'. What there is to ask for stands in /v1/openapi.json.

    Example: mdm serve --port 8420
    """
    from mdm import app as application
    from mdm import hub, settings, telemetry
    from mdm.capture import registration, status
    from mdm.governance.consistency import ConsistencyCollector
    from mdm.stewardship import approvals, terms

    chosen = settings.load()
    hub_dsn = hub.initialise(chosen)
    status.SourceCollector(hub_dsn, registration.watch(chosen)).register(telemetry.REGISTRY)
    ConsistencyCollector(hub_dsn).register(telemetry.REGISTRY)
    server = application.make_server(
        hub_dsn,
        host=chosen.api_host if host is None else host,
        port=chosen.api_port if port is None else port,
        terms=terms.of(chosen),
        policy=approvals.load(chosen.approvals),
    )
    typer.echo(f"Listening on {server.url}")
    server.run()
