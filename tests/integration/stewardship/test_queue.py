"""The queue: filtered, sorted and paged as plain Python would do it, whatever changes meanwhile, and by its indexes."""

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdm.stewardship import queue, tasks
from mdm.stewardship.queue import Filter, Page, Sort, SortUnfit
from mdm.stewardship.tasks import State, Task
from tests.integration.stewardship.conftest import HOUR, LASTS, Desk, deed, now

TASKS = 400
NOW = now()
_MANY = """
insert into hub.task (kind, subject_id, entity, golden_id, item_group, item, rule, source_id, owner, severity, facts,
                      state, assignee, claimed_until, due_at, visible_from, opened_at)
select (array['conflict', 'violation', 'match'])[1 + n %% 3], %(first)s + n,
       (array['meter', 'address'])[1 + n / 2 %% 2],
       n %% 50, 'group', 'item_' || n %% 7, nullif(n %% 5, 0), (n %% 3 + 1)::smallint,
       (array['supplier', 'distributor'])[1 + n / 3 %% 2], case when n %% 4 = 0 then 'E' else 'W' end, n,
       case when n %% 6 < 2 then 'claimed' else 'open' end, case when n %% 6 < 3 then 'steward ' || n %% 4 end,
       case n %% 6 when 0 then %(now)s - interval '1 hour' when 1 then %(now)s + interval '1 hour' end,
       %(now)s + (n * 7 %% 100 - n * 3 %% 90) * interval '1 hour',
       %(now)s + (case when n %% 20 = 0 then 1 else -1 end) * interval '1 hour',
       %(now)s - (n * 3 %% 90) * interval '1 hour'
from generate_series(1, %(tasks)s) n
"""


@pytest.fixture(scope="module")
def full(desk: Desk) -> Iterator[Desk]:
    """A desk with many tasks, of which each page must be found in both ways that there are."""
    desk.hub.connection.execute(_MANY, {"now": NOW, "first": 1_000_000, "tasks": TASKS})
    walked, queue.WALKED = queue.WALKED, 25
    yield desk
    queue.WALKED = walked


def visible(desk: Desk) -> list[Task]:
    """Return all tasks that are past their grace, each as it stands."""
    ids = [row[0] for row in desk.hub.rows("select task_id from hub.task where visible_from <= %s", NOW)]
    return [desk.task(task_id, at=NOW) for task_id in ids if isinstance(task_id, int)]


def matches(task: Task, chosen: Filter) -> bool:
    """Tell in plain words whether a task is of a filter."""
    same = ("kind", "entity", "item", "rule", "source", "owner", "severity", "assignee", "golden_id")
    return (
        (task.state == chosen.state if chosen.state else not task.is_closed)
        and all(getattr(chosen, name) in {None, getattr(task, name)} for name in same)
        and (chosen.opened_before is None or task.opened_at < chosen.opened_before)
        and (chosen.opened_after is None or task.opened_at >= chosen.opened_after)
        and (chosen.due_before is None or task.due_at < chosen.due_before)
    )


KEYS: dict[Sort, Callable[[Task], Any]] = {
    Sort.SEVERITY: lambda task: (task.severity, task.due_at, task.task_id),
    Sort.DUE: lambda task: (task.due_at, task.task_id),
    Sort.AGE: lambda task: (task.opened_at, task.task_id),
}

MOMENTS = st.none() | st.integers(-60, 60).map(lambda hours: NOW + hours * HOUR)
FILTERS = st.builds(
    Filter,
    state=st.sampled_from([None, State.OPEN, State.CLAIMED]),
    kind=st.sampled_from([None, None, "conflict", "match"]),
    entity=st.sampled_from([None, None, "meter", "none"]),
    item=st.sampled_from([None, None, "item_1"]),
    rule=st.sampled_from([None, None, 1, 4]),
    source=st.sampled_from([None, None, "mss"]),
    owner=st.sampled_from([None, None, "supplier"]),
    severity=st.sampled_from([None, "E", "W"]),
    assignee=st.sampled_from([None, None, "steward 1"]),
    golden_id=st.sampled_from([None, None, None, 7]),
    opened_before=MOMENTS,
    opened_after=MOMENTS,
    due_before=MOMENTS,
)


