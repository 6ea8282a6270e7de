"""Work on tasks over HTTP: claim, release, assign, comment, resolve, dismiss, and claiming what comes next.

Each change names in If-Match the version that its maker has seen; where the task has changed meanwhile it is refused.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from golden_records import rows
from golden_records.subjects import Kind
from mdm import db
from mdm.api import state, stewards, writing
from mdm.api.authentication import SECURITY
from mdm.api.idempotency import Answer
from mdm.api.tasks import NAME, PERSON, TAGGED, TASK, TaskId, describe, example
from mdm.api.writing import IfMatch
from mdm.stewardship import queue, tasks
from mdm.stewardship.queue import Filter
from mdm.stewardship.tasks import Deed

router = APIRouter(prefix="/v1/tasks", tags=["tasks"], dependencies=[Depends(writing.keyed)])

_CHANGED = writing.REFUSALS | example("The task as it is now", TASK, **TAGGED)
_WORDS = r"^[^\x00]*[^\s\x00][^\x00]*$"

Change = Callable[[db.Connection, int, Deed], None]
"""Changes the task, of this version."""


class Note(BaseModel):
    """What there is to say."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"note": "The supplier looks it up."}})

    note: Annotated[str, Field(max_length=2000, pattern=_WORDS)]


class Assignment(BaseModel):
    """To whom a task is given."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"assignee": "ben", "note": "His area."}})

    assignee: Annotated[str, Field(pattern=PERSON)]
    note: Annotated[str | None, Field(max_length=2000, pattern=_WORDS)] = None


class Wanted(BaseModel):
    """Which tasks to claim, and how many at most."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"owner": "registration", "limit": 5}})

    limit: Annotated[int, Field(ge=1, le=1000)] = 1
    kind: Kind | None = None
    entity: Annotated[str | None, Field(pattern=NAME)] = None
    item: Annotated[str | None, Field(pattern=NAME)] = None
    rule: Annotated[int | None, Field(ge=1, le=9999)] = None
    source: Annotated[str | None, Field(pattern=PERSON)] = None
    owner: Annotated[str | None, Field(pattern=PERSON)] = None
    severity: Annotated[str | None, Field(pattern="^[EW]$")] = None


_ANY = Wanted()


@router.post(
    "/claim-next",
    summary="Claim the most urgent tasks that are free",
    responses=writing.REFUSALS | example("The tasks that are now the caller's", {"tasks": [TASK]}),
    openapi_extra={"security": SECURITY},
)
async def claim_next(request: Request, wanted: Annotated[Wanted, Body()] = _ANY) -> Response:
    """Claim the next tasks of a filter for oneself: errors first, each by its due date.

    Several stewards who do this at once never get the same task. An empty list says that nothing is free.
    """
    caller = await stewards.admit_writer(request)
    lasts = state.of(request).terms.claim
    chosen = Filter(**wanted.model_dump(exclude={"limit"}))

    def act(connection: db.Connection) -> Answer:
        deed = stewards.deed(caller)
        claimed = queue.claim_next(connection, chosen, limit=wanted.limit, deed=deed, lasts=lasts)
        found = rows.ask(connection, tasks.question(claimed, now=deed.at))
        found.sort(key=lambda task: (task.severity, task.due_at, task.task_id))
        return writing.answer({"tasks": [describe(task, deed.at) for task in found]})

    return await writing.perform(request, caller, act)


@router.post(
    "/{task_id:int}/claim",
    summary="Claim a task",
    responses=_CHANGED,
    openapi_extra={"security": SECURITY},
)
async def claim(request: Request, task_id: TaskId, if_match: IfMatch) -> Response:
    """Claim a task for oneself, or one's own claim anew. It runs out by itself after MDM_CLAIM_MINUTES."""
    lasts = state.of(request).terms.claim

    def change(connection: db.Connection, version: int, deed: Deed) -> None:
        tasks.claim(connection, task_id, version=version, deed=deed, lasts=lasts)

    return await _perform(request, task_id, if_match, change)


@router.post(
    "/{task_id:int}/release",
    summary="Give a task back",
    responses=_CHANGED,
    openapi_extra={"security": SECURITY},
)
async def release(request: Request, task_id: TaskId, if_match: IfMatch) -> Response:
    """Give back what one has claimed or was assigned."""

    def change(connection: db.Connection, version: int, deed: Deed) -> None:
        tasks.release(connection, task_id, version=version, deed=deed)

    return await _perform(request, task_id, if_match, change)


@router.post(
    "/{task_id:int}/assign",
    summary="Give a task to somebody",
    responses=_CHANGED,
    openapi_extra={"security": SECURITY},
)
async def assign(request: Request, task_id: TaskId, if_match: IfMatch, given: Assignment) -> Response:
    """Give a task to somebody, whoever has it now: it is open, and nobody else can claim it."""

    def change(connection: db.Connection, version: int, deed: Deed) -> None:
        tasks.assign(connection, task_id, version=version, deed=deed, assignee=given.assignee)

    return await _perform(request, task_id, if_match, change, note=given.note)


@router.post(
    "/{task_id:int}/comment",
    summary="Say something about a task",
    responses=_CHANGED,
    openapi_extra={"security": SECURITY},
)
async def comment(request: Request, task_id: TaskId, if_match: IfMatch, said: Note) -> Response:
    """Add a comment to a task's history, whoever has it."""

    def change(connection: db.Connection, version: int, deed: Deed) -> None:
        tasks.comment(connection, task_id, version=version, deed=deed)

    return await _perform(request, task_id, if_match, change, note=said.note)


@router.post(
    "/{task_id:int}/resolve",
    summary="Close a task that was settled elsewhere",
    responses=_CHANGED,
    openapi_extra={"security": SECURITY},
)
async def resolve(request: Request, task_id: TaskId, if_match: IfMatch, said: Note) -> Response:
    """Close a task by hand, with the reason. What changes golden records is a decision: see /v1/decisions."""

    def change(connection: db.Connection, version: int, deed: Deed) -> None:
        tasks.resolve(connection, task_id, version=version, deed=deed)

    return await _perform(request, task_id, if_match, change, note=said.note)


@router.post(
    "/{task_id:int}/dismiss",
    summary="Close a task that needs nothing done",
    responses=_CHANGED,
    openapi_extra={"security": SECURITY},
)
async def dismiss(request: Request, task_id: TaskId, if_match: IfMatch, said: Note) -> Response:
    """Close a task that needs nothing done, with the reason. It is opened again when what it is about changes."""

    def change(connection: db.Connection, version: int, deed: Deed) -> None:
        tasks.dismiss(connection, task_id, version=version, deed=deed)

    return await _perform(request, task_id, if_match, change, note=said.note)


async def _perform(
    request: Request, task_id: int, if_match: str, change: Change, *, note: str | None = None
) -> Response:
    caller = await stewards.admit_writer(request)
    version = writing.version_of(if_match)

    def act(connection: db.Connection) -> Answer:
        change(connection, version, stewards.deed(caller, note))
        now = datetime.now(UTC)
        task = tasks.get(connection, task_id, now=now)
        told: dict[str, Any] = describe(task, now, reveal=stewards.may_identify(caller))
        return writing.answer(told, version=task.version)

    return await writing.perform(request, caller, act)
