"""Many matches merged by one decision: pairs that share golden records together, all or none, undone as one."""

from collections.abc import Sequence

import pytest

from golden_records import match_states
from golden_records.match_states import MatchState
from golden_records.subjects import Kind as Subject
from mdm import db, parts
from mdm.deciding import bulk
from mdm.deciding.bulk import Trial, Wanted
from mdm.deciding.orders import Outdated, Refused, Terms
from mdm.stewardship import approvals, decisions, opening
from mdm.stewardship.approvals import Policy
from mdm.stewardship.decisions import Kind, State
from mdm.stewardship.queue import Filter
from mdm.stewardship.tasks import Task
from tests.factories import address, mpan
from tests.integration.deciding.conftest import Desk, maker
from tests.integration.deciding.test_identity import match, state

OF_MATCHES = Filter(kind=Subject.MATCH)


@pytest.fixture(autouse=True)
def no_other_matches(desk: Desk) -> None:
    """Let each test have the matches that it proposes alone."""
    desk.hub.connection.execute("delete from hub.task; delete from golden.match")


def houses(desk: Desk, first: int, count: int) -> list[int]:
    """Let so many points lie at addresses of their own; return the addresses' golden ids, ascending."""
    numbers = range(first, first + count)
    for each in numbers:
        desk.hub.change("smrs10", address(mpan(each), uprn=str(each), text=f"{each} Oak Road"))
    query = "select golden_id from golden.address where uprn = any (%s) order by 1"
    return [int(str(row[0])) for row in desk.hub.rows(query, [str(each) for each in numbers])]


def proposed(desk: Desk, *pairs: tuple[int, int]) -> list[int]:
    """Propose pairs, each with a task, as a run of matching does."""
    ids = [match(desk, pair) for pair in pairs]
    with db.transaction(desk.hub.connection):
        parts.prepare(desk.hub.connection)
        for match_id in ids:
            desk.hub.connection.execute("insert into stage_subject values ('match', %s, true)", [match_id])
        opening.follow(desk.hub.connection)
    return ids


def standing(desk: Desk, ids: Sequence[int]) -> list[object]:
    query = "select golden_id from golden.address where golden_id = any (%s) order by 1"
    return [row[0] for row in desk.hub.rows(query, list(ids))]


def live(desk: Desk) -> list[object]:
    """Return the matches whose tasks are open."""
    return [row[0] for row in desk.hub.rows("select subject_id from hub.task where closed_at is null order by 1")]


def attempt(desk: Desk, kind: Kind = Kind.MERGE) -> Trial:
    with db.transaction(desk.hub.connection):
        wanted = Wanted(kind=kind, terms=Terms(), chosen=OF_MATCHES)
        return bulk.attempt(desk.hub.connection, wanted, maker("ann"), approvals.NONE)


def test_each_pair_is_merged_and_one_undo_splits_them_all(desk: Desk) -> None:
    a, b, c, d = ids = houses(desk, 600, 4)
    matches = proposed(desk, (a, b), (c, d))
    before = desk.golden()
    trial = attempt(desk)
    assert (trial.tasks, trial.items, trial.refused, standing(desk, ids)) == (2, 2, 0, ids)
    decision = desk.decide_bulk(Kind.MERGE, OF_MATCHES)
    assert (standing(desk, ids), live(desk)) == ([a, c], [])
    assert {state(desk, each) for each in matches} == {MatchState.MERGED}
    after = desk.golden()
    undo = desk.undo(decision)
    assert (desk.golden(), live(desk)) == (before, matches)
    desk.undo(undo)
    assert (desk.golden(), live(desk)) == (after, [])


