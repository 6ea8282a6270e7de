"""Audits over HTTP: the runs that were made, the newest first, and what one found."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from psycopg.rows import dict_row

from mdm.api import problems, state
from mdm.api.authentication import SECURITY, authenticate
from mdm.api.keys import Scope
from mdm.api.negotiation import JSON
from mdm.api.problems import Problem
from mdm.audit import store

router = APIRouter(prefix="/v1/audits", tags=["audits"])

_REFUSALS = problems.documented(
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

_RUN: Mapping[str, Any] = {
    "run_id": 4,
    "started_at": "2026-01-15T12:00:00+00:00",
    "finished_at": "2026-01-15T12:03:10+00:00",
    "asked_for": {"threshold": 0.01},
    "by": "ann",
    "passed": True,
    "findings": 39,
    "failed": 12,
    "differing": 0,
}
_FINDING: Mapping[str, Any] = {
    "place": "golden",
    "rule": 34,
    "rule_version": 1,
    "outcome": "failed",
    "reason": None,
    "looked_at": 200000,
    "failed": 12,
    "inline": 12,
    "differing": 0,
    "sample": ["golden 4711"],
    "seconds": 0.41,
}


@router.get(
    "",
    summary="List the audits",
    responses=_REFUSALS | {200: {"description": "Audits", "content": {JSON: {"example": {"audits": [dict(_RUN)]}}}}},
    openapi_extra={"security": SECURITY},
)
async def list_audits(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1_000, description="The most to list, the newest first.")] = 20,
) -> Response:
    """List the audits that were made, the newest first: what was asked for, and what came of it in all."""
    hub = state.of(request)
    await authenticate(request, hub.keyring, Scope.STEWARD_READ)
    async with hub.pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(store.RUNS, [limit])
        runs = await cursor.fetchall()
    return Response(orjson.dumps({"audits": runs}), media_type=JSON)


@router.get(
    "/{run_id}",
    summary="Read an audit",
    responses=_REFUSALS
    | problems.documented(HTTPStatus.NOT_FOUND)
    | {200: {"description": "The audit", "content": {JSON: {"example": {**_RUN, "findings": [dict(_FINDING)]}}}}},
    openapi_extra={"security": SECURITY},
)
async def show_audit(
    request: Request,
    run_id: Annotated[int, Path(ge=1, le=2**31 - 1, description="The audit's number.", examples=[4])],
) -> Response:
    """Read what an audit found, by place and rule. Records are named by the hub's own ids."""
    hub = state.of(request)
    await authenticate(request, hub.keyring, Scope.STEWARD_READ)
    async with hub.pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(store.RUN, [run_id])
        run = await cursor.fetchone()
        await cursor.execute(store.FINDINGS, [run_id])
        findings = await cursor.fetchall()
    if run is None:
        raise Problem(
            HTTPStatus.NOT_FOUND, "There is no audit of that number. 'GET /v1/audits' lists those that there are."
        )
    return Response(orjson.dumps({**run, "findings": findings}), media_type=JSON)
