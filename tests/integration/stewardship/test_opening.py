"""Tasks open, change and close with what they are about, in the transaction that masters it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from golden_records import staging
from mdm import assembling, db, mastering
from mdm.stewardship import opening, tasks
from mdm.stewardship.tasks import Outcome, State, Task
from mdm.stewardship.terms import Terms
from tests import factories
from tests.factories import Transaction, address, appointment, mpan, point
from tests.integration.stewardship.conftest import LASTS, Desk, deed
from tests.waiting import wait_for


def follow(desk: Desk, kind: str, subject_id: int) -> None:
    """Tell whoever keeps tasks of a subject, as the part that changed it does."""
    with desk.hub.connection.transaction():
        staging.begin(desk.hub.connection)
        desk.hub.connection.execute("insert into stage_subject values (%s, %s, true)", [kind, subject_id])
        opening.follow(desk.hub.connection)


def of_subject(desk: Desk, kind: str, subject_id: object) -> Task:
    found = desk.hub.value("select task_id from hub.task where kind = %s and subject_id = %s", kind, subject_id)
    assert isinstance(found, int)
    return desk.task(found)


def dismissed(desk: Desk, number: int) -> Task:
    """Return the task of a copy that differs, dismissed by a steward."""
    task = desk.differ(number)
    with desk.hub.connection.transaction():
        tasks.dismiss(desk.hub.connection, task.task_id, version=task.version, deed=deed(note="they call it so"))
    return desk.task(task.task_id)


def test_a_copy_that_differs_is_a_task_that_names_the_accountable_owner(desk: Desk) -> None:
    task = desk.differ(1)

    assert (task.kind, task.entity, task.item, task.rule) == ("conflict", "metering_point", "market_segment", 39)
    assert (task.owner, task.source, task.severity, task.state) == ("registration", "mds", "W", "open")
    assert desk.events(task.task_id) == [("opened", "hub")]


def test_a_task_closes_by_itself_with_a_note_when_the_copies_agree_again(desk: Desk) -> None:
    before = desk.differ(2)

    task = desk.agree(2)

    assert (task.task_id, task.state, task.outcome) == (before.task_id, State.RESOLVED, Outcome.HEALED)
    assert (task.closed_by, task.note) == ("hub", "healed: the copies agree again")
    assert desk.events(task.task_id) == [("opened", "hub"), ("resolved", "hub")]


def test_a_claimed_task_closes_by_itself_too(desk: Desk) -> None:
    before = desk.differ(3)
    with desk.hub.connection.transaction():
        tasks.claim(desk.hub.connection, before.task_id, version=1, deed=deed(), lasts=LASTS)

    assert desk.agree(3).state is State.RESOLVED


def test_a_copy_that_differs_otherwise_changes_the_task_and_leaves_it_to_whom_it_is(desk: Desk) -> None:
    before = desk.differ(4)
    with desk.hub.connection.transaction():
        tasks.claim(desk.hub.connection, before.task_id, version=1, deed=deed(), lasts=LASTS)

    task = desk.differ(4, "U")

    assert (task.task_id, task.version, task.assignee) == (before.task_id, 3, "ann")
    assert [event for event, _ in desk.events(task.task_id)] == ["opened", "claimed", "changed"]


def test_the_same_copy_sent_again_changes_nothing(desk: Desk) -> None:
    before = desk.differ(5)
    assert desk.differ(5) == before


def test_what_a_steward_dismissed_stays_closed_while_it_says_the_same(desk: Desk) -> None:
    before = dismissed(desk, 6)
    assert desk.differ(6) == before


def test_what_a_steward_dismissed_is_opened_again_when_it_says_something_else(desk: Desk) -> None:
    before = dismissed(desk, 7)

    task = desk.differ(7, "U")

    assert (task.task_id, task.state, task.outcome) == (before.task_id, State.OPEN, None)
    assert task.note == "what it is about has changed"
    assert [event for event, _ in desk.events(task.task_id)] == ["opened", "dismissed", "reopened"]


def test_what_a_steward_closed_and_is_settled_afterwards_stays_as_the_steward_closed_it(desk: Desk) -> None:
    before = dismissed(desk, 8)
    assert desk.agree(8) == before


def test_what_changes_while_a_steward_closes_its_task_is_opened_again(desk: Desk) -> None:
    """Mastering waits for the steward and looks at the task again: it was closed for what it said before."""
    task = desk.differ(20)
    with desk.session() as steward, ThreadPoolExecutor(1) as thread:
        with db.transaction(steward):
            tasks.dismiss(steward, task.task_id, version=1, deed=deed(note="they call it so"))
            changed = point(mpan(20), "segment", market_segment="U")
            mastered = thread.submit(desk.hub.change, "mds", changed)
            waits = "select count(*) from pg_locks where not granted and pid = %s"
            pid = desk.hub.connection.info.backend_pid
            wait_for(lambda: steward.execute(waits, [pid]).fetchone() != (0,))
        mastered.result(timeout=30)

    after = desk.task(task.task_id)
    assert (after.task_id, after.state) == (task.task_id, State.OPEN)
    assert [event for event, _ in desk.events(task.task_id)] == ["opened", "dismissed", "reopened"]


def test_undoing_opens_the_tasks_whose_subject_still_stands(desk: Desk) -> None:
    standing, settled = dismissed(desk, 9), dismissed(desk, 10)
    desk.agree(10)

    with desk.hub.connection.transaction():
        opened = tasks.reopen(
            desk.hub.connection, [standing.task_id, settled.task_id], deed=deed(note="undone"), decision_id=5
        )

    assert opened == [standing.task_id]
    assert desk.task(standing.task_id).state is State.OPEN
    assert desk.task(settled.task_id) == settled
    assert desk.history(standing.task_id)[-1].decision_id == 5


def test_a_batch_that_is_rolled_back_leaves_no_task(desk: Desk) -> None:
    before = desk.hub.value("select count(*) from hub.task")
    desk.hub.change("smrs10", point(mpan(11), "segment", market_segment="S"))

    with desk.hub.connection.transaction(force_rollback=True):
        changed = Transaction(changes=[point(mpan(11), "segment", market_segment="A")])
        mastering.apply(desk.hub.connection, factories.batch(desk.hub.sources["mds"], changed))

    assert desk.hub.value("select count(*) from hub.task") == before


def test_what_an_initial_load_brings_is_followed_too(desk: Desk) -> None:
    for source, segment in (("smrs10", "S"), ("mds", "A")):
        with desk.hub.connection.transaction():
            loaded = Transaction(changes=[point(mpan(12), "segment", market_segment=segment)])
            assembling.load(desk.hub.connection, factories.batch(desk.hub.sources[source], loaded))
    after: int | None = 0
    while after is not None:
        with desk.hub.connection.transaction():
            after = assembling.assemble(desk.hub.connection, after=after, limit=10, now=factories.NOW)
            mastering.finish(desk.hub.connection)

    assert desk.of_point(12).state is State.OPEN


@pytest.mark.parametrize(("severity", "days"), [("E", 2), ("W", 9)])
def test_a_task_is_due_by_its_severity_as_the_terms_say(desk: Desk, severity: str, days: int) -> None:
    with desk.session() as connection:
        opening.tune(connection, Terms(due_days_error=2, due_days_warning=9))
        (due,) = (
            connection.execute(
                f"select {opening._DUE} - s.visible_from from (select now() as visible_from, %s as severity) s",
                [severity],
            ).fetchone()
            or ()
        )
    assert due == timedelta(days=days)


def test_a_record_that_is_held_back_is_a_task_of_severity_e_until_it_is_mastered(desk: Desk) -> None:
    desk.hub.change("smrs10", appointment(mpan(13), contract_reference=" "))
    held = desk.hub.value("select max(quarantine_id) from golden.quarantine")
    assert isinstance(held, int)
    follow(desk, "quarantine", held)
    opened = of_subject(desk, "quarantine", held)

    desk.hub.change("smrs10", appointment(mpan(13)))
    follow(desk, "quarantine", held)

    closed = of_subject(desk, "quarantine", held)
    assert (opened.severity, opened.rule, opened.owner, opened.entity) == ("E", 11, "supplier", "appointment")
    assert (opened.due_at - opened.visible_from) == timedelta(days=1)
    assert (closed.state, closed.outcome, closed.note) == (
        State.RESOLVED,
        Outcome.HEALED,
        "healed: the source sent the record anew",
    )


def test_a_row_that_could_not_be_typed_is_a_task_of_whoever_keeps_the_source(desk: Desk) -> None:
    broken = factories.Change(relation="public.segment", key="x", reject="column market_segment: no code")
    desk.hub.change("smrs10", broken)
    held = desk.hub.value("select max(quarantine_id) from golden.quarantine")
    assert isinstance(held, int)
    follow(desk, "quarantine", held)

    task = of_subject(desk, "quarantine", held)
    assert (task.rule, task.item_group, task.owner) == (None, None, "registration")


def test_a_violation_is_a_task_of_the_rules_owner(desk: Desk) -> None:
    desk.hub.change("smrs10", address(mpan(14), uprn="14", text="14 HIGH ST", postcode="NOWHERE"))
    found = desk.hub.value("select max(violation_id) from golden.violation")
    assert isinstance(found, int)
    follow(desk, "violation", found)

    task = of_subject(desk, "violation", found)
    assert (task.rule, task.severity, task.owner, task.item) == (34, "W", "distributor", "postcode")
