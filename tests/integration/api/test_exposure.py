"""No MPAN stands in a path, a log line or a metric, whatever somebody sends."""

import logging

import httpx
import pytest

from tests.factories import mpan
from tests.integration.api.conftest import Api


def test_no_declared_path_or_query_takes_an_mpan(api: Api) -> None:
    document = httpx.get(f"{api.url}/v1/openapi.json").json()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            named = [parameter["name"] for parameter in operation.get("parameters", ())]
            assert not [name for name in [path, *named] if "mpan" in name]


def test_no_mpan_stands_in_metrics_or_logs(service: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    known = mpan(1)
    with caplog.at_level(logging.DEBUG):
        service.post("/v1/metering-points/search", json={"mpan": known})
        service.post(f"/v1/metering-points/search?mpan={known}", json={"mpan": known, "x": known})
        service.get(f"/v1/metering-points/{known}")
        service.get(f"/{known}", params={"mpan": known})
        service.get(f"/v1/views/{known}/changes?after={known}")
        service.request(known, "/v1/views")
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert known not in "\n".join(ours)
    assert known not in service.get("/metrics").text


def test_problem_does_not_repeat_what_was_sent(service: httpx.Client) -> None:
    known = mpan(1)
    for answer in (
        service.get(f"/v1/metering-points/{known}"),
        service.get(f"/v1/views/{known}"),
        service.get(f"/v1/views/mss-appointment/changes?recipient={known}"),
        service.get(f"/v1/schemas/{known}/message.json"),
        service.post("/v1/metering-points/search", json={"mpan": known + "0"}),
    ):
        assert answer.is_client_error
        assert known not in answer.text
