"""The command, run as a process of its own where that matters, else as its function."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mdm import db
from mdm.capture import printing
from mdm.capture.printing import Printing

_COMMAND = [sys.executable, "-c", "from mdm.cli import main; main()", "capture", "--print"]
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What a run printed, what it told on standard error, and how it ended."""

    lines: list[dict[str, Any]]
    told: str
    status: int

    def rows(self) -> list[tuple[str, Any]]:
        """Return operation and the id of the row for each line but those of messages."""
        return [(line["op"], (line["after"] or line["before"])["id"]) for line in self.lines if line["op"] != "m"]


def run(dsn: str, **options: Any) -> Printed:
    """Print to the end that the options ask for, in this process; raises what the command would tell."""
    notes: list[str] = []
    with tempfile.TemporaryFile() as output:
        asked = Printing(dsn=dsn, **options)
        printing.run(asked, output.fileno(), stop=threading.Event(), note=notes.append)
        output.seek(0)
        return _printed(output.read(), "\n".join(notes).encode(), 0)


def refused(dsn: str, *options: str) -> Printed:
    """Run the command as a process to its end."""
    done = subprocess.run([*_COMMAND, "--dsn", dsn, *options], capture_output=True, timeout=_PATIENCE, check=False)
    return _printed(done.stdout, done.stderr, done.returncode)


@contextmanager
def running(dsn: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command while the block runs, from when it streams; whatever is left of it is killed at the end."""
    command = [*_COMMAND, "--dsn", dsn, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            wait_for(lambda: count(dsn, _STREAMING) > 0 or process.poll() is not None)
            yield process
        finally:
            process.kill()


def finish(process: subprocess.Popen[bytes]) -> Printed:
    """Wait for a running command's end."""
    output, told = process.communicate(timeout=_PATIENCE)
    return _printed(output, told, process.returncode)


def count(dsn: str, statement: str) -> int:
    """Return how many rows a query finds."""
    with db.connect(dsn) as connection:
        return connection.execute(statement.encode()).rowcount


def execute(dsn: str, *statements: str) -> None:
    """Run statements, each a transaction of its own."""
    with db.connect(dsn) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; fail when it does not within a minute."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def _printed(output: bytes, told: bytes, status: int) -> Printed:
    lines = [json.loads(line) for line in output.decode().split("\n") if line]
    return Printed(lines=lines, told=told.decode(), status=status)


_STREAMING = """
select from pg_stat_replication r join pg_replication_slots s on s.active_pid = r.pid
where s.database = current_database() and r.state = 'streaming'
"""
