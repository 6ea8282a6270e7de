"""Every error is a problem that a program can read."""

import logging
from http import HTTPStatus

import httpx
import pytest

from mdm.app import Server
from tests.factories import mpan
from tests.integration.api.conftest import Api

REQUESTS = [
    ("GET", "/nothing", HTTPStatus.NOT_FOUND),
    ("GET", "/v1/metering-points", HTTPStatus.NOT_FOUND),
    ("GET", "/v1/views/nothing", HTTPStatus.NOT_FOUND),
    ("GET", "/v1/schemas/nothing/message.json", HTTPStatus.NOT_FOUND),
    ("GET", "/v1/schemas/mss-appointment/nothing", HTTPStatus.UNPROCESSABLE_ENTITY),
    ("PUT", "/v1/views", HTTPStatus.METHOD_NOT_ALLOWED),
    ("DELETE", "/v1/metering-points/1", HTTPStatus.METHOD_NOT_ALLOWED),
    ("POST", "/v1/metering-points/search", HTTPStatus.UNPROCESSABLE_ENTITY),
    ("GET", "/v1/views/mss-appointment/changes?after=x", HTTPStatus.UNPROCESSABLE_ENTITY),
    ("GET", "/v1/views/msa-appointment", HTTPStatus.FORBIDDEN),
]


@pytest.mark.parametrize(("method", "path", "status"), REQUESTS)
def test_error_is_a_problem(service: httpx.Client, method: str, path: str, status: HTTPStatus) -> None:
    answer = service.request(method, path)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["title"]) == (status, status.phrase)
    assert body["detail"]


def test_body_that_is_no_json_is_a_problem(service: httpx.Client) -> None:
    answer = service.post("/v1/metering-points/search", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_method_that_is_not_allowed_is_told_those_that_are(service: httpx.Client) -> None:
    assert service.put("/v1/views").headers["Allow"] == "GET"


def test_failure_is_a_problem_that_hides_its_text(
    api: Api, service: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(mpan(1))

    monkeypatch.setattr("mdm.distribution.reading.list_heads", fail)
    with caplog.at_level(logging.DEBUG):
        answer = service.get("/v1/views")
    assert answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert mpan(1) not in answer.text + caplog.text
    assert isinstance(api.server, Server)
