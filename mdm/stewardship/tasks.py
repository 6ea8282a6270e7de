"""Tasks: what waits for a steward. Each change is made on a version that its maker has seen, and leaves an event.

A claim that has run out counts as none, by its time alone: no job ends it. Whoever masters and changes tasks in one
transaction locks the golden records first, then the tasks (hold), then masters: as mastering itself does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NoReturn

import psycopg
from psycopg.rows import class_row

from golden_records import subjects
from golden_records.rows import Question
from golden_records.subjects import Kind
from mdm.errors import MdmError


class State(StrEnum):
    """Where a task stands: stewards claim, resolve and dismiss; mastering opens, reopens and resolves."""

    OPEN = "open"
    CLAIMED = "claimed"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"


class Outcome(StrEnum):
    """As what a task was closed. Healed and withdrawn are mastering's; the others are a steward's."""

    HEALED = "healed"
    WITHDRAWN = "withdrawn"
    DECIDED = "decided"
    ACCEPTED = "accepted"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"


class TaskUnknown(MdmError):
    """There is no task of that id."""

    exit_code = 2


class Stale(MdmError):
    """The task has changed since its maker saw it."""


class Taken(MdmError):
    """Somebody else has the task."""


class Closed(MdmError):
    """The task is closed, or it is not and should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as it stands: a claim that has run out is not shown. `source` is the system that differs or errs."""

    task_id: int
    kind: Kind
    subject_id: int
    entity: str | None
    golden_id: int | None
    item_group: str | None
    item: str | None
    rule: int | None
    source: str | None
    owner: str
    severity: str
    state: State
    assignee: str | None
    claimed_until: datetime | None
    due_at: datetime
    visible_from: datetime
    version: int
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    outcome: str | None
    decision_id: int | None
    note: str | None

    def __post_init__(self) -> None:
        """Take the words of a row for what they are."""
        object.__setattr__(self, "kind", Kind(self.kind))
        object.__setattr__(self, "state", State(self.state))

    @property
    def is_closed(self) -> bool:
        """Whether nobody needs to work on it."""
        return self.closed_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What made a version of a task; `by` is 'hub' where no person did it."""

    version: int
    event: str
    at: datetime
    by: str
    assignee: str | None
    outcome: str | None
    decision_id: int | None
    note: str | None


LAPSED = "(t.state = 'claimed' and t.claimed_until <= %(now)s)"

COLUMNS = f"""
t.task_id, t.kind, t.subject_id, t.entity, t.golden_id, t.item_group, t.item, t.rule, y.name as source, t.owner,
t.severity, case when {LAPSED} then 'open' else t.state end as state,
case when not {LAPSED} then t.assignee end as assignee,
case when not {LAPSED} then t.claimed_until end as claimed_until,
t.due_at, t.visible_from, t.version, t.opened_at, t.closed_at, t.closed_by, t.outcome, t.decision_id, t.note
"""

FROM = "hub.task t left join golden.source_system y using (source_id)"

_SELECT = f"select {COLUMNS} from {FROM} where t.task_id = any (%(ids)s) order by t.task_id"  # noqa: S608 - of constants

_HISTORY = """
select version, event, at, by, assignee, outcome, decision_id, note from hub.task_event
where task_id = %(task)s order by version
"""

# What ended by its time has an event of its own, before that of whatever comes after it.
_CHANGE = f"""
with target as materialized (
    select t.task_id, t.version, t.assignee, t.claimed_until, {LAPSED} as is_lapsed from hub.task t
    where t.task_id = any (%(ids)s) order by t.task_id for update
), lapsed as (
    insert into hub.task_event (task_id, version, event, at, by, assignee)
    select task_id, version + 1, 'expired', claimed_until, 'hub', assignee from target where is_lapsed
), changed as (
    update hub.task t set {{assignments}}, version = t.version + 1 + g.is_lapsed::int
    from target g where t.task_id = g.task_id returning t.task_id, t.version, t.assignee
)
insert into hub.task_event (task_id, version, event, at, by, assignee, outcome, decision_id, note)
select task_id, version, %(event)s, %(now)s, %(by)s, {{told}}, %(note)s from changed
"""  # noqa: S608 - made of constants