@settings(max_examples=120, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(chosen=FILTERS, sort=st.sampled_from(list(KEYS)), limit=st.sampled_from([1, 7, 40, 1000]))
def test_pages_are_what_plain_filtering_and_sorting_gives(full: Desk, chosen: Filter, sort: Sort, limit: int) -> None:
    expected = sorted((task for task in _known(full) if matches(task, chosen)), key=KEYS[sort])
    seen: list[Task] = []
    place: list[Any] | None = None
    for _ in range(4):
        page = full.listed(chosen, Page(limit=limit, sort=sort, after=place), at=NOW)
        seen += page
        if len(page) < limit:
            break
        place = queue.parse_place(json.loads(json.dumps(queue.place(page[-1], sort), default=str)), sort)
    assert seen == expected[: len(seen)]
    assert len(seen) == min(len(expected), 4 * limit)


_CACHE: dict[int, list[Task]] = {}


def _known(desk: Desk) -> list[Task]:
    if id(desk) not in _CACHE:
        _CACHE[id(desk)] = visible(desk)
    return _CACHE[id(desk)]


def test_a_page_goes_on_rightly_while_tasks_open_and_close(full: Desk) -> None:
    chosen = Filter(owner="supplier", entity="meter")
    before = full.listed(chosen, Page(limit=1000), at=NOW)
    first = full.listed(chosen, Page(limit=10), at=NOW)
    free = [task for task in before if task.assignee is None]
    with full.hub.connection.transaction(force_rollback=True):
        for task in (first[0], free[-1]):  # behind and before the place where the page goes on
            at = deed(task.assignee or "ann", at=NOW, note="done")
            tasks.resolve(full.hub.connection, task.task_id, version=task.version, deed=at)
        full.hub.connection.execute(
            """insert into hub.task (kind, subject_id, owner, entity, severity, facts, state, due_at, visible_from,
                                     opened_at)
               values ('match', 2000000, 'supplier', 'meter', 'E', 1, 'open', %s, %s, %s)""",
            [NOW - timedelta(days=900), NOW - HOUR, NOW - HOUR],
        )
        place = queue.place(first[-1], Sort.SEVERITY)
        rest = full.listed(chosen, Page(limit=1000, after=place), at=NOW)
    assert [*first, *rest] == [task for task in before if task != free[-1]]


def test_a_task_is_not_in_the_queue_before_its_grace_is_over(full: Desk) -> None:
    hidden = full.hub.value("select min(task_id) from hub.task where visible_from > %s", NOW)
    early = {task.task_id for task in full.listed(at=NOW)}
    late = {task.task_id for task in full.listed(at=NOW + 2 * HOUR)}
    assert hidden not in early
    assert hidden in late
    with full.hub.connection.transaction(force_rollback=True):
        claimed = queue.claim_next(full.hub.connection, Filter(), limit=1000, deed=deed(at=NOW), lasts=LASTS)
    assert hidden not in claimed


def test_what_was_settled_in_its_grace_is_not_listed_among_what_was_closed(full: Desk) -> None:
    closed = Filter(state=State.RESOLVED)
    with full.hub.connection.transaction(force_rollback=True):
        (hidden,) = full.hub.rows("select min(task_id) from hub.task where visible_from > %s", NOW)
        (shown,) = full.hub.rows("select min(task_id) from hub.task where visible_from < %s", NOW)
        both = [hidden[0], shown[0]]
        full.hub.connection.execute(
            "update hub.task set state = 'resolved', outcome = 'healed', closed_at = %s where task_id = any (%s)",
            [NOW, both],
        )
        assert [task.task_id for task in full.listed(closed, Page(limit=9, sort=Sort.CLOSED))] == [shown[0]]


def test_the_next_tasks_are_the_most_urgent_of_a_filter(full: Desk) -> None:
    chosen = Filter(owner="supplier")
    free = [task.task_id for task in full.listed(chosen, at=NOW) if task.assignee in {None, "ann"}]
    with full.hub.connection.transaction(force_rollback=True):
        claimed = queue.claim_next(full.hub.connection, chosen, limit=9, deed=deed(at=NOW), lasts=LASTS)
    assert claimed == free[:9]


def test_bulk_work_selects_all_of_a_filter_that_nobody_else_has(full: Desk) -> None:
    chosen = Filter(kind="conflict")  # type: ignore[arg-type]  # a word of the set
    expected = sorted(t.task_id for t in full.listed(chosen, at=NOW) if t.assignee in {None, "steward 1"})
    assert queue.select_ids(full.hub.connection, chosen, limit=1000, by="steward 1", now=NOW) == expected


def test_tasks_of_a_state_have_the_orders_that_fit_it() -> None:
    assert queue.choose_sort(Filter(), None) is Sort.SEVERITY
    assert queue.choose_sort(Filter(state=State.DISMISSED), None) is Sort.CLOSED
    with pytest.raises(SortUnfit, match="closed"):
        queue.choose_sort(Filter(state=State.RESOLVED), Sort.AGE)


CHOSEN = (
    Filter(),
    Filter(state=State.OPEN),
    Filter(state=State.CLAIMED),
    Filter(rule=1),
    Filter(item="item_1"),
    Filter(source="mss"),
    Filter(owner="supplier"),
    Filter(entity="meter"),
    Filter(severity="W"),
    Filter(assignee="steward 1"),
    Filter(golden_id=7),
    Filter(due_before=NOW),
    Filter(opened_after=NOW - HOUR),
)


def test_no_page_reads_the_whole_table(full: Desk) -> None:
    connection = full.hub.connection
    with connection.transaction(force_rollback=True):
        connection.execute(_MANY, {"now": NOW, "first": 5_000_000, "tasks": 20_000})
        connection.execute("analyze hub.task; set local enable_seqscan = off")  # as the API's sessions have it
        for chosen, sort in itertools.product(CHOSEN, KEYS):
            asked = queue.page(chosen, Page(limit=100, sort=sort), now=NOW)
            plan = "\n".join(row[0] for row in connection.execute(f"explain {asked.text}", asked.parameters))
            assert "Seq Scan on task" not in plan
            assert f"using {'task_opened_at_ix' if sort is Sort.AGE else 'task_due_at_ix'}" in plan
