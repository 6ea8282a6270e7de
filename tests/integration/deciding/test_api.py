"""Decisions over HTTP: on what was seen, once under their keys, approved by another, masked."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from mdm import app, db
from mdm.api import keys
from mdm.api.keys import Grant
from mdm.embedded import EmbeddedServer
from mdm.stewardship.approvals import Policy
from mdm.stewardship.tasks import Task
from tests import databases
from tests.conftest import HUB_TEMPLATE
from tests.factories import address, mpan, point
from tests.integration.api.conftest import Api, running
from tests.integration.deciding.conftest import Desk
from tests.integration.deciding.test_bulk_merges import houses, proposed, standing
from tests.integration.distribution.market import Market
from tests.integration.golden_records.conftest import open_hub_session

POLICY = Policy(bulk_above=50)
WRITE = ("steward:read", "steward:write")


@pytest.fixture(scope="module")
def served(hub_server: EmbeddedServer) -> Iterator[tuple[Api, Desk]]:
    """A hub of its own, served."""
    with databases.fresh(hub_server, prefix="hub", template=HUB_TEMPLATE) as dsn, db.connect(dsn) as connection:
        desk = Desk(dsn=dsn, hub=open_hub_session(connection))
        server = app.Server(app.create(dsn, policy=POLICY), host="127.0.0.1", port=0)
        with running(server):
            yield Api(url=server.url, market=Market(dsn=dsn, connection=connection), server=server), desk


@pytest.fixture(scope="module")
def api(served: tuple[Api, Desk]) -> Api:
    return served[0]


@pytest.fixture(scope="module")
def desk(served: tuple[Api, Desk]) -> Desk:
    return served[1]


@pytest.fixture(scope="module")
def ann(api: Api) -> Iterator[httpx.Client]:
    with api.client(api.key(*WRITE)) as client:
        yield client


def take(task: Task, **rest: Any) -> dict[str, Any]:
    body = {"kind": "take", "task_id": task.task_id, "version": task.version, "source": "mds", "reason": "seen"}
    return body | rest


def test_a_decision_is_made_read_listed_and_undone(desk: Desk, ann: httpx.Client) -> None:
    task = desk.differ(1)
    made = ann.post("/v1/decisions", json=take(task))
    assert (made.status_code, made.json()["state"], desk.segment(1)) == (HTTPStatus.CREATED, "applied", "A")
    decision_id = made.json()["decision_id"]
    read = ann.get(f"/v1/decisions/{decision_id}")
    assert (read.json()["terms"]["value"], read.headers["ETag"]) == ({"market_segment": "A"}, '"1"')

    undone = ann.post(f"/v1/decisions/{decision_id}/undo", json={"reason": "wrong"})

    assert (undone.status_code, undone.json()["undoes"], desk.segment(1)) == (HTTPStatus.CREATED, decision_id, "S")
    again = ann.post(f"/v1/decisions/{decision_id}/undo", json={"reason": "wrong"})
    assert again.status_code == HTTPStatus.CONFLICT
    first = ann.get("/v1/decisions", params={"limit": 1}).json()
    second = ann.get("/v1/decisions", params={"limit": 1, "cursor": first["next"]}).json()
    assert [page["decisions"][0]["decision_id"] for page in (first, second)] == [
        undone.json()["decision_id"],
        decision_id,
    ]


def test_what_was_not_seen_is_not_decided_on(desk: Desk, ann: httpx.Client) -> None:
    task = desk.differ(2)
    assert ann.post("/v1/decisions", json=take(task, version=7)).status_code == HTTPStatus.CONFLICT
    assert ann.post("/v1/decisions", json=take(task, version=None)).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert ann.post("/v1/decisions", json=take(task, reason=" ")).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert desk.segment(2) == "S"


def test_eight_who_saw_one_task_decide_once(api: Api, desk: Desk) -> None:
    task = desk.differ(3)
    with api.client(api.key(*WRITE)) as client, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.post("/v1/decisions", json=take(task)).status_code, range(8)))
    assert sorted(answers) == [HTTPStatus.CREATED] + [HTTPStatus.CONFLICT] * 7


def test_a_decision_sent_again_under_its_key_is_made_once(desk: Desk, ann: httpx.Client) -> None:
    task = desk.differ(4)
    answers = [ann.post("/v1/decisions", json=take(task), headers={"Idempotency-Key": "four"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [HTTPStatus.CREATED] * 2
    assert answers[0].json() == answers[1].json()


def test_a_value_that_cannot_stand_is_refused_with_what_is_wrong(desk: Desk, ann: httpx.Client) -> None:
    task = desk.differ(5)
    body = take(task, kind="enter", source=None, values={"market_segment": "Q"})
    answer = ann.post("/v1/decisions", json=body)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "market_segment: it is none of S, A, U" in answer.json()["detail"]


def test_what_identifies_is_withheld_and_its_read_written_down(api: Api, desk: Desk, ann: httpx.Client) -> None:
    desk.hub.change("smrs10", address(mpan(6), uprn="6", text="6 Elm Road"))
    golden_id = desk.hub.value("select golden_id from golden.address where uprn = '6'")
    body = {
        "kind": "enter",
        "golden_id": golden_id,
        "item": "line_1",
        "values": {"line_1": "7 Elm Road"},
        "reason": f"as {mpan(6)} says",
    }
    made = ann.post("/v1/decisions", json=body)
    override_id = made.json()["effect"]["made"][0]
    masked = [made, ann.get(f"/v1/decisions/{made.json()['decision_id']}"), ann.get(f"/v1/overrides/{override_id}")]
    assert not [answer.text for answer in masked if "Elm" in answer.text or mpan(6) in answer.text]
    with api.client(api.key("steward:read", "golden:read-identified")) as whole:
        assert whole.get(f"/v1/overrides/{override_id}").json()["value"]["line_1"] == "7 Elm Road"
    written = desk.hub.rows("select kind, subject_id, golden_id from hub.access_log order by access_id desc limit 1")
    assert written == [("override", override_id, golden_id)]


def test_overrides_that_hide_a_changed_value_are_listed_and_retired_as_they_were_seen(
    desk: Desk, ann: httpx.Client
) -> None:
    made = [ann.post("/v1/decisions", json=take(desk.differ(number))).json() for number in (7, 8)]
    desk.hub.change("smrs10", point(mpan(8), "segment", market_segment="U"))
    (listed,) = ann.get("/v1/overrides", params={"hides_changed": True}).json()["overrides"]
    assert (listed["override_id"], listed["owner_value"], listed["owner_source"]) == (
        made[1]["effect"]["made"][0],
        {"market_segment": "U"},
        "smrs10",
    )
    path = f"/v1/overrides/{listed['override_id']}"
    reason = {"reason": "the owner is right"}
    stale = ann.post(f"{path}/retire", json=reason, headers={"If-Match": '"99"'})
    assert stale.status_code == HTTPStatus.CONFLICT
    tag = ann.get(path).headers["ETag"]
    assert ann.post(f"{path}/review", json=reason, headers={"If-Match": tag}).status_code == HTTPStatus.CREATED
    assert ann.get("/v1/overrides", params={"hides_changed": True}).json()["overrides"] == []
    tag = ann.get(path).headers["ETag"]
    assert ann.post(f"{path}/retire", json=reason, headers={"If-Match": tag}).status_code == HTTPStatus.CREATED
    assert desk.segment(8) == "U"
    assert ann.get(path).json()["retired_why"] == "ended"


def test_a_bulk_decision_is_tried_proposed_approved_and_undone(api: Api, desk: Desk, ann: httpx.Client) -> None:
    desk.differ_many(range(100, 160), source="mss")
    body = {"kind": "take", "source": "mss", "filter": {"source": "mss"}, "reason": "seen"}
    trial = ann.post("/v1/decisions/bulk", json=body | {"dry_run": True})
    assert (trial.status_code, trial.json()["tasks"], desk.segment(100)) == (HTTPStatus.OK, 60, "S")
    assert trial.json()["wants_approval"]
    proposed = ann.post("/v1/decisions/bulk", json=body).json()
    assert (proposed["state"], desk.segment(100)) == ("proposed", "S")
    waiting = ann.get("/v1/decisions", params={"state": "proposed"}).json()["decisions"]
    assert [each["decision_id"] for each in waiting] == [proposed["decision_id"]]
    path = f"/v1/decisions/{proposed['decision_id']}"
    assert ann.post(f"{path}/approve").status_code == HTTPStatus.FORBIDDEN

    with api.client(_named(api, "ben", "steward:approve")) as ben:
        assert ben.post(f"{path}/approve").json()["approved_by"] == "ben"

    assert desk.segment(159) == "U"
    parts = ann.get("/v1/decisions", params={"parent_id": proposed["decision_id"], "limit": 100}).json()["decisions"]
    assert len(parts) == 60


def test_many_matches_are_merged_as_one_and_split_by_its_undo(desk: Desk, ann: httpx.Client) -> None:
    a, b, c = ids = houses(desk, 300, 3)
    matches = proposed(desk, (a, b), (b, c))
    body = {"kind": "merge", "filter": {"kind": "match", "entity": "address"}, "reason": "one house"}
    trial = ann.post("/v1/decisions/bulk", json=body | {"dry_run": True}).json()
    assert (trial["tasks"], trial["refused"], standing(desk, ids)) == (2, 0, ids)
    assert {each["match_id"]: each["becomes"] for each in trial["examples"]} == {
        each: {"address": a} for each in matches
    }
    made = ann.post("/v1/decisions/bulk", json=body)
    assert (made.status_code, standing(desk, ids)) == (HTTPStatus.CREATED, [a])
    undo = ann.post(f"/v1/decisions/{made.json()['decision_id']}/undo", json={"reason": "three houses"})
    assert (undo.status_code, standing(desk, ids)) == (HTTPStatus.CREATED, ids)
    split = ann.post("/v1/decisions/bulk", json=body | {"kind": "split"})
    assert (split.status_code, "one at a time" in split.json()["detail"]) == (HTTPStatus.UNPROCESSABLE_ENTITY, True)


def test_whoever_proposed_cannot_approve_whatever_scopes_they_have(api: Api, desk: Desk) -> None:
    desk.differ_many(range(200, 251), source="msa")
    body = {"kind": "dismiss", "filter": {"source": "msa"}, "reason": "seen"}
    with api.client(_named(api, "carl", *WRITE, "steward:approve")) as carl:
        path = f"/v1/decisions/{carl.post('/v1/decisions/bulk', json=body).json()['decision_id']}"
        assert carl.post(f"{path}/approve").status_code == HTTPStatus.FORBIDDEN
        assert carl.post(f"{path}/reject", json={"reason": "on second thoughts"}).json()["state"] == "rejected"
        assert carl.post(f"{path}/approve").status_code == HTTPStatus.CONFLICT


def test_an_owner_reads_its_own_corrections_and_replies(api: Api, desk: Desk, ann: httpx.Client) -> None:
    task = desk.differ(9)
    asked = ann.post("/v1/decisions", json=take(task, kind="ask")).json()
    reference = f"CR-{asked['decision_id']:09}"
    own = api.key("correction:reply", role="SMRS", recipient="EELC")
    other = api.key("correction:reply", role="SMRS", recipient="SOUT")
    with api.client(own) as owner, api.client(other) as stranger:
        view = owner.get("/v1/corrections").json()
        assert [(entry["sequence"], entry["reference"]) for entry in view["entries"]] == [(1, reference)]
        assert owner.get("/v1/corrections", params={"after": view["last"]}).json()["entries"] == []
        assert stranger.get("/v1/corrections").json()["entries"] == []
        said = {"state": "accepted", "sender_reference": "E-1", "text": "on Monday"}
        path = f"/v1/corrections/{reference}/reply"
        assert stranger.post(path, json=said).status_code == HTTPStatus.NOT_FOUND
        assert owner.post(path, json=said).json()["state"] == "accepted"
        assert owner.post(path, json=said).status_code == HTTPStatus.CONFLICT
    listed = ann.get("/v1/corrections", params={"state": "accepted"}).json()["corrections"]
    assert [each["reference"] for each in listed] == [reference]


def test_a_reader_decides_nothing(api: Api, desk: Desk) -> None:
    task = desk.differ(10)
    with api.client(api.key("steward:read")) as reader:
        assert reader.post("/v1/decisions", json=take(task)).status_code == HTTPStatus.FORBIDDEN
        assert reader.get("/v1/decisions/999999").status_code == HTTPStatus.NOT_FOUND
        assert reader.get("/v1/overrides/999999").status_code == HTTPStatus.NOT_FOUND
    with api.service() as service:
        assert service.get("/v1/decisions").status_code == HTTPStatus.FORBIDDEN
        assert service.get("/v1/corrections").status_code == HTTPStatus.FORBIDDEN


def _named(api: Api, name: str, *scopes: str) -> str:
    grant = Grant.parse(name=name, purpose="test", scopes=scopes, role=None, recipient=None, expires_at=None)
    with db.transaction(api.market.connection):
        return keys.create(api.market.connection, grant)
