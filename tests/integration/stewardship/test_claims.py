"""Work on tasks: whoever has one has it alone, and nobody overwrites what he has not seen."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from mdm import db
from mdm.stewardship import queue, tasks
from mdm.stewardship.queue import Filter
from mdm.stewardship.tasks import Closed, Outcome, Stale, State, Taken, TaskUnknown
from tests.integration.stewardship.conftest import LASTS, Desk, deed, now

EIGHT = 8


def claim(desk: Desk, task_id: int, by: str = "ann", *, late: timedelta = timedelta()) -> None:
    """Claim a task as it stands, so much later than now."""
    at = now() + late
    with desk.hub.connection.transaction():
        seen = desk.task(task_id, at=at)
        tasks.claim(desk.hub.connection, task_id, version=seen.version, deed=deed(by, at=at), lasts=LASTS)


def at_once(desk: Desk, act: Callable[[db.Connection, int], object]) -> list[object]:
    """Let eight stewards act at the same moment, each on a session of its own; return what each got, errors too."""
    ready = Barrier(EIGHT)

    def run(number: int) -> object:
        with desk.session() as connection:
            ready.wait()
            try:
                with db.transaction(connection):
                    return act(connection, number)
            except (Stale, Taken) as refused:
                return refused

    with ThreadPoolExecutor(EIGHT) as threads:
        return list(threads.map(run, range(EIGHT)))


def test_a_claim_is_shown_with_its_holder_and_its_end(desk: Desk) -> None:
    task_id = desk.new().task_id
    claim(desk, task_id)

    task = desk.task(task_id)
    assert (task.state, task.assignee, task.version) == (State.CLAIMED, "ann", 2)
    assert task.claimed_until is not None
    assert task.claimed_until - now() <= LASTS


def test_what_another_has_claimed_is_refused_with_who_has_it(desk: Desk) -> None:
    task_id = desk.new().task_id
    claim(desk, task_id)
    with pytest.raises(Taken, match="claimed by ann until"):
        claim(desk, task_id, "ben")
    with pytest.raises(Taken), desk.hub.connection.transaction():
        tasks.resolve(desk.hub.connection, task_id, version=2, deed=deed("ben", note="so"))


def test_ones_own_claim_is_made_longer_by_claiming_again(desk: Desk) -> None:
    task_id = desk.new().task_id
    claim(desk, task_id)
    claim(desk, task_id, late=timedelta(minutes=20))
    assert desk.task(task_id, at=now() + timedelta(minutes=45)).state is State.CLAIMED


def test_a_claim_that_has_run_out_counts_as_none_without_anybodys_doing(desk: Desk) -> None:
    task_id = desk.new().task_id
    claim(desk, task_id)
    later = now() + LASTS + timedelta(seconds=1)

    task = desk.task(task_id, at=later)

    assert (task.state, task.assignee, task.claimed_until, task.version) == (State.OPEN, None, None, 2)
    assert task_id in {each.task_id for each in desk.listed(Filter(state=State.OPEN), at=later)}
    assert task_id not in {each.task_id for each in desk.listed(Filter(state=State.CLAIMED), at=later)}
    assert task_id not in {each.task_id for each in desk.listed(Filter(assignee="ann"), at=later)}


def test_another_claims_what_has_run_out_and_the_history_tells_both(desk: Desk) -> None:
    task_id = desk.new().task_id
    claim(desk, task_id)
    claim(desk, task_id, "ben", late=LASTS + timedelta(minutes=1))

    assert desk.events(task_id) == [("opened", "hub"), ("claimed", "ann"), ("expired", "hub"), ("claimed", "ben")]
    assert desk.history(task_id)[2].assignee == "ann"
    with pytest.raises(Stale, match="version 4"), desk.hub.connection.transaction():
        tasks.resolve(desk.hub.connection, task_id, version=2, deed=deed(note="too late"))


def test_eight_who_claim_what_comes_next_never_get_the_same_task(desk: Desk) -> None:
    waiting = {desk.new().task_id for _ in range(24)}

    def act(connection: db.Connection, number: int) -> list[int]:
        steward = deed(f"steward {number}")
        return [*queue.claim_next(connection, Filter(), limit=3, deed=steward, lasts=LASTS)]

    got = at_once(desk, act)

    claimed = [task_id for each in got if isinstance(each, list) for task_id in each]
    assert len(claimed) == len(set(claimed)) == 3 * EIGHT
    for number, each in enumerate(got):
        assert isinstance(each, list)
        assert {desk.task(task_id).assignee for task_id in each} == {f"steward {number}"}
    assert len(waiting & set(claimed)) > 0


def test_of_eight_who_claim_one_task_one_has_it(desk: Desk) -> None:
    task_id = desk.new().task_id

    def act(connection: db.Connection, number: int) -> int:
        tasks.claim(connection, task_id, version=1, deed=deed(f"steward {number}"), lasts=LASTS)
        return number

    got = at_once(desk, act)

    (winner,) = [each for each in got if isinstance(each, int)]
    assert desk.task(task_id).assignee == f"steward {winner}"
    assert sum(isinstance(each, Stale) for each in got) == EIGHT - 1
    assert len(desk.history(task_id)) == 2


def test_of_eight_who_decide_on_one_version_one_does(desk: Desk) -> None:
    task_id = desk.new().task_id

    def act(connection: db.Connection, number: int) -> int:
        tasks.resolve(connection, task_id, version=1, deed=deed(f"steward {number}", note="settled"))
        return number

    got = at_once(desk, act)

    (winner,) = [each for each in got if isinstance(each, int)]
    task = desk.task(task_id)
    assert (task.closed_by, task.outcome, task.note) == (f"steward {winner}", Outcome.RESOLVED, "settled")
    assert desk.events(task_id) == [("opened", "hub"), ("resolved", f"steward {winner}")]


def test_what_is_assigned_is_open_and_for_its_assignee_alone(desk: Desk) -> None:
    task_id = desk.new().task_id
    with desk.hub.connection.transaction():
        tasks.assign(desk.hub.connection, task_id, version=1, deed=deed("lead"), assignee="ben")

    task = desk.task(task_id)
    assert (task.state, task.assignee) == (State.OPEN, "ben")
    assert task_id not in queue.select_ids(desk.hub.connection, Filter(), limit=1000, by="ann", now=now())
    with pytest.raises(Taken, match="assigned to ben"):
        claim(desk, task_id)
    claim(desk, task_id, "ben")


def test_what_is_next_is_never_what_is_assigned_to_another(desk: Desk) -> None:
    task = desk.new()
    with desk.hub.connection.transaction():
        tasks.assign(desk.hub.connection, task.task_id, version=1, deed=deed("lead"), assignee="ben")
        chosen = Filter(golden_id=task.golden_id)
        assert queue.claim_next(desk.hub.connection, chosen, limit=5, deed=deed(), lasts=LASTS) == []
        assert queue.claim_next(desk.hub.connection, chosen, limit=5, deed=deed("ben"), lasts=LASTS) == [task.task_id]


def test_only_whoever_has_a_task_gives_it_back(desk: Desk) -> None:
    task_id = desk.new().task_id
    with pytest.raises(Taken, match="nobody's"), desk.hub.connection.transaction():
        tasks.release(desk.hub.connection, task_id, version=1, deed=deed())
    claim(desk, task_id)
    with pytest.raises(Taken), desk.hub.connection.transaction():
        tasks.release(desk.hub.connection, task_id, version=2, deed=deed("ben"))
    with desk.hub.connection.transaction():
        tasks.release(desk.hub.connection, task_id, version=2, deed=deed())
    assert (desk.task(task_id).state, desk.task(task_id).assignee) == (State.OPEN, None)


def test_a_comment_is_kept_whoever_has_the_task_and_when_it_is_closed(desk: Desk) -> None:
    task_id = desk.new().task_id
    claim(desk, task_id)
    with desk.hub.connection.transaction():
        tasks.comment(desk.hub.connection, task_id, version=2, deed=deed("ben", note="look at the old one"))
        tasks.resolve(desk.hub.connection, task_id, version=3, deed=deed(note="done"))
        tasks.comment(desk.hub.connection, task_id, version=4, deed=deed("ben", note="thanks"))

    task = desk.task(task_id)
    assert (task.state, task.note) == (State.RESOLVED, "done")
    assert [(event.by, event.note) for event in desk.history(task_id)][2:] == [
        ("ben", "look at the old one"),
        ("ann", "done"),
        ("ben", "thanks"),
    ]


def test_a_closed_task_is_neither_claimed_nor_assigned_nor_closed_again(desk: Desk) -> None:
    task_id, connection = desk.new().task_id, desk.hub.connection
    with connection.transaction():
        tasks.dismiss(connection, task_id, version=1, deed=deed(note="nothing"))
    with pytest.raises(Closed, match="dismissed already"):
        claim(desk, task_id)
    with pytest.raises(Closed, match="dismissed already"):
        tasks.resolve(connection, task_id, version=2, deed=deed(note="again"))
    with pytest.raises(Closed, match="dismissed already"):
        tasks.assign(connection, task_id, version=2, deed=deed(), assignee="ben")


def test_a_task_that_is_none_is_told_so(desk: Desk) -> None:
    with pytest.raises(TaskUnknown, match="no task 999999"):
        desk.task(999_999)


def test_bulk_work_locks_what_nobody_else_has(desk: Desk) -> None:
    free, taken, closed = (desk.new().task_id for _ in range(3))
    claim(desk, taken, "ben")
    with desk.hub.connection.transaction():
        tasks.resolve(desk.hub.connection, closed, version=1, deed=deed(note="done"))
        locked = queue.lock_ids(desk.hub.connection, [closed, taken, free], by="ann", now=now())
        tasks.close(desk.hub.connection, locked, deed=deed(note="in bulk"), outcome=Outcome.DECIDED, decision_id=7)

    assert locked == [free]
    assert (desk.task(free).outcome, desk.task(free).decision_id) == ("decided", 7)
    assert desk.task(taken).state is State.CLAIMED
