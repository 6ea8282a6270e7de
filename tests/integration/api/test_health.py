"""Liveness, readiness and metrics."""

from http import HTTPStatus

import httpx

from mdm import app
from tests.integration.api.conftest import Api, running


def test_server_lives_and_is_ready(api: Api) -> None:
    with api.client() as client:
        assert client.get("/livez").json() == {"status": "alive"}
        assert client.get("/readyz").json() == {"status": "ready"}


def test_server_of_another_schema_is_not_ready(api: Api) -> None:
    with api.client() as client:
        (known,) = api.market.rows("select version_num from hub.alembic_version")
        api.market.connection.execute("update hub.alembic_version set version_num = 'another'")
        refused = client.get("/readyz")
        api.market.connection.execute("update hub.alembic_version set version_num = %s", known)
    assert refused.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "mdm init" in refused.json()["detail"]


def test_server_without_its_database_lives_but_is_not_ready() -> None:
    server = app.make_server("postgresql://nobody@127.0.0.1:1/nothing", host="127.0.0.1", port=0)
    with running(server), httpx.Client(base_url=server.url, timeout=30) as client:
        assert client.get("/livez").status_code == HTTPStatus.OK
        refused = client.get("/readyz")
    assert refused.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["Retry-After"]


def test_metrics_count_requests_by_route(api: Api, service: httpx.Client) -> None:
    service.get("/v1/metering-points/1")
    text = service.get("/metrics").text
    assert 'mdm_http_requests_total{method="GET",route="/v1/metering-points/{golden_id}",status="200"}' in text
    assert api.url not in text
