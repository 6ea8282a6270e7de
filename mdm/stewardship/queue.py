"""The queue: which tasks there are, filtered, in an order, a page at a time; the next ones for a steward.

A page goes on after the sort values and the id of the last row, so what is opened, claimed or closed meanwhile neither
shifts a page nor doubles a row. A task is in the queue from the end of its grace on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import psycopg

from golden_records.rows import Question
from golden_records.subjects import Kind
from mdm.errors import MdmError
from mdm.stewardship import tasks
from mdm.stewardship.tasks import COLUMNS, FROM, LAPSED, Deed, State, Task


class Sort(StrEnum):
    """The order of a page: errors first and then by due date; by due date; the oldest first; the last closed first."""

    SEVERITY = "severity"
    DUE = "due"
    AGE = "age"
    CLOSED = "closed"


class SortUnfit(MdmError):
    """Tasks of that state have no such order."""

    exit_code = 2


_COLUMNS: dict[Sort, tuple[str, ...]] = {
    Sort.SEVERITY: ("severity", "due_at", "task_id"),
    Sort.DUE: ("due_at", "task_id"),
    Sort.AGE: ("opened_at", "task_id"),
    Sort.CLOSED: ("closed_at", "task_id"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which tasks: each that is set must hold. Without a state, those that are open or claimed."""

    state: State | None = None
    kind: Kind | None = None
    entity: str | None = None
    item: str | None = None
    rule: int | None = None
    source: str | None = None
    owner: str | None = None
    severity: str | None = None
    assignee: str | None = None
    golden_id: int | None = None
    opened_before: datetime | None = None
    opened_after: datetime | None = None
    due_before: datetime | None = None

    @property
    def is_of_closed(self) -> bool:
        """Whether it asks for tasks that are closed."""
        return self.state in {State.RESOLVED, State.DISMISSED}


_CONDITIONS = {
    "kind": "t.kind = %(kind)s",
    "entity": "t.entity = %(entity)s",
    "item": "t.item = %(item)s",
    "rule": "t.rule = %(rule)s",
    "source": "t.source_id = (select source_id from golden.source_system where name = %(source)s)",
    "owner": "t.owner = %(owner)s",
    "severity": "t.severity = %(severity)s",
    "assignee": f"t.assignee = %(assignee)s and not {LAPSED}",
    "golden_id": "t.golden_id = %(golden_id)s",
    "opened_before": "t.opened_at < %(opened_before)s",
    "opened_after": "t.opened_at >= %(opened_after)s",
    "due_before": "t.due_at < %(due_before)s",
}

_OF_STATE = {
    None: "t.closed_at is null",
    State.OPEN: f"t.closed_at is null and (t.state = 'open' or {LAPSED})",
    State.CLAIMED: f"t.closed_at is null and t.state = 'claimed' and not {LAPSED}",
    State.RESOLVED: "t.closed_at is not null and t.state = 'resolved'",
    State.DISMISSED: "t.closed_at is not null and t.state = 'dismissed'",
}

_FREE = f"(t.state = 'open' and (t.assignee is null or t.assignee = %(by)s) or {LAPSED})"
_NOT_ANOTHERS = f"(t.assignee is null or t.assignee = %(by)s or {LAPSED})"

# In each severity a page is looked for among the first WALKED tasks of the order, where most filters fill it; and where
# they do not, by the filter's own indexes, for then few match. Nobody knows beforehand which of the two ways is short.
WALKED = 3000
_WALK = """
{name} as materialized (
    select {sorted} from (select * from hub.task t where {span} order by {order} limit {walked}) t
    where {condition} order by {order} limit %(limit)s
), all_{name} as materialized (
    select {sorted} from hub.task t where {span} and {condition}
), of_{name} as materialized (
    select * from {name} where (select count(*) from {name}) = %(limit)s
    union all
    (select * from all_{name} t where (select count(*) from {name}) < %(limit)s order by {order} limit %(limit)s)
)
"""
_PAGE = """
with {walks}, page as materialized (select * from ({found}) t order by {order} limit %(limit)s)
select {columns} from page join {tables} using (task_id) order by {order}
"""

