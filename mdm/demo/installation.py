"""Where a demo runs: the databases of the market and of the hub, on embedded servers unless they are named otherwise.

One demo at a time runs on a data folder. What it holds is kept: the next demo goes on with it.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from mdm import db, embedded, hub, telemetry
from mdm.capture import registration
from mdm.capture.sources import Source as Declared
from mdm.demo import reference
from mdm.demo.market import Dsns, Source
from mdm.embedded import EmbeddedServer
from mdm.errors import MdmError
from mdm.settings import SHIPPED_SOURCES, Settings

LOG = "demo.log"


class DemoRefused(MdmError):
    """The demo cannot run as it was asked to; the message says what to do instead."""

    exit_code = 2


class ServerEnded(MdmError):
    """An embedded server has ended while the demo ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The market's databases, the settings of the hub and of the processes beside the demo, and their log."""

    settings: Settings
    dsns: Dsns
    environment: Mapping[str, str]
    log: Path


@contextmanager
def claim(data_folder: Path) -> Iterator[None]:
    """Keep every other demo off a data folder; raises DemoRefused where one runs."""
    path = data_folder / ".demo.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a")
    except OSError as error:
        raise DemoRefused(f"The folder {data_folder} cannot be written ({error.strerror}). Choose another.") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoRefused(
                f"Another demo runs on the folder {data_folder}. End it with Ctrl-C, or use another folder: --data."
            ) from None
        yield


@contextmanager
def logged(settings: Settings) -> Iterator[None]:
    """Write this process's log lines into the log of the demo, so that they do not disturb what it shows."""
    with (settings.data_folder / LOG).open("a") as log:
        telemetry.configure(settings.log_format, settings.log_level, stream=log)
        try:
            yield
        finally:
            telemetry.configure(settings.log_format, settings.log_level)


def clear(settings: Settings) -> None:
    """Remove the market and the hub of a data folder; refuses where they are on servers of the user's own."""
    if settings.database_url or any(map(_own_dsn, _declared(settings))):
        raise DemoRefused(
            "--fresh removes embedded databases alone. Yours are on a server of your own: empty them yourself."
        )
    hub.stop_embedded(settings)
    for folder in (settings.market_folder, settings.hub_folder, settings.data_folder / "spool"):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def open_market(settings: Settings) -> Iterator[Installation]:
    """Start the embedded server of the market, as far as it is called for; it is stopped at the end if it was."""
    chosen = settings.model_copy(update={"sources": (SHIPPED_SOURCES,)})
    declared = _declared(chosen)
    dsns: dict[str, str] = {}
    with ExitStack() as stack:
        if not all(map(_own_dsn, declared)):
            server = stack.enter_context(_server(chosen.market_folder))
            dsns = {source.source: server.ensure_database(source.source) for source in declared}
        dsns |= {source.source: own for source in declared if (own := _own_dsn(source))}
        yield Installation(
            settings=chosen,
            dsns=dsns,
            environment={
                "MDM_DATA_FOLDER": str(chosen.data_folder.resolve()),
                "MDM_SOURCES": str(SHIPPED_SOURCES),
            },
            log=chosen.data_folder / LOG,
        )


@contextmanager
def open_hub(settings: Settings) -> Iterator[str]:
    """Start the hub's server unless it is elsewhere, bring it up to date, tell it who takes part; give its DSN."""
    with ExitStack() as stack:
        if not settings.database_url:
            stack.enter_context(_server(settings.hub_folder))
        address = hub.initialise(settings)
        with db.connect(address) as connection, db.transaction(connection):
            reference.register_participants(connection)
        yield address


@contextmanager
def _server(folder: Path) -> Iterator[EmbeddedServer]:
    """Start a server for the demo alone; one that a killed demo started is stopped at the end too, no other one."""
    note = folder.with_name(f".{folder.name}.demo")
    server = embedded.start(folder)
    is_ours = server.started_here or (note.exists() and note.read_text() == str(server.pid))
    if is_ours:
        note.write_text(str(server.pid))
    try:
        yield server
    except (MdmError, psycopg.Error) as error:
        if server.is_running():
            raise
        raise ServerEnded(
            f"PostgreSQL on {folder} has ended. Nothing that was committed is lost: run the demo again, it goes on."
        ) from error
    finally:
        if is_ours:
            server.stop()
            note.unlink(missing_ok=True)


def _declared(settings: Settings) -> list[Declared]:
    return registration.choose(settings, [source.value for source in Source])


def _own_dsn(source: Declared) -> str | None:
    return os.environ.get(source.dsn_setting or "") or None