_NOTHING = "null, null, null"
_CLAIM = _CHANGE.format(
    assignments="state = 'claimed', assignee = %(by)s, claimed_until = %(until)s", told="assignee, null, null"
)
_ASSIGN = _CHANGE.format(
    assignments="state = 'open', assignee = %(assignee)s, claimed_until = null", told="assignee, null, null"
)
_COMMENT = _CHANGE.format(
    assignments="state = case when g.is_lapsed then 'open' else t.state end,"
    " assignee = case when not g.is_lapsed then t.assignee end,"
    " claimed_until = case when not g.is_lapsed then t.claimed_until end",
    told=_NOTHING,
)
_CLOSE = _CHANGE.format(
    assignments="state = %(state)s, claimed_until = null, closed_at = %(now)s, closed_by = %(by)s,"
    " outcome = %(outcome)s, decision_id = %(decision)s, note = %(note)s",
    told="null, %(outcome)s, %(decision)s",
)
_REOPEN = _CHANGE.format(
    assignments="state = 'open', assignee = null, claimed_until = null, closed_at = null, closed_by = null,"
    " outcome = null, decision_id = null, note = %(note)s",
    told="null, null, %(decision)s",
)

_STANDING = f"""
with asked as materialized (
    select kind, subject_id from hub.task where task_id = any (%(ids)s) and closed_at is not null
)
select t.task_id from ({subjects.DESCRIPTION}) s join hub.task t using (kind, subject_id) where s.is_open
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Who changes a task and when; `note` says why, or what there is to say."""

    by: str
    at: datetime
    note: str | None = None


def question(task_ids: Sequence[int], *, now: datetime) -> Question[Task]:
    """Ask for tasks by id, as they stand now."""
    return Question(text=_SELECT, parameters={"ids": list(task_ids), "now": now}, row=Task)


def history(task_id: int) -> Question[Event]:
    """Ask for all that happened to a task, the oldest first."""
    return Question(text=_HISTORY, parameters={"task": task_id}, row=Event)


def get(connection: psycopg.Connection, task_id: int, *, now: datetime) -> Task:
    """Return a task as it stands now; raises TaskUnknown."""
    return _get(connection, task_id, now, _SELECT)


def hold(connection: psycopg.Connection, task_id: int, *, version: int, deed: Deed) -> Task:
    """Lock a task that is to be changed, as it was seen; raises TaskUnknown, Stale, Closed, or Taken by another."""
    task = _seen(connection, task_id, version, deed)
    if task.is_closed:
        raise Closed(f"Task {task_id} is {task.state} already. Look at its history, or take another task.")
    if task.assignee not in {None, deed.by}:
        _refuse(task)
    return task


def claim(connection: psycopg.Connection, task_id: int, *, version: int, deed: Deed, lasts: timedelta) -> None:
    """Claim a task, or one's own claim anew, for so long; raises what hold raises."""
    hold(connection, task_id, version=version, deed=deed)
    claim_held(connection, [task_id], deed=deed, lasts=lasts)


def claim_held(connection: psycopg.Connection, task_ids: Sequence[int], *, deed: Deed, lasts: timedelta) -> None:
    """Claim tasks that are locked and free."""
    _change(connection, _CLAIM, task_ids, deed, event="claimed", until=deed.at + lasts)


def release(connection: psycopg.Connection, task_id: int, *, version: int, deed: Deed) -> None:
    """Give a task back: one's own claim, or what one was assigned; raises Taken for what one does not have."""
    task = hold(connection, task_id, version=version, deed=deed)
    if task.assignee is None:
        raise Taken(f"Task {task_id} is nobody's, so there is nothing to release. Claim it to work on it.")
    _change(connection, _ASSIGN, [task_id], deed, event="released", assignee=None)