@pytest.mark.parametrize("at_once", [1, 2_000])
def test_pairs_that_share_golden_records_go_together(desk: Desk, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mdm.deciding.applying.AT_ONCE", at_once)
    a, b, c, d = ids = houses(desk, 610 + at_once // 200, 4)
    matches = proposed(desk, (b, c), (a, d), (c, d), (a, b))  # a ring: three merges join the four
    before = desk.golden()
    decision = desk.decide_bulk(Kind.MERGE, OF_MATCHES)
    assert (standing(desk, ids), live(desk)) == ([a], [])
    assert {state(desk, each) for each in matches} == {MatchState.MERGED}
    after = desk.golden()
    undo = desk.undo(decision)
    assert (desk.golden(), live(desk)) == (before, matches)
    desk.undo(undo)
    assert desk.golden() == after


def test_what_was_taken_for_no_match_is_not_joined_by_way_of_others(desk: Desk) -> None:
    a, b, c, d, e = ids = houses(desk, 640, 5)
    apart, _, _, _ = proposed(desk, (a, c), (a, b), (b, c), (d, e))
    desk.decide(Kind.NOT_A_MATCH, task_of(desk, apart))
    trial = attempt(desk)
    assert (trial.tasks, trial.items, trial.refused) == (3, 1, 2)
    assert str(a) in trial.refusals[0].why
    with pytest.raises(Refused, match="2 of 3 items"):
        desk.decide_bulk(Kind.MERGE, OF_MATCHES)
    assert standing(desk, ids) == ids


def test_crossed_meters_and_tasks_about_values_are_refused_each_with_its_reason(desk: Desk) -> None:
    a, b = houses(desk, 650, 2)
    (match_id,) = proposed(desk, (a, b))
    desk.hub.connection.execute("update golden.match set kind = 'crossed' where match_id = %s", [match_id])
    desk.differ(655)
    with db.transaction(desk.hub.connection):
        wanted = Wanted(kind=Kind.MERGE, terms=Terms(), chosen=Filter())
        trial = bulk.attempt(desk.hub.connection, wanted, maker("ann"), approvals.NONE)
    told = " ".join(each.why for each in trial.refusals)
    assert (trial.items, "are crossed" in told, "about no match" in told) == (0, True, True)
    with pytest.raises(Refused, match="one at a time"):
        desk.decide_bulk(Kind.SPLIT, OF_MATCHES)


def test_many_are_taken_for_no_match_and_proposed_again_by_an_undo(desk: Desk) -> None:
    a, b, c = houses(desk, 660, 3)
    matches = proposed(desk, (a, b), (b, c))
    decision = desk.decide_bulk(Kind.NOT_A_MATCH, OF_MATCHES)
    assert ({state(desk, each) for each in matches}, live(desk)) == ({MatchState.NOT_A_MATCH}, [])
    desk.undo(decision)
    assert live(desk) == matches


def test_many_merges_wait_for_approval_and_are_refused_when_what_they_join_was_told_apart(desk: Desk) -> None:
    policy = Policy(bulk_above=1)
    a, b, c = ids = houses(desk, 670, 3)
    proposed(desk, (a, b), (b, c))
    waiting = desk.decide_bulk(Kind.MERGE, OF_MATCHES, policy=policy)
    assert (waiting.state, standing(desk, ids)) == (State.PROPOSED, ids)
    apart = match(desk, (a, c))
    with db.transaction(desk.hub.connection):
        parts.prepare(desk.hub.connection)
        assert match_states.set_state(
            desk.hub.connection, apart, MatchState.NOT_A_MATCH, version=1, now=maker("ann").at
        )
    with pytest.raises(Outdated, match="no match"):
        desk.approve(waiting)
    desk.hub.connection.execute("delete from golden.match where match_id = %s", [apart])
    assert desk.approve(waiting).state == State.APPLIED
    assert standing(desk, ids) == [a]


def test_a_part_undone_alone_leaves_the_others_merged(desk: Desk) -> None:
    a, b, c = ids = houses(desk, 680, 3)
    first, second = proposed(desk, (a, b), (b, c))
    decision = desk.decide_bulk(Kind.MERGE, OF_MATCHES)
    parts = {part.payload["match_id"]: part for part in decisions.list_parts(desk.hub.connection, decision.decision_id)}
    desk.undo(parts[first])
    assert (standing(desk, ids), state(desk, second)) == ([a, b], MatchState.MERGED)
    desk.undo(decision)
    assert standing(desk, ids) == ids


def task_of(desk: Desk, match_id: int) -> Task:
    task_id = desk.hub.value("select task_id from hub.task where kind = 'match' and subject_id = %s", match_id)
    golden_id = desk.hub.value("select golden_id from hub.task where task_id = %s", task_id)
    return next(task for task in desk.live(int(str(golden_id))) if task.task_id == task_id)
