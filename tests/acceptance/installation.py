"""A market and a hub of a test's own, on servers that survive a kill -9, with each worker a process of `mdm capture`.

A worker is the real command; it is killed as an operator's machine would kill it, and begun again by whoever asks.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from psycopg import sql

from mdm import db
from mdm.capture.crashes import Point
from mdm.demo import market, population
from mdm.demo.market import Source
from mdm.embedded import EmbeddedServer
from tests import databases
from tests.acceptance import journal_audit, waiting

ALL = tuple(source.value for source in Source)
NEEDS_PERSON = 3
_MDM = (sys.executable, "-c", "from mdm.cli import main; main()")
_TEMPLATE = "hub_template"
_TO_STOP = 60.0
_PATIENCE = 300.0  # seconds; a limit, not a budget: other work may have the machine

StartServer = Callable[[str], EmbeddedServer]


@dataclass(slots=True, kw_only=True)
class Installation:
    """Two servers, the market's databases, one hub at a time, and the workers of the sources that it captures."""

    folder: Path
    start_server: StartServer
    market: EmbeddedServer
    hub: EmbeddedServer
    sources: tuple[str, ...]
    hub_database: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    _workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def dsns(self) -> dict[str, str]:
        """The addresses of the market's databases."""
        return {source: self.market.dsn(source) for source in ALL}

    @property
    def hub_dsn(self) -> str:
        """The address of the present hub."""
        return self.hub.dsn(self.hub_database)

    def connect_hub(self) -> db.Connection:
        """Open a session at the hub."""
        return db.connect(self.hub_dsn, application_name="acceptance")

    def connect(self, source: str) -> db.Connection:
        """Open a session at a source."""
        return db.connect(self.market.dsn(source), application_name="acceptance")

    def fill(self, points: int, *, seed: int = 7) -> None:
        """Load a population of so many points into the market, publish it, and count what changes from now on."""
        self.drop_slots()
        with db.connect(self.market.dsn()) as connection:
            for source in ALL:
                connection.execute(f"drop database if exists {source} with (force)".encode())
                connection.execute(f"create database {source}".encode())
        market.create(self.dsns)
        population.load(self.dsns, points=points, seed=seed)
        market.publish(self.dsns)
        for source in ALL:
            with self.connect(source) as connection:
                journal_audit.install(connection)

    def renew_hub(self) -> None:
        """Begin with an empty hub, and with no slot at any source."""
        self.stop_workers()
        self.hub_database = f"hub_{uuid4().hex[:8]}"
        with db.connect(self.hub.dsn()) as connection:
            if not connection.execute("select from pg_database where datname = %s", [_TEMPLATE]).rowcount:
                databases.create_template(self.hub, _TEMPLATE)
            names = map(sql.Identifier, (self.hub_database, _TEMPLATE))
            connection.execute(sql.SQL("create database {} template {}").format(*names))
        self.drop_slots()

    def drop_slots(self) -> None:
        """Drop every slot of the market, once nobody reads it any more."""
        with db.connect(self.market.dsn()) as connection:
            free = "select bool_and(active_pid is null) is not false from pg_replication_slots"
            waiting.until(lambda: connection.execute(free).fetchone() == (True,), seconds=30, what="free slots")
            connection.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots")

    def start_worker(self, source: str, *, crash_at: Point | None = None, times: int = 1) -> None:
        """Start the worker of a source; it stops as by kill -9 when it passes the named point for the n-th time."""
        fatal = {} if crash_at is None else {"MDM_CRASH_AT": f"{crash_at}:{times}"}
        with self.log(source).open("ab") as output:
            self._workers[source] = subprocess.Popen(
                [*_MDM, "capture", source],
                env=self._environment() | fatal,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def start_workers(self) -> None:
        """Start the worker of every source that is captured."""
        for source in self.sources:
            self.start_worker(source)

    def run(self, *arguments: str) -> str:
        """Run a command of mdm to its end; return what it printed."""
        done = subprocess.run(
            [*_MDM, *arguments], env=self._environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kill_worker(self, source: str) -> None:
        """Kill the worker of a source with SIGKILL."""
        worker = self._workers.pop(source, None)
        if worker is not None:
            worker.kill()
            worker.wait()

    def revive_workers(self) -> list[str]:
        """Start again each worker that has ended; return which. One that needs a person fails the test."""
        dead = [source for source in self.sources if self.ended(source) is not None or source not in self._workers]
        for source in dead:
            if self.ended(source) == NEEDS_PERSON:
                raise AssertionError(f"The worker of {source} needs a person:\n{self.said(source)}")
            self.start_worker(source)
        return dead

    def ended(self, source: str) -> int | None:
        """Return how the worker of a source ended, None while it runs or was never started."""
        worker = self._workers.get(source)
        return None if worker is None else worker.poll()

    def await_crash(self, source: str, *, seconds: float = _PATIENCE) -> None:
        """Wait until the worker of a source was killed by itself."""
        what = f"the crash of {source}\n{self.said(source)}"
        waiting.until(lambda: self.ended(source) is not None, seconds=seconds, what=what)
        assert self.ended(source) == -signal.SIGKILL, self.said(source)

    def await_refusal(self, source: str, *, seconds: float = _PATIENCE) -> str:
        """Wait until the worker of a source has ended because a person is needed; return its last error."""
        waiting.until(lambda: self.ended(source) is not None, seconds=seconds, what=f"the refusal of {source}")
        assert self.ended(source) == NEEDS_PERSON, self.said(source)
        return str(
            self.one("select last_error from hub.checkpoint join golden.source_system using (source_id)"
                     " where name = %s", source)
        )  # fmt: skip

    def process(self, source: str) -> psutil.Process:
        """Return the process of a source's worker."""
        return psutil.Process(self._workers[source].pid)

    def stop_workers(self) -> None:
        """Stop all workers in order, and wait until they have ended."""
        for worker in self._workers.values():
            worker.terminate()
        for worker in self._workers.values():
            try:
                worker.wait(_TO_STOP)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        self._workers.clear()

    def kill_server(self, server: EmbeddedServer) -> None:
        """Kill the postmaster of a server with SIGKILL."""
        psutil.Process(server.pid).kill()

    def revive_market(self) -> None:
        """Start the market's server again, where it stood."""
        self.market = self.start_server("market")

    def revive_hub(self) -> None:
        """Start the hub's server again, where it stood."""
        self.hub = self.start_server("hub")

    def log(self, source: str) -> Path:
        """Return where the worker of a source writes its log."""
        return self.folder / f"worker-{source}.log"

    def said(self, source: str) -> str:
        """Return the end of what the worker of a source has logged."""
        return self.log(source).read_text()[-3000:] if self.log(source).exists() else ""

    def one(self, query: str, *parameters: object) -> Any:
        """Return the one value of a query on the hub, None without a row."""
        with self.connect_hub() as connection:
            row = connection.execute(query.encode(), parameters or None).fetchone()
        return None if row is None else row[0]

    def ends(self) -> dict[str, str]:
        """Return the position behind all that is committed at each source that is captured."""
        return {source: self._end(source) for source in self.sources}

    def await_caught_up(self, *, seconds: float = _PATIENCE, revive: bool = False) -> None:
        """Wait until every source streams and the hub has mastered all that is committed there now."""
        ends = self.ends()

        def is_reached() -> bool:
            if revive:
                self.revive_workers()
            for source in self.sources:
                assert self.ended(source) is None or revive, self.said(source)
            return self._has_reached(ends)

        waiting.until(is_reached, seconds=seconds, what="the hub level with its sources")

    def _end(self, source: str) -> str:
        with self.connect(source) as connection:
            row = connection.execute(
                "select pg_logical_emit_message(true, 'acceptance', ''), pg_current_wal_insert_lsn()::text"
            ).fetchone()
        return str(row[1]) if row else ""

    def _has_reached(self, ends: Mapping[str, str]) -> bool:
        return bool(
            self.one(
                """
                select count(*) = cardinality(%s::text[]) and not exists (select from golden.unjudged)
                from hub.checkpoint c join golden.source_system s using (source_id)
                join unnest(%s::text[], %s::pg_lsn[]) e (name, lsn) using (name)
                where c.state = 'streaming' and c.end_lsn >= e.lsn
                """,
                list(ends),
                list(ends),
                list(ends.values()),
            )
        )

    def _environment(self) -> dict[str, str]:
        sources = {f"MDM_SOURCE_{source.upper()}_DSN": dsn for source, dsn in self.dsns.items()}
        own = {"MDM_DATABASE_URL": self.hub_dsn, "MDM_DATA_FOLDER": str(self.folder), "MDM_LOG_FORMAT": "json"}
        return os.environ | sources | own | self.environment


@contextmanager
def opened(
    start_server: StartServer, folder: Path, *, points: int, sources: Sequence[str] = ALL, seed: int = 7
) -> Iterator[Installation]:
    """Give a market of so many points (of none: no databases) and an empty hub; start_server recovers either."""
    installation = Installation(
        folder=folder,
        start_server=start_server,
        market=start_server("market"),
        hub=start_server("hub"),
        sources=tuple(sources),
    )
    if points:
        installation.fill(points, seed=seed)
    installation.renew_hub()
    try:
        yield installation
    finally:
        installation.stop_workers()
