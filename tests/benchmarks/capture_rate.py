"""Capture alone: our JSON lines a second against Debezium's embedded engine on the same changes.

300,000 row updates in 5,000 transactions on a table of 17 columns and 500,000 rows wait in slots that begin at one
place; the sides read one slot each in turn, and are timed from their first line to their last. Our side is the command
as a whole, its output read through a pipe. Of some rounds the medians count, since other work on a small machine
disturbs a single one.
"""

import fcntl
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import median
from uuid import uuid4

import psycopg
from psycopg import sql

from mdm.embedded import EmbeddedServer
from tests.benchmarks import debezium

ROWS, TRANSACTIONS, UPDATES_EACH = 500_000, 5_000, 60
ROUNDS = 3
_PUBLICATION = "capture_rate"
_SLOT = "capture_rate"
_BLOCK = 1 << 20
_MARGIN = 2_000  # events that Debezium may pass over at the beginning

_TABLE = """
create table metering_point (
    id bigint primary key, mpan text not null, status text not null, energised boolean not null,
    reads integer not null, amount numeric(12, 2), ratio double precision, installed date, updated_at timestamp,
    seen_at timestamptz, reference uuid not null, line_1 text, line_2 text, town text, postcode varchar(10),
    detail jsonb, counter bigint not null);
insert into metering_point
select n, '10' || lpad(n::text, 11, '0'), 'N', n % 2 = 0, n % 1000, n / 7.0, n / 7.0::float8,
       date '2020-01-01' + n % 1000, timestamp '2024-01-01' + n * interval '1 second',
       timestamptz '2024-01-01 00:00+00' + n * interval '1 second', md5(n::text)::uuid, n % 200 || ' High Street',
       case when n % 3 = 0 then 'Flat ' || n % 20 end, 'Some Town', 'AB' || n % 90 || ' ' || n % 9 || 'CD',
       jsonb_build_object('meter', n, 'kind', 'S2A'), n
from generate_series(1, {rows}) n;
create publication {publication} for table metering_point;
"""

_CHANGES = """
do $$ begin
    for batch in 0..{last} loop
        update metering_point set reads = reads + 1, counter = counter + 1, updated_at = clock_timestamp()
        where id between batch * {each} + 1 and (batch + 1) * {each};
        commit;
    end loop;
end $$
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Rows a second of both sides; where Debezium cannot run, `missing` says why and there is no baseline."""

    value: float
    baseline: float | None
    ratio: float | None
    missing: str | None


def measure(
    server: EmbeddedServer, *, rows: int = ROWS, transactions: int = TRANSACTIONS, rounds: int = ROUNDS
) -> Measured:
    """Measure both sides in turn on a database of their own on a server that is reached over TCP."""
    updates = transactions * UPDATES_EACH
    name = f"capture_rate_{uuid4().hex[:8]}"
    server.ensure_database(name)
    dsn = server.tcp_dsn(name)
    try:
        prepare(dsn, rows=rows, transactions=transactions)
        missing = debezium.missing()
        expected = updates - min(_MARGIN, updates // 10)
        theirs, ours = [], []
        for _ in range(rounds):
            if missing is None:
                theirs.append(debezium.debezium_rate(dsn, _copied_slot(dsn), _PUBLICATION, expected))
            ours.append(our_rate(dsn, _copied_slot(dsn), _PUBLICATION, updates))
    finally:
        _drop(server, name)
    value, baseline = median(ours), median(theirs) if theirs else None
    return Measured(value=value, baseline=baseline, ratio=None if not baseline else value / baseline, missing=missing)


def prepare(dsn: str, *, rows: int, transactions: int) -> None:
    """Make the table, the slot and the changes that wait in it."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_TABLE.format(rows=rows, publication=_PUBLICATION).encode())
        connection.execute("vacuum (analyze) metering_point")
        connection.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [_SLOT])
        connection.execute(_CHANGES.format(last=transactions - 1, each=UPDATES_EACH).encode())
        connection.execute("checkpoint")


def our_rate(dsn: str, slot: str, publication: str, expected: int) -> float:
    """Return how many lines a second `mdm capture --print` writes, from its first block of lines to its last."""
    command = [sys.executable, "-c", "from mdm.cli import main; main()", "capture", "--print", "--dsn", dsn]
    command += ["--tables", "public.metering_point", "--slot", slot, "--publication", publication]
    with subprocess.Popen([*command, "--limit", str(expected)], stdout=subprocess.PIPE) as process:
        pipe = process.stdout
        assert pipe is not None
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _BLOCK)
        first, last = 0.0, 0.0
        while os.read(pipe.fileno(), _BLOCK):
            last = time.perf_counter()
            first = first or last
    if process.returncode:
        raise RuntimeError(f"mdm capture --print ended with {process.returncode}")
    return expected / (last - first)


def _copied_slot(dsn: str) -> str:
    """Copy the slot that nobody reads, and return the copy's name."""
    name = f"{_SLOT}_{uuid4().hex[:8]}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("select pg_copy_logical_replication_slot(%s, %s)", [_SLOT, name])
    return name


def _drop(server: EmbeddedServer, name: str) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = %s", [name]
        )
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
