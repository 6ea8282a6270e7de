"""Possible matches over HTTP: listed by filters, and one with its explanation and both golden records beside it.

An explanation holds no value. The golden records are masked as they are when they are read by id, and unmasked reads
of them are written down likewise (law 11).
"""

from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from psycopg.rows import class_row
from pydantic import BaseModel, ConfigDict, Field

from golden_records import match_states
from golden_records.match_states import Filter, Match, MatchKind, MatchState
from mdm.api import cursors, problems, state
from mdm.api.authentication import SECURITY, authenticate
from mdm.api.golden import Read
from mdm.api.keys import Caller, Scope
from mdm.api.negotiation import JSON
from mdm.api.problems import Problem

router = APIRouter(prefix="/v1/matches", tags=["matches"])

_REFUSALS = problems.documented(
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_HEADERS = {"Cache-Control": "no-store", "Vary": "Authorization"}
_MOST = 1_000

_MATCH = {
    "match_id": 17,
    "kind": "possible",
    "entity": "address",
    "left_id": 4711,
    "right_id": 90210,
    "score": 92,
    "state": "open",
    "version": 1,
    "found_at": "2026-01-15T12:00:00Z",
    "state_at": "2026-01-15T12:00:00Z",
}
_EXPLAINED = _MATCH | {
    "compared": {"candidates": 3, "is_limited": False},
    "explanation": {
        "parts": [
            {"part": "number", "verdict": "equal", "likeness": 1.0, "weight": 25},
            {"part": "street", "verdict": "alike", "likeness": 0.92, "weight": 25},
        ]
    },
    "left": None,
    "right": None,
}


class Chosen(BaseModel):
    """By what the list is filtered, and which page of it is asked for."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[MatchState, Field(description="Where the matches stand.")] = MatchState.OPEN
    kind: Annotated[MatchKind | None, Field(description="Possible, duplicate or crossed.")] = None
    entity: Annotated[str | None, Field(pattern="^(address|meter|metering_point)$", description="Of which.")] = None
    score: Annotated[int, Field(ge=0, le=100, description="The least score.")] = 0
    golden_id: Annotated[
        int | None, Field(ge=1, le=match_states.LARGEST, description="A golden record on either side.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=_MOST, description="The most to give.")] = 100
    cursor: Annotated[str | None, Field(max_length=100, description="Where the next page begins.")] = None

    def filter(self) -> Filter:
        """Return the conditions."""
        return Filter(
            state=self.state, kind=self.kind, entity=self.entity, least_score=self.score, golden_id=self.golden_id
        )


MatchId = Annotated[int, Path(ge=1, le=match_states.LARGEST, description="The match's id.", examples=[17])]


@router.get(
    "",
    summary="List possible matches",
    responses=_REFUSALS
    | {
        200: {
            "description": "The most alike first",
            "content": {JSON: {"example": {"matches": [_MATCH], "next": None}}},
        }
    },
    openapi_extra={"security": SECURITY},
)
async def list_matches(request: Request, chosen: Annotated[Chosen, Query()]) -> Response:
    """List matches with their scores; `next` is the cursor of the next page, null on the last."""
    await _admit(request)
    place, limit = _after(chosen.cursor), chosen.limit
    found = await _list(request, match_states.parameters(chosen.filter(), after=place, limit=limit + 1))
    page, rest = found[:limit], found[limit:]
    following = cursors.encode((page[-1].score, page[-1].match_id)) if rest else None
    body = {"matches": [match.summary() for match in page], "next": following}
    return Response(orjson.dumps(body, option=orjson.OPT_UTC_Z), media_type=JSON, headers=_HEADERS)


@router.get(
    "/{match_id}",
    summary="Read a possible match with its explanation",
    responses=_REFUSALS
    | {
        200: {
            "description": "The match; its ETag is its version",
            "content": {JSON: {"example": _EXPLAINED}},
            "headers": {"ETag": {"schema": {"type": "string"}, "description": "The version"}},
        }
    },
    openapi_extra={"security": SECURITY},
)
async def read_match(request: Request, match_id: MatchId) -> Response:
    """Read a match: how alike each part is and what it weighs, and both golden records, null where one is gone."""
    caller = await _admit(request)
    async with (
        state.of(request).pool.connection() as connection,
        connection.cursor(row_factory=class_row(Match)) as rows,
    ):
        match = await (await rows.execute(match_states.FIND, [match_id])).fetchone()
    if match is None:
        raise Problem(HTTPStatus.NOT_FOUND, "There is no such match. GET /v1/matches lists those that there are.")
    sides = {
        "left": await _shown(request, caller, match.entity, match.left_id),
        "right": await _shown(request, caller, match.entity, match.right_id),
    }
    body = orjson.dumps(match.document() | sides, option=orjson.OPT_UTC_Z)
    return Response(body, media_type=JSON, headers=_HEADERS | {"ETag": f'"{match.version}"'})


async def _admit(request: Request) -> Caller:
    """Let stewards in; a service's key is confined to its own points, and a match is of several."""
    caller = await authenticate(request, state.of(request).keyring, Scope.STEWARD_READ)
    if caller.recipient is not None:
        raise Problem(HTTPStatus.FORBIDDEN, "A key that is confined to one recipient sees no matches. Use a steward's.")
    return caller


async def _list(request: Request, parameters: dict[str, Any]) -> list[Match]:
    async with (
        state.of(request).pool.connection() as connection,
        connection.cursor(row_factory=class_row(Match)) as rows,
    ):
        return await (await rows.execute(match_states.LIST, parameters)).fetchall()


def _after(cursor: str | None) -> tuple[int, int] | None:
    place = cursors.decode(cursor, length=2)
    if place is None:
        return None
    score, match_id = place
    if type(score) is not int or type(match_id) is not int or abs(score) > 100 or abs(match_id) > match_states.LARGEST:
        detail = "The cursor is none that this list gave. Begin again without one."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return score, match_id


async def _shown(request: Request, caller: Caller, entity: str, golden_id: int) -> orjson.Fragment | None:
    read = Read(
        golden_id=golden_id,
        key_id=caller.key_id,
        recipient=None,
        is_identified=Scope.GOLDEN_READ_IDENTIFIED in caller.scopes,
    )
    record = await state.of(request).readers[entity].find(read)
    return None if record is None else orjson.Fragment(record.document)
