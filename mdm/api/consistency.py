"""The measure of consistency over HTTP: on how many golden records systems agree, how long copies take to follow."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request, Response

from golden_records import catalogue, consistency
from mdm.api import problems, state
from mdm.api.authentication import SECURITY, authenticate
from mdm.api.keys import Scope
from mdm.api.negotiation import JSON

router = APIRouter(prefix="/v1/consistency", tags=["conflicts"])

_ENTITIES = "|".join(catalogue.load().entities)
_Text = Query(max_length=100, pattern=r"^[\w .-]+$")

_PAIR = {"held": 1262, "differing": 3, "share": 0.9976228209191759}
_TIMES = {"changes": 61, "p50_seconds": 0.062, "p95_seconds": 0.124, "p99_seconds": 0.15, "waiting": 0}
_SINCE = {"waiting_since": None, "since": "2026-01-14T12:00:00Z"}
_ITEM = {"entity": "metering_point", "item_group": "site", "item": "address_id"}
_EXAMPLE = {
    "as_of": "2026-01-15T12:00:00Z",
    "held_as_of": "2026-01-15T11:59:10Z",
    "address": [{"kinds": ["SMRS", "MSS"]} | _PAIR],
    "items": [_ITEM | {"systems": ["smrs10", "mss"], "kinds": ["SMRS", "MSS"]} | _PAIR],
    "times": [_ITEM | _TIMES | _SINCE],
    "time_of_all": dict.fromkeys(_ITEM) | _TIMES | _SINCE,
}


@router.get(
    "",
    summary="Tell how consistent the systems are",
    responses=problems.documented(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    )
    | {200: {"description": "The measure", "content": {JSON: {"example": _EXAMPLE}}}},
    openapi_extra={"security": SECURITY},
)
async def show_consistency(
    request: Request,
    *,
    entity: Annotated[str | None, Query(pattern=f"^({_ENTITIES})$")] = None,
    item: Annotated[str | None, _Text] = None,
    source: Annotated[str | None, _Text] = None,
) -> Response:
    """Tell, for the address and for each item and pair of systems, on how many golden records they agree.

    What differs is as of now, what both hold as of `held_as_of`. The times are from an owner's commit until its last
    copy agrees, of the last day; `waiting` are the owner's changes that some copy has not followed yet.
    """
    await authenticate(request, state.of(request).keyring, Scope.STEWARD_READ)
    now = datetime.now(UTC)
    queries = (
        consistency.by_item(item=item, entity=entity, sources=[source] if source else None),
        consistency.of_address(),
        consistency.times(now=now),
    )
    async with state.of(request).pool.connection() as connection:
        pairs, address, times = [await (await connection.execute(*query)).fetchall() for query in queries]
    body = consistency.describe(pairs, address, times, now=now)
    return Response(orjson.dumps(body, option=orjson.OPT_UTC_Z), media_type=JSON, headers={"Cache-Control": "no-store"})
