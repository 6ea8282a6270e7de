"""Markets for tests: one that stays as it was loaded, and copies of it to be changed."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from mdm.demo import market, population
from mdm.demo.market import Dsns, Source
from mdm.embedded import EmbeddedServer
from tests import databases

POINTS = 3_000
SEED = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedMarket:
    dsns: Dsns
    loaded: population.Progress
    reported: tuple[population.Progress, ...]


@pytest.fixture(scope="session")
def loaded_market(market_server: EmbeddedServer) -> Iterator[LoadedMarket]:
    """The market as its population left it; tests only read it."""
    with ExitStack() as stack:
        dsns = {source.value: stack.enter_context(databases.fresh(market_server, prefix=source)) for source in Source}
        reported: list[population.Progress] = []
        market.create(dsns)
        loaded = population.load(dsns, points=POINTS, seed=SEED, progress=reported.append)
        yield LoadedMarket(dsns=dsns, loaded=loaded, reported=tuple(reported))


@pytest.fixture
def market_dsns(loaded_market: LoadedMarket, market_server: EmbeddedServer) -> Iterator[Dsns]:
    """A market of the same population, for this test alone."""
    with ExitStack() as stack:
        yield copy(loaded_market.dsns, market_server, stack)


def copy(dsns: Dsns, server: EmbeddedServer, stack: ExitStack) -> Dsns:
    names = {source: dsns[source].partition("@/")[2].partition("?")[0] for source in dsns}
    return {
        source: stack.enter_context(databases.fresh(server, prefix=source, template=name))
        for source, name in names.items()
    }
