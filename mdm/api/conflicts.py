"""Conflicts over HTTP: copies that differ from the value that survived, listed for who has to settle them, or one.

Values that identify a person or are restricted are masked, unless the key also has the scope golden:read-identified;
each such read is written down (law 11).
"""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from psycopg.rows import class_row

from golden_records import catalogue, conflict_reading
from golden_records.conflict_reading import Conflict, Filter, State
from mdm.api import access_log, cursors, problems, state
from mdm.api.authentication import SECURITY, authenticate
from mdm.api.connections import Connection
from mdm.api.keys import Caller, Scope
from mdm.api.negotiation import JSON
from mdm.api.problems import Problem
from rules.model import Severity

router = APIRouter(prefix="/v1/conflicts", tags=["conflicts"])

_LARGEST = 2**63 - 1
_ENTITIES = "|".join(catalogue.load().entities)
_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}

_REFUSALS = problems.documented(
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

_EXAMPLE = {
    "conflict_id": 55,
    "version": 1,
    "state": "open",
    "in_grace": False,
    "entity": "metering_point",
    "golden_id": 4711,
    "item_group": "energisation",
    "item": "energisation_status",
    "rule": 39,
    "severity": "W",
    "critical": True,
    "owner": "metering service",
    "owner_participant": "BOLT",
    "surviving": {"source": "mss", "value": "E", "change_id": 2181097477, "is_fallback": False},
    "copy": {"source": "mds", "value": "D", "change_id": 2751464451},
    "opened_at": "2026-01-15T12:00:00Z",
    "opened_by": "owner",
    "age_seconds": 5400.0,
    "visible_from": "2026-01-15T12:15:00Z",
    "changed_at": None,
    "accepted_until": None,
    "closed_at": None,
    "closed_in_grace": None,
    "note": None,
    "masked": False,
}
_SIDE = {
    "kind": "MSS",
    "participant": "BOLT",
    "commit_lsn": "0/395CB7F",
    "ordinal": 2,
    "relation": "public.energisation",
}
_FULL_EXAMPLE = _EXAMPLE | {
    "definition": "Energised, de-energised or unknown",
    "comparison": "code",
    "grace_seconds": 900.0,
    "values": [
        {"source": "mss", "value": "E", "change_id": 2181097477, "committed_at": "2026-01-15T12:00:00Z"} | _SIDE,
        {"source": "mds", "value": "D", "change_id": 2751464451, "committed_at": "2026-01-10T09:00:00Z"}
        | _SIDE
        | {"kind": "MDS", "participant": "SETL", "relation": "public.settlement_energisation"},
    ],
    "history": [],
}

ConflictId = Annotated[int, Path(ge=1, le=_LARGEST, description="As the list gives it.", examples=[55])]
_Text = Query(max_length=100, pattern=r"^[\w .-]+$")


@router.get(
    "",
    summary="List conflicts",
    responses=_REFUSALS
    | {
        200: {
            "description": "Conflicts, open ones the oldest first, and where the next page begins",
            "content": {JSON: {"example": {"conflicts": [_EXAMPLE], "next": "WzU1XQ"}}},
        }
    },
    openapi_extra={"security": SECURITY},
)
async def list_conflicts(  # noqa: PLR0913 - each filter is a parameter of the query
    request: Request,
    *,
    conflict_state: Annotated[
        State, Query(alias="state", description="Accepted ones may differ for now.")
    ] = State.OPEN,
    entity: Annotated[str | None, Query(pattern=f"^({_ENTITIES})$", examples=["address"])] = None,
    item: Annotated[str | None, _Text] = None,
    source: Annotated[str | None, _Text] = None,
    owner: Annotated[str | None, _Text] = None,
    severity: Severity | None = None,
    critical: Annotated[bool | None, Query(description="Whether the catalogue calls the item critical.")] = None,
    in_grace: Annotated[bool | None, Query(description="Whether copies still have time to follow.")] = None,
    opened_before: Annotated[datetime | None, Query(description="By age: those that opened before.")] = None,
    golden_id: Annotated[int | None, Query(ge=1, le=_LARGEST)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    cursor: Annotated[str | None, Query(max_length=200, description="The field next of the page before.")] = None,
) -> Response:
    """List conflicts, filtered: source is the system whose copy differs, owner a kind of owner or a party's MPID."""
    caller = await authenticate(request, state.of(request).keyring, Scope.STEWARD_READ)
    chosen = Filter(
        state=conflict_state,
        entity=entity,
        item=item,
        source=source,
        owner=owner,
        severity=severity,
        is_critical=critical,
        is_in_grace=in_grace,
        opened_before=_aware(opened_before),
        golden_id=golden_id,
    )
    query = conflict_reading.list_page(chosen, after=_after(cursor), limit=limit + 1)
    async with state.of(request).pool.connection() as connection:
        found = await _read(connection, query)
        page, reveal = found[:limit], _reveals(caller)
        await _record(connection, caller, page)
    body = {
        "conflicts": [conflict.describe(reveal=reveal) for conflict in page],
        "next": cursors.encode([page[-1].conflict_id]) if len(found) > limit else None,
    }
    return Response(_dump(body), media_type=JSON, headers=_HEADERS)


@router.get(
    "/{conflict_id}",
    summary="Read a conflict",
    responses=_REFUSALS
    | problems.documented(HTTPStatus.NOT_FOUND)
    | {
        200: {
            "description": "The conflict, its values by system, and those that they had before",
            "headers": {"ETag": {"schema": {"type": "string"}, "description": "The version"}},
            "content": {JSON: {"example": _FULL_EXAMPLE}},
        }
    },
    openapi_extra={"security": SECURITY},
)
async def read_conflict(request: Request, conflict_id: ConflictId) -> Response:
    """Read a conflict with the value of every system, where each came from and when; its ETag is its version."""
    caller = await authenticate(request, state.of(request).keyring, Scope.STEWARD_READ)
    async with state.of(request).pool.connection() as connection:
        found = await _read(connection, conflict_reading.find(conflict_id))
        if not found:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no such conflict. 'GET /v1/conflicts' lists what there is.")
        await _record(connection, caller, found)
        values = await (await connection.execute(*conflict_reading.list_values(found[0]))).fetchall()
    reveal = _reveals(caller)
    body = conflict_reading.describe_fully(found[0], values, reveal=reveal)
    tag = f'"{found[0].version}"' if reveal or not found[0].is_sensitive else f'"{found[0].version}-masked"'
    return Response(_dump(body), media_type=JSON, headers=_HEADERS | {"ETag": tag})


async def _read(connection: Connection, query: conflict_reading.Query) -> list[Conflict]:
    async with connection.cursor(row_factory=class_row(Conflict)) as cursor:
        await cursor.execute(*query)
        return await cursor.fetchall()


async def _record(connection: Connection, caller: Caller, read: Sequence[Conflict]) -> None:
    """Write down which golden records' identifying values the caller is given."""
    if _reveals(caller):
        sensitive = {(each.entity, each.golden_id) for each in read if each.is_sensitive}
        await access_log.record_golden(connection, caller, sorted(sensitive))


def _reveals(caller: Caller) -> bool:
    return Scope.GOLDEN_READ_IDENTIFIED in caller.scopes


def _after(cursor: str | None) -> int | None:
    place = cursors.decode(cursor, length=1)
    if place is None:
        return None
    if not isinstance(place[0], int) or not 0 <= place[0] <= _LARGEST:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "The cursor is none that this list gave. Begin again without one."
        )
    return place[0]


def _aware(moment: datetime | None) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        detail = "opened_before lacks its offset from UTC. Write it as 2026-01-15T12:00:00Z."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return moment


def _dump(body: dict[str, Any]) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)
