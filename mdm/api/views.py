"""Views over HTTP: which there are, and where each stands.

A service's key sees its own views alone. Another role's or another organisation's view is refused with 403 before it is
looked for, so the answer does not tell whether it exists; the names of views themselves are public.
"""

from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from mdm.api import problems, state
from mdm.api.authentication import SECURITY, authenticate
from mdm.api.keys import Caller, Scope
from mdm.api.negotiation import JSON
from mdm.api.problems import Problem
from mdm.distribution import contracts, reading
from mdm.distribution.contracts import Contract
from mdm.distribution.reading import Head

router = APIRouter(prefix="/v1/views", tags=["views"])

REFUSALS = problems.documented(
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

PRIVATE = {"Cache-Control": "no-store", "Vary": "Accept, Accept-Encoding, Authorization"}
"""Headers of every answer that may hold what identifies a person."""

Name = Annotated[str, Path(description="The name of the view's contract.", examples=["mss-appointment"])]
Recipient = Annotated[
    str | None,
    Query(
        pattern="^[A-Z0-9]{1,10}$",
        description="Whose view. A service's key needs none; a key for all views must name one.",
        examples=["BOLT"],
    ),
]

_VIEW = {
    "name": "mss-appointment",
    "recipient": "BOLT",
    "role": "MSS",
    "message": "appointment",
    "version": "1.0.0",
    "sequence": 1204,
    "retained_after": 0,
    "count": 1160,
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}


@router.get(
    "",
    summary="List the views that the key may see",
    responses=REFUSALS | {200: {"description": "Views by name", "content": {JSON: {"example": {"views": [_VIEW]}}}}},
    openapi_extra={"security": SECURITY},
)
async def list_views(request: Request) -> Response:
    """List the views that the key may see, with where each stands: sequence number, count and digest of its rows."""
    hub = state.of(request)
    caller = await authenticate(request, hub.keyring, Scope.VIEW_READ, Scope.VIEW_READ_ALL)
    async with hub.pool.connection() as connection:
        heads = await reading.list_heads(connection, recipient=caller.recipient)
    shown = [describe(head) for head in heads if caller.role in {None, contracts.get_contract(head.name).role}]
    return Response(orjson.dumps({"views": shown}), media_type=JSON, headers=PRIVATE)


@router.get(
    "/{name}",
    summary="Tell where a view stands",
    responses=REFUSALS | {200: {"description": "The view", "content": {JSON: {"example": _VIEW}}}},
    openapi_extra={"security": SECURITY},
)
async def show_view(request: Request, name: Name, recipient: Recipient = None) -> Response:
    """Tell where a view stands: its last sequence number, and the count and digest of its rows as of it."""
    hub = state.of(request)
    _caller, contract, receiver = await admit(request, name, recipient)
    async with hub.pool.connection() as connection:
        head = await reading.get_head(connection, name=contract.name, recipient=receiver)
    return Response(orjson.dumps(describe(head)), media_type=JSON, headers=PRIVATE)


async def admit(request: Request, name: str, asked: str | None) -> tuple[Caller, Contract, str]:
    """Return the caller, the contract and the recipient whose view it may see; raises a Problem."""
    caller = await authenticate(request, state.of(request).keyring, Scope.VIEW_READ, Scope.VIEW_READ_ALL)
    contract = contracts.get_contract(name)
    if caller.recipient is None:
        if asked is None:
            detail = "The key is for the views of all recipients. Name one: '?recipient=MPID'."
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
        return caller, contract, asked
    if contract.role != caller.role or asked not in {None, caller.recipient}:
        detail = "The key is for its own recipient's views alone. 'GET /v1/views' lists them."
        raise Problem(HTTPStatus.FORBIDDEN, detail)
    return caller, contract, caller.recipient


def describe(head: Head) -> dict[str, Any]:
    """Return what is told of a view."""
    contract = contracts.get_contract(head.name)
    return {
        "name": head.name,
        "recipient": head.recipient,
        "role": contract.role,
        "message": contract.message,
        "version": contract.version,
        "sequence": head.sequence,
        "retained_after": head.retained_after,
        "count": head.count,
        "digest": head.digest,
    }
