"""A bulk decision is one: wholly or not at all, and undone as one."""

import pytest

from mdm import db
from mdm.deciding import bulk
from mdm.deciding.bulk import Wanted
from mdm.deciding.orders import Refused, Terms
from mdm.stewardship import approvals, decisions
from mdm.stewardship.decisions import Kind, State
from mdm.stewardship.queue import Filter
from tests.factories import Transaction, mpan, point
from tests.integration.deciding.conftest import Desk, maker

MANY = range(100, 400)
OF_MSS = Filter(source="mss", item="market_segment")


@pytest.fixture(scope="module")
def differing(desk: Desk) -> Desk:
    """Three hundred points whose segment MSS holds otherwise."""
    for source, segment in (("smrs10", "S"), ("mss", "A")):
        said = [point(mpan(number), "segment", market_segment=segment) for number in MANY]
        desk.hub.master(source, Transaction(changes=said))
    return desk


def segments(desk: Desk) -> list[tuple[object, ...]]:
    return desk.hub.rows("select market_segment, count(*) from golden.metering_point group by 1 order by 1")


def count(desk: Desk, state: str = "closed_at is null") -> object:
    return desk.hub.value(f"select count(*) from hub.task where {state}")


def test_a_trial_counts_and_shows_and_does_nothing(differing: Desk) -> None:
    before = differing.golden()
    with db.transaction(differing.hub.connection):
        wanted = Wanted(kind=Kind.TAKE, terms=Terms(source="mss"), chosen=OF_MSS)
        trial = bulk.attempt(differing.hub.connection, wanted, maker("ann"), approvals.NONE)
    assert (trial.tasks, trial.items, trial.refused, len(trial.examples)) == (300, 300, 0, 10)
    assert trial.examples[0][1]["value"] == {"market_segment": "A"}
    assert differing.golden() == before
    assert differing.hub.value("select count(*) from hub.decision") == 0


def test_hundreds_are_decided_as_one_and_undone_as_one(differing: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mdm.deciding.applying.AT_ONCE", 128)  # so that it is done in parts
    before = differing.golden()
    decision = differing.decide_bulk(Kind.TAKE, OF_MSS, source="mss")
    assert segments(differing) == [("A", 300)]
    assert count(differing) == 0
    assert count(differing, f"decision_id = {decision.decision_id}") == 300
    parts = decisions.list_parts(differing.hub.connection, decision.decision_id)
    assert (len(parts), len({part.change_id for part in parts})) == (300, 3)

    undo = differing.undo(decision)

    assert differing.golden() == before
    assert count(differing) == 300
    again = differing.undo(undo)
    assert segments(differing) == [("A", 300)]
    differing.undo(again)
    assert differing.golden() == before


def test_one_of_hundreds_that_fails_leaves_nothing_of_the_others(differing: Desk) -> None:
    connection = differing.hub.connection
    connection.execute(
        "create function golden.refuse() returns trigger language plpgsql as $$ begin"
        " if new.golden_id = (select max(golden_id) from golden.metering_point) then raise 'refused'; end if;"
        " return new; end $$;"
        "create trigger refuse before update on golden.metering_point for each row execute function golden.refuse()"
    )
    before, decided = differing.golden(), differing.hub.value("select count(*) from hub.decision")
    try:
        with pytest.raises(Exception, match="refused"):
            differing.decide_bulk(Kind.TAKE, OF_MSS, source="mss")
    finally:
        connection.execute("drop trigger refuse on golden.metering_point; drop function golden.refuse()")
    assert differing.golden() == before
    assert differing.hub.value("select count(*) from hub.decision") == decided
    assert count(differing) == 300


def test_one_item_that_cannot_be_decided_on_refuses_all(differing: Desk) -> None:
    differing.differ(500, source="mds")  # of whom MSS says nothing
    before = differing.golden()
    with pytest.raises(Refused, match="1 of 301 items"):
        differing.decide_bulk(Kind.TAKE, Filter(item="market_segment"), source="mss")
    assert differing.golden() == before


def test_a_filter_that_gives_nothing_is_refused(differing: Desk) -> None:
    with pytest.raises(Refused):
        differing.decide_bulk(Kind.TAKE, Filter(source="msa"), source="msa")


def test_a_part_undone_by_itself_is_left_alone_when_the_rest_is_undone(differing: Desk) -> None:
    before = differing.golden()
    decision = differing.decide_bulk(Kind.TAKE, OF_MSS, source="mss")
    part = decisions.list_parts(differing.hub.connection, decision.decision_id)[0]
    alone = differing.undo(part)
    assert segments(differing)[0] == ("A", 299)
    differing.undo(decision)
    assert differing.golden() == before
    assert decisions.get(differing.hub.connection, part.decision_id).undone_by == alone.decision_id


def test_hundreds_are_dismissed_and_accepted_too(differing: Desk) -> None:
    decision = differing.decide_bulk(Kind.DISMISS, OF_MSS)
    assert count(differing, "state = 'dismissed'") == 300
    differing.undo(decision)
    assert count(differing, "state = 'open' and item = 'market_segment'") == 301
    assert decisions.get(differing.hub.connection, decision.decision_id).state == State.UNDONE
