"""The servers and databases that tests ask for; nothing starts before a test asks."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mdm.embedded import EmbeddedServer
from tests import clusters, databases, log_lines
from tests.clusters import DEBIAN_15, SMALL, Clusters

HUB_TEMPLATE = "hub_template"


@pytest.fixture(scope="module", autouse=True)
def _logging_as_before_the_module() -> Iterator[None]:
    """Take back what the things that a module's tests share, such as a server, set for the log lines."""
    with log_lines.as_found():
        yield


@pytest.fixture(autouse=True)
def _logging_as_before(_logging_as_before_the_module: None) -> Iterator[None]:
    """Take back what a test's commands set for the log lines of the process."""
    with log_lines.as_found():
        yield


@pytest.fixture(scope="session")
def session_clusters() -> Iterator[Clusters]:
    with clusters.session() as started:
        yield started


@pytest.fixture(scope="session")
def hub_server(session_clusters: Clusters) -> EmbeddedServer:
    """The quick cluster of hub databases; its template has the present schema."""
    server = session_clusters.start("hub")
    databases.create_template(server, HUB_TEMPLATE)
    return server


@pytest.fixture(scope="session")
def market_server(session_clusters: Clusters) -> EmbeddedServer:
    """The quick cluster of source databases."""
    return session_clusters.start("market")


@pytest.fixture
def hub_dsn(hub_server: EmbeddedServer) -> Iterator[str]:
    """A hub database of the present schema, without rows, for this test alone."""
    with databases.fresh(hub_server, prefix="hub", template=HUB_TEMPLATE) as dsn:
        yield dsn


@pytest.fixture
def market_dsn(market_server: EmbeddedServer) -> Iterator[str]:
    """An empty source database for this test alone."""
    with databases.fresh(market_server, prefix="source") as dsn:
        yield dsn


@pytest.fixture
def make_source(market_server: EmbeddedServer) -> Iterator[Callable[[], str]]:
    """Make as many empty source databases as a test calls for."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(databases.fresh(market_server, prefix="source"))


@pytest.fixture(scope="session")
def binaries_15() -> Path:
    """Debian's PostgreSQL 15; where it is not installed the test is skipped, but fails under CI."""
    if not (DEBIAN_15 / "postgres").exists():
        message = f"Debian's PostgreSQL 15 is not in {DEBIAN_15}: apt-get install postgresql-15"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return DEBIAN_15


@pytest.fixture(scope="session")
def server_15(session_clusters: Clusters, binaries_15: Path) -> EmbeddedServer:
    """A quick cluster of Debian's PostgreSQL 15."""
    return session_clusters.start("debian15", binaries=binaries_15)


@pytest.fixture
def postgres15(server_15: EmbeddedServer) -> Iterator[str]:
    """An empty database on Debian's PostgreSQL 15, for this test alone."""
    with databases.fresh(server_15) as dsn:
        yield dsn


@pytest.fixture
def start_durable(session_clusters: Clusters) -> Iterator[Callable[[str], EmbeddedServer]]:
    """Start clusters of this test's own that survive a kill -9; starting one of the same name again recovers it."""
    names: set[str] = set()

    def start(name: str) -> EmbeddedServer:
        names.add(f"durable-{name}")
        return session_clusters.start(f"durable-{name}", settings=SMALL)

    yield start
    for name in names:
        session_clusters.remove(name)
