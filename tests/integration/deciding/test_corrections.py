"""Owners are asked to correct, reply, and the request closes itself when their value is the one asked for."""

import pytest

from golden_records import rows
from mdm import db
from mdm.deciding import replying
from mdm.deciding.orders import Refused
from mdm.stewardship import corrections
from mdm.stewardship.corrections import Correction, Entry, Reply, State
from mdm.stewardship.decisions import Kind
from tests.factories import mpan, point
from tests.integration.deciding.conftest import Desk, now


def ask(desk: Desk, number: int) -> Correction:
    """Ask the owner of a point's segment to say what the copy says."""
    decision = desk.decide(Kind.ASK, desk.differ(number), source="mds")
    return corrections.get(desk.hub.connection, f"CR-{decision.decision_id:09}")


def seen(desk: Desk, asked: Correction) -> Correction:
    return corrections.get(desk.hub.connection, asked.reference)


def reply(desk: Desk, asked: Correction, state: State, reference: str) -> None:
    with db.transaction(desk.hub.connection):
        said = Reply(state=state, sender_reference=reference, text="we look into it")
        replying.reply(desk.hub.connection, asked, said, at=now())


def view(desk: Desk, after: int = 0) -> list[Entry]:
    return rows.ask(desk.hub.connection, corrections.view("EELC", after=after, limit=100))


def test_the_owner_is_asked_for_the_value_and_the_task_is_settled(desk: Desk) -> None:
    asked = ask(desk, 1)
    assert (asked.recipient, asked.source, asked.state) == ("EELC", "smrs10", State.OPEN)
    assert (asked.held_value, asked.asked_value) == ({"market_segment": "S"}, {"market_segment": "A"})
    assert desk.live(desk.golden_id(1)) == []
    assert desk.segment(1) == "S"


def test_it_closes_itself_when_the_owner_says_what_was_asked_for(desk: Desk) -> None:
    asked = ask(desk, 2)
    desk.hub.change("smrs10", point(mpan(2), "segment", market_segment="U"))
    assert seen(desk, asked).state == State.OPEN
    desk.hub.change("mds", point(mpan(2), "segment", market_segment="A"))
    assert seen(desk, asked).state == State.OPEN
    desk.hub.change("smrs10", point(mpan(2), "segment", market_segment="A"))
    assert seen(desk, asked).state == State.CORRECTED
    assert desk.segment(2) == "A"


def test_each_change_of_state_is_an_entry_of_the_owners_view_numbered_densely(desk: Desk) -> None:
    before = len(view(desk))
    first, second = ask(desk, 3), ask(desk, 4)
    reply(desk, first, State.ACCEPTED, "R-3")
    entries = view(desk, after=before)
    assert [(entry.sequence - before, entry.reference, entry.entered) for entry in entries] == [
        (1, first.reference, "open"),
        (2, second.reference, "open"),
        (3, first.reference, "accepted"),
    ]
    assert rows.ask(desk.hub.connection, corrections.view("SOUT", after=0, limit=100)) == []


def test_a_rejected_request_opens_the_task_again(desk: Desk) -> None:
    asked = ask(desk, 5)
    reply(desk, asked, State.REJECTED, "R-5")
    task = desk.task(desk.golden_id(5))
    assert (task.task_id, seen(desk, asked).reply) == (asked.task_id, "we look into it")


def test_a_sender_reference_is_not_used_twice(desk: Desk) -> None:
    first, second = ask(desk, 6), ask(desk, 7)
    reply(desk, first, State.ACCEPTED, "R-6")
    with pytest.raises(corrections.ReferenceUsed):
        reply(desk, second, State.ACCEPTED, "R-6")
    assert seen(desk, second).state == State.OPEN


def test_there_is_no_reply_to_what_is_closed(desk: Desk) -> None:
    asked = ask(desk, 8)
    reply(desk, asked, State.REJECTED, "R-8")
    with pytest.raises(corrections.CorrectionClosed):
        reply(desk, asked, State.ACCEPTED, "R-9")


def test_undoing_the_decision_withdraws_the_request(desk: Desk) -> None:
    task = desk.differ(9)
    decision = desk.decide(Kind.ASK, task, source="mds")
    undo = desk.undo(decision)
    asked = corrections.get(desk.hub.connection, f"CR-{decision.decision_id:09}")
    assert asked.state == State.WITHDRAWN
    assert desk.task(desk.golden_id(9)).task_id == task.task_id
    desk.undo(undo)
    assert seen(desk, asked).state == State.OPEN


def test_an_owner_is_not_asked_for_what_it_says_already(desk: Desk) -> None:
    with pytest.raises(Refused):
        desk.decide(Kind.ASK, desk.differ(10), source="smrs10")


def test_under_an_override_the_owner_is_asked_for_the_value_that_stands(desk: Desk) -> None:
    desk.decide(Kind.TAKE, desk.differ(11), source="mds")
    desk.hub.change("smrs10", point(mpan(11), "segment", market_segment="U"))
    decision = desk.decide(Kind.ASK, desk.task(desk.golden_id(11)))
    asked = corrections.get(desk.hub.connection, f"CR-{decision.decision_id:09}")
    assert (asked.held_value, asked.asked_value) == ({"market_segment": "U"}, {"market_segment": "A"})
    desk.hub.change("smrs10", point(mpan(11), "segment", market_segment="A"))
    assert seen(desk, asked).state == State.CORRECTED
    retired = "select retired_why from golden.override where golden_id = %s"
    assert desk.hub.rows(retired, desk.golden_id(11)) == [("equal",)]
