"""Four eyes: what is configured to want approval takes effect when another person approves it, and not before."""

from pathlib import Path

import pytest

from golden_records.catalogue import Classification
from mdm import db
from mdm.deciding import approving
from mdm.deciding.orders import About, Outdated
from mdm.stewardship import decisions
from mdm.stewardship.approvals import ApprovalsUnsound, Policy, load
from mdm.stewardship.decisions import Kind, OwnProposal, State, WrongState
from mdm.stewardship.queue import Filter
from tests.factories import address, mpan, point
from tests.integration.deciding.conftest import Desk, now

TAKES = Policy(kinds=frozenset({Kind.TAKE}))


def test_what_is_proposed_changes_nothing_until_another_approves_it(desk: Desk) -> None:
    task = desk.differ(1)
    before = desk.golden()
    proposed = desk.decide(Kind.TAKE, task, policy=TAKES, source="mds")
    assert (proposed.state, desk.golden(), desk.seen(task)) == (State.PROPOSED, before, task)

    approved = desk.approve(proposed, by="bob")

    assert (approved.state, approved.approved_by, desk.segment(1)) == (State.APPLIED, "bob", "A")
    assert desk.seen(task).closed_by == "ann"
    assert desk.hub.rows("select author from golden.override where decision_id = %s", approved.decision_id) == [
        ("ann",)
    ]


def test_whoever_proposed_it_cannot_approve_it(desk: Desk) -> None:
    proposed = desk.decide(Kind.TAKE, desk.differ(2), policy=TAKES, source="mds")
    with pytest.raises(OwnProposal):
        desk.approve(proposed, by="ann")
    assert desk.segment(2) == "S"
    assert decisions.get(desk.hub.connection, proposed.decision_id).state == State.PROPOSED


@pytest.mark.parametrize("source", ["smrs10", "mds"])
def test_what_has_changed_meanwhile_is_not_approved(desk: Desk, source: str) -> None:
    number = 3 if source == "mds" else 4
    proposed = desk.decide(Kind.TAKE, desk.differ(number), policy=TAKES, source="mds")
    desk.hub.change(source, point(mpan(number), "segment", market_segment="U"))
    before = desk.segment(number)
    with pytest.raises(Outdated):
        desk.approve(proposed)
    assert desk.segment(number) == before
    assert decisions.get(desk.hub.connection, proposed.decision_id).state == State.PROPOSED


def test_the_second_of_two_proposals_for_one_task_is_outdated(desk: Desk) -> None:
    task = desk.differ(5)
    proposed = [desk.decide(Kind.TAKE, task, policy=TAKES, source="mds") for _ in range(2)]
    desk.approve(proposed[0])
    with pytest.raises(Outdated):
        desk.approve(proposed[1])


def test_a_rejected_decision_is_over(desk: Desk) -> None:
    proposed = desk.decide(Kind.TAKE, desk.differ(6), policy=TAKES, source="mds")
    with db.transaction(desk.hub.connection):
        rejected = approving.reject(
            desk.hub.connection, proposed.decision_id, by="bob", at=now(), because="ask the owner first"
        )
    assert (rejected.state, rejected.rejected_because) == (State.REJECTED, "ask the owner first")
    with pytest.raises(WrongState):
        desk.approve(proposed)
    assert desk.segment(6) == "S"


def test_undoing_what_wanted_approval_wants_it_too(desk: Desk) -> None:
    applied = desk.approve(desk.decide(Kind.TAKE, desk.differ(7), policy=TAKES, source="mds"))
    undo = desk.undo(applied)
    assert (undo.state, desk.segment(7)) == (State.PROPOSED, "A")
    with pytest.raises(WrongState):
        desk.undo(applied, by="carl")
    desk.approve(undo)
    assert desk.segment(7) == "S"


def test_values_of_a_classification_want_approval_and_others_do_not(desk: Desk) -> None:
    personal = Policy(classifications=frozenset({Classification.PERSONAL}))
    desk.hub.change("smrs10", address(mpan(8), uprn="8", text="1 High Street"))
    golden_id = desk.hub.value("select golden_id from golden.address where uprn = '8'")
    assert isinstance(golden_id, int)
    lines = {"line_1": "2 High Street"}
    proposed = desk.decide(Kind.ENTER, About(golden_id=golden_id, item="line_1"), policy=personal, values=lines)
    assert proposed.wants_approval == "it sets values that are personal"
    desk.approve(proposed)
    assert desk.hub.value("select line_1 from golden.address where golden_id = %s", golden_id) == "2 High Street"
    assert desk.decide(Kind.TAKE, desk.differ(9), policy=personal, source="mds").state == State.APPLIED


def test_a_bulk_decision_above_a_size_wants_approval(desk: Desk) -> None:
    policy = Policy(bulk_above=2)
    for number in range(20, 23):
        desk.differ(number, "U", source="msa")
    proposed = desk.decide_bulk(Kind.TAKE, Filter(source="msa"), policy=policy, source="msa")
    assert (proposed.state, desk.segment(20)) == (State.PROPOSED, "S")
    desk.approve(proposed)
    assert [desk.segment(number) for number in range(20, 23)] == ["U"] * 3


def test_the_policy_is_read_from_a_file_and_told_when_it_is_unsound(tmp_path: Path) -> None:
    file = tmp_path / "approvals.yaml"
    file.write_text("classifications: [personal]\nbulk_above: 100\nkinds: [merge]\n")
    assert load(file) == Policy(
        classifications=frozenset({Classification.PERSONAL}), bulk_above=100, kinds=frozenset({Kind.MERGE})
    )
    assert load(None).wanted(Kind.MERGE, classified=[], tasks=1) is None
    file.write_text("bulk_over: 3\n")
    with pytest.raises(ApprovalsUnsound, match="bulk_over"):
        load(file)
