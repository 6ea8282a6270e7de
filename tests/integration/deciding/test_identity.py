"""Merges, splits and what is no match are decisions as others are: undone without a trace, with four eyes."""

import pytest

from golden_records import match_states
from golden_records.match_states import MatchState
from mdm import db, parts
from mdm.deciding.orders import About, Outdated, Refused
from mdm.stewardship import opening
from mdm.stewardship.approvals import Policy
from mdm.stewardship.decisions import Kind, State
from tests.factories import address, mpan
from tests.integration.deciding.conftest import Desk


def two_addresses(desk: Desk, number: int) -> tuple[int, int]:
    """Let two points lie at addresses of their own; return their golden ids, ascending."""
    for each in (number, number + 1):
        desk.hub.change("smrs10", address(mpan(each), uprn=str(each), text=f"{each} Oak Road"))
    rows = desk.hub.rows(
        "select golden_id from golden.address where uprn = any (%s) order by 1", [str(number), str(number + 1)]
    )
    return int(str(rows[0][0])), int(str(rows[1][0]))


def match(desk: Desk, pair: tuple[int, int]) -> int:
    """Propose a pair, as a run of matching does."""
    row = desk.hub.value(
        "insert into golden.match (kind, entity, left_id, right_id, score, explanation, facts, state, candidates,"
        " is_limited, found_at, state_at)"
        " values ('possible', 'address', %s, %s, 90, '{}', 'f', 'open', 1, false, now(), now()) returning match_id",
        *pair,
    )
    return int(str(row))


def addresses(desk: Desk, pair: tuple[int, int]) -> list[tuple[object, ...]]:
    return desk.hub.rows("select golden_id from golden.address where golden_id = any (%s) order by 1", list(pair))


def state(desk: Desk, match_id: int) -> str:
    found = match_states.find(desk.hub.connection, match_id)
    assert found is not None
    return found.state


def test_a_merge_is_undone_and_its_undo_too(desk: Desk) -> None:
    pair = two_addresses(desk, 10)
    before = desk.golden()
    merged = desk.decide(Kind.MERGE, About(golden_id=pair[1]), into=pair[0])
    assert addresses(desk, pair) == [(pair[0],)]
    after = desk.golden()
    undo = desk.undo(merged)
    assert desk.golden() == before
    desk.undo(undo)
    assert desk.golden() == after


def test_a_split_is_a_decision_too(desk: Desk) -> None:
    pair = two_addresses(desk, 20)
    before = desk.golden()
    desk.decide(Kind.MERGE, About(golden_id=pair[1]), into=pair[0])
    split = desk.decide(Kind.SPLIT, About(golden_id=pair[1]))
    assert desk.golden() == before
    desk.undo(split)
    assert addresses(desk, pair) == [(pair[0],)]
    with pytest.raises(Refused):
        desk.decide(Kind.SPLIT, About(golden_id=pair[0]))


def test_an_override_goes_with_a_merge_and_comes_back_with_the_split(desk: Desk) -> None:
    pair = two_addresses(desk, 30)
    desk.decide(Kind.ENTER, About(golden_id=pair[1], item="line_1"), values={"line_1": "The Barn"})
    before = desk.golden()
    merged = desk.decide(Kind.MERGE, About(golden_id=pair[1]), into=pair[0])
    line = "select line_1 from golden.address where golden_id = %s"
    assert desk.hub.value(line, pair[0]) == "The Barn"
    ((override_id, version),) = desk.hub.rows(
        "select override_id, version from golden.override where golden_id = %s", pair[1]
    )
    about = About(override_id=int(str(override_id)), version=int(str(version)))
    ended = desk.decide(Kind.RETIRE, about)
    assert desk.hub.value(line, pair[0]) == "31 Oak Road"
    desk.undo(ended)
    assert desk.hub.value(line, pair[0]) == "The Barn"
    desk.undo(merged)
    assert desk.golden() == before


