"""A hub with the market's sources registered, and a way to master batches in it as a worker does."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg
import pytest

from golden_records import reference
from golden_records.reference import SourceSystem
from mdm import db, mastering
from mdm.embedded import EmbeddedServer
from mdm.mastering import Outcome
from tests import databases, factories
from tests.conftest import HUB_TEMPLATE
from tests.factories import Transaction

SYSTEMS = (
    SourceSystem(name="smrs10", kind="SMRS", participant="EELC", distributors=("10",)),
    SourceSystem(name="smrs20", kind="SMRS", participant="SOUT", distributors=("20",)),
    SourceSystem(name="mss", kind="MSS", participant="SMAR"),
    SourceSystem(name="msa", kind="MSA", participant="ADVA"),
    SourceSystem(name="mds", kind="MDS", participant="MDSX"),
)


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

    def rows(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        """Return all rows of a query."""
        return self.connection.execute(query, parameters or None).fetchall()

    def value(self, query: str, *parameters: object) -> object:
        """Return the one value of a query."""
        ((value,),) = self.rows(query, *parameters)
        return value


@contextmanager
def opened(dsn: str) -> Iterator[Hub]:
    """Open a session on a hub, as a worker does."""
    with db.connect(dsn) as connection:
        mastering.tune(connection)
        with connection.transaction():
            sources = {system.name: reference.register(connection, system) for system in SYSTEMS}
        yield Hub(connection=connection, sources=sources)


@pytest.fixture(scope="module")
def shared_hub(hub_server: EmbeddedServer) -> Iterator[Hub]:
    """One hub for all tests of a module: each has metering points of its own."""
    with databases.fresh(hub_server, prefix="hub", template=HUB_TEMPLATE) as dsn, opened(dsn) as hub:
        yield hub


@pytest.fixture
def open_hub(hub_dsn: str) -> Iterator[Callable[[], Hub]]:
    """Open sessions on one hub, as several workers do."""
    with ExitStack() as sessions:
        yield lambda: sessions.enter_context(opened(hub_dsn))


@pytest.fixture
def hub(open_hub: Callable[[], Hub]) -> Hub:
    return open_hub()
