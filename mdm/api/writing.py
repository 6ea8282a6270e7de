"""Writes over HTTP: one hub transaction a request, done once under its Idempotency-Key, refused when it is stale.

Whatever a write changes in golden records goes through mastering, which is synchronous: a write runs in a thread, on a
session that is set up for mastering.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

import orjson
import psycopg
from fastapi import Header, Request, Response

from mdm import db
from mdm.api import idempotency, problems, state
from mdm.api.connections import WritingPool
from mdm.api.idempotency import Answer
from mdm.api.keys import Caller
from mdm.api.negotiation import JSON
from mdm.api.problems import Problem

IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=200, description="Sent again under it, it is done once."),
]
IfMatch = Annotated[
    str,
    Header(
        alias="If-Match",
        pattern='^ *(W/)?"?[0-9]{1,9}"? *$',
        description="The ETag of what is changed.",
        examples=['"3"'],
    ),
]


def keyed(_key: IdempotencyKey = None) -> None:
    """Declare the header Idempotency-Key, which `perform` reads: a dependency of every route that writes."""


REFUSALS = problems.documented(
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

_ATTEMPTS = 5

Action = Callable[[db.Connection], Answer]


def answer(body: dict[str, Any], *, status: HTTPStatus = HTTPStatus.OK, version: int | None = None) -> Answer:
    """Return what a write is answered with; the version becomes its ETag."""
    tag = None if version is None else f'"{version}"'
    return Answer(status=status, body=orjson.dumps(body, option=orjson.OPT_UTC_Z), tag=tag)


def version_of(if_match: str) -> int:
    """Return the version that If-Match names; raises Problem 422."""
    bare = if_match.strip().removeprefix("W/").strip('"')
    if not bare.isdigit() or len(bare) > 9:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, 'If-Match is the ETag of what is changed, such as "3".')
    return int(bare)


async def perform(request: Request, caller: Caller, action: Action) -> Response:
    """Run the action in one transaction and answer; what was answered under the same key before is answered again."""
    key = request.headers.get("idempotency-key")
    digest = idempotency.digest_of(request.method, request.url.path, await request.body())
    run = partial(_run, state.of(request).writing_pool, partial(_once, caller, key, digest, action))
    done = await asyncio.to_thread(run)
    headers = {"ETag": done.tag, "Location": done.location}
    return Response(
        done.body,
        status_code=done.status.value,
        media_type=JSON,
        headers={name: value for name, value in headers.items() if value is not None} | {"Cache-Control": "no-store"},
    )


def _once(caller: Caller, key: str | None, digest: str, action: Action, connection: db.Connection) -> Answer:
    if key is None:
        return action(connection)
    before = idempotency.begin(connection, key_id=caller.key_id, key=key, digest=digest)
    if before is not None:
        return before
    done = action(connection)
    idempotency.finish(connection, key_id=caller.key_id, key=key, answer=done)
    return done


def _run(pool: WritingPool, action: Action) -> Answer:
    """Run in a transaction, again where the workers, who master meanwhile, were in its way."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with pool.connection() as connection, db.transaction(connection):
                return action(connection)
        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")
