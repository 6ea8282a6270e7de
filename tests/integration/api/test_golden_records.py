"""Golden records are read by id, masked unless the key allows more, and every unmasked read is written down."""

import random
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from tests.factories import mpan
from tests.integration.api.conftest import BOLT_POINTS, FREE_POINT, KITE_POINT, Api
from tests.integration.distribution.market import ADDRESSES, APPOINTMENTS, CONTRACTS, METERS

OF_BOLT = [
    ("metering-points", 1),
    ("meters", METERS + 1),
    ("addresses", ADDRESSES + 1),
    ("contracts", CONTRACTS + 1),
    ("appointments", APPOINTMENTS + 10),
]
OF_KITE = [("metering-points", KITE_POINT), ("meters", METERS + 4), ("appointments", APPOINTMENTS + 40)]


def reads(api: Api) -> list[tuple[Any, ...]]:
    columns = "select action, entity, golden_id"
    return api.market.rows(f"{columns} from hub.access_log where golden_id is not null order by access_id")


@pytest.mark.parametrize(("path", "golden_id"), OF_BOLT)
def test_golden_record_is_read_by_its_id(service: httpx.Client, path: str, golden_id: int) -> None:
    answer = service.get(f"/v1/{path}/{golden_id}")
    assert answer.status_code == HTTPStatus.OK
    assert (answer.json()["golden_id"], answer.json()["masked"]) == (golden_id, [])


def test_values_come_as_their_types(service: httpx.Client) -> None:
    items = service.get("/v1/metering-points/1").json()["items"]
    assert items["mpan"] == mpan(1)
    assert items["domestic_premises"] is True
    assert items["connection_from"] == "2026-01-01"
    assert items["ssc"] is None


def test_sensitive_values_are_masked_without_the_scope(api: Api) -> None:
    with api.steward() as client:
        point = client.get("/v1/metering-points/1").json()
        address = client.get(f"/v1/addresses/{ADDRESSES + 1}").json()
    assert set(point["masked"]) == {"mpan", "domestic_premises", "address_id"}
    assert (point["items"]["mpan"], point["items"]["domestic_premises"]) == ("***", None)
    assert point["items"]["energisation_status"] is not None
    assert set(address["masked"]) == {"line_1", "postcode", "uprn"}
    assert "High Street" not in str(address)


def test_every_identified_read_is_written_down_without_the_value(api: Api) -> None:
    with api.steward("golden:read-identified") as client:
        before = len(reads(api))
        client.get("/v1/metering-points/1")
        client.post("/v1/metering-points/search", json={"mpan": mpan(2)})
    assert reads(api)[before:] == [("read", "metering_point", 1), ("search", "metering_point", 2)]
    for row in api.market.rows("select a::text from hub.access_log a"):
        assert mpan(1) not in row[0]


def test_masked_read_is_not_written_down(api: Api) -> None:
    before = len(reads(api))
    with api.steward() as client:
        client.get("/v1/metering-points/1")
    assert len(reads(api)) == before


def test_reads_of_views_are_written_down(api: Api, service: httpx.Client) -> None:
    service.get("/v1/views/mss-appointment/snapshot")
    service.get("/v1/views/mss-appointment/changes?after=1&limit=2")
    written = api.market.rows(
        "select action, first_seq, last_seq, rows from hub.access_log"
        " where view_id is not null order by access_id desc limit 2"
    )
    assert written == [("changes", 2, 3, 2), ("snapshot", None, 3, 3)]