_NEXT = """
select t.task_id from hub.task t where {condition} and {free}
order by t.severity, t.due_at, t.task_id limit %(limit)s for update skip locked
"""

_IDS = "select t.task_id from hub.task t where {condition} and {free} order by t.task_id limit %(limit)s"

_LOCK = f"""
select t.task_id from hub.task t
where t.task_id = any (%(ids)s) and t.closed_at is null and {_NOT_ANOTHERS} order by t.task_id for update
"""  # noqa: S608 - made of constants

_SUMMARY = f"""
select case when {LAPSED} then 'open' else t.state end as state, t.severity, t.owner, t.rule, t.kind,
       t.due_at < %(now)s as is_overdue, count(*)::int as tasks
from hub.task t where t.closed_at is null and t.visible_from <= %(now)s group by 1, 2, 3, 4, 5, 6
"""  # noqa: S608 - made of constants


# Every owner stands beside both severities, so that what was settled is seen to be 0 and does not merely vanish.
_WAITING = """
with waiting as (
    select severity, owner, count(*) as tasks from hub.task
    where closed_at is null and visible_from <= now() group by severity, owner
)
select s.severity, o.owner, coalesce(w.tasks, 0)
from (values ('E'), ('W')) s (severity)
cross join (select owner from golden.catalogue_item union select owner from waiting) o
left join waiting w using (severity, owner)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many tasks wait that have all this in common."""

    state: State
    severity: str
    owner: str
    rule: int | None
    kind: Kind
    is_overdue: bool
    tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of the queue: so many rows in an order, after the place where another page ended."""

    limit: int
    sort: Sort = Sort.SEVERITY
    after: Sequence[Any] | None = None


def choose_sort(chosen: Filter, asked: Sort | None) -> Sort:
    """Return the order that is asked for, or the usual one of such tasks; raises SortUnfit for one they do not have."""
    fitting = [Sort.CLOSED] if chosen.is_of_closed else [Sort.SEVERITY, Sort.DUE, Sort.AGE]
    if asked is not None and asked not in fitting:
        raise SortUnfit(f"Tasks of this state are sorted by {' or '.join(fitting)}. Choose one, or give no order.")
    return asked or fitting[0]


def place_length(sort: Sort) -> int:
    """Return of how many values a place in this order consists."""
    return len(_COLUMNS[sort])


def parse_place(values: Sequence[Any], sort: Sort) -> list[Any]:
    """Read a place that was carried as JSON; raises TypeError or ValueError for what is none."""
    return [_PARSERS[column](value) for column, value in zip(_COLUMNS[sort], values, strict=True)]


def _id(value: Any) -> int:
    if not isinstance(value, int) or not 0 < value < 2**63:
        raise ValueError("no id")
    return value


def _severity(value: Any) -> str:
    if value not in {"E", "W"}:
        raise ValueError("no severity")
    return str(value)


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "severity": _severity,
    "due_at": datetime.fromisoformat,
    "opened_at": datetime.fromisoformat,
    "closed_at": datetime.fromisoformat,
    "task_id": _id,
}


def place(task: Task, sort: Sort) -> list[Any]:
    """Return where a page that ends with this task ends, for the next to go on after it."""
    return [getattr(task, column) for column in _COLUMNS[sort]]


def page(chosen: Filter, asked: Page, *, now: datetime) -> Question[Task]:
    """Ask for a page of tasks. Tasks that are closed come in the order of Sort.CLOSED alone, and no others do."""
    condition, parameters = _condition(chosen, now)
    order = ", ".join(f"t.{column}{_backwards(asked.sort)}" for column in _COLUMNS[asked.sort])
    span = _span(chosen, asked)
    shared = {"order": order, "condition": condition, "walked": WALKED}
    shared["sorted"] = ", ".join(f"t.{column}" for column in _COLUMNS[asked.sort])
    spans = (
        {"closed": span}
        if chosen.is_of_closed
        else {
            f"severity_{severity.lower()}": f"{span} and t.severity = '{severity}'" for severity in _severities(chosen)
        }
    )
    text = _PAGE.format(
        walks=", ".join(_WALK.format(name=name, span=each, **shared) for name, each in spans.items()),
        found=" union all ".join(f"table of_{name}" for name in spans),
        columns=COLUMNS,
        tables=FROM,
        order=order,
    )
    return Question(text=text, parameters=parameters | _after(asked) | {"limit": asked.limit}, row=Task)


def _severities(chosen: Filter) -> Sequence[str]:
    return [severity for severity in ("E", "W") if chosen.severity in {None, severity}]


def _backwards(sort: Sort) -> str:
    return " desc" if sort is Sort.CLOSED else ""


def _span(chosen: Filter, asked: Page) -> str:
    """Return the part of an order's index that a page may come from. Nothing is due before it was opened."""
    conditions = ["t.closed_at is not null" if chosen.is_of_closed else "t.closed_at is null"]
    if chosen.opened_before is not None and asked.sort is Sort.AGE:
        conditions.append("t.opened_at < %(opened_before)s")
    if chosen.opened_after is not None and not chosen.is_of_closed:
        conditions.append(f"t.{'opened_at' if asked.sort is Sort.AGE else 'due_at'} >= %(opened_after)s")
    if chosen.due_before is not None and asked.sort in {Sort.SEVERITY, Sort.DUE}:
        conditions.append("t.due_at < %(due_before)s")
    if asked.after is not None:
        columns = ", ".join(f"t.{column}" for column in _COLUMNS[asked.sort])
        values = ", ".join(f"%({name})s" for name in _after(asked))
        conditions.append(f"({columns}) {'<' if asked.sort is Sort.CLOSED else '>'} ({values})")
    return " and ".join(conditions)


