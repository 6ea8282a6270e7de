"""Golden record by key: requests a second, against one plain indexed SELECT behind the same web server.

Both run as a process of their own under uvicorn with uvloop and httptools, on the same table of golden metering points,
and answer with the whole row as JSON. The baseline has no framework, no key, no masking, no ETag: it takes a session
from a queue, executes one prepared SELECT and writes the row. Rounds alternate; each side's best round counts.
"""

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import orjson
import psycopg
from psycopg import sql

from mdm import db, embedded
from mdm.api import keys
from mdm.api.keys import Grant
from mdm.embedded import EmbeddedServer

RECORDS, CONNECTIONS, ROUNDS, SECONDS = 1_000_000, 16, 3, 4.0

# As a registration service's point looks: most items set, the lineage of each beside it.
_FILL = """
insert into golden.metering_point (golden_id, version, mpan, mpan_status, registration_status, created_date,
    connection_type, connection_from, energy_direction, direction_from, metered_indicator, metered_from, gsp_group,
    gsp_from, duos_tariff, duos_from, market_segment, segment_from, energisation_status, energisation_from,
    domestic_premises, domestic_from, profile_class, ssc, profile_from, consent_granularity, consent_from,
    dcc_service_flag, dcc_from, supplier_mpid, supplier_from, address_id, lineage, updated_at)
select n, 1, '10' || lpad(n::text, 11, '0'), 'R', 'C', d, 'W', d, 'I', d, true, d, '_A', d, '1', d, 'S', d, 'E', d,
       true, d, '01', '0393', d, 'H', d, 'A', d, 'ACRE', d, n,
       jsonb_build_object('mpan', array[1, n], 'connection_type', array[1, n], 'supplier_mpid', array[1, n]), now()
from generate_series(1, {records}) n cross join (select date '2020-01-01' as d) day
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Requests a second of both sides."""

    value: float
    baseline: float
    ratio: float


def measure(
    server: EmbeddedServer, *, records: int = RECORDS, rounds: int = ROUNDS, seconds: float = SECONDS
) -> Measured:
    """Measure both sides on a hub database of their own, with so many golden metering points."""
    name = f"golden_read_{uuid4().hex[:8]}"
    dsn = server.ensure_database(name)
    try:
        key = prepare(dsn, records)
        with served("hub", dsn) as ours, served("plain", dsn) as plain:
            return compare(f"{ours}/v1/metering-points/", f"{plain}/", key, (records, rounds, seconds))
    finally:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def prepare(dsn: str, records: int) -> str:
    """Make the golden records and a key; return the key."""
    db.upgrade(dsn)
    grant = Grant(name="bench", purpose="measurement", scopes=[keys.Scope.GOLDEN_READ])
    with db.connect(dsn) as connection:
        connection.execute(_FILL.format(records=records))
        connection.execute("vacuum (analyze) golden.metering_point")
        with db.transaction(connection):
            return keys.create(connection, grant)


def compare(ours: str, plain: str, key: str, size: tuple[int, int, float]) -> Measured:
    """Load both sides in turn; of each the best round counts."""
    records, rounds, seconds = size
    best = {ours: 0.0, plain: 0.0}
    for _ in range(rounds):
        for url, fastest in best.items():
            best[url] = max(fastest, asyncio.run(load(url, key, records=records, seconds=seconds)))
    return Measured(value=best[ours], baseline=best[plain], ratio=best[ours] / best[plain])


async def load(url: str, key: str, *, records: int, seconds: float) -> float:
    """Ask for random records over some connections that stay open; return answers a second."""
    deadline = time.perf_counter() + seconds
    counts = await asyncio.gather(*(_ask(url, key, records, deadline) for _ in range(CONNECTIONS)))
    return sum(counts) / seconds


async def _ask(url: str, key: str, records: int, deadline: float) -> int:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    count = 0
    while time.perf_counter() < deadline:
        path = f"{parts.path}{random.randint(1, records)}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{parts.netloc} answered {head.splitlines()[0].decode()}")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        count += 1
    writer.close()
    return count


@contextmanager
def served(side: str, dsn: str) -> Iterator[str]:
    """Run one side in a process; give its address."""
    command = [sys.executable, "-m", "tests.benchmarks.golden_read", "--serve", side, "--dsn", dsn]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def serve(side: str, dsn: str) -> None:
    """Serve the hub, or the plain SELECT, on a free port, and print the address."""
    import uvicorn  # noqa: PLC0415 - only the served processes need it

    from mdm import app  # noqa: PLC0415

    if side == "hub":
        server = app.make_server(dsn, host="127.0.0.1", port=0)
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        server.run()
        return
    listening = app.listen("127.0.0.1", 0)
    sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(Plain(dsn), loop="uvloop", http="httptools", log_config=None, access_log=False)
    uvicorn.Server(config).run([listening])


class Plain:
    """The baseline: an ASGI application of one indexed SELECT."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._sessions: asyncio.LifoQueue[psycopg.AsyncConnection] = asyncio.LifoQueue()

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        """Answer with the row whose id is the path."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        session = await self._sessions.get()
        try:
            cursor = await session.execute(
                "select * from golden.metering_point where golden_id = %s", [int(scope["path"][1:])]
            )
            row = await cursor.fetchone()
        finally:
            self._sessions.put_nowait(session)
        names = [column.name for column in cursor.description or ()]
        body = orjson.dumps(dict(zip(names, row or (), strict=False)))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _live(self, receive, send) -> None:  # type: ignore[no-untyped-def]
        await receive()
        for _ in range(4):
            self._sessions.put_nowait(await psycopg.AsyncConnection.connect(self._dsn, autocommit=True))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        while not self._sessions.empty():
            await self._sessions.get_nowait().close()
        await send({"type": "lifespan.shutdown.complete"})


def main() -> None:
    """Print the measurement as JSON; python -m tests.benchmarks.golden_read [--records N]."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--serve", choices=["hub", "plain"])
    parser.add_argument("--dsn")
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.dsn)
        return
    with tempfile.TemporaryDirectory(prefix="mdm-bench-") as folder, embedded.start(Path(folder) / "hub") as server:
        measured = asdict(measure(server, records=given.records))
    sys.stdout.write(f"{orjson.dumps(measured).decode()}\n")


if __name__ == "__main__":
    main()
