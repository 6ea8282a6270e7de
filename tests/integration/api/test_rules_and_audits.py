"""Rules and audits over HTTP, for stewards' keys alone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus

import httpx
import pytest

from mdm import db
from mdm.audit import store
from mdm.audit.findings import Finding, Outcome, Run
from rules import documentation, registry
from tests.integration.api.conftest import Api

FINDING = Finding(
    place="golden", rule=34, rule_version=1, outcome=Outcome.FAILED, looked_at=7, failed=1, sample=("golden 3",)
)


@pytest.fixture(scope="module")
def steward(api: Api) -> Iterator[httpx.Client]:
    with api.steward("steward:read") as client:
        yield client


def test_rules_are_listed_chosen_and_explained(steward: httpx.Client) -> None:
    listed = steward.get("/v1/rules").json()["rules"]
    assert [rule["code"] for rule in listed] == sorted(registry.RULES)
    chosen = steward.get("/v1/rules", params={"entity": "address", "severity": "W"}).json()["rules"]
    assert [rule["code"] for rule in chosen] == [34, 35]
    assert steward.get("/v1/rules/14").json() == documentation.describe(registry.get(14))


def test_an_audit_is_listed_and_read(api: Api, steward: httpx.Client) -> None:
    now = datetime.now(UTC)
    run = Run(run_id=None, started_at=now, finished_at=now, asked_for={"entity": "x"}, by="ann", findings=[FINDING])
    with db.transaction(api.market.connection):
        kept = store.keep(api.market.connection, run)

    (listed,) = steward.get("/v1/audits").json()["audits"]
    assert (listed["run_id"], listed["failed"], listed["passed"]) == (kept.run_id, 1, True)
    read = steward.get(f"/v1/audits/{kept.run_id}").json()
    assert (read["by"], read["asked_for"], read["findings"]) == ("ann", {"entity": "x"}, [FINDING.as_json()])


@pytest.mark.parametrize("path", ["/v1/rules/99", "/v1/audits/99"])
def test_what_there_is_not_is_told_as_a_problem(steward: httpx.Client, path: str) -> None:
    answer = steward.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("path", ["/v1/rules", "/v1/rules/14", "/v1/audits", "/v1/audits/1"])
def test_a_service_may_not_ask(service: httpx.Client, path: str) -> None:
    assert service.get(path).status_code == HTTPStatus.FORBIDDEN