def _after(asked: Page) -> dict[str, Any]:
    names = [f"after_{column}" for column in _COLUMNS[asked.sort]]
    return {} if asked.after is None else dict(zip(names, asked.after, strict=True))


def summary(*, now: datetime) -> Question[Count]:
    """Ask how many tasks wait, by all that an overview tells apart."""
    return Question(text=_SUMMARY, parameters={"now": now}, row=Count)


def count_waiting(connection: psycopg.Connection) -> dict[tuple[str, str], int]:
    """Return how many tasks wait now, by severity and owner."""
    return {(severity, owner): tasks for severity, owner, tasks in connection.execute(_WAITING)}


def claim_next(
    connection: psycopg.Connection, chosen: Filter, *, limit: int, deed: Deed, lasts: timedelta
) -> list[int]:
    """Claim the most urgent tasks that are free for the steward, at most so many; return their ids.

    Several who do it at once never get the same task, and none waits for another.
    """
    condition, parameters = _condition(replace(chosen, state=None), deed.at)
    query = _NEXT.format(condition=condition, free=_FREE)
    found = connection.execute(query, parameters | {"by": deed.by, "limit": limit}).fetchall()
    task_ids = [row[0] for row in found]
    tasks.claim_held(connection, task_ids, deed=deed, lasts=lasts)
    return task_ids


def select_ids(connection: psycopg.Connection, chosen: Filter, *, limit: int, by: str, now: datetime) -> list[int]:
    """Return the ids of the tasks of a filter that nobody else has, ascending, at most so many: for bulk work."""
    condition, parameters = _condition(chosen, now)
    query = _IDS.format(condition=condition, free=_NOT_ANOTHERS)
    return [row[0] for row in connection.execute(query, parameters | {"by": by, "limit": limit})]


def lock_ids(connection: psycopg.Connection, task_ids: Sequence[int], *, by: str, now: datetime) -> list[int]:
    """Lock those of these tasks that are not closed and nobody else has; return their ids, ascending."""
    return [row[0] for row in connection.execute(_LOCK, {"ids": list(task_ids), "by": by, "now": now})]


def _condition(chosen: Filter, now: datetime) -> tuple[str, dict[str, Any]]:
    parameters: dict[str, Any] = {"now": now}
    seen = "t.closed_at" if chosen.is_of_closed else "%(now)s"  # what was settled in its grace, nobody was asked for
    conditions = [_OF_STATE[chosen.state], f"t.visible_from <= {seen}"]
    for name, condition in _CONDITIONS.items():
        value = getattr(chosen, name)
        if value is not None:
            conditions.append(condition)
            parameters[name] = value
    return " and ".join(conditions), parameters
