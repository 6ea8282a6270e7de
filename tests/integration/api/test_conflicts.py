"""Conflicts and the measure of consistency over HTTP, masked unless the key may see what identifies a person."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from golden_records import reference
from golden_records.reference import SourceSystem
from mdm import db
from tests.integration.api.conftest import Api

_OPEN = """
insert into golden.conflict (conflict_id, golden_id, item_group, item, source_id, change_id, value, owner_source_id,
                             owner_change_id, owner_value, owner, owner_participant, opened_at, visible_from, holders)
overriding system value
select 1000 + n, 5000 + n, case n %% 2 when 0 then 'address' else 'supplier' end,
       case n %% 2 when 0 then 'line_4' else 'supplier_mpid' end, %(copy)s, 0, '"COPY"', %(owner)s, 0, '"OWNER"',
       case n %% 2 when 0 then 'distributor' else 'registration' end, 'EELC', now() - n * interval '1 minute',
       now() + (15 - n) * interval '1 minute', array[%(copy)s, %(owner)s]::smallint[]
from generate_series(1, 20) n
"""
_CHANGE = """
update golden.conflict set history = '[{"value": "THEN", "change_id": 1, "owner_value": "OWNER", "owner_change_id": 2,
                                        "until": "2026-01-15T12:00:00+00:00"}]', version = 3 where conflict_id = 1002
"""


@pytest.fixture(scope="module", autouse=True)
def _conflicts(api: Api) -> None:
    connection = api.market.connection
    with db.transaction(connection):
        reference.write_catalogue(connection)
        copy = reference.register(connection, SourceSystem(name="mds", kind="MDS", participant="SETL"))
        owner = reference.register(connection, SourceSystem(name="smrs10", kind="SMRS", participant="EELC"))
        connection.execute(_OPEN, {"copy": copy, "owner": owner})
        connection.execute(_CHANGE)
        connection.execute(
            "update golden.conflict set accepted_until = now() + interval '1 day' where conflict_id = 1003"
        )
        connection.execute("update golden.conflict set closed_at = now(), outcome = 'agreed' where conflict_id = 1005")


@pytest.fixture(scope="module")
def steward(api: Api) -> Iterator[httpx.Client]:
    with api.steward("steward:read") as client:
        yield client


def ids(client: httpx.Client, **query: Any) -> list[int]:
    """Return the ids that all pages of a list give."""
    found: list[int] = []
    cursor = None
    while True:
        page = client.get("/v1/conflicts", params=query | ({"cursor": cursor} if cursor else {})).json()
        found += [each["conflict_id"] for each in page["conflicts"]]
        cursor = page["next"]
        if cursor is None:
            return found


def test_pages_follow_each_other_until_all_open_ones_are_told(steward: httpx.Client) -> None:
    expected = [1000 + n for n in range(1, 21) if n not in {3, 5}]
    assert ids(steward, limit=4) == ids(steward) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"state": "accepted"}, {3}),
        ({"state": "closed"}, {5}),
        ({"entity": "address"}, set(range(2, 21, 2))),
        ({"item": "supplier_mpid", "source": "mds"}, set(range(1, 21, 2)) - {3, 5}),
        ({"source": "smrs10"}, set()),
        ({"owner": "distributor"}, set(range(2, 21, 2))),
        ({"owner": "EELC", "golden_id": 5007}, {7}),
        ({"severity": "E"}, set()),
        ({"critical": True}, set(range(1, 21, 2)) - {3, 5}),
        ({"in_grace": True, "critical": False}, set(range(2, 15, 2))),
        ({"in_grace": False}, set(range(15, 21))),
    ],
)
def test_filters_choose(steward: httpx.Client, query: dict[str, Any], expected: set[int]) -> None:
    assert {each - 1000 for each in ids(steward, **query)} == expected


def test_age_chooses(steward: httpx.Client) -> None:
    opened = {each["conflict_id"]: each["opened_at"] for each in steward.get("/v1/conflicts").json()["conflicts"]}
    assert ids(steward, opened_before=opened[1018]) == [1019, 1020]


def test_a_conflict_is_told_masked_with_its_values_by_system_and_before(steward: httpx.Client) -> None:
    answer = steward.get("/v1/conflicts/1002")
    told = answer.json()

    assert answer.headers["etag"] == '"3-masked"'
    assert (told["rule"], told["severity"], told["masked"], told["grace_seconds"]) == (39, "W", True, 300.0)
    assert [(each["source"], each["value"]) for each in told["values"]] == [("smrs10", "***"), ("mds", "***")]
    assert [each["value"] for each in told["history"]] == ["***"]
    assert not any(word in answer.text for word in ("COPY", "OWNER", "THEN"))


def test_who_may_see_what_identifies_a_person_is_written_down(api: Api) -> None:
    with api.steward("steward:read", "golden:read-identified") as client:
        listed = client.get("/v1/conflicts", params={"golden_id": 5002}).json()["conflicts"]
        told = client.get("/v1/conflicts/1002")
        public = client.get("/v1/conflicts/1001").json()

    assert [each["copy"]["value"] for each in (*listed, told.json())] == ["COPY", "COPY"]
    assert (told.headers["etag"], told.json()["history"][0]["value"]) == ('"3"', "THEN")
    assert public["masked"] is False
    read = api.market.connection.execute(
        "select entity, golden_id from hub.access_log where golden_id > 5000"
    ).fetchall()
    assert read == [("address", 5002)] * 2


@pytest.mark.parametrize("path", ["/v1/conflicts", "/v1/conflicts/1002", "/v1/consistency"])
def test_the_scope_is_needed(api: Api, path: str) -> None:
    with api.steward("golden:read") as client:
        assert client.get(path).status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("query", ["cursor=x", "cursor=WyJhIl0", "opened_before=2026-01-15T12:00:00", "state=lost"])
def test_what_is_no_filter_is_refused(steward: httpx.Client, query: str) -> None:
    assert steward.get(f"/v1/conflicts?{query}").status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def test_an_unknown_conflict_is_not_found(steward: httpx.Client) -> None:
    answer = steward.get("/v1/conflicts/999999")
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert "GET /v1/conflicts" in answer.json()["detail"]


def test_consistency_is_told_by_item_and_pair_with_what_is_held_unknown_yet(steward: httpx.Client) -> None:
    told = steward.get("/v1/consistency", params={"entity": "address", "source": "mds"}).json()

    (pair,) = told["items"]
    assert (pair["item"], pair["kinds"], pair["differing"], pair["share"]) == ("lines", ["SMRS", "MDS"], 10, None)
    assert told["held_as_of"] is None
    assert steward.get("/v1/consistency", params={"item": "make"}).json()["items"] == []
