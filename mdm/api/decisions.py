"""Decisions over HTTP: made on what was seen, approved or rejected by another, undone, listed with what they did.

Values that identify a person are withheld, unless the key has golden:read-identified as well; such a read of one
decision is written down.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from golden_records.subjects import Kind as Subject
from mdm import db
from mdm.api import connections, cursors, problems, state, stewards, writing
from mdm.api.authentication import SECURITY
from mdm.api.idempotency import Answer
from mdm.api.keys import Caller
from mdm.api.negotiation import JSON
from mdm.api.problems import Problem
from mdm.api.tasks import NAME, PERSON, TAGGED, example
from mdm.deciding import applying, approving, bulk, telling, undoing
from mdm.deciding.bulk import Wanted
from mdm.deciding.orders import About, Order, Terms
from mdm.stewardship import decisions
from mdm.stewardship.decisions import Decision, Kind, Maker
from mdm.stewardship.decisions import State as Stage
from mdm.stewardship.queue import Filter

router = APIRouter(prefix="/v1/decisions", tags=["decisions"])

LARGEST = 2**63 - 1
WORDS = r"^[^\x00]*[^\s\x00][^\x00]*$"
_PLAIN = r"^[^\x00-\x1f]*$"
_READS = problems.documented(
    HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
)

DecisionId = Annotated[int, Path(ge=1, le=LARGEST, description="The decision's id.", examples=[42])]
Identifier = Annotated[int, Field(ge=1, le=LARGEST)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Reason = Annotated[str, Field(max_length=2000, pattern=WORDS, description="Why: it stays with the decision.")]
Value = (
    Annotated[str, Field(max_length=200, pattern=_PLAIN)] | bool | Annotated[int, Field(ge=-(2**53), le=2**53)] | None
)

DECISION = {
    "decision_id": 42,
    "kind": "take",
    "state": "applied",
    "parent_id": None,
    "task_id": 17,
    "golden_id": 4711,
    "item_group": "segment",
    "item": "market_segment",
    "decided_by": "ann",
    "reason": "seen on site",
    "decided_at": "2026-01-15T12:00:00Z",
    "wants_approval": None,
    "approved_by": None,
    "approved_at": None,
    "rejected_by": None,
    "rejected_at": None,
    "rejected_because": None,
    "undoes": None,
    "undone_by": None,
    "change_id": 33555456,
    "version": 1,
    "terms": {"source": "mds", "tasks": [17], "value": {"market_segment": "A"}},
    "effect": {"made": [5], "closed": {"tasks": [17], "outcome": "decided"}},
}
_TRIAL = {
    "tasks": 300,
    "items": 299,
    "refused": 0,
    "wants_approval": None,
    "examples": [
        {
            "tasks": [17],
            "golden_id": 4711,
            "item_group": "segment",
            "item": "market_segment",
            "is": {"market_segment": "S"},
            "becomes": {"market_segment": "A"},
        }
    ],
    "refusals": [],
}
_DECIDED = writing.REFUSALS | example("The decision", DECISION, **TAGGED)


class Given(BaseModel):
    """What every decision says."""

    kind: Kind
    reason: Reason
    source: Annotated[str | None, Field(pattern=PERSON, description="Whose value is taken, or asked for.")] = None
    values: Annotated[dict[str, Value] | None, Field(max_length=20, description="Item -> value that is entered.")] = (
        None
    )
    until: Annotated[AwareDatetime | None, Field(description="Until when a difference is accepted.")] = None
    expires_at: Annotated[AwareDatetime | None, Field(description="When the override ends by itself.")] = None
    review_at: Annotated[AwareDatetime | None, Field(description="When somebody should look at it again.")] = None

    def terms(self) -> Terms:
        """Return the terms of the decision."""
        names = ("source", "values", "until", "expires_at", "review_at")
        return Terms(**{name: getattr(self, name) for name in names})


class Made(Given):
    """A decision on a task, an override, or an item of a golden record, as its maker saw it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"kind": "take", "task_id": 17, "version": 2, "source": "mds", "reason": "seen on site"}
        },
    )

    task_id: Identifier | None = None
    override_id: Identifier | None = None
    version: Annotated[Version | None, Field(description="The version that was seen of the task or override.")] = None
    match_id: Identifier | None = None
    golden_id: Identifier | None = None
    item: Annotated[str | None, Field(pattern=NAME)] = None
    into: Annotated[Identifier | None, Field(description="Which golden record stands for both after a merge.")] = None
    is_forced: Annotated[bool, Field(description="Merge metering points, too.")] = False

    def order(self) -> Order:
        """Return what is wanted."""
        names = ("task_id", "override_id", "match_id", "version", "golden_id", "item")
        terms = replace(self.terms(), into=self.into, is_forced=self.is_forced)
        return Order(kind=self.kind, about=About(**{name: getattr(self, name) for name in names}), terms=terms)


