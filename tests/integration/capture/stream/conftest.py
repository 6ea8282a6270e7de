"""Source databases on PostgreSQL 18 and on Debian's 15."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mdm import db
from tests.integration.capture.stream.source_under_test import Source


@pytest.fixture(params=["market_dsn", "postgres15"], ids=["postgresql18", "postgresql15"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    """A source database, once on each version; its slot is dropped at the end."""
    yield from _source(request.getfixturevalue(request.param), tmp_path)


@pytest.fixture
def source_18(market_dsn: str, tmp_path: Path) -> Iterator[Source]:
    """A source database on the embedded PostgreSQL 18."""
    yield from _source(market_dsn, tmp_path)


def _source(dsn: str, folder: Path) -> Iterator[Source]:
    with db.connect(dsn) as connection:
        source = Source(dsn=dsn, spool=folder / "spool", connection=connection)
        yield source
        connection.execute(
            """select pg_terminate_backend(active_pid, 5000) from pg_replication_slots
               where slot_name = %s and active_pid is not null""",
            [source.request.slot],
        )
        connection.execute(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %s",
            [source.request.slot],
        )
