"""Whether the server lives, whether it can answer, and its metrics."""

from http import HTTPStatus

import orjson
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from mdm import telemetry
from mdm.api import problems, state
from mdm.api.negotiation import JSON
from mdm.api.problems import Problem

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Tell that the server lives")
async def live() -> Response:
    """Tell that the server lives."""
    return Response(orjson.dumps({"status": "alive"}), media_type=JSON)


@router.get(
    "/readyz",
    summary="Tell whether the server can answer",
    responses=problems.documented(HTTPStatus.SERVICE_UNAVAILABLE),
)
async def ready(request: Request) -> Response:
    """Tell whether the database can be reached and has the schema that this server needs."""
    hub = state.of(request)
    async with hub.pool.connection() as connection:
        row = await (await connection.execute("select to_regclass('hub.alembic_version') is not null")).fetchone()
        if row == (True,):
            row = await (await connection.execute("select version_num from hub.alembic_version")).fetchone()
    if hub.revision is not None and row != (hub.revision,):
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The database's schema is not the one that this server needs. Run 'mdm init', then try again.",
        )
    return Response(orjson.dumps({"status": "ready"}), media_type=JSON)


@router.get(
    "/metrics",
    summary="Give metrics for Prometheus",
    responses={200: {"description": "Metrics", "content": {"text/plain": {}}}},
    response_class=Response,
)
async def show_metrics() -> Response:
    """Give metrics in Prometheus's text format."""
    return Response(telemetry.metrics(), media_type=CONTENT_TYPE_LATEST)
