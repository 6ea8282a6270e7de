"""A hub whose addresses and meters a test masters, and runs of matching in it."""

from collections.abc import Iterator
from typing import Any

import pytest

from golden_records import reference
from golden_records.match_runs import Run
from mdm import db, mastering, matching
from mdm.matching import Scope
from tests.integration.golden_records.conftest import SYSTEMS, Hub


@pytest.fixture
def hub(hub_dsn: str) -> Iterator[Hub]:
    with db.connect(hub_dsn) as connection:
        mastering.tune(connection)
        with connection.transaction():
            sources = {system.name: reference.register(connection, system) for system in SYSTEMS}
        yield Hub(connection=connection, sources=sources)


def run(hub: Hub, **scope: Any) -> Run:
    done = matching.run(hub.connection, Scope(**scope))
    assert done is not None
    return done


def found(hub: Hub) -> list[tuple[object, ...]]:
    """Return the matches: kind, left, right, state."""
    return hub.rows("select kind, left_id, right_id, state from golden.match order by left_id, right_id, kind")
