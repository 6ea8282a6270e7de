"""What a steward decides stays decided, and is undone without a trace in the golden records."""

from datetime import timedelta

import psycopg
import pytest

from golden_records import subjects
from mdm import db
from mdm.deciding import applying
from mdm.deciding.orders import About, Order, Outdated, Refused
from mdm.stewardship import approvals, decisions, tasks
from mdm.stewardship.decisions import Kind, Maker, State
from tests.factories import NOW, address, meter, mpan, point
from tests.integration.deciding.conftest import Desk, later, now


def test_a_sources_value_taken_stands_and_settles_the_task(desk: Desk) -> None:
    task = desk.differ(1)
    decision = desk.decide(Kind.TAKE, task, source="mds")

    assert (decision.state, desk.segment(1)) == (State.APPLIED, "A")
    settled = desk.seen(task)
    assert (settled.state, settled.outcome, settled.decision_id, settled.closed_by) == (
        "resolved",
        "decided",
        decision.decision_id,
        "ann",
    )
    assert desk.live(desk.golden_id(1)) == []


def test_the_owner_sending_the_same_again_opens_nothing(desk: Desk) -> None:
    task = desk.differ(2)
    desk.decide(Kind.TAKE, task, source="mds")
    desk.hub.change("smrs10", point(mpan(2), "segment", market_segment="S"))
    assert (desk.segment(2), desk.live(desk.golden_id(2))) == ("A", [])


def test_another_value_of_the_owner_opens_a_task_about_the_override(desk: Desk) -> None:
    task = desk.differ(3)
    desk.decide(Kind.TAKE, task, source="mds")
    desk.hub.change("smrs10", point(mpan(3), "segment", market_segment="U"))
    about = desk.task(desk.golden_id(3))
    assert (about.kind, about.item, about.owner, desk.segment(3)) == (
        subjects.Kind.OVERRIDE,
        "market_segment",
        "registration",
        "A",
    )
    desk.decide(Kind.TAKE, about, source="smrs10")
    assert (desk.segment(3), [task.kind for task in desk.live(desk.golden_id(3))]) == ("U", ["conflict"])


def test_undo_restores_exactly_the_state_before(desk: Desk) -> None:
    task = desk.differ(4)
    before = desk.golden()
    decision = desk.decide(Kind.TAKE, task, source="mds")
    assert desk.golden() != before

    undo = desk.undo(decision)

    assert desk.golden() == before
    assert decisions.get(desk.hub.connection, decision.decision_id).undone_by == undo.decision_id
    reopened = desk.task(desk.golden_id(4))
    assert (reopened.kind, reopened.item) == ("conflict", "market_segment")


def test_an_undo_is_undone_by_a_decision_of_its_own(desk: Desk) -> None:
    task = desk.differ(5)
    decision = desk.decide(Kind.TAKE, task, source="mds")
    after = desk.golden()
    undo = desk.undo(decision)

    again = desk.undo(undo)

    assert desk.golden() == after
    assert [decisions.get(desk.hub.connection, each.decision_id).state for each in (decision, undo, again)] == [
        State.UNDONE,
        State.UNDONE,
        State.APPLIED,
    ]


def test_a_decision_is_undone_once(desk: Desk) -> None:
    decision = desk.decide(Kind.TAKE, desk.differ(6), source="mds")
    desk.undo(decision)
    with pytest.raises(decisions.WrongState):
        desk.undo(decision)


def test_undo_brings_back_the_override_that_was_replaced(desk: Desk) -> None:
    first = desk.decide(Kind.TAKE, desk.differ(7), source="mds")
    before = desk.golden()
    ((override_id, version),) = desk.hub.rows(
        "select override_id, version from golden.override where decision_id = %s", first.decision_id
    )
    about = About(override_id=int(str(override_id)), version=int(str(version)))
    second = desk.decide(Kind.ENTER, about, values={"market_segment": "U"})
    assert desk.segment(7) == "U"
    with pytest.raises(Outdated):
        desk.undo(first)

    desk.undo(second)

    assert desk.golden() == before


def test_two_stewards_who_saw_the_same_task_decide_once(desk: Desk) -> None:
    task = desk.differ(8)
    desk.decide(Kind.TAKE, task, by="ann", source="mds")
    with pytest.raises(tasks.Stale):
        desk.decide(Kind.TAKE, task, by="bob", source="smrs10")
    assert desk.segment(8) == "A"