def test_version_is_the_etag_and_spares_a_second_transfer(api: Api, service: httpx.Client) -> None:
    first = service.get("/v1/metering-points/3")
    assert first.headers["ETag"] == f'"{first.json()["version"]}"'
    again = service.get("/v1/metering-points/3", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (HTTPStatus.NOT_MODIFIED, b"")
    api.market.add_point(3, energisation_status="D")
    changed = service.get("/v1/metering-points/3", headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == HTTPStatus.OK
    assert changed.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("form", ["W/{}", '"x", {}', "*"])
def test_if_none_match_takes_lists_weak_tags_and_the_star(service: httpx.Client, form: str) -> None:
    tag = service.get("/v1/metering-points/1").headers["ETag"]
    known = service.get("/v1/metering-points/1", headers={"If-None-Match": form.format(tag)})
    assert known.status_code == HTTPStatus.NOT_MODIFIED


def test_masked_representation_has_a_tag_of_its_own(api: Api, service: httpx.Client) -> None:
    with api.steward() as client:
        masked = client.get("/v1/metering-points/1").headers["ETag"]
    assert masked != service.get("/v1/metering-points/1").headers["ETag"]


def test_metering_point_is_found_by_its_mpan_in_the_body(service: httpx.Client) -> None:
    found = service.post("/v1/metering-points/search", json={"mpan": mpan(1)})
    assert found.json()["golden_id"] == 1
    assert found.headers["Content-Location"] == "/v1/metering-points/1"


@pytest.mark.parametrize(("path", "golden_id"), OF_KITE)
def test_service_is_not_told_of_what_is_not_its_own(service: httpx.Client, path: str, golden_id: int) -> None:
    missing = service.get(f"/v1/{path}/{golden_id}")
    never_there = service.get(f"/v1/{path}/999999999")
    assert missing.status_code == never_there.status_code == HTTPStatus.NOT_FOUND
    assert missing.content == never_there.content


def test_service_does_not_find_the_point_of_another_by_its_mpan(service: httpx.Client) -> None:
    for number in (KITE_POINT, FREE_POINT, 999):
        missing = service.post("/v1/metering-points/search", json={"mpan": mpan(number)})
        assert missing.status_code == HTTPStatus.NOT_FOUND


def test_market_wide_service_reads_every_point(api: Api) -> None:
    with api.service("SETL", "MDS") as client:
        for number in (*BOLT_POINTS, KITE_POINT, FREE_POINT):
            assert client.get(f"/v1/metering-points/{number}").status_code == HTTPStatus.OK


@pytest.mark.parametrize("golden_id", ["0", "x", "-1", str(2**63), "99999999999999999999999"])
def test_id_that_cannot_be_is_not_found(service: httpx.Client, golden_id: str) -> None:
    assert service.get(f"/v1/metering-points/{golden_id}").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("body", [{}, {"mpan": "1"}, {"mpan": 1}, {"mpan": mpan(1), "more": 1}, [], "x"])
def test_search_that_is_not_as_it_should_be_is_refused_without_repeating_it(service: httpx.Client, body: Any) -> None:
    refused = service.post("/v1/metering-points/search", json=body)
    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert mpan(1) not in refused.text


def test_reads_that_come_together_each_get_their_own_answer(api: Api) -> None:
    chance = random.Random(7)
    with api.steward() as masked, api.steward("golden:read-identified") as whole, api.service() as bolt:

        def read(_: int) -> None:
            client = chance.choice([masked, whole, bolt])
            number = chance.randint(1, 8)
            answer = client.get(f"/v1/metering-points/{number}")
            if number == 8 or (client is bolt and number not in BOLT_POINTS):
                assert answer.status_code == HTTPStatus.NOT_FOUND
                return
            assert answer.json()["items"]["mpan"] == ("***" if client is masked else mpan(number))

        with ThreadPoolExecutor(12) as pool:
            list(pool.map(read, range(300)))


def test_id_of_what_was_merged_away_leads_to_what_stands_for_it_until_it_is_split(api: Api) -> None:
    retired = METERS + 900
    market = api.market
    market.connection.execute(
        "insert into golden.golden_record (golden_id, entity, created_at) values (%s, 'meter', now())", [retired]
    )
    market.connection.execute(
        "insert into golden.redirect (golden_id, into_id, end_id, redirected_at) values (%s, %s, %s, now())",
        [retired, METERS + 1, METERS + 1],
    )
    with api.steward() as steward, api.service() as bolt, api.service("KITE") as kite:
        for client in (steward, bolt):
            answer = client.get(f"/v1/meters/{retired}")
            assert answer.status_code == HTTPStatus.PERMANENT_REDIRECT
            assert answer.headers["Location"] == f"/v1/meters/{METERS + 1}"
            assert client.get(f"/v1/meters/{retired}", follow_redirects=True).json()["golden_id"] == METERS + 1
        assert kite.get(f"/v1/meters/{retired}").status_code == HTTPStatus.NOT_FOUND
        assert steward.get(f"/v1/addresses/{retired}").status_code == HTTPStatus.NOT_FOUND
        market.put("meter", retired, metering_point_id=1)
        market.connection.execute("update golden.redirect set undone_at = now() where golden_id = %s", [retired])
        assert bolt.get(f"/v1/meters/{retired}").json()["golden_id"] == retired
