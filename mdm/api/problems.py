"""Problems: every error as application/problem+json (RFC 9457), which says what happened and what to do next.

A problem repeats nothing of what was sent, so no value finds its way into a log through it.
"""

from http import HTTPStatus
from typing import Any

import orjson
import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException

from mdm.deciding.orders import Outdated, OverrideUnknown, Refused
from mdm.distribution.contracts import ContractUnknown
from mdm.distribution.reading import BeyondHead, NotRetained, ViewEmpty
from mdm.errors import MdmError
from mdm.merging import HubOccupied, IdentityRefused, IdentityStale
from mdm.stewardship.corrections import CorrectionClosed, CorrectionUnknown, ReferenceUsed
from mdm.stewardship.decisions import DecisionUnknown, OwnProposal, WrongState
from mdm.stewardship.queue import SortUnfit
from mdm.stewardship.tasks import Closed, Stale, Taken, TaskUnknown

MEDIA_TYPE = "application/problem+json"

_log = structlog.get_logger(__name__)

_STATUS: dict[type[MdmError], HTTPStatus] = {
    ContractUnknown: HTTPStatus.NOT_FOUND,
    ViewEmpty: HTTPStatus.NOT_FOUND,
    BeyondHead: HTTPStatus.CONFLICT,
    NotRetained: HTTPStatus.GONE,
    TaskUnknown: HTTPStatus.NOT_FOUND,
    Stale: HTTPStatus.CONFLICT,
    Taken: HTTPStatus.CONFLICT,
    Closed: HTTPStatus.CONFLICT,
    SortUnfit: HTTPStatus.UNPROCESSABLE_ENTITY,
    Refused: HTTPStatus.UNPROCESSABLE_ENTITY,
    Outdated: HTTPStatus.CONFLICT,
    OverrideUnknown: HTTPStatus.NOT_FOUND,
    DecisionUnknown: HTTPStatus.NOT_FOUND,
    WrongState: HTTPStatus.CONFLICT,
    IdentityRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    IdentityStale: HTTPStatus.CONFLICT,
    HubOccupied: HTTPStatus.SERVICE_UNAVAILABLE,
    OwnProposal: HTTPStatus.FORBIDDEN,
    CorrectionUnknown: HTTPStatus.NOT_FOUND,
    CorrectionClosed: HTTPStatus.CONFLICT,
    ReferenceUsed: HTTPStatus.CONFLICT,
}

POSITIONS = (HTTPStatus.CONFLICT, HTTPStatus.GONE)
"""What a position in a feed may be refused with."""

_ADVICE = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address. /v1/openapi.json lists what there is.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take that method. The header Allow names those it takes.",
}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
                "required": ["pointer", "detail"],
            },
        },
    },
    "required": ["type", "title", "status", "detail"],
}


class Problem(MdmError):
    """A request that is refused, with the status and what its sender can do."""

    def __init__(self, status: HTTPStatus, detail: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers


def response(
    status: HTTPStatus,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    errors: list[dict[str, str]] | None = None,
) -> Response:
    """Return the answer that tells of a problem."""
    body: dict[str, Any] = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    body |= {"errors": errors} if errors else {}
    return Response(orjson.dumps(body), status_code=status.value, headers=headers, media_type=MEDIA_TYPE)


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Describe these problems for OpenAPI."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status.value: {"description": status.phrase, "content": content} for status in statuses}


def install(app: FastAPI) -> None:
    """Answer every error of the application with a problem."""
    app.add_exception_handler(MdmError, _of_error)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_framework)
    app.add_exception_handler(psycopg.OperationalError, _of_database)
    app.add_exception_handler(PoolTimeout, _of_database)


async def _of_error(_request: Request, error: Exception) -> Response:
    if isinstance(error, Problem):
        return response(error.status, str(error), headers=error.headers)
    status = _STATUS.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR) if isinstance(error, MdmError) else None
    return response(status or HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


async def _of_validation(_request: Request, error: Exception) -> Response:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    errors = [
        {
            "pointer": "/" + "/".join(str(part) for part in fault["loc"] if not isinstance(part, int)),
            "detail": fault["msg"],
        }
        for fault in faults
    ]
    detail = "The request does not keep to its schema. Correct what 'errors' names, then send it again."
    return response(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)


async def _of_framework(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return surprise()
    status = HTTPStatus(error.status_code)
    return response(status, _ADVICE.get(status, status.description), headers=dict(error.headers or {}))


async def _of_database(_request: Request, error: Exception) -> Response:
    _log.warning("api.database_unreachable", error=type(error).__qualname__)
    detail = "The hub's database cannot be reached just now. Try again in a few seconds."
    return response(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "2"})


def surprise() -> Response:
    """Return the answer to a request that failed for no reason that we know."""
    return response(HTTPStatus.INTERNAL_SERVER_ERROR, "The hub failed to answer. Its log names the error; try again.")
