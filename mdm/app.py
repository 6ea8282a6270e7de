"""The web application's composition root: which routes there are, and what they share."""

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import uvicorn
from fastapi import FastAPI

from mdm import db
from mdm.api import (
    audits,
    changes,
    conflicts,
    consistency,
    corrections,
    decisions,
    golden_records,
    health,
    matches,
    overrides,
    problems,
    quarantine,
    rules,
    schemas,
    snapshots,
    state,
    task_changes,
    tasks,
    views,
)
from mdm.api.observation import Observation
from mdm.errors import MdmError
from mdm.stewardship.approvals import NONE, Policy
from mdm.stewardship.terms import USUAL, Terms

_DESCRIPTION = """Golden records of metering points, meters, addresses, contracts and appointments, and each metering
service's synchronised view of them. Every operation but those of schemas and health needs an API key."""

_PARTS = (
    views,
    snapshots,
    changes,
    tasks,
    task_changes,
    conflicts,
    consistency,
    quarantine,
    rules,
    audits,
    decisions,
    overrides,
    corrections,
    matches,
    schemas,
    health,
)


def create(dsn: str, *, revision: str | None = None, terms: Terms = USUAL, policy: Policy = NONE) -> FastAPI:
    """Return the application that serves the hub in this database; `revision` is the schema that it needs."""
    hub = state.make(dsn, revision=revision, terms=terms, approvals=policy)

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
    for part in _PARTS:
        app.include_router(part.router)
    _complete_openapi(app)
    return app


class AddressTaken(MdmError):
    """The address to serve on cannot be had."""


class Server(uvicorn.Server):
    """A server on an address of its own from the start; run() serves until a signal or `should_exit`."""

    def __init__(self, app: FastAPI, *, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http="httptools",
                log_config=None,
                access_log=False,  # a path may hold what somebody mistyped; the metrics count routes
                server_header=False,
                timeout_graceful_shutdown=10,
            )
        )
        logging.getLogger("uvicorn.access").disabled = True  # whoever adds a handler to it
        self._app = app
        self._socket = listen(host, port)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._socket.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until the end."""
        super().run(sockets or [self._socket])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let long polls go, then end in order."""
        self._app.state.hub.listener.drain()
        await super().shutdown(sockets)
        self._captured_signals.clear()  # uvicorn would raise them again; to have ended in order is success


def make_server(dsn: str, *, host: str, port: int, terms: Terms = USUAL, policy: Policy = NONE) -> Server:
    """Return a server of the hub in this database, on a free port for port 0; raises AddressTaken."""
    return Server(create(dsn, revision=db.head(), terms=terms, policy=policy), host=host, port=port)


def listen(host: str, port: int) -> socket.socket:
    """Take an address to serve on, a free one for port 0; raises AddressTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise AddressTaken(
            f"Nothing can be served on {host} port {port}: {error.strerror}. Choose another address with --host and "
            "--port, or end what is there."
        ) from error


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
