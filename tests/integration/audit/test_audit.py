"""The audit finds what the inline checks found, in the store, at the sources and in the views."""

from collections.abc import Iterator

import pytest

from mdm.audit import auditing
from mdm.audit.asked import Asked
from mdm.audit.findings import Run
from mdm.audit.source_audits import SourcePlace
from mdm.embedded import EmbeddedServer
from tests.conftest import HUB_TEMPLATE
from tests.integration.audit import market
from tests.integration.audit.market import DECLARED, FaultyMarket


@pytest.fixture(scope="module")
def faulty(market_server: EmbeddedServer, hub_server: EmbeddedServer) -> Iterator[FaultyMarket]:
    with market.faulty(market_server, hub_server, HUB_TEMPLATE) as made:
        yield made


@pytest.fixture(scope="module")
def whole(faulty: FaultyMarket) -> Run:
    places = [SourcePlace(source=DECLARED[name], dsn=dsn, hub_dsn=faulty.hub_dsn) for name, dsn in faulty.dsns.items()]
    return auditing.run(faulty.hub_dsn, places, Asked(), by="tests", note=lambda place, rule: None)


def test_print(whole: Run) -> None:
    for f in whole.findings:
        print(
            f"{f.place:40} {f.rule:3} {f.outcome:15} {f.looked_at:6} {f.failed:5} inline={f.inline} diff={f.differing} {f.sample[:4]} {f.reason or ''} {f.seconds:.2f}"
        )
