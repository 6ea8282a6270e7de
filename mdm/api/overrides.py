"""Overrides over HTTP: which stand and what they hide; to end one, or to review it, is a decision."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from golden_records import overridden
from golden_records.overridden import Chosen
from mdm import db
from mdm.api import connections, cursors, problems, state, stewards, writing
from mdm.api.authentication import SECURITY
from mdm.api.decisions import DECISION, LARGEST, Because, Reason, before_of, perform, reply
from mdm.api.problems import Problem
from mdm.api.tasks import NAME, PERSON, TAGGED, example
from mdm.api.writing import IfMatch
from mdm.deciding import applying, telling
from mdm.deciding.orders import About, Order, Terms
from mdm.stewardship.decisions import Decision, Kind, Maker

router = APIRouter(prefix="/v1/overrides", tags=["overrides"])

_READS = problems.documented(
    HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
)
_DECIDED = writing.REFUSALS | {201: example("The decision", DECISION, **TAGGED)[200]}

OverrideId = Annotated[int, Path(ge=1, le=LARGEST, description="The override's id.", examples=[5])]

OVERRIDE = {
    "override_id": 5,
    "version": 2,
    "golden_id": 4711,
    "entity": "metering_point",
    "item_group": "segment",
    "item": "market_segment",
    "value": {"market_segment": "A"},
    "hidden_value": {"market_segment": "S"},
    "hidden_change_id": 33555457,
    "owner_value": {"market_segment": "U"},
    "owner_change_id": 33588225,
    "owner_source": "smrs10",
    "changed_at": "2026-01-16T09:00:00Z",
    "author": "ann",
    "reason": "seen on site",
    "made_at": "2026-01-15T12:00:00Z",
    "expires_at": None,
    "review_at": "2026-07-15T12:00:00Z",
    "due_since": None,
    "decision_id": 42,
    "retired_at": None,
    "retired_why": None,
    "hides_changed": True,
}


class Review(BaseModel):
    """Why an override goes on standing, and when somebody should look at it again."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"reason": "asked the site again", "review_at": "2027-01-15T12:00:00Z"}},
    )

    reason: Reason
    review_at: AwareDatetime | None = None


@router.get(
    "",
    summary="List overrides",
    responses=_READS | example("A page of overrides, the newest first", {"overrides": [OVERRIDE], "next": "WzVd"}),
    openapi_extra={"security": SECURITY},
)
async def list_overrides(  # noqa: PLR0913 - a parameter for each filter
    request: Request,
    *,
    hides_changed: Annotated[bool | None, Query(description="Whether the owner says another value by now.")] = None,
    due: Annotated[bool | None, Query(description="Whether it waits to be reviewed.")] = None,
    golden_id: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    item: Annotated[str | None, Query(pattern=NAME)] = None,
    author: Annotated[str | None, Query(pattern=PERSON)] = None,
    retired: Annotated[bool, Query(description="Also those that no longer stand.")] = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=500, description="`next` of the page before.")] = None,
) -> Response:
    """List overrides: values that identify a person are withheld. `next` is null on the last page."""
    await stewards.admit_reader(request)
    chosen = Chosen(
        hides_changed=hides_changed,
        is_due=due,
        golden_id=golden_id,
        item=item,
        author=author,
        retired=retired,
        before=before_of(cursor),
    )
    found = await connections.ask(state.of(request).pool, overridden.page(chosen, limit=limit))
    following = cursors.encode([found[-1].override_id]) if len(found) == limit else None
    return reply({"overrides": [telling.of_override(each, reveal=False) for each in found], "next": following})


@router.get(
    "/{override_id:int}",
    summary="Read an override",
    responses=_READS | problems.documented(HTTPStatus.NOT_FOUND) | example("The override", OVERRIDE, **TAGGED),
    openapi_extra={"security": SECURITY},
)
async def show_override(request: Request, override_id: OverrideId) -> Response:
    """Read an override: its value, what it hid, and what the owner says now."""
    caller = await stewards.admit_reader(request)
    pool, reveal = state.of(request).pool, stewards.may_identify(caller)
    found = await connections.ask(pool, overridden.question(override_id))
    if not found:
        raise Problem(HTTPStatus.NOT_FOUND, f"There is no override {override_id}. GET /v1/overrides lists them.")
    (override,) = found
    if reveal:
        about = ("override", override_id)
        await stewards.record_read(pool, caller, about=about, entity=override.entity, golden_id=override.golden_id)
    return reply(telling.of_override(override, reveal=reveal), ETag=f'"{override.version}"')


@router.post(
    "/{override_id:int}/retire",
    summary="End an override",
    status_code=HTTPStatus.CREATED,
    responses=_DECIDED,
    openapi_extra={"security": SECURITY},
    dependencies=[Depends(writing.keyed)],
)
async def retire(request: Request, override_id: OverrideId, if_match: IfMatch, because: Because) -> Response:
    """End an override, so that the owner's value stands again: a decision, which can be undone."""
    return await _decide(request, Kind.RETIRE, override_id, if_match, because.reason)


@router.post(
    "/{override_id:int}/review",
    summary="Let an override stand",
    status_code=HTTPStatus.CREATED,
    responses=_DECIDED,
    openapi_extra={"security": SECURITY},
    dependencies=[Depends(writing.keyed)],
)
async def review(request: Request, override_id: OverrideId, if_match: IfMatch, said: Review) -> Response:
    """Let an override stand over what the owner says now, until the next review: a decision, which can be undone."""
    return await _decide(request, Kind.REVIEW, override_id, if_match, said.reason, review_at=said.review_at)


async def _decide(
    request: Request,
    kind: Kind,
    override_id: int,
    if_match: str,
    reason: str,
    *,
    review_at: datetime | None = None,
) -> Response:
    about = About(override_id=override_id, version=writing.version_of(if_match))
    order = Order(kind=kind, about=about, terms=Terms(review_at=review_at))

    def act(connection: db.Connection, maker: Maker) -> Decision:
        return applying.decide(connection, order, maker, state.of(request).approvals)

    return await perform(request, reason, act, status=HTTPStatus.CREATED)
