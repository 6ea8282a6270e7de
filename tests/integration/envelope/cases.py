"""The recorded cases: the SQL that makes a source and changes it, and what Debezium gave for it.

Each case has two recordings: the streamed changes, and the snapshot of what they leave. Run this module to record them
anew, where Debezium can run: python -m tests.integration.envelope.cases
"""

import json
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from mdm.embedded import EmbeddedServer
from tests import clusters, databases
from tests.benchmarks import debezium

FOLDER = Path(__file__).parent
PUBLICATION = "everything"
SLOT, SECOND_SLOT = "first", "second"
_SOURCE_MEMBERS = ("schema", "table", "snapshot")
_STATEMENT = re.compile(r"(?:[^';]|'(?:[^']|'')*')+")
Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A case by name; `debian` tells that it needs Debian's PostgreSQL 15, for its extensions and libxml."""

    name: str
    debian: bool = False

    def recorded(self, kind: str) -> list[Line]:
        """Return the members of the recorded lines, of `changes` or of `snapshot`."""
        return parsed(self._file(kind))

    def record(self, kind: str, lines: list[Line]) -> None:
        """Keep the members of Debezium's lines."""
        text = "".join(json.dumps(members(line)) + "\n" for line in lines)
        self._file(kind).write_text(text, encoding="utf-8")

    def _file(self, kind: str) -> Path:
        return FOLDER / f"{self.name}.{kind}.jsonl"


CASES = (Case("common"), Case("postgres15", debian=True), Case("postgres18"))


def parsed(output: Path) -> list[Line]:
    """Read JSON lines; a value may hold what Python takes for the end of a line."""
    return [json.loads(line) for line in output.read_text(encoding="utf-8").split("\n") if line]


def members(line: Line) -> Line:
    """Return what is equal in every run: no times, positions or transaction ids."""
    source = {name: line["source"][name] for name in _SOURCE_MEMBERS}
    return {name: line[name] for name in ("op", "before", "after", "message") if name in line} | {"source": source}


@contextmanager
def changed_source(server: EmbeddedServer, case: Case) -> Iterator[str]:
    """Give a database in which the case's changes wait in two slots, reached over TCP as JDBC needs it."""
    with databases.fresh(server, prefix="envelope") as local:
        dsn = server.tcp_dsn(str(psycopg.conninfo.conninfo_to_dict(local)["dbname"]))
        with psycopg.connect(dsn, autocommit=True) as connection:
            _run(connection, case, "schema")
            connection.execute(f"create publication {PUBLICATION} for all tables")
            for slot in (SLOT, SECOND_SLOT):
                connection.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])
            _run(connection, case, "changes")
            connection.execute("select pg_logical_emit_message(true, 'done', '')")
        yield dsn
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(
                "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
                "where database = current_database() and not active"
            )


def _run(connection: psycopg.Connection[Any], case: Case, kind: str) -> None:
    """Run a file's statements one by one, as psql would: each its own transaction unless the file says otherwise."""
    for statement in _statements((FOLDER / f"{case.name}.{kind}.sql").read_text(encoding="utf-8")):
        connection.execute(statement.encode())


def _statements(text: str) -> list[str]:
    """Cut at each semicolon outside of quotes; the files quote in no other way."""
    text = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return [statement for statement in _STATEMENT.findall(text) if statement.strip()]


def debezium_lines(dsn: str, kind: str) -> list[Line]:
    """Let Debezium read the second slot's changes, or take a snapshot, and return its lines."""
    mode = {"changes": "no_data", "snapshot": "initial"}[kind]
    properties = {"topic.prefix": "mdm", "snapshot.mode": mode}
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "lines"
        with _ended_again_and_again(dsn):
            debezium.record(dsn, SECOND_SLOT, PUBLICATION, output, properties=properties)
        lines = parsed(output)
    return chosen(lines, kind)


def chosen(lines: list[Line], kind: str) -> list[Line]:
    """Return the lines of changes up to the message that ends them, or those of existing rows."""
    if kind == "snapshot":
        return [line for line in lines if line["op"] == "r"]
    ends = [place for place, line in enumerate(lines) if line.get("message", {}).get("prefix") == "done"]
    return [line for line in lines[: ends[0] + 1] if line["op"] != "r"]


@contextmanager
def _ended_again_and_again(dsn: str) -> Iterator[None]:
    """Say that all is done now and then: what ends a run must come behind its snapshot, whenever that is taken."""
    read = threading.Event()

    def say() -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            while not read.wait(2):
                connection.execute("select pg_logical_emit_message(true, 'done', '')")

    thread = threading.Thread(target=say)
    thread.start()
    try:
        yield
    finally:
        read.set()
        thread.join()


def main() -> None:
    """Record all cases anew."""
    with clusters.session() as started:
        market = started.start("market")
        debian = started.start("debian15", binaries=clusters.DEBIAN_15)
        for case in CASES:
            for kind in ("changes", "snapshot"):
                with changed_source(debian if case.debian else market, case) as dsn:
                    lines = debezium_lines(dsn, kind)
                    case.record(kind, lines)
                    print(f"{case.name}: {len(lines)} lines of {kind}")  # noqa: T201


if __name__ == "__main__":
    main()
