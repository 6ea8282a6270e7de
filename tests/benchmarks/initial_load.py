"""Initial load: source rows that the workers take in and master a second, against COPY of the same rows.

Ours is timed from the start of the workers' processes until every source streams: snapshot, journal, golden records,
rules, views. The baseline copies each source's tables, through a pipe, into empty tables of the same schema, with the
same keys, foreign keys and indexes, on the hub's server; one session for each source, all sources side by side, as
the workers are.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from psycopg import sql

from mdm import db
from mdm.demo import market
from tests.benchmarks.budgets import Measured
from tests.benchmarks.installation import SOURCES, Installation

_LONGEST = 3600.0  # seconds

# A table comes after those that it refers to.
_TABLES = """
with recursive reference as (
    select conrelid as child, confrelid as parent from pg_constraint where contype = 'f' and conrelid <> confrelid
), depth as (
    select c.oid, 0 as steps from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
    union all select r.child, d.steps + 1 from depth d join reference r on r.parent = d.oid
)
select oid::regclass::text from depth group by oid order by max(steps), oid
"""


def measure(installation: Installation, rows: int) -> Measured:
    """Load the market's rows, so many, into the empty hub; the hub streams all sources afterwards."""
    baseline = rows / copy_all(installation)
    value = rows / load_all(installation)
    return Measured(
        value=value,
        baseline=baseline,
        notes=(f"{rows:,} rows of {len(SOURCES)} sources", "COPY with one session for each source, side by side"),
    )


def load_all(installation: Installation) -> float:
    """Run the workers until the initial loads of all sources are mastered; return the seconds."""
    began = time.perf_counter()
    installation.start_workers()
    installation.await_streaming(seconds=_LONGEST)
    return time.perf_counter() - began


def copy_all(installation: Installation) -> float:
    """Copy all sources into databases of the same schema; return the seconds."""
    with _copies(installation) as copies, ThreadPoolExecutor(len(copies)) as sessions:
        began = time.perf_counter()
        for copied in [sessions.submit(_copy, installation.dsns[source], copies[source]) for source in copies]:
            copied.result()
        return time.perf_counter() - began


@contextmanager
def _copies(installation: Installation) -> Iterator[dict[str, str]]:
    """Give each source an empty database of its schema on the hub's server."""
    names = {source: f"copy_of_{source}" for source in SOURCES}
    copies = {source: installation.hub.ensure_database(name) for source, name in names.items()}
    market.create(copies)
    try:
        yield copies
    finally:
        with db.connect(installation.hub.dsn()) as connection:
            for name in names.values():
                connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _copy(source_dsn: str, target_dsn: str) -> None:
    with db.connect(source_dsn) as source, db.connect(target_dsn) as target:
        for (table,) in source.execute(_TABLES).fetchall():
            _copy_table(source, target, table)


def _copy_table(source: db.Connection, target: db.Connection, table: str) -> None:
    named = sql.SQL(table)
    with (
        source.cursor().copy(sql.SQL("copy {} to stdout (format binary)").format(named)) as rows,
        target.cursor().copy(sql.SQL("copy {} from stdin (format binary)").format(named)) as copied,
    ):
        for block in rows:
            copied.write(block)
