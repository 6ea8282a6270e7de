"""Stewards list possible matches and read one with its explanation; values are masked as in golden records."""

from collections.abc import Iterator
from http import HTTPStatus

import httpx
import pytest

from mdm import mastering, matching
from mdm.matching import Scope
from tests.integration.api.conftest import Api
from tests.integration.distribution.market import ADDRESSES


@pytest.fixture(scope="module")
def matched(api: Api) -> Api:
    """Four ways to write one address: six matches."""
    for number, line in enumerate(("9 Oak Road, Bath", "9 Oak Rd, Bath", "9 OAK ROAD BATH", "9 Oak Roade, Bath"), 50):
        api.market.put("address", ADDRESSES + number, line_1=line, postcode="BA9 1AA")
    mastering.tune(api.market.connection)
    matching.run(api.market.connection, Scope(is_whole=True))
    return api


@pytest.fixture
def steward(matched: Api) -> Iterator[httpx.Client]:
    with matched.steward("steward:read") as client:
        yield client


def test_matches_come_the_most_alike_first_page_by_page(steward: httpx.Client) -> None:
    whole = steward.get("/v1/matches").json()
    assert (len(whole["matches"]), whole["next"]) == (6, None)
    scores = [match["score"] for match in whole["matches"]]
    assert scores == sorted(scores, reverse=True)
    paged, cursor = [], None
    while True:
        query = {"limit": 4} | ({"cursor": cursor} if cursor else {})
        page = steward.get("/v1/matches", params=query).json()
        paged += page["matches"]
        cursor = page["next"]
        if cursor is None:
            break
    assert paged == whole["matches"]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"entity": "meter"}, 0),
        ({"entity": "address"}, 6),
        ({"golden_id": ADDRESSES + 50}, 3),
        ({"state": "merged"}, 0),
        ({"kind": "crossed"}, 0),
        ({"score": 100}, 3),
    ],
)
def test_matches_are_filtered(steward: httpx.Client, query: dict[str, str], count: int) -> None:
    assert len(steward.get("/v1/matches", params=query).json()["matches"]) == count


def test_a_match_is_read_with_its_explanation_and_masked_records(matched: Api, steward: httpx.Client) -> None:
    first = steward.get("/v1/matches").json()["matches"][0]
    answer = steward.get(f"/v1/matches/{first['match_id']}")
    told = answer.json()
    assert answer.headers["ETag"] == f'"{told["version"]}"'
    assert {part["part"] for part in told["explanation"]["parts"]} >= {"number", "street", "postcode"}
    assert told["compared"] == {"candidates": 3, "is_limited": False}
    assert told["left"]["items"]["line_1"] == "***"
    assert "oak" not in answer.text.lower()
    with matched.steward("steward:read", "golden:read-identified") as identified:
        assert "Oak" in identified.get(f"/v1/matches/{first['match_id']}").text
    read = "select golden_id from hub.access_log where golden_id > 1000010 order by 1"
    assert matched.market.rows(read) == [(first["left_id"],), (first["right_id"],)]


def test_who_is_no_steward_sees_no_match(matched: Api) -> None:
    with matched.steward("golden:read") as reader, matched.service() as service:
        for client in (reader, service):
            assert client.get("/v1/matches").status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("path", ["/v1/matches?cursor=x", "/v1/matches?cursor=WzEsInhdIg", "/v1/matches?state=maybe"])
def test_a_list_that_cannot_be_asked_for_is_refused(steward: httpx.Client, path: str) -> None:
    assert steward.get(path).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def test_a_match_that_there_is_not_is_not_found(steward: httpx.Client) -> None:
    assert steward.get("/v1/matches/999999").status_code == HTTPStatus.NOT_FOUND
