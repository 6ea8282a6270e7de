"""Record the streams of the scenarios anew, from the embedded PostgreSQL and from Debian's 15."""

import tempfile
from pathlib import Path
from urllib.parse import quote

from mdm import db
from mdm.capture import replication, slots
from mdm.capture.refusals import Request
from mdm.capture.wire import Wire
from tests import clusters, databases
from tests.clusters import DEBIAN_15, Clusters
from tests.unit.capture.recorded import tapes
from tests.unit.capture.recorded.scenarios import SCENARIOS, Scenario

_SERVERS = {"18": None, "15": DEBIAN_15}


def main() -> None:
    """Record every scenario on every server."""
    with clusters.session() as started:
        for version, binaries in _SERVERS.items():
            for name, scenario in SCENARIOS.items():
                tapes.write(tapes.path(name, version), _record(started, version, binaries, scenario))


def _record(started: Clusters, version: str, binaries: Path | None, scenario: Scenario) -> list[bytes]:
    server = started.start(f"recorded{version}", binaries=binaries)
    request = Request(source="recorded", slot="recorded", publications=("mdm",))
    with databases.fresh(server) as dsn, db.connect(dsn) as connection:
        for statement in (*scenario.tables, "create publication mdm for all tables"):
            connection.execute(statement.encode())
        options = " ".join(f"-c {name}={value}" for name, value in scenario.options.items())
        own = replication.connect(f"{dsn}&options={quote(options)}")
        at = slots.create(own, request).consistent_point
        stream = replication.start(own, request, at=at)
        for statement in (*scenario.statements, "select pg_logical_emit_message(false, 'end', '')"):
            connection.execute(statement.encode())
        payloads = _until_end(stream)
        stream.close()
        connection.execute("select pg_drop_replication_slot('recorded')")
    return payloads


def _until_end(stream: replication.ReplicationStream) -> list[bytes]:
    payloads: list[bytes] = []
    while not payloads or b"end\0" not in payloads[-1]:
        arrival = stream.take(timeout=10)
        assert arrival is not None, "the stream did not end"
        payloads += _payloads(arrival.wire)
    return payloads[:-1]


def _payloads(wire: Wire) -> list[bytes]:
    return [wire.content[start:end] for start, end in zip(wire.starts.tolist(), wire.ends.tolist(), strict=True)]


if __name__ == "__main__":
    print(f"recording into {tempfile.gettempdir()}, then beside this file")  # noqa: T201 - run by hand
    main()
