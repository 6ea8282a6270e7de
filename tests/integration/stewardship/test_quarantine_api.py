"""Quarantine over HTTP: what is held back is told without what identifies, and put through again on request."""

from collections.abc import Iterator
from http import HTTPStatus

import httpx
import pytest

from tests.factories import Change, appointment, meter, mpan, point
from tests.integration.api.conftest import Api
from tests.integration.stewardship.conftest import Desk


@pytest.fixture(scope="module")
def steward(api: Api) -> Iterator[httpx.Client]:
    with api.steward("steward:read", "steward:write") as client:
        yield client


def hold(desk: Desk, *changes: Change) -> int:
    desk.hub.change("smrs10", *changes)
    held = desk.hub.value("select max(quarantine_id) from golden.quarantine where closed_at is null")
    assert isinstance(held, int)
    return held


def test_what_is_held_back_is_listed_page_by_page_without_its_mpan(desk: Desk, steward: httpx.Client) -> None:
    held = [hold(desk, appointment(mpan(number), contract_reference=" ")) for number in range(1, 6)]
    seen: list[int] = []
    place: dict[str, str] = {"limit": "2", "rule": "11", "source": "smrs10"}
    while True:
        answer = steward.get("/v1/quarantine", params=place)
        assert mpan(1) not in answer.text
        seen += [each["quarantine_id"] for each in answer.json()["quarantine"]]
        if answer.json()["next"] is None:
            break
        place["cursor"] = answer.json()["next"]
    assert seen == sorted(held, reverse=True)
    assert steward.get("/v1/quarantine", params={"rule": "12"}).json() == {"quarantine": [], "next": None}


def test_a_record_is_shown_with_what_mends_it(desk: Desk, api: Api, steward: httpx.Client) -> None:
    held = hold(desk, appointment(mpan(10), contract_reference=" "))

    shown = steward.get(f"/v1/quarantine/{held}")
    with api.steward("steward:read", "golden:read-identified") as whole:
        seen = whole.get(f"/v1/quarantine/{held}").json()

    assert (shown.json()["owner"], shown.json()["items"]["role"]) == ("supplier", "MSS")
    assert shown.json()["mend"]
    assert mpan(10) not in shown.text
    assert mpan(10) in seen["key"]
    read = "select count(*) from hub.access_log where kind = 'quarantine' and subject_id = %s"
    assert desk.hub.value(read, held) == 1


def test_what_passes_when_it_is_put_through_again_is_mastered(desk: Desk, steward: httpx.Client) -> None:
    desk.hub.change("smrs10", point(mpan(11), "connection", connection_type="U"))
    held = hold(desk, meter(mpan(11), "S11"))
    desk.hub.connection.execute("update golden.metering_point set connection_type = 'W'")

    done = steward.post(f"/v1/quarantine/{held}/retry", headers={"Idempotency-Key": "eleven"})
    again = steward.post(f"/v1/quarantine/{held}/retry")

    assert (done.status_code, done.json()["outcome"]) == (HTTPStatus.OK, "mastered")
    assert desk.hub.value("select count(*) from golden.meter where meter_id = 'S11'") == 1
    assert again.status_code == HTTPStatus.CONFLICT
    assert "mastered" in again.json()["detail"]
    assert steward.post(f"/v1/quarantine/{held}/retry", headers={"Idempotency-Key": "eleven"}).json() == done.json()


def test_what_still_fails_stays_and_counts_its_attempts(desk: Desk, steward: httpx.Client) -> None:
    held = hold(desk, appointment(mpan(12), contract_reference=" "))
    told = steward.post(f"/v1/quarantine/{held}/retry").json()
    assert (told["outcome"], told["attempts"]) == (None, 2)


def test_what_could_not_be_typed_cannot_be_put_through_again(desk: Desk, steward: httpx.Client) -> None:
    held = hold(desk, Change(relation="public.segment", key="x", reject="column market_segment: no code"))
    refused = steward.post(f"/v1/quarantine/{held}/retry")
    assert refused.status_code == HTTPStatus.CONFLICT
    assert "anew" in refused.json()["detail"]


def test_what_is_not_there_is_not_found(steward: httpx.Client) -> None:
    assert steward.get("/v1/quarantine/999999").status_code == HTTPStatus.NOT_FOUND
    assert steward.post("/v1/quarantine/999999/retry").status_code == HTTPStatus.NOT_FOUND
    assert steward.get("/v1/quarantine", params={"cursor": "WyJ4Il0"}).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
