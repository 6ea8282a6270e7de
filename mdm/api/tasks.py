"""Tasks over HTTP: the queue, an overview of it, and one task with its history and what the systems say.

What identifies a person is withheld, unless the key has golden:read-identified as well; such a read is written down.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime

from golden_records import evidence, held
from golden_records.evidence import Said
from golden_records.subjects import Kind
from mdm.api import connections, cursors, problems, state, stewards
from mdm.api.authentication import SECURITY
from mdm.api.negotiation import JSON
from mdm.api.problems import Problem
from mdm.stewardship import overview, queue, tasks
from mdm.stewardship.queue import Filter, Page, Sort
from mdm.stewardship.tasks import Event, State, Task
from rules import registry

router = APIRouter(prefix="/v1/tasks", tags=["tasks"])

_REFUSALS = problems.documented(
    HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
)
_LARGEST = 2**63 - 1
NAME = r"^[a-z_]{1,40}[0-9]{0,2}$"
PERSON = r"^[^\x00-\x1f]{1,200}$"

TaskId = Annotated[int, Path(ge=1, le=_LARGEST, description="The task's id.", examples=[17])]

TASK = {
    "task_id": 17,
    "version": 2,
    "kind": "conflict",
    "subject_id": 311,
    "entity": "metering_point",
    "golden_id": 4711,
    "item_group": "segment",
    "item": "market_segment",
    "rule": 39,
    "source": "mds",
    "owner": "registration",
    "severity": "W",
    "state": "claimed",
    "assignee": "ann",
    "claimed_until": "2026-01-15T12:30:00Z",
    "due_at": "2026-01-20T09:00:00Z",
    "visible_from": "2026-01-15T09:00:00Z",
    "opened_at": "2026-01-15T09:00:00Z",
    "closed_at": None,
    "closed_by": None,
    "outcome": None,
    "decision_id": None,
    "note": None,
    "is_overdue": False,
}
_EVENT = {
    "version": 2,
    "event": "claimed",
    "at": "2026-01-15T12:00:00Z",
    "by": "ann",
    "assignee": "ann",
    "outcome": None,
    "decision_id": None,
    "note": None,
}
_SAID = {
    "source": "mds",
    "survives": False,
    "items": {"market_segment": "A"},
    "table": "public.settlement_point",
    "key": "withheld",
    "commit_lsn": "0/1A2B3C8",
    "ordinal": 1,
    "committed_at": "2026-01-15T09:00:00Z",
    "change_id": 33555457,
}
_RULE = {"code": 39, "title": "The copies of an item agree with its owner's value", "explanation": None, "mend": None}
_WHOLE = {**TASK, "age_seconds": 10800, "identified": False, "about": _RULE, "says": [_SAID], "history": [_EVENT]}
_SUMMARY = {
    "tasks": 12,
    "overdue": 1,
    "by_state": {"open": 9, "claimed": 3},
    "by_severity": {"E": 2, "W": 10},
    "by_owner": {"registration": 12},
    "by_rule": {"39": 12},
    "by_kind": {"conflict": 12},
}


def example(description: str, body: dict[str, Any], **rest: Any) -> dict[int | str, dict[str, Any]]:
    """Describe an answer of JSON for OpenAPI."""
    return {200: {"description": description, "content": {JSON: {"example": body}}, **rest}}


TAGGED = {"headers": {"ETag": {"schema": {"type": "string"}, "description": "The version, for If-Match"}}}

_Name = Annotated[str | None, Query(pattern=NAME)]
_Text = Annotated[str | None, Query(pattern=PERSON)]
_Moment = Annotated[AwareDatetime | None, Query()]


@router.get(
    "",
    summary="Read the queue of tasks",
    responses=_REFUSALS | example("A page of tasks", {"tasks": [TASK], "next": "WyJXIl0"}),
    openapi_extra={"security": SECURITY},
)
async def list_tasks(  # noqa: PLR0913 - a parameter for each filter
    request: Request,
    *,
    task_state: Annotated[State | None, Query(alias="state", description="Open and claimed ones by default.")] = None,
    kind: Kind | None = None,
    entity: _Name = None,
    item: _Name = None,
    rule: Annotated[int | None, Query(ge=1, le=9999)] = None,
    source: _Text = None,
    owner: Annotated[str | None, Query(pattern=PERSON, description="Who is accountable.")] = None,
    severity: Annotated[str | None, Query(pattern="^[EW]$")] = None,
    assignee: _Text = None,
    golden_id: Annotated[int | None, Query(ge=1, le=_LARGEST)] = None,
    opened_before: _Moment = None,
    opened_after: _Moment = None,
    due_before: _Moment = None,
    sort: Annotated[Sort | None, Query(description="severity: errors first, each by due date.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=500, description="`next` of the page before.")] = None,
) -> Response:
    """Read a page of the tasks that match all that is given. `next` is null on the last page.

    Open and claimed tasks are sorted by severity, due or age, closed ones by the time of their closing. What changes
    between two pages neither shifts nor doubles the others.
    """
    await stewards.admit_reader(request)
    chosen = Filter(
        state=task_state,
        kind=kind,
        entity=entity,
        item=item,
        rule=rule,
        source=source,
        owner=owner,
        severity=severity,
        assignee=assignee,
        golden_id=golden_id,
        opened_before=opened_before,
        opened_after=opened_after,
        due_before=due_before,
    )
    order = queue.choose_sort(chosen, sort)
    now = datetime.now(UTC)
    asked = Page(limit=limit, sort=order, after=_place(cursor, order))
    found = await connections.ask(state.of(request).pool, queue.page(chosen, asked, now=now))
    place = cursors.encode([order, *queue.place(found[-1], order)]) if len(found) == limit else None
    return _json({"tasks": [describe(task, now) for task in found], "next": place})


def _place(cursor: str | None, sort: Sort) -> list[Any] | None:
    """Read where the page before ended; raises Problem 422 for what no page of this order gave."""
    place = cursors.decode(cursor, length=1 + queue.place_length(sort))
    if place is None:
        return None
    try:
        return queue.parse_place(place[1:], sort) if place[0] == sort else _refuse_cursor()
    except (TypeError, ValueError):
        return _refuse_cursor()


def _refuse_cursor() -> list[Any]:
    raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The cursor is of another list or order. Begin again without one.")


@router.get(
    "/summary",
    summary="Count what waits",
    responses=_REFUSALS | example("Counts", _SUMMARY),
    openapi_extra={"security": SECURITY},
)
async def summarise(request: Request) -> Response:
    """Count the tasks that are open or claimed, and those overdue, by state, severity, owner, rule and kind."""
    await stewards.admit_reader(request)
    counts = await connections.ask(state.of(request).pool, queue.summary(now=datetime.now(UTC)))
    return _json(overview.of(counts))


@router.get(
    "/{task_id:int}",
    summary="Read a task",
    responses=_REFUSALS
    | problems.documented(HTTPStatus.NOT_FOUND)
    | example("The task, its history and what each system says", _WHOLE, **TAGGED),
    openapi_extra={"security": SECURITY},
)
async def show_task(request: Request, task_id: TaskId) -> Response:
    """Read a task with its whole history and, of a conflict, violation or quarantined record, what each system says.

    `says` names system, table, key and position of each value, the survivor first. Values that identify a person are
    withheld, unless the key has golden:read-identified, too.
    """
    caller = await stewards.admit_reader(request)
    pool, now, reveal = state.of(request).pool, datetime.now(UTC), stewards.may_identify(caller)
    found = await connections.ask(pool, tasks.question([task_id], now=now))
    if not found:
        raise Problem(HTTPStatus.NOT_FOUND, f"There is no task {task_id}. GET /v1/tasks lists what there is.")
    (task,) = found
    asked = evidence.question(task.kind, task.subject_id)
    said = [] if asked is None else await connections.ask(pool, asked)
    if reveal and said:
        about = (task.kind.value, task.subject_id)
        await stewards.record_read(pool, caller, about=about, entity=task.entity, golden_id=task.golden_id)
    history = await connections.ask(pool, tasks.history(task_id))
    return _json(_whole(task, said, history, now=now, reveal=reveal), ETag=f'"{task.version}"')


def _whole(task: Task, said: list[Said], history: list[Event], *, now: datetime, reveal: bool) -> dict[str, Any]:
    rule = registry.RULES.get(task.rule or 0)
    return {
        **describe(task, now, reveal=reveal),
        "age_seconds": int((now - task.opened_at).total_seconds()),
        "identified": reveal,
        "about": rule and {name: getattr(rule, name) for name in ("code", "title", "explanation", "mend")},
        "says": [each.shown(reveal=reveal) for each in said],
        "history": [_masked(asdict(event), reveal=reveal) for event in history],
    }


def describe(task: Task, now: datetime, *, reveal: bool = False) -> dict[str, Any]:
    """Return what is told of a task."""
    return _masked(asdict(task), reveal=reveal) | {"is_overdue": not task.is_closed and task.due_at < now}


def _masked(told: dict[str, Any], *, reveal: bool) -> dict[str, Any]:
    """Withhold an MPAN that somebody wrote into a note."""
    note = told["note"]
    return told | {"note": note if reveal or note is None else held.without_mpan(note)}


def _json(body: dict[str, Any], **headers: str) -> Response:
    return Response(orjson.dumps(body, option=orjson.OPT_UTC_Z), media_type=JSON, headers=stewards.PRIVATE | headers)
