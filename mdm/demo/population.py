"""Filling the market's databases: so many metering points, the same ones for the same seed.

Points are made in chunks and copied into all databases side by side; a chunk is one transaction in each database.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import polars as pl
from psycopg import sql

from mdm import db
from mdm.demo import market, points, registry
from mdm.demo.draws import Draws
from mdm.demo.market import REGISTRATIONS, Dsns, MarketError, Source
from mdm.demo.systems.system import TableRows

_CHUNK = 20_000  # points; even, so that no link spans two chunks
_FIRST_SHARE = 0.55  # of the points, those of the first distributor
_CHUNKS_UNDER_WAY = 2
LARGEST = 9_000_000  # points of a population: serial numbers of meters have seven digits for each distributor


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a load has come."""

    points: int
    rows: int
    total: int


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some metering points of one distributor."""

    distributor: str
    points: pl.DataFrame


def chunks(count: int, *, seed: int) -> Iterator[Chunk]:
    """Yield the population of so many points; a pure function of count and seed."""
    draws = Draws(seed=seed)
    for distributor, share in shares(count).items():
        for start in range(0, share, _CHUNK):
            index = np.arange(start, min(start + _CHUNK, share), dtype=np.int64)
            yield Chunk(distributor=distributor, points=points.generate(distributor, index, draws))


def shares(count: int) -> dict[str, int]:
    """Return how many of the points each distributor has."""
    first, second = REGISTRATIONS
    split = min(round(count * _FIRST_SHARE / 2) * 2, count)
    return {first: split, second: count - split}


def rows(chunk: Chunk) -> Iterator[tuple[Source, TableRows]]:
    """Yield what every system holds of a chunk, each system's tables in the order of their foreign keys."""
    for source in sources_of(chunk.distributor):
        for table in registry.SYSTEMS[source].rows(chunk.points):
            yield source, table


def sources_of(distributor: str) -> list[Source]:
    """Return the systems that may hold points of a distributor: its registration and all that copy from it."""
    others = [source for source in Source if source not in REGISTRATIONS.values()]
    return [REGISTRATIONS[distributor], *others]


def load(dsns: Dsns, *, points: int, seed: int, progress: ProgressCallback = lambda _: None) -> Progress:
    """Fill the market's empty databases with so many metering points; return how many rows that were.

    Progress is called after each chunk. Raises MarketError where the databases hold points already.
    """
    if points > LARGEST:
        raise MarketError(f"The simulated market holds at most {LARGEST} metering points. Ask for fewer.")
    if held := market.count_points(dsns):
        raise MarketError(
            f"The market's databases hold {held} metering points already. Go on with them, or drop the databases."
        )
    with ExitStack() as stack:
        loader = _Loader(
            connections={source: stack.enter_context(_connect(dsns[source])) for source in Source},
            writers={source: stack.enter_context(ThreadPoolExecutor(1, f"load-{source}")) for source in Source},
        )
        return loader.run(points, seed, progress)


def _connect(dsn: str) -> db.Connection:
    connection = db.connect(dsn)
    connection.execute("set synchronous_commit = off")
    return connection


@dataclass(slots=True, kw_only=True)
class _Loader:
    """One load: each source has a connection and a thread that alone uses it."""

    connections: dict[Source, db.Connection]
    writers: dict[Source, ThreadPoolExecutor]

    def run(self, count: int, seed: int, progress: ProgressCallback) -> Progress:
        done = Progress(points=0, rows=self._load_portfolio(), total=count)
        under_way: deque[tuple[Chunk, list[Future[int]]]] = deque()
        for chunk in chunks(count, seed=seed):
            under_way.append((chunk, self._submit(chunk)))
            if len(under_way) > _CHUNKS_UNDER_WAY:
                done = self._finish(*under_way.popleft(), done, progress)
        while under_way:
            done = self._finish(*under_way.popleft(), done, progress)
        analysed = [
            self.writers[source].submit(connection.execute, "analyze")
            for source, connection in self.connections.items()
        ]
        for future in analysed:
            future.result()
        return done

    def _submit(self, chunk: Chunk) -> list[Future[int]]:
        return [self.writers[source].submit(self._write, source, chunk) for source in sources_of(chunk.distributor)]

    def _finish(
        self, chunk: Chunk, written: list[Future[int]], before: Progress, progress: ProgressCallback
    ) -> Progress:
        rows = sum(future.result() for future in written)
        done = Progress(points=before.points + chunk.points.height, rows=before.rows + rows, total=before.total)
        progress(done)
        return done

    def _write(self, source: Source, chunk: Chunk) -> int:
        with db.transaction(self.connections[source]) as connection:
            return sum(_copy(connection, table) for table in registry.SYSTEMS[source].rows(chunk.points))

    def _load_portfolio(self) -> int:
        return sum(
            _copy(connection, table)
            for source, connection in self.connections.items()
            for table in registry.SYSTEMS[source].portfolio()
        )


def _copy(connection: db.Connection, table: TableRows) -> int:
    if table.rows.is_empty():
        return 0
    columns = sql.SQL(", ").join(map(sql.Identifier, table.rows.columns))
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(sql.Identifier(table.table), columns)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(table.rows.write_csv(include_header=False).encode())
    return table.rows.height
