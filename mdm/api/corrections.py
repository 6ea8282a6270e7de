"""Correction requests over HTTP: each owner reads a view of its own and replies; stewards see all of them.

An owner's view is numbered densely, entry by entry: who goes on after the last number it has seen misses nothing.
"""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from mdm import db
from mdm.api import connections, cursors, problems, state, stewards, writing
from mdm.api.authentication import SECURITY, authenticate
from mdm.api.decisions import LARGEST, WORDS, before_of, reply
from mdm.api.idempotency import Answer
from mdm.api.keys import Caller, Scope
from mdm.api.problems import Problem
from mdm.api.tasks import PERSON, TAGGED, example
from mdm.deciding import replying, telling
from mdm.stewardship import corrections
from mdm.stewardship.corrections import Entry, Reply, State

router = APIRouter(prefix="/v1/corrections", tags=["corrections"])

_READS = problems.documented(
    HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
)

Reference = Annotated[str, Path(pattern=r"^CR-[0-9]{1,19}$", description="Of the request.", examples=["CR-000000042"])]

CORRECTION = {
    "reference": "CR-000000042",
    "recipient": "EELC",
    "source": "smrs10",
    "golden_id": 4711,
    "entity": "metering_point",
    "item_group": "segment",
    "item": "market_segment",
    "held_value": {"market_segment": "S"},
    "asked_value": {"market_segment": "A"},
    "state": "open",
    "reason": "seen on site",
    "decision_id": 42,
    "task_id": 17,
    "asked_at": "2026-01-15T12:00:00Z",
    "reply": None,
    "sender_reference": None,
    "replied_at": None,
    "closed_at": None,
    "version": 1,
}
_ENTRY = {**CORRECTION, "sequence": 1, "entered": "open", "at": "2026-01-15T12:00:00Z"}


class Said(BaseModel):
    """What an owner replies: whether it corrects its value, under a reference of its own that it never used before."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"state": "accepted", "sender_reference": "EELC-2026-0117", "text": "on Monday"}},
    )

    state: Literal["accepted", "rejected"]
    sender_reference: Annotated[str, Field(pattern=PERSON)]
    text: Annotated[str | None, Field(max_length=2000, pattern=WORDS)] = None


@router.get(
    "",
    summary="Read correction requests",
    responses=_READS
    | example("Entries of the owner's view after a number; for a steward, requests", {"entries": [_ENTRY], "last": 1}),
    openapi_extra={"security": SECURITY},
)
async def list_corrections(
    request: Request,
    *,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="The last number that the owner has seen.")] = 0,
    stage: Annotated[State | None, Query(alias="state", description="Of a steward's list.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=500, description="`next` of a steward's page before.")] = None,
) -> Response:
    """Read what an owner is asked to correct.

    The owner's key reads the entries of its own view, in the order of their numbers, which have no gap. A steward's key
    lists the requests to all owners, the newest first.
    """
    caller = await authenticate(
        request, state.of(request).keyring, Scope.CORRECTION_REPLY, Scope.STEWARD_READ, Scope.STEWARD_WRITE
    )
    if caller.recipient is not None:
        return await _view(request, caller, after=after, limit=limit)
    found = await connections.ask(
        state.of(request).pool, corrections.question(limit=limit, state=stage, before=before_of(cursor))
    )
    following = cursors.encode([found[-1].decision_id]) if len(found) == limit else None
    return reply({"corrections": [telling.of_correction(each, reveal=False) for each in found], "next": following})


async def _view(request: Request, caller: Caller, *, after: int, limit: int) -> Response:
    if Scope.CORRECTION_REPLY not in caller.scopes:
        raise Problem(HTTPStatus.FORBIDDEN, f"The API key lacks the scope {Scope.CORRECTION_REPLY}. Ask for it.")
    pool, reveal = state.of(request).pool, stewards.may_identify(caller)
    found = await connections.ask(pool, corrections.view(caller.recipient or "", after=after, limit=limit))
    if reveal:
        await _record(request, caller, found)
    told = [telling.of_correction(each, reveal=reveal) for each in found]
    return reply({"entries": told, "last": found[-1].sequence if found else after})


async def _record(request: Request, caller: Caller, entries: list[Entry]) -> None:
    for entry in entries:
        about = ("correction", entry.decision_id)
        await stewards.record_read(
            state.of(request).pool, caller, about=about, entity=entry.entity, golden_id=entry.golden_id
        )


@router.post(
    "/{reference}/reply",
    summary="Reply to a correction request",
    responses=writing.REFUSALS | example("The request as it is now", CORRECTION, **TAGGED),
    openapi_extra={"security": SECURITY},
    dependencies=[Depends(writing.keyed)],
)
async def reply_to(request: Request, reference: Reference, said: Said) -> Response:
    """Accept a request or reject it, as the owner that is asked.

    It closes by itself when the owner's system says the value that was asked for. A sender reference that was used
    before is refused (409, MSG1006).
    """
    caller = await authenticate(request, state.of(request).keyring, Scope.CORRECTION_REPLY)
    told = Reply(state=State(said.state), sender_reference=said.sender_reference, text=said.text)

    def act(connection: db.Connection) -> Answer:
        asked = corrections.get(connection, reference, recipient=caller.recipient or "")
        version = replying.reply(connection, asked, told, at=datetime.now(UTC))
        now: dict[str, Any] = telling.of_correction(
            corrections.get(connection, reference, recipient=caller.recipient), reveal=stewards.may_identify(caller)
        )
        return writing.answer(now, version=version)

    return await writing.perform(request, caller, act)
