"""Tasks over HTTP: read, claimed and closed by whoever may, on the version that was seen, without what identifies."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from tests.factories import address, mpan
from tests.integration.api.conftest import Api
from tests.integration.stewardship.conftest import Desk, now


@pytest.fixture(scope="module")
def steward(api: Api) -> Iterator[httpx.Client]:
    with api.steward("steward:read", "steward:write") as client:
        yield client


@pytest.fixture(scope="module")
def whole(api: Api) -> Iterator[httpx.Client]:
    """A steward who may see what identifies a person."""
    with api.steward("steward:read", "golden:read-identified") as client:
        yield client


def post(
    client: httpx.Client, task_id: int, act: str, version: int, body: Any = None, **headers: str
) -> httpx.Response:
    return client.post(f"/v1/tasks/{task_id}/{act}", json=body, headers={"If-Match": f'"{version}"', **headers})


def reads(desk: Desk) -> list[tuple[Any, ...]]:
    return desk.hub.rows(
        "select action, entity, golden_id, kind, subject_id from hub.access_log"
        " where kind is not null order by access_id"
    )


def test_a_task_is_read_with_its_history_and_what_each_system_says(desk: Desk, steward: httpx.Client) -> None:
    task = desk.new()

    answer = steward.get(f"/v1/tasks/{task.task_id}")

    told = answer.json()
    assert (answer.headers["ETag"], told["version"], told["state"], told["owner"]) == ('"1"', 1, "open", "registration")
    assert [(said["source"], said["survives"], said["items"]) for said in told["says"]] == [
        ("smrs10", True, {"market_segment": "S"}),
        ("mds", False, {"market_segment": "A"}),
    ]
    assert all(said["table"] == "public.segment" and said["commit_lsn"] for said in told["says"])
    assert [event["event"] for event in told["history"]] == ["opened"]
    assert told["age_seconds"] > 0


def test_what_identifies_is_withheld_and_a_read_of_it_is_written_down(
    desk: Desk, steward: httpx.Client, whole: httpx.Client
) -> None:
    key = mpan(900)
    desk.hub.change("smrs10", address(key, uprn="900", text="1 OAK ROAD"))
    desk.hub.change("mds", address(key, uprn="900", text="2 OAK ROAD"))
    task_id = desk.hub.value("select max(task_id) from hub.task where item = 'line_1'")
    before = len(reads(desk))

    masked = steward.get(f"/v1/tasks/{task_id}")
    assert "OAK ROAD" not in masked.text
    assert key not in masked.text
    assert len(reads(desk)) == before
    seen = whole.get(f"/v1/tasks/{task_id}").json()

    assert [said["items"]["line_1"] for said in seen["says"]] == ["1 OAK ROAD", "2 OAK ROAD"]
    assert key in seen["says"][0]["key"]
    assert reads(desk)[before:] == [("read", "address", seen["golden_id"], "conflict", seen["subject_id"])]


def test_an_mpan_in_a_note_is_withheld_too(desk: Desk, steward: httpx.Client, whole: httpx.Client) -> None:
    task_id = desk.new().task_id
    answer = post(steward, task_id, "comment", 1, {"note": f"see {mpan(5)}"})
    assert answer.status_code == HTTPStatus.OK
    assert mpan(5) not in steward.get(f"/v1/tasks/{task_id}").text
    assert mpan(5) in whole.get(f"/v1/tasks/{task_id}").text


def test_a_claim_is_made_on_the_version_that_was_seen(desk: Desk, steward: httpx.Client) -> None:
    task_id = desk.new().task_id

    claimed = post(steward, task_id, "claim", 1)
    stale = post(steward, task_id, "release", 1)

    assert (claimed.status_code, claimed.headers["ETag"], claimed.json()["state"]) == (HTTPStatus.OK, '"2"', "claimed")
    assert claimed.json()["assignee"] == "test"
    assert stale.status_code == HTTPStatus.CONFLICT
    assert "version 2" in stale.json()["detail"]
    assert post(steward, task_id, "release", 2).json()["state"] == "open"


def test_a_task_lives_through_assignment_comment_and_resolution(desk: Desk, steward: httpx.Client) -> None:
    task_id = desk.new().task_id
    assert post(steward, task_id, "assign", 1, {"assignee": "test"}).json()["assignee"] == "test"
    assert post(steward, task_id, "comment", 2, {"note": "asked the supplier"}).json()["version"] == 3
    done = post(steward, task_id, "resolve", 3, {"note": "the supplier mended it"}).json()
    assert (done["state"], done["outcome"], done["closed_by"]) == ("resolved", "resolved", "test")
    assert post(steward, task_id, "dismiss", 4, {"note": "again"}).status_code == HTTPStatus.CONFLICT
    history = steward.get(f"/v1/tasks/{task_id}").json()["history"]
    assert [event["event"] for event in history] == ["opened", "assigned", "commented", "resolved"]


@pytest.mark.parametrize("act", ["resolve", "dismiss", "comment"])
@pytest.mark.parametrize("body", [None, {}, {"note": ""}, {"note": " "}, {"note": "x", "more": 1}])
def test_closing_needs_a_reason(desk: Desk, steward: httpx.Client, act: str, body: Any) -> None:
    task_id = desk.of_point(1_000).task_id
    refused = post(steward, task_id, act, 1, body)
    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert refused.headers["Content-Type"] == "application/problem+json"


def test_a_change_without_the_version_that_was_seen_is_refused(desk: Desk, steward: httpx.Client) -> None:
    task_id = desk.new().task_id
    refused = steward.post(f"/v1/tasks/{task_id}/claim")
    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert desk.task(task_id).version == 1


def test_a_change_sent_twice_under_its_key_is_made_once(desk: Desk, steward: httpx.Client) -> None:
    task_id = desk.new().task_id
    answers = [post(steward, task_id, "claim", 1, **{"Idempotency-Key": f"claim-{task_id}"}) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert desk.task(task_id).version == 2


def test_what_another_has_is_refused(desk: Desk, steward: httpx.Client) -> None:
    task_id = desk.new().task_id
    post(steward, task_id, "assign", 1, {"assignee": "ben"})
    refused = post(steward, task_id, "claim", 2)
    assert refused.status_code == HTTPStatus.CONFLICT
    assert "assigned to ben" in refused.json()["detail"]


def test_eight_clients_on_one_queue_each_get_tasks_of_their_own(desk: Desk, steward: httpx.Client) -> None:
    for _ in range(16):
        desk.new()
    with ThreadPoolExecutor(8) as threads:
        sent = [threads.submit(steward.post, "/v1/tasks/claim-next", json={"limit": 2}) for _ in range(8)]
        answers = [each.result() for each in sent]
    assert {answer.status_code for answer in answers} == {HTTPStatus.OK}
    claimed = [task["task_id"] for answer in answers for task in answer.json()["tasks"]]
    assert len(claimed) == len(set(claimed)) == 16


def test_where_nothing_is_free_the_next_is_none(steward: httpx.Client) -> None:
    answer = steward.post("/v1/tasks/claim-next", json={"owner": "nobody"})
    assert (answer.status_code, answer.json()) == (HTTPStatus.OK, {"tasks": []})


def test_pages_lead_on_to_the_end(desk: Desk, steward: httpx.Client) -> None:
    wanted = {desk.new().task_id for _ in range(5)}
    for sort in ("severity", "due", "age"):
        seen: list[int] = []
        place = {"sort": sort, "limit": "3"}
        while True:
            answer = steward.get("/v1/tasks", params=place).json()
            seen += [task["task_id"] for task in answer["tasks"]]
            if answer["next"] is None:
                break
            place["cursor"] = answer["next"]
        assert len(seen) == len(set(seen))
        assert wanted <= set(seen)


def test_closed_tasks_come_the_last_closed_first(desk: Desk, steward: httpx.Client) -> None:
    task_id = desk.new().task_id
    post(steward, task_id, "dismiss", 1, {"note": "nothing"})
    listed = steward.get("/v1/tasks", params={"state": "dismissed", "limit": 1}).json()["tasks"]
    assert [task["task_id"] for task in listed] == [task_id]


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "x"},
        {"cursor": "WyJhZ2UiLDEsMl0"},
        {"sort": "closed"},
        {"state": "resolved", "sort": "due"},
        {"state": "x"},
        {"kind": "x"},
        {"severity": "X"},
        {"limit": "0"},
        {"opened_before": "yesterday"},
        {"opened_before": "2026-01-01T00:00:00"},
    ],
)
def test_a_query_that_cannot_be_is_refused(steward: httpx.Client, query: dict[str, str]) -> None:
    refused = steward.get("/v1/tasks", params=query)
    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert refused.headers["Content-Type"] == "application/problem+json"


def test_an_overview_counts_what_waits(desk: Desk, steward: httpx.Client) -> None:
    desk.new()
    told = steward.get("/v1/tasks/summary").json()
    waiting = desk.listed(at=now())
    assert told["tasks"] == len(waiting) == sum(told["by_state"].values())
    assert told["by_owner"]["registration"] == sum(task.owner == "registration" for task in waiting)
    assert told["by_rule"] == {"39": len(waiting)}
    assert told["overdue"] == sum(task.due_at < now() for task in waiting)


def test_a_key_without_the_scope_is_refused(desk: Desk, api: Api) -> None:
    task_id = desk.new().task_id
    with api.steward("golden:read") as nobody, api.steward("steward:read") as reader:
        for path in ("/v1/tasks", "/v1/tasks/summary", f"/v1/tasks/{task_id}", "/v1/quarantine"):
            assert nobody.get(path).status_code == HTTPStatus.FORBIDDEN
            assert reader.get(path).status_code == HTTPStatus.OK
        assert post(reader, task_id, "claim", 1).status_code == HTTPStatus.FORBIDDEN
        assert reader.post("/v1/tasks/claim-next").status_code == HTTPStatus.FORBIDDEN
        assert reader.post("/v1/quarantine/1/retry").status_code == HTTPStatus.FORBIDDEN
    with api.client() as stranger:
        assert stranger.get("/v1/tasks").status_code == HTTPStatus.UNAUTHORIZED


def test_a_services_key_sees_no_tasks_whatever_its_scopes(api: Api) -> None:
    key = api.key("view:read", "steward:read", role="MSS", recipient="BOLT")
    with api.client(key) as client:
        assert client.get("/v1/tasks").status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("task_id", ["999999999", "0", "x", str(2**63)])
def test_a_task_that_is_none_is_not_found(steward: httpx.Client, task_id: str) -> None:
    assert steward.get(f"/v1/tasks/{task_id}").status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}
