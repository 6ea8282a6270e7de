"""Merge, then split, equals never merged, overrides and later changes included; what is refused changes nothing."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from golden_records import reference
from mdm import db, mastering
from mdm.embedded import EmbeddedServer
from tests import databases
from tests.conftest import HUB_TEMPLATE
from tests.integration.golden_records import worlds
from tests.integration.golden_records.conftest import SYSTEMS, Hub
from tests.integration.golden_records.worlds import Story


@contextmanager
def world(server: EmbeddedServer) -> Iterator[Hub]:
    with databases.fresh(server, prefix="world", template=HUB_TEMPLATE) as dsn, db.connect(dsn) as connection:
        mastering.tune(connection)
        with connection.transaction():
            sources = {system.name: reference.register(connection, system) for system in SYSTEMS}
        hub = Hub(connection=connection, sources=sources)
        worlds.rank_overrides(hub)
        yield hub


@pytest.mark.parametrize(
    ("seed", "entities"),
    [
        (1, ("address",)),
        (2, ("meter",)),
        (3, ("contract", "appointment")),
        (4, ("metering_point",)),
        (5, ("address", "meter", "contract", "appointment", "metering_point")),
    ],
)
def test_what_is_merged_and_split_is_as_if_it_never_had_been_merged(
    hub_server: EmbeddedServer, seed: int, entities: tuple[str, ...]
) -> None:
    with world(hub_server) as merged, world(hub_server) as plain:
        story = Story(merged=merged, plain=plain, chance=random.Random(seed), entities=entities)
        for _ in range(5):
            story.change()
        for _ in range(30):
            step = story.chance.choices([story.change, story.override, story.merge, story.split], [7, 1, 2, 1])[0]
            step()
        while story.standing:
            story.split()
        for hub in (merged, plain):
            worlds.settle(hub)
        assert worlds.differences(merged, plain) == {}
