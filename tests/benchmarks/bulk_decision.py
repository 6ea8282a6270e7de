"""A bulk decision over so many tasks and its undo: seconds of the slower of the two, until the durable commit.

Each task is a conflict between the owner and a copy about a metering point of five groups of items, which three systems
hold. One decision takes the copies' values; the undo gives the owners theirs back.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
from psycopg import sql

from golden_records import reference, rows
from golden_records.reference import SourceSystem
from mdm import db, mastering
from mdm.db import Connection
from mdm.deciding import bulk, undoing
from mdm.deciding.bulk import Wanted
from mdm.deciding.orders import Terms
from mdm.embedded import EmbeddedServer
from mdm.stewardship import approvals
from mdm.stewardship.decisions import Decision, Kind, Maker
from mdm.stewardship.queue import Filter
from tests import factories
from tests.benchmarks.budgets import Measured
from tests.factories import Transaction, mpan, point

TASKS = 10_000
_AT_ONCE = 2_500
_SYSTEMS = (
    SourceSystem(name="smrs10", kind="SMRS", participant="EELC", distributors=("10",)),
    SourceSystem(name="mss", kind="MSS", participant="SMAR"),
    SourceSystem(name="mds", kind="MDS", participant="MDSX"),
)


def measure(server: EmbeddedServer, *, tasks: int = TASKS) -> Measured:
    """Measure on a hub database of its own, with so many conflicts of one copy."""
    with _hub(server) as connection:
        _fill(connection, tasks)
        wanted = Wanted(kind=Kind.TAKE, terms=Terms(source="mss"), chosen=Filter(source="mss"))
        decided, deciding = _timed(
            connection, lambda: bulk.decide(connection, wanted, _maker("the copies are right"), approvals.NONE)
        )
        count = rows.single(connection, "select count(*) from golden.override where retired_at is null")
        _, back = _timed(
            connection, lambda: undoing.undo(connection, decided.decision_id, _maker("they are not after all"))
        )
    notes = (f"{count:,} overrides made in {deciding:.1f} s, taken back in {back:.1f} s",)
    return Measured(value=max(deciding, back), notes=notes)


@contextmanager
def _hub(server: EmbeddedServer) -> Iterator[Connection]:
    name = f"bulk_decision_{uuid4().hex[:8]}"
    dsn = server.ensure_database(name)
    try:
        db.upgrade(dsn)
        with db.connect(dsn) as connection:
            mastering.tune(connection)
            yield connection
    finally:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _fill(connection: Connection, tasks: int) -> None:
    with db.transaction(connection):
        reference.write_standing(connection)
        sources = {system.name: reference.register(connection, system) for system in _SYSTEMS}
    for first in range(0, tasks, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, tasks))
        for name, source_id in sources.items():
            said = [change for number in numbers for change in _point(mpan(number), "A" if name == "mss" else "S")]
            with db.transaction(connection):
                mastering.apply(connection, factories.batch(source_id, Transaction(changes=said)))
                mastering.finish(connection)
    connection.execute("analyze")


def _point(key: str, segment: str) -> list[factories.Change]:
    return [
        point(key),
        point(key, "segment", market_segment=segment),
        point(key, "connection", connection_type="W"),
        point(key, "energisation", energisation_status="E"),
        point(key, "duos", duos_tariff="123"),
    ]


def _timed(connection: Connection, act: Callable[[], Decision]) -> tuple[Decision, float]:
    began = time.perf_counter()
    with db.transaction(connection):
        decision = act()
    return decision, time.perf_counter() - began


def _maker(reason: str) -> Maker:
    return Maker(by="bench", reason=reason, at=datetime.now(UTC))
