"""What the folder of an embedded PostgreSQL holds: its configuration, its password, its lock file, its log.

The folder, the socket and the password are open to the server's account (and root) alone. TCP asks for the password;
whoever reaches the socket is let in.
"""

import hashlib
import os
import re
import secrets
import shutil
import socket
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from psycopg import conninfo
from psycopg.pq import PGconn, Ping

from mdm import accounts
from mdm.accounts import Account
from mdm.errors import MdmError

_CONFIGURATION = "mdm.conf"
_LOG = "server.log"
_PASSWORD_FILE = "password"  # noqa: S105 - the name of a file
_LONGEST_SOCKET_PATH = 103  # of a Unix socket's 104 bytes (macOS) or 108 (Linux), less the closing zero
_LARGEST_LOG = 16 * 1024 * 1024


class ClusterError(MdmError):
    """The folder of an embedded PostgreSQL cannot be used as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmaster:
    """What postmaster.pid says of a server that lives."""

    pid: int
    port: int
    socket_folder: Path
    status: str  # starting, ready, stopping


def initialise(folder: Path, *, account: Account, binaries: Path) -> None:
    """Create the cluster of folder; a run that is cut short leaves nothing that looks like one."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    password = folder.with_name(f".{folder.name}.password")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    account.own(unfinished)
    accounts.write_private(password, secrets.token_urlsafe(24), account)
    status, said = _run_initdb(unfinished, password, account=account, binaries=binaries)
    if status != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        password.unlink()
        raise ClusterError(explain(said, folder))
    password.rename(unfinished / _PASSWORD_FILE)
    with (unfinished / "postgresql.conf").open("a") as configuration:
        configuration.write(f"\ninclude '{_CONFIGURATION}'\n")
    if folder.exists():
        folder.rmdir()
    unfinished.rename(folder)


def _run_initdb(folder: Path, password: Path, *, account: Account, binaries: Path) -> tuple[int, str]:
    return accounts.run(
        binaries / "initdb",
        "--username=postgres",
        f"--pwfile={password}",
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--lc-ctype=C.UTF-8",
        "--data-checksums",
        f"--pgdata={folder}",
        account=account,
    )


def configure(folder: Path, settings: Mapping[str, str], account: Account) -> None:
    """Write the settings that hold from the next start on; ALTER SYSTEM stands above them."""
    lines = [f"{name} = {_quoted(value)}\n" for name, value in settings.items()]
    accounts.write_private(folder / _CONFIGURATION, "# Written by mdm at each start.\n" + "".join(lines), account)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def password(folder: Path) -> str:
    """Return the password that TCP connections give."""
    return (folder / _PASSWORD_FILE).read_text().strip()


def log(folder: Path) -> Path:
    """Return the file into which the server of folder writes what happens to it."""
    return folder / _LOG


def shorten_log(folder: Path) -> int:
    """Set an overlong log aside; return the length of the present one."""
    present = log(folder)
    if present.exists() and present.stat().st_size > _LARGEST_LOG:
        present.rename(present.with_name(f"{_LOG}.1"))
    return present.stat().st_size if present.exists() else 0


def log_since(folder: Path, length: int) -> str:
    """Return what the server wrote into its log since it was of that length."""
    if not log(folder).exists():
        return ""
    with log(folder).open("rb") as words:
        words.seek(length)
        return words.read().decode(errors="replace")


def major_version(folder: Path) -> str | None:
    """Return the PostgreSQL version that made the cluster, or None where there is no cluster yet."""
    version = folder / "PG_VERSION"
    return version.read_text().strip() if version.exists() else None


def choose_port(folder: Path) -> int:
    """Return the port of the last start, so that clients find it again, or a new one where that is taken."""
    configuration = folder / _CONFIGURATION
    written = (
        re.search(r"^port = '(\d+)'$", configuration.read_text(), re.MULTILINE) if configuration.exists() else None
    )
    if written and _port_is_free(int(written[1])):
        return int(written[1])
    return _free_port()


def _free_port() -> int:
    while True:
        port = 20000 + secrets.randbelow(10000)  # below the range that the system gives to clients
        if _port_is_free(port):
            return port


