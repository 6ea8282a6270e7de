"""A served hub with a small market in it, one for each module of tests, and clients that bear keys."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from mdm import app, db
from mdm.api import keys
from mdm.api.keys import Grant
from mdm.app import Server
from mdm.embedded import EmbeddedServer
from tests import databases
from tests.conftest import HUB_TEMPLATE
from tests.integration.distribution import market as markets
from tests.integration.distribution.market import ADDRESSES, CONTRACTS, METERS, Market

BOLT_POINTS, KITE_POINT, DART_POINT, LAMP_POINT, FREE_POINT = (1, 2, 3), 4, 5, 6, 7


@dataclass(frozen=True, kw_only=True)
class Api:
    """A served hub under test."""

    url: str
    market: Market
    server: Server

    def key(self, *scopes: str, role: str | None = None, recipient: str | None = None) -> str:
        """Issue a key."""
        grant = Grant.parse(name="test", purpose="test", scopes=scopes, role=role, recipient=recipient, expires_at=None)
        with db.transaction(self.market.connection):
            return keys.create(self.market.connection, grant)

    def client(self, key: str | None = None) -> httpx.Client:
        """Return a client that bears a key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def service(self, recipient: str = "BOLT", role: str = "MSS") -> httpx.Client:
        """Return a client with a service's key."""
        return self.client(self.key("view:read", "golden:read-identified", role=role, recipient=recipient))

    def steward(self, *scopes: str) -> httpx.Client:
        """Return a client with a key of no recipient: by default one that sees golden records masked."""
        return self.client(self.key(*(scopes or ("golden:read",))))


@contextmanager
def running(server: Server) -> Iterator[None]:
    """Run a server in a thread of its own."""
    thread = threading.Thread(target=server.run, name="served")
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()


def populate(market: Market) -> None:
    """Write seven points: three of BOLT, one each of KITE, DART and LAMP, and one of nobody."""
    market.put("address", ADDRESSES + 1, line_1="1 High Street", postcode="BA1 1AA", uprn="100")
    market.put("contract", CONTRACTS + 1, reference="C1", supplier_mpid="ACRE")
    for number in range(1, 8):
        point = market.add_point(number, address_id=ADDRESSES + 1, domestic_premises=True, connection_from="2026-01-01")
        market.put("meter", METERS + number, meter_id=f"L {number}", metering_point_id=point)
    for number in BOLT_POINTS:
        market.appoint(number, contract_id=CONTRACTS + 1)
    market.appoint(KITE_POINT, "KITE")
    market.appoint(DART_POINT, "DART", role="MSA", status="accepted")
    market.appoint(LAMP_POINT, "LAMP", role="UMSO")
    market.publish(*range(1, 8))


@pytest.fixture(scope="module")
def api(hub_server: EmbeddedServer) -> Iterator[Api]:
    with databases.fresh(hub_server, prefix="hub", template=HUB_TEMPLATE) as dsn, db.connect(dsn) as connection:
        market = markets.open_market(dsn, connection)
        populate(market)
        server = app.make_server(dsn, host="127.0.0.1", port=0)
        with running(server):
            yield Api(url=server.url, market=market, server=server)


@pytest.fixture(scope="module")
def service(api: Api) -> Iterator[httpx.Client]:
    """BOLT's client."""
    with api.service() as client:
        yield client


def ndjson(answer: httpx.Response) -> list[dict[str, Any]]:
    """Return the lines of an answer."""
    return [json.loads(line) for line in answer.text.splitlines()]


def readers(url: str) -> int:
    """Return how many readers of changes wait in a server, as it tells itself."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return int(float(next(line for line in lines if line.startswith("mdm_feed_readers ")).split()[1]))