def test_a_standing_override_is_decided_on_only_as_it_was_seen(desk: Desk) -> None:
    desk.decide(Kind.TAKE, desk.differ(9), source="mds")
    with pytest.raises(Outdated):
        desk.decide(
            Kind.ENTER,
            About(golden_id=desk.golden_id(9), item="market_segment"),
            by="bob",
            values={"market_segment": "U"},
        )


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"market_segment": "Q"}, "market_segment: it is none of S, A, U"),
        ({"mpan_status": "R"}, "mpan_status: it is no item"),
        ({"market_segment": ""}, "market_segment: it is empty"),
        ({}, "Say which value"),
    ],
)
def test_a_value_that_the_catalogue_does_not_allow_is_refused(desk: Desk, values: dict[str, str], why: str) -> None:
    desk.hub.change("smrs10", point(mpan(10), "segment", market_segment="S"))
    with pytest.raises(Refused, match=why):
        desk.decide(Kind.ENTER, About(golden_id=desk.golden_id(10), item="market_segment"), values=values)


def test_a_value_that_a_rule_speaks_against_is_refused(desk: Desk) -> None:
    said = {"created_date": "2020-01-01"}
    desk.hub.change("smrs10", point(mpan(11), **said), meter(mpan(11), "L11"))
    meter_id = desk.hub.value("select golden_id from golden.meter where meter_id = 'L11'")
    assert isinstance(meter_id, int)
    with pytest.raises(Refused, match="rule 25"):
        desk.decide(
            Kind.ENTER,
            About(golden_id=meter_id, item="installation_date"),
            values={"installation_date": "2019-01-01"},
        )
    desk.decide(
        Kind.ENTER, About(golden_id=meter_id, item="installation_date"), values={"installation_date": "2021-01-01"}
    )
    assert str(desk.hub.value("select installation_date from golden.meter where golden_id = %s", meter_id)) == (
        "2021-01-01"
    )


def test_the_key_of_a_golden_record_is_not_overridden(desk: Desk) -> None:
    desk.hub.change("smrs10", point(mpan(12)))
    with pytest.raises(Refused, match="key"):
        desk.decide(Kind.ENTER, About(golden_id=desk.golden_id(12), item="mpan"), values={"mpan": mpan(13)})


def test_one_line_entered_of_an_address_leaves_the_others_as_they_are(desk: Desk) -> None:
    desk.hub.change("smrs10", address(mpan(14), uprn="14", text="1 High Street", line_2="Bath"))
    desk.hub.change("mds", address(mpan(14), uprn="14", text="1 High Street", line_2="Bristol"))
    golden_id = desk.hub.value("select golden_id from golden.address where uprn = '14'")
    assert isinstance(golden_id, int)
    before = desk.golden()
    decision = desk.decide(Kind.ENTER, desk.task(golden_id), values={"line_1": "2 High Street", "line_2": None})
    lines = "select line_1, line_2, postcode from golden.address where golden_id = %s"
    assert desk.hub.rows(lines, golden_id) == [("2 High Street", None, "BA1 1AA")]
    desk.undo(decision)
    assert desk.golden() == before


def test_taking_what_the_owner_says_overrides_nothing(desk: Desk) -> None:
    task = desk.differ(15)
    before = desk.golden()
    decision = desk.decide(Kind.TAKE, task, source="smrs10")
    assert desk.golden() == before
    assert desk.hub.value("select count(*) from golden.override where decision_id = %s", decision.decision_id) == 0
    assert desk.live(desk.golden_id(15)) == []
    desk.hub.change("mds", point(mpan(15), "segment", market_segment="U"))
    assert desk.task(desk.golden_id(15)).task_id == task.task_id


def test_a_difference_is_accepted_until_its_day(desk: Desk) -> None:
    task, until = desk.differ(16), later(days=7)
    desk.decide(Kind.ACCEPT, task, until=until)
    desk.hub.change("mds", point(mpan(16), "segment", market_segment="A"))
    assert desk.live(desk.golden_id(16)) == []

    desk.come_due(until - timedelta(seconds=1))
    before = desk.live(desk.golden_id(16))
    desk.come_due(until)

    assert before == []
    assert desk.task(desk.golden_id(16)).task_id == task.task_id