class Chosen(BaseModel):
    """Which tasks: all that is given must hold."""

    model_config = ConfigDict(extra="forbid")

    kind: Subject | None = None
    entity: Annotated[str | None, Field(pattern=NAME)] = None
    item: Annotated[str | None, Field(pattern=NAME)] = None
    rule: Annotated[int | None, Field(ge=1, le=9999)] = None
    source: Annotated[str | None, Field(pattern=PERSON)] = None
    owner: Annotated[str | None, Field(pattern=PERSON)] = None
    severity: Annotated[str | None, Field(pattern="^[EW]$")] = None
    opened_before: AwareDatetime | None = None
    opened_after: AwareDatetime | None = None


class Many(Given):
    """One decision on all tasks of a filter that nobody else has."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "kind": "take",
                "source": "mss",
                "filter": {"owner": "metering service", "item": "location"},
                "reason": "the service has been on site",
                "dry_run": True,
            }
        },
    )

    filter: Chosen
    dry_run: Annotated[bool, Field(description="Only count, and show examples.")] = False

    def wanted(self) -> Wanted:
        """Return what is wanted."""
        return Wanted(kind=self.kind, terms=self.terms(), chosen=Filter(**self.filter.model_dump()))


class Because(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "the owner was right"}})

    reason: Reason


@router.get(
    "",
    summary="List decisions",
    responses=_READS | example("A page of decisions, the newest first", {"decisions": [DECISION], "next": "WzQyXQ"}),
    openapi_extra={"security": SECURITY},
)
async def list_decisions(  # noqa: PLR0913 - a parameter for each filter
    request: Request,
    *,
    stage: Annotated[Stage | None, Query(alias="state", description="proposed: what waits for approval.")] = None,
    kind: Kind | None = None,
    decided_by: Annotated[str | None, Query(pattern=PERSON)] = None,
    golden_id: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    task_id: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    parent_id: Annotated[int | None, Query(ge=1, le=LARGEST, description="The parts of a bulk decision.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=500, description="`next` of the page before.")] = None,
) -> Response:
    """List decisions, the newest first: values that identify a person are withheld. `next` is null on the last page."""
    await stewards.admit_reader(request)
    chosen = decisions.Filter(
        state=stage, kind=kind, decided_by=decided_by, golden_id=golden_id, task_id=task_id, parent_id=parent_id
    )
    found = await connections.ask(
        state.of(request).pool, decisions.question(chosen, limit=limit, before=before_of(cursor))
    )
    following = cursors.encode([found[-1].decision_id]) if len(found) == limit else None
    return reply({"decisions": [telling.of_decision(each, reveal=False) for each in found], "next": following})


@router.get(
    "/{decision_id:int}",
    summary="Read a decision",
    responses=_READS | problems.documented(HTTPStatus.NOT_FOUND) | example("The decision", DECISION, **TAGGED),
    openapi_extra={"security": SECURITY},
)
async def show_decision(request: Request, decision_id: DecisionId) -> Response:
    """Read a decision: what was decided, why, what it did, and whether it was undone."""
    caller = await stewards.admit_reader(request)
    found = await connections.ask(state.of(request).pool, decisions.question_of(decision_id))
    if not found:
        raise Problem(HTTPStatus.NOT_FOUND, f"There is no decision {decision_id}. GET /v1/decisions lists them.")
    reveal = stewards.may_identify(caller)
    if reveal:
        about = ("decision", decision_id)
        await stewards.record_read(
            state.of(request).pool, caller, about=about, entity=None, golden_id=found[0].golden_id
        )
    return reply(telling.of_decision(found[0], reveal=reveal), ETag=f'"{found[0].version}"')


@router.post(
    "",
    summary="Decide",
    status_code=HTTPStatus.CREATED,
    responses=writing.REFUSALS | {201: example("The decision", DECISION, **TAGGED)[200]},
    openapi_extra={"security": SECURITY},
    dependencies=[Depends(writing.keyed)],
)
async def decide(request: Request, made: Made) -> Response:
    """Decide on a task, an override or an item of a golden record, on the version of it that was seen.

    take a source's value; enter a value; accept the difference until a date; ask the owner to correct; dismiss the
    task; retire or review an override; merge, split, or take a match for none. What wants approval is only proposed.
    409: it has changed since.
    """

    def act(connection: db.Connection, maker: Maker) -> Decision:
        return applying.decide(connection, made.order(), maker, state.of(request).approvals)

    return await perform(request, made.reason, act, status=HTTPStatus.CREATED)


@router.post(
    "/bulk",
    summary="Decide on many tasks at once",
    responses=writing.REFUSALS
    | {200: example("What a dry run found", _TRIAL)[200], 201: example("The decision", DECISION, **TAGGED)[200]},
    openapi_extra={"security": SECURITY},
    dependencies=[Depends(writing.keyed)],
)
async def decide_bulk(request: Request, many: Many) -> Response:
    """Decide on all tasks of a filter that nobody else has: all or nothing, and undone as one.

    A dry run counts them, shows examples, and changes nothing.
    """
    policy = state.of(request).approvals

    def act(connection: db.Connection, maker: Maker) -> Decision:
        return bulk.decide(connection, many.wanted(), maker, policy)

    if many.dry_run:
        return await _attempt(request, many)
    return await perform(request, many.reason, act, status=HTTPStatus.CREATED)


async def _attempt(request: Request, many: Many) -> Response:
    caller = await stewards.admit_writer(request)

    def act(connection: db.Connection) -> Answer:
        trial = bulk.attempt(connection, many.wanted(), _maker(caller, many.reason), state.of(request).approvals)
        return writing.answer(telling.of_trial(trial, reveal=False))

    return await writing.perform(request, caller, act)


@router.post(
    "/{decision_id:int}/undo",
    summary="Undo a decision",
    status_code=HTTPStatus.CREATED,
    responses=writing.REFUSALS | {201: example("The decision that undoes it", DECISION, **TAGGED)[200]},
    openapi_extra={"security": SECURITY},
    dependencies=[Depends(writing.keyed)],
)
async def undo(request: Request, decision_id: DecisionId, because: Because) -> Response:
    """Undo a decision, once, a bulk one with all its parts; the undo is a decision, and can itself be undone.

    409: it is undone already, or a later decision stands on what it did.
    """

    def act(connection: db.Connection, maker: Maker) -> Decision:
        return undoing.undo(connection, decision_id, maker)

    return await perform(request, because.reason, act, status=HTTPStatus.CREATED)


@router.post(
    "/{decision_id:int}/approve",
    summary="Approve a proposed decision",
    responses=_DECIDED,
    openapi_extra={"security": SECURITY},
    dependencies=[Depends(writing.keyed)],
)
async def approve(request: Request, decision_id: DecisionId) -> Response:
    """Approve what another proposed; it takes effect, unless what it is about has changed meanwhile (409)."""
    caller = await stewards.admit_approver(request)

    def act(connection: db.Connection) -> Answer:
        return _answer(caller, approving.approve(connection, decision_id, by=caller.name, at=datetime.now(UTC)))

    return await writing.perform(request, caller, act)


@router.post(
    "/{decision_id:int}/reject",
    summary="Reject a proposed decision",
    responses=_DECIDED,
    openapi_extra={"security": SECURITY},
    dependencies=[Depends(writing.keyed)],
)
async def reject(request: Request, decision_id: DecisionId, because: Because) -> Response:
    """Reject a proposed decision, with the reason: nothing comes of it."""
    caller = await stewards.admit_approver(request)

    def act(connection: db.Connection) -> Answer:
        now = datetime.now(UTC)
        rejected = approving.reject(connection, decision_id, by=caller.name, at=now, because=because.reason)
        return _answer(caller, rejected)

    return await writing.perform(request, caller, act)


Act = Callable[[db.Connection, Maker], Decision]


async def perform(request: Request, reason: str, act: Act, *, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Decide in one transaction, as the caller, and answer with the decision."""
    caller = await stewards.admit_writer(request)

    def run(connection: db.Connection) -> Answer:
        return _answer(caller, act(connection, _maker(caller, reason)), status=status)

    return await writing.perform(request, caller, run)


def before_of(cursor: str | None) -> int | None:
    """Return the id that the page before ended with; raises Problem 422."""
    place = cursors.decode(cursor, length=1)
    if place is None:
        return None
    if not isinstance(place[0], int) or not 0 < place[0] <= LARGEST:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The cursor is of another list. Begin again without one.")
    return place[0]


def reply(body: dict[str, Any], **headers: str) -> Response:
    """Answer with JSON that no cache keeps."""
    return Response(orjson.dumps(body, option=orjson.OPT_UTC_Z), media_type=JSON, headers=stewards.PRIVATE | headers)


def _answer(caller: Caller, decision: Decision, *, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    told = telling.of_decision(decision, reveal=stewards.may_identify(caller))
    return writing.answer(told, status=status, version=decision.version)


def _maker(caller: Caller, reason: str) -> Maker:
    return Maker(by=caller.name, reason=reason.strip(), at=datetime.now(UTC))
