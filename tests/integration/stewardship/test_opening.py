"""Tasks open, change and close with what they are about, in the transaction that masters it."""

from mdm.stewardship.tasks import Outcome, State
from tests.integration.stewardship.conftest import Desk


def test_a_copy_that_differs_is_a_task_that_names_the_accountable_owner(desk: Desk) -> None:
    task = desk.differ(1)

    assert (task.kind, task.entity, task.item, task.rule) == ("conflict", "metering_point", "market_segment", 39)
    assert (task.owner, task.source, task.severity, task.state) == ("registration", "mds", "W", "open")
    assert (task.due_at - task.visible_from).days == 5
    assert desk.events(task.task_id) == ["opened"]


def test_a_task_closes_by_itself_with_a_note_when_the_copies_agree_again(desk: Desk) -> None:
    before = desk.differ(2)

    task = desk.agree(2)

    assert (task.task_id, task.state, task.outcome) == (before.task_id, State.RESOLVED, Outcome.HEALED)
    assert (task.closed_by, task.note) == ("hub", "healed: the copies agree again")
    assert desk.events(task.task_id) == ["opened", "resolved"]


def test_a_copy_that_differs_otherwise_changes_the_task(desk: Desk) -> None:
    before = desk.differ(3)

    task = desk.differ(3, "U")

    assert (task.task_id, task.version, task.state) == (before.task_id, before.version + 1, State.OPEN)
    assert desk.events(task.task_id) == ["opened", "changed"]


def test_the_same_copy_sent_again_changes_nothing(desk: Desk) -> None:
    before = desk.differ(4)
    assert desk.differ(4) == before