def test_an_accepted_difference_comes_back_when_a_value_changes(desk: Desk) -> None:
    task = desk.differ(17)
    desk.decide(Kind.ACCEPT, task, until=later(days=7))
    desk.hub.change("mds", point(mpan(17), "segment", market_segment="U"))
    assert desk.task(desk.golden_id(17)).task_id == task.task_id


def test_a_difference_is_not_accepted_for_the_past(desk: Desk) -> None:
    with pytest.raises(Refused):
        desk.decide(Kind.ACCEPT, desk.differ(18), until=now() - timedelta(days=1))


def test_accepting_and_dismissing_are_undone(desk: Desk) -> None:
    for number, kind in ((19, Kind.ACCEPT), (20, Kind.DISMISS)):
        task = desk.differ(number)
        undo = desk.undo(desk.decide(kind, task, until=later(days=7)))
        assert desk.task(desk.golden_id(number)).task_id == task.task_id
        desk.undo(undo)
        assert desk.live(desk.golden_id(number)) == []
    desk.come_due(later(days=8))
    assert [task.item for task in desk.live(desk.golden_id(19))] == ["market_segment"]


def test_a_dismissed_task_is_dismissed_by_the_decision(desk: Desk) -> None:
    task = desk.differ(21)
    decision = desk.decide(Kind.DISMISS, task)
    seen = desk.seen(task)
    assert (seen.state, seen.decision_id) == ("dismissed", decision.decision_id)


def test_a_decision_says_in_the_journal_what_a_replay_needs(desk: Desk) -> None:
    decision = desk.decide(Kind.TAKE, desk.differ(22), source="mds")
    payload = desk.hub.value(
        "select j.payload from golden.journal j join hub.decision d using (change_id) where d.decision_id = %s",
        decision.decision_id,
    )
    assert isinstance(payload, dict)
    (told,) = payload["decisions"]
    assert (payload["kind"], told["golden_id"], told["value"]) == (
        "take",
        desk.golden_id(22),
        {"market_segment": "A"},
    )


def test_an_override_with_an_end_and_a_review_keeps_them(desk: Desk) -> None:
    ends, review = later(days=30), later(days=10)
    desk.decide(Kind.TAKE, desk.differ(23), source="mds", expires_at=ends, review_at=review)
    golden_id = desk.golden_id(23)
    desk.come_due(review)
    about = desk.task(golden_id)
    desk.decide(Kind.REVIEW, about, review_at=later(days=20))
    assert desk.live(golden_id) == []
    desk.come_due(ends)
    assert desk.segment(23) == "S"
    desk.open_graced(ends + timedelta(minutes=5))
    assert [task.kind for task in desk.live(golden_id)] == ["conflict"]


def test_a_review_lets_an_override_stand_on_what_the_owner_says_now(desk: Desk) -> None:
    desk.decide(Kind.TAKE, desk.differ(24), source="mds")
    desk.hub.change("smrs10", point(mpan(24), "segment", market_segment="U"))
    decision = desk.decide(Kind.REVIEW, desk.task(desk.golden_id(24)))
    hidden = "select hidden_value, changed_at from golden.override where golden_id = %s"
    assert desk.hub.rows(hidden, desk.golden_id(24)) == [({"market_segment": "U"}, None)]
    desk.undo(decision)
    assert desk.hub.rows(hidden, desk.golden_id(24)) == [({"market_segment": "S"}, NOW)]
    assert desk.task(desk.golden_id(24)).kind == subjects.Kind.OVERRIDE


def test_an_override_that_is_ended_gives_the_owner_its_value_back_and_that_is_undone(desk: Desk) -> None:
    desk.decide(Kind.TAKE, desk.differ(25), source="mds")
    ((override_id, version),) = desk.hub.rows(
        "select override_id, version from golden.override where golden_id = %s", desk.golden_id(25)
    )
    before = desk.golden()
    ended = desk.decide(Kind.RETIRE, About(override_id=int(str(override_id)), version=int(str(version))))
    assert desk.segment(25) == "S"
    desk.undo(ended)
    assert desk.golden() == before


def test_a_reason_is_wanted(desk: Desk) -> None:
    task = desk.differ(26)
    order = Order(kind=Kind.DISMISS, about=About(task_id=task.task_id, version=task.version))
    with pytest.raises(psycopg.errors.CheckViolation), db.transaction(desk.hub.connection):
        applying.decide(desk.hub.connection, order, Maker(by="ann", reason="", at=now()), approvals.NONE)
    assert desk.seen(task) == task