def test_a_match_is_merged_on_the_version_that_was_seen(desk: Desk) -> None:
    pair = two_addresses(desk, 40)
    match_id = match(desk, pair)
    with pytest.raises(Outdated):
        desk.decide(Kind.MERGE, About(match_id=match_id, version=9))
    merged = desk.decide(Kind.MERGE, About(match_id=match_id, version=1))
    assert (addresses(desk, pair), state(desk, match_id)) == ([(pair[0],)], MatchState.MERGED)
    desk.undo(merged)
    assert state(desk, match_id) == MatchState.OPEN


def test_what_is_no_match_is_one_again_when_that_is_undone(desk: Desk) -> None:
    pair = two_addresses(desk, 50)
    match_id = match(desk, pair)
    decision = desk.decide(Kind.NOT_A_MATCH, About(match_id=match_id, version=1))
    assert state(desk, match_id) == MatchState.NOT_A_MATCH
    undo = desk.undo(decision)
    assert state(desk, match_id) == MatchState.OPEN
    desk.undo(undo)
    assert state(desk, match_id) == MatchState.NOT_A_MATCH


def test_a_merge_waits_for_approval_where_that_is_wanted(desk: Desk) -> None:
    pair = two_addresses(desk, 60)
    match_id = match(desk, pair)
    policy = Policy(kinds=frozenset({Kind.MERGE}))
    proposed = desk.decide(Kind.MERGE, About(match_id=match_id, version=1), policy=policy)
    assert (proposed.state, len(addresses(desk, pair))) == (State.PROPOSED, 2)
    assert desk.approve(proposed).state == State.APPLIED
    assert addresses(desk, pair) == [(pair[0],)]


def test_a_match_settled_meanwhile_is_not_merged_by_a_late_approval(desk: Desk) -> None:
    pair = two_addresses(desk, 70)
    match_id = match(desk, pair)
    policy = Policy(kinds=frozenset({Kind.MERGE}))
    proposed = desk.decide(Kind.MERGE, About(match_id=match_id, version=1), policy=policy)
    desk.decide(Kind.NOT_A_MATCH, About(match_id=match_id, version=1))
    with pytest.raises(Outdated):
        desk.approve(proposed)
    assert len(addresses(desk, pair)) == 2


def note(desk: Desk, match_id: int) -> None:
    """Let a match have its task."""
    with db.transaction(desk.hub.connection):
        parts.prepare(desk.hub.connection)
        desk.hub.connection.execute("insert into stage_subject values ('match', %s, true)", [match_id])
        opening.follow(desk.hub.connection)


def test_a_match_is_a_task_that_a_decision_settles(desk: Desk) -> None:
    pair = two_addresses(desk, 80)
    match_id = match(desk, pair)
    note(desk, match_id)
    task = desk.task(pair[0])
    desk.decide(Kind.NOT_A_MATCH, task)
    assert (desk.live(pair[0]), state(desk, match_id)) == ([], MatchState.NOT_A_MATCH)


@pytest.mark.parametrize(("kind", "number"), [(Kind.MERGE, 90), (Kind.NOT_A_MATCH, 94)])
def test_the_task_of_a_match_closes_when_the_match_is_decided_on_and_opens_when_that_is_undone(
    desk: Desk, kind: Kind, number: int
) -> None:
    pair = two_addresses(desk, number)
    match_id = match(desk, pair)
    note(desk, match_id)
    decision = desk.decide(kind, About(match_id=match_id, version=1))
    assert desk.live(pair[0]) == []
    desk.undo(decision)
    assert [task.subject_id for task in desk.live(pair[0])] == [match_id]


def test_a_split_leaves_what_stays_merged_below_it_settled(desk: Desk) -> None:
    (a, b), (c, _) = two_addresses(desk, 96), two_addresses(desk, 98)
    upper, lower = match(desk, (a, b)), match(desk, (b, c))
    desk.decide(Kind.MERGE, About(match_id=lower, version=1))
    desk.decide(Kind.MERGE, About(match_id=upper, version=1))
    desk.decide(Kind.SPLIT, About(golden_id=b))
    assert (state(desk, upper), state(desk, lower)) == (MatchState.OPEN, MatchState.MERGED)
