"""The oldest PostgreSQL that the hub promises to run on, as source and as store at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mdm.embedded import EmbeddedServer
from tests.acceptance import installation, oracle, waiting
from tests.acceptance.installation import Installation
from tests.acceptance.load import Load
from tests.clusters import SMALL, Clusters

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

SOURCES = ("smrs10", "mss", "mds")
CHANGES = 800
LARGE = """
do $body$ begin
    for round in 1 .. 10 loop update duos_tariff set tariff_id = 'Z' || round; end loop;
end $body$
"""


@pytest.fixture
def installed(session_clusters: Clusters, binaries_15: Path, tmp_path: Path) -> Iterator[Installation]:
    """A market and a hub on PostgreSQL 15, where everything larger than a few kilobytes is streamed in progress."""

    def start_server(name: str) -> EmbeddedServer:
        settings = SMALL | {"logical_decoding_work_mem": "64kB"}
        return session_clusters.start(f"{name}-15", settings=settings, binaries=binaries_15)

    with installation.opened(start_server, tmp_path, points=150, sources=SOURCES) as opened:
        yield opened


def test_a_market_is_loaded_streamed_and_mastered_on_postgresql_15(installed: Installation) -> None:
    with installed.connect("smrs10") as source, installed.connect_hub() as hub:
        assert {source.info.server_version // 10_000, hub.info.server_version // 10_000} == {15}
    installed.environment["MDM_BATCH_ROWS"] = "100"  # so that a transaction of more rows is mastered in parts
    installed.start_workers()
    installed.await_caught_up()
    with Load(installed, seed=15, rate=None) as load, installed.connect("smrs10") as source:
        waiting.until(lambda: load.changes > CHANGES // 2, seconds=120, what="changes of the market")
        source.execute(LARGE)
        installed.kill_worker("smrs10")
        installed.start_worker("smrs10")
        waiting.until(lambda: load.changes > CHANGES, seconds=120, what="changes of the market")
    installed.await_caught_up()
    oracle.assert_equal(installed)
