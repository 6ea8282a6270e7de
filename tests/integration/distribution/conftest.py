"""A hub of registration services, without golden records."""

from collections.abc import Iterator

import pytest

from mdm import db
from tests.integration.distribution import market as markets
from tests.integration.distribution.market import Market


@pytest.fixture
def market(hub_dsn: str) -> Iterator[Market]:
    """A hub with its registration services known, without golden records."""
    with db.connect(hub_dsn) as connection:
        yield markets.open_market(hub_dsn, connection)