def assign(connection: psycopg.Connection, task_id: int, *, version: int, deed: Deed, assignee: str) -> None:
    """Give a task to somebody, whoever has it: it stays open, and nobody else can claim it."""
    task = _seen(connection, task_id, version, deed)
    if task.is_closed:
        raise Closed(f"Task {task_id} is {task.state} already. Assign a task that is open or claimed.")
    _change(connection, _ASSIGN, [task_id], deed, event="assigned", assignee=assignee)


def comment(connection: psycopg.Connection, task_id: int, *, version: int, deed: Deed) -> None:
    """Say something about a task, whoever has it, closed or not."""
    _seen(connection, task_id, version, deed)
    _change(connection, _COMMENT, [task_id], deed, event="commented")


def resolve(connection: psycopg.Connection, task_id: int, *, version: int, deed: Deed) -> None:
    """Close a task that was settled elsewhere; the note says how. Raises what hold raises."""
    hold(connection, task_id, version=version, deed=deed)
    close(connection, [task_id], deed=deed, outcome=Outcome.RESOLVED)


def dismiss(connection: psycopg.Connection, task_id: int, *, version: int, deed: Deed) -> None:
    """Close a task that needs nothing done; the note says why. It is opened again when what it is about changes."""
    hold(connection, task_id, version=version, deed=deed)
    close(connection, [task_id], deed=deed, outcome=Outcome.DISMISSED)


def close(
    connection: psycopg.Connection,
    task_ids: Sequence[int],
    *,
    deed: Deed,
    outcome: Outcome,
    decision_id: int | None = None,
) -> None:
    """Close tasks, which hold or lock_ids has locked, as the outcome of a decision or by hand."""
    state = State.DISMISSED if outcome is Outcome.DISMISSED else State.RESOLVED
    told = {"state": state.value, "outcome": outcome.value, "decision": decision_id}
    _change(connection, _CLOSE, task_ids, deed, event=state.value, **told)


def reopen(
    connection: psycopg.Connection, task_ids: Sequence[int], *, deed: Deed, decision_id: int | None = None
) -> list[int]:
    """Open closed tasks again, as when a decision is undone; return those that were: whose subject still stands."""
    standing = sorted(row[0] for row in connection.execute(_STANDING, {"ids": list(task_ids)}))
    _change(connection, _REOPEN, standing, deed, event="reopened", decision=decision_id)
    return standing


def _seen(connection: psycopg.Connection, task_id: int, version: int, deed: Deed) -> Task:
    """Lock a task and return it as it stands; raises TaskUnknown, or Stale where another version was seen."""
    task = _get(connection, task_id, deed.at, f"{_SELECT} for update of t")
    if task.version != version:
        raise Stale(
            f"Task {task_id} has changed: it is at version {task.version} by now, and {version} was seen. "
            "Look at it again, then decide on the new version."
        )
    return task


def _get(connection: psycopg.Connection, task_id: int, now: datetime, query: str) -> Task:
    with connection.cursor(row_factory=class_row(Task)) as cursor:
        task = cursor.execute(query, {"ids": [task_id], "now": now}).fetchone()
    if task is None:
        raise TaskUnknown(f"There is no task {task_id}. 'mdm task list' and GET /v1/tasks show what there is.")
    return task


def _refuse(task: Task) -> NoReturn:
    until = f" until {task.claimed_until:%Y-%m-%d %H:%M} UTC" if task.claimed_until else ""
    raise Taken(
        f"Task {task.task_id} is {'claimed by' if task.claimed_until else 'assigned to'} {task.assignee}{until}. "
        "Take another task, or have it assigned to you."
    )


def _change(connection: psycopg.Connection, query: str, task_ids: Sequence[int], deed: Deed, **told: object) -> None:
    parameters = {"ids": list(task_ids), "now": deed.at, "by": deed.by, "note": deed.note, **told}
    if task_ids:
        connection.execute(query, parameters)
