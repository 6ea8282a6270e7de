"""A view's content over HTTP, as of one sequence number: what a service begins its copy with."""

from asyncio import to_thread
from collections.abc import AsyncIterator

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from mdm.api import access_log, negotiation, state, views
from mdm.api.authentication import SECURITY
from mdm.api.keys import Caller
from mdm.api.negotiation import NDJSON
from mdm.api.state import State
from mdm.api.views import PRIVATE, REFUSALS, Name, Recipient
from mdm.distribution import messages, reading
from mdm.distribution.contracts import Contract

router = APIRouter(prefix="/v1/views", tags=["views"])

_EXAMPLE = (
    '{"name":"mss-appointment","recipient":"BOLT",...,"sequence":1204,"count":1160,"digest":"9f86..."}\n'
    '{"sequence":17,"operation":"upsert","key":4711,"message":{"data_sender_id":"EELC",...}}\n'
)


@router.get(
    "/{name}/snapshot",
    summary="Take a view's content",
    response_class=Response,
    responses=REFUSALS | {200: {"description": "The view, then its rows", "content": {NDJSON: {"example": _EXAMPLE}}}},
    openapi_extra={"security": SECURITY},
)
async def take_snapshot(request: Request, name: Name, recipient: Recipient = None) -> Response:
    """Take a view's content as of one sequence number, as NDJSON.

    The first line describes the view: sequence number, count and digest of its rows. Each line after it is a row: the
    feed entry that last changed it, with the same bytes as among the changes. Fewer lines than the count mean that the
    answer was cut off. Go on with the changes after the sequence number.
    """
    negotiation.choose(request, (NDJSON,))
    caller, contract, receiver = await views.admit(request, name, recipient)
    lines = _read(state.of(request), caller, contract, receiver)
    first = await anext(lines)  # so that a view that cannot be read is a problem, not a broken answer
    body = _chain(first, lines)
    if negotiation.takes_gzip(request):
        return StreamingResponse(_compressed(body), media_type=NDJSON, headers=PRIVATE | {"Content-Encoding": "gzip"})
    return StreamingResponse(body, media_type=NDJSON, headers=PRIVATE)


async def _read(hub: State, caller: Caller, contract: Contract, recipient: str) -> AsyncIterator[bytes]:
    """Yield the first line, then the rows, some at a time; what is given is written down before."""
    async with hub.pool.connection() as connection:
        reading_it = reading.snapshot(connection, name=contract.name, recipient=recipient)
        async with reading_it as (head, content):
            async with hub.pool.connection() as other:
                await access_log.record_snapshot(other, caller, head)
            yield orjson.dumps(views.describe(head), option=orjson.OPT_APPEND_NEWLINE)
            async for entries in content:
                yield messages.lines(entries)


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part


async def _compressed(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    compressor = negotiation.compressor()
    async for part in body:
        yield await to_thread(compressor.compress, part)
    yield compressor.flush()
