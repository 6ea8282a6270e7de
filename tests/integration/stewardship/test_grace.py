"""A conflict has its task when its grace is over, and never when the copies agree before that."""

from datetime import datetime, timedelta

from mdm import db, mastering
from tests import factories
from tests.factories import Transaction, mpan, point
from tests.integration.stewardship.conftest import Desk, now

GRACE = timedelta(minutes=5)
EVER = datetime.min.replace(tzinfo=now().tzinfo)


def change(desk: Desk, source: str, number: int, segment: str, *, at: datetime | None = None) -> None:
    changed = point(mpan(number), "segment", market_segment=segment)
    desk.hub.master(source, Transaction(changes=[changed], committed_at=at or now()))


def differ(desk: Desk, number: int, *, at: datetime | None = None) -> object:
    """Let a copy differ from now on, or from another time; return the conflict."""
    change(desk, "smrs10", number, "S", at=at)
    change(desk, "mds", number, "A", at=at)
    return desk.hub.value(
        "select max(conflict_id) from golden.conflict join golden.crosswalk using (golden_id) where key = %s",
        mpan(number),
    )


def tasks_of(desk: Desk, conflict: object) -> list[object]:
    query = "select state from hub.task where kind = 'conflict' and subject_id = %s"
    return [state for (state,) in desk.hub.rows(query, conflict)]


def open_graced(desk: Desk, *, after: datetime = EVER, at: datetime, limit: int = 100) -> int:
    with desk.hub.connection.transaction():
        return mastering.open_graced(desk.hub.connection, after=after, now=at, limit=limit)


def test_a_conflict_in_grace_has_no_task_and_one_when_its_grace_is_over(desk: Desk) -> None:
    conflict = differ(desk, 1)
    assert open_graced(desk, at=now()) == 0
    assert tasks_of(desk, conflict) == []

    assert open_graced(desk, at=now() + GRACE) == 1
    assert tasks_of(desk, conflict) == ["open"]
    assert desk.of_point(1).opened_at < now()
    assert open_graced(desk, at=now() + GRACE) == 0


def test_what_agrees_in_grace_never_is_a_task(desk: Desk) -> None:
    conflict = differ(desk, 2)
    change(desk, "mds", 2, "S")

    assert open_graced(desk, at=now() + GRACE) == 0
    assert tasks_of(desk, conflict) == []


def test_what_is_mastered_after_its_grace_is_a_task_at_once(desk: Desk) -> None:
    assert tasks_of(desk, differ(desk, 3, at=now() - GRACE)) == ["open"]


def test_what_a_transaction_closes_right_now_is_passed_over(desk: Desk) -> None:
    """Its task would stay open for ever: who closed the conflict has looked for one already."""
    conflict = differ(desk, 4)
    with desk.session() as other, db.transaction(other):
        agreeing = Transaction(changes=[point(mpan(4), "segment", market_segment="S")], committed_at=now())
        mastering.apply(other, factories.batch(desk.hub.sources["mds"], agreeing))
        assert open_graced(desk, at=now() + GRACE) == 0
        mastering.finish(other)

    assert open_graced(desk, at=now() + GRACE) == 0
    assert tasks_of(desk, conflict) == []


def test_what_is_accepted_waits_until_that_ends(desk: Desk) -> None:
    conflict = differ(desk, 5)
    until = now() + 2 * GRACE
    desk.hub.connection.execute(
        "update golden.conflict set accepted_until = %s where conflict_id = %s", [until, conflict]
    )

    assert open_graced(desk, at=now() + GRACE) == 0
    assert open_graced(desk, at=until) == 1


def test_only_what_came_out_of_grace_lately_is_looked_at_and_no_more_than_the_limit(desk: Desk) -> None:
    for number in (6, 7, 8):
        differ(desk, number)

    assert open_graced(desk, after=now() + GRACE, at=now() + 2 * GRACE) == 0
    assert [open_graced(desk, at=now() + GRACE, limit=2) for _ in range(3)] == [2, 1, 0]