def _port_is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def socket_folder(folder: Path, account: Account) -> Path:
    """Return the folder of the Unix socket: the cluster's own, or a private one where that path is too long."""
    fits = len(os.fsencode(folder / ".s.PGSQL.12345")) <= _LONGEST_SOCKET_PATH
    if fits and not set(",'\" ") & set(str(folder)):
        return folder
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    substitute = Path("/tmp") / f"mdm-{account.uid}-{name}"  # noqa: S108 - its owner is checked below
    if not substitute.exists():
        substitute.mkdir(mode=0o700)
        account.own(substitute)
    found = substitute.lstat()
    if found.st_uid != account.uid or not stat.S_ISDIR(found.st_mode):
        raise ClusterError(f"The folder {substitute} belongs to somebody else. Remove it, then try again.")
    return substitute


def remove_substitute(sockets: Path, folder: Path) -> None:
    """Remove the folder that socket_folder() made outside the cluster."""
    if sockets != folder:
        with suppress(OSError):
            sockets.rmdir()


def find_postmaster(folder: Path) -> Postmaster | None:
    """Return the server that runs on folder, or None: none ran, or a dead one left its lock file behind."""
    lines = _lock_file(folder)
    if len(lines) < 5 or not _serves(int(lines[0]), folder):
        return None
    status = lines[7].strip() if len(lines) > 7 else "starting"
    return Postmaster(pid=int(lines[0]), port=int(lines[3]), socket_folder=Path(lines[4]), status=status)


def answers(running: Postmaster) -> bool:
    """Tell whether a server takes connections: one that was killed a moment ago still looks alive."""
    address = conninfo.make_conninfo(host=str(running.socket_folder), port=running.port)
    return PGconn.ping(address.encode()) == Ping.OK


def end_orphans(folder: Path) -> None:
    """End what a killed server left running on folder; call it only when its postmaster is dead.

    A backend in the middle of a long computation does not notice that its postmaster died, and no new server starts
    beside it. PostgreSQL would also believe a lock file whose process id belongs to a stranger now, or to a zombie.
    """
    orphans = [process for process in psutil.process_iter() if _serves(process.pid, folder)]
    for orphan in orphans:
        orphan.kill()
    psutil.wait_procs(orphans, timeout=10)
    lines = _lock_file(folder)
    if len(lines) >= 5:
        _await_end(int(lines[0]))
        if psutil.pid_exists(int(lines[0])):
            (Path(lines[4]) / f".s.PGSQL.{lines[3]}.lock").unlink(missing_ok=True)
            (folder / "postmaster.pid").unlink()


def _await_end(pid: int) -> None:
    """Wait while a killed PostgreSQL gives its memory back; a zombie has done so."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        deadline = time.monotonic() + 10
        while process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
            time.sleep(0.02)


def _lock_file(folder: Path) -> list[str]:
    try:
        return (folder / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _serves(pid: int, folder: Path) -> bool:
    """Tell whether a live process is a PostgreSQL of this folder: each of its processes works inside it."""
    try:
        process = psutil.Process(pid)
        return process.name().startswith("postgres") and Path(process.cwd()) == folder
    except psutil.Error:  # gone, a zombie, or a stranger's
        return False


_EXPLANATIONS = (
    (
        "No space left on device",
        "The disk that holds {folder} is full. Free some space, then try again: nothing that was committed is lost.",
    ),
    (
        "Cannot allocate memory",
        "There is not enough memory to start PostgreSQL on {folder}. Stop something else, then try again.",
    ),
    (
        "database files are incompatible with server",
        "The folder {folder} was made by another version of PostgreSQL. Choose another folder with MDM_DATA_FOLDER.",
    ),
    (
        "Permission denied",
        (
            "PostgreSQL may not read or write the folder {folder}. Give it back to the account that made it, or choose "
            "another folder with MDM_DATA_FOLDER."
        ),
    ),
    (
        "Read-only file system",
        "The folder {folder} cannot be written. Choose another folder with MDM_DATA_FOLDER.",
    ),
    (
        "could not locate a valid checkpoint record",
        (
            "The folder {folder} is damaged. Restore it from a backup, or choose a new one with MDM_DATA_FOLDER and "
            "load it from the sources."
        ),
    ),
)


def explain(output: str, folder: Path) -> str:
    """Say what kept PostgreSQL from running on folder, and what to do, from what it printed."""
    for symptom, explanation in _EXPLANATIONS:
        if symptom in output:
            return explanation.format(folder=folder)
    said = " / ".join(re.findall(r"(?:LOG|ERROR|FATAL|PANIC|error):\s+(.*)", output)[-3:]) or output.strip()[-300:]
    return f"PostgreSQL could not run on {folder}. It said: {said} - see {log(folder)}, mend that, then try again."
