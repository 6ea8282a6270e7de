"""A hub with the market's sources registered, and a way to master batches in it as a worker does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count

import psycopg
import pytest

from golden_records import reference
from golden_records.reference import SourceSystem
from mdm import assembling, db, mastering
from mdm.embedded import EmbeddedServer
from mdm.mastering import Outcome
from tests import databases, factories
from tests.conftest import HUB_TEMPLATE
from tests.factories import Transaction, mpan

SYSTEMS = (
    SourceSystem(name="smrs10", kind="SMRS", participant="EELC", distributors=("10",)),
    SourceSystem(name="smrs20", kind="SMRS", participant="SOUT", distributors=("20",)),
    SourceSystem(name="mss", kind="MSS", participant="SMAR"),
    SourceSystem(name="msa", kind="MSA", participant="ADVA"),
    SourceSystem(name="mds", kind="MDS", participant="MDSX"),
)

KEYS = (mpan(number) for number in count(50_000))
"""Keys of points that no other test of a shared hub speaks of."""


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A hub's database under test."""

    connection: psycopg.Connection
    sources: dict[str, int]

    def master(self, source: str, *transactions: Transaction) -> Outcome:
        """Master the transactions as one batch and commit."""
        with self.connection.transaction():
            outcome = mastering.apply(self.connection, factories.batch(self.sources[source], *transactions))
            mastering.finish(self.connection)
        return outcome

    def change(self, source: str, *changes: factories.Change) -> Outcome:
        """Master the changes as one transaction of the source."""
        return self.master(source, Transaction(changes=changes))

    def load(self, source: str, *changes: factories.Change) -> None:
        """Take the changes in as a snapshot of the source, and assemble what they tell of."""
        read = Transaction(changes=[replace(change, op="r") for change in changes])
        with self.connection.transaction():
            assembling.load(self.connection, factories.batch(self.sources[source], read))
        after: int | None = 0
        while after is not None:
            with self.connection.transaction():
                after = assembling.assemble(self.connection, after=after, limit=100, now=factories.NOW)
                mastering.finish(self.connection)

    def rows(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        """Return all rows of a query."""
        return self.connection.execute(query, parameters or None).fetchall()

    def value(self, query: str, *parameters: object) -> object:
        """Return the one value of a query."""
        ((value,),) = self.rows(query, *parameters)
        return value


def open_hub_session(connection: psycopg.Connection) -> Hub:
    """Set a session up as a worker does, with the sources registered."""
    mastering.tune(connection)
    with connection.transaction():
        sources = {system.name: reference.register(connection, system) for system in SYSTEMS}
    return Hub(connection=connection, sources=sources)


@pytest.fixture
def key() -> str:
    return next(KEYS)


@pytest.fixture
def open_hub(hub_dsn: str) -> Iterator[Callable[[], Hub]]:
    """Open sessions on one hub, as several workers do."""
    opened: list[psycopg.Connection] = []

    def open_session() -> Hub:
        opened.append(db.connect(hub_dsn))
        return open_hub_session(opened[-1])

    yield open_session
    for connection in opened:
        connection.close()


@pytest.fixture
def hub(open_hub: Callable[[], Hub]) -> Hub:
    return open_hub()


@pytest.fixture(scope="module")
def shared_dsn(hub_server: EmbeddedServer) -> Iterator[str]:
    """The database of one hub for all tests of a module."""
    with databases.fresh(hub_server, prefix="hub", template=HUB_TEMPLATE) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def shared_hub(shared_dsn: str) -> Iterator[Hub]:
    """A session on it."""
    with db.connect(shared_dsn) as connection:
        mastering.tune(connection)
        with connection.transaction():
            sources = {system.name: reference.register(connection, system) for system in SYSTEMS}
        yield Hub(connection=connection, sources=sources)


@pytest.fixture
def emptied_hub(shared_hub: Hub) -> Hub:
    """The module's hub without golden records: emptying it is quicker than making another."""
    shared_hub.connection.execute(
        "truncate golden.metering_point, golden.meter, golden.address, golden.contract, golden.appointment,"
        " golden.golden_record, golden.crosswalk, golden.source_record, golden.golden_version, golden.due,"
        " golden.conflict, golden.violation, golden.quarantine, golden.loaded, golden.consistency"
    )
    return shared_hub
