"""The web application's composition root: which routes there are, and what they share."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from socket import socket
from typing import Any

import uvicorn
from fastapi import FastAPI

from mdm import db
from mdm.api import changes, golden_records, health, problems, schemas, snapshots, state, views
from mdm.api.observation import Observation
from mdm.errors import MdmError

_DESCRIPTION = """Golden records of metering points, meters, addresses, contracts and appointments, and each metering
service's synchronised view of them. Every operation but those of schemas and health needs an API key."""


def create(dsn: str, *, revision: str | None = None) -> FastAPI:
    """Return the application that serves the hub in this database; `revision` is the schema that it needs."""
    hub = state.make(dsn, revision=revision)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        await hub.open()
        yield
        await hub.close()

    app = FastAPI(
        title="MDM hub",
        version=version("mdm-hub"),
        description=_DESCRIPTION,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its pages load from a CDN
        redoc_url=None,
        lifespan=life,
    )
    app.state.hub = hub
    problems.install(app)
    app.add_middleware(Observation)
    golden_records.add_routes(app)
    for router in (views.router, snapshots.router, changes.router, schemas.router, health.router):
        app.include_router(router)
    _complete_openapi(app)
    return app


def serve(dsn: str, *, address: tuple[str, int], announce: Callable[[str], None]) -> None:
    """Serve the hub in this database on host and port (0: a free one), until a signal ends the process in order."""
    host, port = address
    server = _Server(
        uvicorn.Config(
            create(dsn, revision=_needed_revision()),
            host=host,
            port=port,
            loop="uvloop",
            http="httptools",
            log_config=None,
            access_log=False,  # a path may hold what somebody mistyped; the metrics count routes
            server_header=False,
            timeout_graceful_shutdown=10,
        ),
        announce,
    )
    server.run()
    if not server.started:
        raise AddressTaken(f"Nothing can be served on {host}:{port}. Choose another address with --host and --port.")


class AddressTaken(MdmError):
    """The address to serve on cannot be had."""


class _Server(uvicorn.Server):
    """Says where it listens, and lets long polls go when it shall stop."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[str], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers:
            for listening in server.sockets:
                host, port = listening.getsockname()[:2]
                self._announce(f"Listening on http://{host}:{port}")

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        application = self.config.app
        if isinstance(application, FastAPI):
            application.state.hub.listener.drain()
        await super().shutdown(sockets)


def _needed_revision() -> str | None:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - only a server needs to know it

    return ScriptDirectory.from_config(db.migrations()).get_current_head()


def _complete_openapi(app: FastAPI) -> None:
    """Add what FastAPI cannot know: the key, and what a problem looks like."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        components = document.setdefault("components", {})
        components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "description": "An API key"}}
        components.setdefault("schemas", {})["Problem"] = problems.SCHEMA
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way
