"""A market and a hub to measure: two embedded servers that keep what they commit, and workers as processes."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from mdm import db, embedded, hub
from mdm.capture import checkpoint, registration, supervisor
from mdm.db import Connection
from mdm.demo import market, population, reference
from mdm.demo.market import Source
from mdm.embedded import EmbeddedServer
from mdm.settings import Settings

SOURCES = tuple(source.value for source in Source)

_MDM = (sys.executable, "-c", "from mdm.cli import main; main()")
_BETWEEN_LOOKS = 0.05
_TO_START = 300.0  # seconds; much, for a machine that has other things to do
_TO_STOP = 60.0


class NotInTime(Exception):
    """What was waited for did not come to pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """The rows of a market, and the seconds in which they were made and copied into its databases."""

    rows: int
    seconds: float


@dataclass(slots=True, kw_only=True)
class Installation:
    """The servers of one folder and the workers that run on them."""

    folder: Path
    settings: Settings
    market: EmbeddedServer
    hub: EmbeddedServer
    hub_dsn: str
    dsns: Mapping[str, str]
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def fill(self, points: int, *, seed: int = 7) -> Filled:
        """Load a population of so many metering points into the market and publish it."""
        market.create(self.dsns)
        began = time.perf_counter()
        loaded = population.load(self.dsns, points=points, seed=seed)
        seconds = time.perf_counter() - began
        market.publish(self.dsns)
        with self.connect_hub() as connection:
            reference.register_participants(connection)
            for source in registration.choose(self.settings, SOURCES):
                registration.register(connection, source)
        return Filled(rows=loaded.rows, seconds=seconds)

    def connect_hub(self) -> Connection:
        """Open a session at the hub."""
        return db.connect(self.hub_dsn, application_name="mdm bench")

    def start_workers(self, sources: Sequence[str] = SOURCES) -> None:
        """Start the worker of each of these sources."""
        for source in sources:
            self.start(source, supervisor.command(source))

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process on this installation; it is stopped with the workers."""
        environment = {"MDM_DATA_FOLDER": str(self.folder), "MDM_DATABASE_URL": "", "MDM_LOG_FORMAT": "json"}
        with self.log(name).open("wb") as output:
            self._running[name] = subprocess.Popen(
                command, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def serve(self) -> str:
        """Start the API; return its address."""
        self.start("api", [*_MDM, "serve", "--port", "0"])
        deadline = time.monotonic() + _TO_START
        while not (said := self.log("api").read_text()).endswith("\n") or "Listening on " not in said:
            self._refuse_ended()
            if time.monotonic() > deadline:
                raise NotInTime("The API did not begin to listen.")
            time.sleep(_BETWEEN_LOOKS)
        return said.partition("Listening on ")[2].split()[0]

    def await_end(self, name: str, *, seconds: float) -> None:
        """Wait until a process has ended by itself, with success."""
        process = self._running.pop(name)
        if process.wait(seconds):
            raise NotInTime(f"The process of {name} ended with {process.returncode}:\n{self.said(name)}")

    def said(self, name: str) -> str:
        """Return the end of what a process has written."""
        return self.log(name).read_text()[-2000:]

    def log(self, name: str) -> Path:
        """Return where a process writes what it says."""
        return self.folder / f"{name}.log"

    def process(self, name: str) -> psutil.Process:
        """Return a running process."""
        return psutil.Process(self._running[name].pid)

    def stop(self) -> None:
        """Stop all processes in order, and wait until they have ended."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(_TO_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    @contextmanager
    def standing_by(self, sources: Sequence[str] = SOURCES) -> Iterator[None]:
        """Start workers that stand by; they capture from the end of the block on, when it lets their locks go."""
        with self.connect_hub() as connection:
            for known in checkpoint.list_all(connection):
                checkpoint.try_lock(connection, known.source_id)
            self.start_workers(sources)
            stand_by = "select count(*) = %s from pg_stat_activity where application_name like 'mdm capture %%'"
            self.await_true(stand_by, [len(sources)], seconds=_TO_START)
            yield

    def changes(self) -> int:
        """Return how many changes the hub has mastered since the initial loads."""
        with self.connect_hub() as connection:
            return sum(known.changes for known in checkpoint.list_all(connection))

    def ends(self) -> dict[str, str]:
        """Return the position behind all that is committed in each source."""
        return {source: _end(dsn) for source, dsn in self.dsns.items()}

    def await_streaming(self, *, seconds: float) -> None:
        """Wait until every source's initial load is mastered."""
        self.await_true("select bool_and(state = 'streaming') from hub.checkpoint", [], seconds=seconds)

    def await_mastered(self, ends: Mapping[str, str], *, seconds: float) -> None:
        """Wait until the hub has mastered each of these sources up to a position, and judged what it has mastered."""
        query = """
            select bool_and(c.end_lsn >= e.lsn) and not exists (select from golden.unjudged)
            from hub.checkpoint c join golden.source_system s using (source_id)
            join unnest(%s::text[], %s::pg_lsn[]) e (name, lsn) using (name)"""
        self.await_true(query, [list(ends), list(ends.values())], seconds=seconds)

    def await_true(self, query: str, parameters: Sequence[Any], *, seconds: float) -> None:
        """Wait until a query on the hub gives true. Raises NotInTime, at once when a process has ended."""
        deadline = time.monotonic() + seconds
        with self.connect_hub() as connection:
            while connection.execute(query, parameters or None).fetchone() != (True,):
                self._refuse_ended()
                if time.monotonic() > deadline:
                    raise NotInTime(f"The hub did not come so far within {seconds:.0f} seconds.")
                time.sleep(_BETWEEN_LOOKS)

    def _refuse_ended(self) -> None:
        for name, process in self._running.items():
            if process.poll() is not None:
                raise NotInTime(f"The process of {name} ended with {process.returncode}:\n{self.said(name)}")


def _end(dsn: str) -> str:
    with db.connect(dsn) as connection:
        row = connection.execute(
            "select pg_logical_emit_message(true, 'mdm.bench', ''), pg_current_wal_insert_lsn()::text"
        ).fetchone()
    return str(row[1]) if row else ""


def python(module: str, *arguments: str) -> list[str]:
    """Return the command line of a module of ours."""
    return [sys.executable, "-m", module, *arguments]


@contextmanager
def opened(folder: Path) -> Iterator[Installation]:
    """Start the servers of a folder; stop them, and whatever runs on them, at the end."""
    settings = Settings(data_folder=folder, database_url=None)
    with embedded.start(settings.market_folder) as market_server, embedded.start(settings.hub_folder) as hub_server:
        installation = Installation(
            folder=folder,
            settings=settings,
            market=market_server,
            hub=hub_server,
            hub_dsn=hub.initialise(settings),
            dsns={source: market_server.ensure_database(source) for source in SOURCES},
        )
        try:
            yield installation
        finally:
            installation.stop()


@contextmanager
def temporary() -> Iterator[Installation]:
    """Give an installation of its own, which is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="mdm-bench-"))
    try:
        with opened(folder) as installation:
            yield installation
    finally:
        shutil.rmtree(folder, ignore_errors=True)
