"""What changed in a view after a sequence number, over HTTP: at once, or as soon as something does."""

import time
from asyncio import to_thread, wait_for
from contextlib import suppress
from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request, Response

from mdm.api import access_log, negotiation, problems, state, views
from mdm.api.authentication import SECURITY
from mdm.api.negotiation import JSON, NDJSON, XML
from mdm.api.state import State
from mdm.api.views import PRIVATE, REFUSALS, Name, Recipient
from mdm.distribution import messages, reading, xml_documents
from mdm.distribution.contracts import Contract
from mdm.distribution.reading import Changes, Head

router = APIRouter(prefix="/v1/views", tags=["views"])

_MOST = 10_000
_LARGEST = 2**63 - 1

_EXAMPLE = {
    "view": "mss-appointment",
    "recipient": "BOLT",
    "after": 1203,
    "next": 1204,
    "head": 1204,
    "entries": [
        {
            "sequence": 1204,
            "operation": "upsert",
            "key": 4711,
            "message": {
                "data_sender_id": "EELC",
                "data_created_date": "2026-01-15T12:00:00.000000Z",
                "mpan_core": "1012345678902",
                "meter_id": "L 12345",
                "contract_reference": "C-1001",
                "supplier_mpid": "ACRE",
                "appointed_from": "2026-02-01",
                "status": "accepted",
            },
        }
    ],
}
_ANSWER = {
    "description": "Entries in order, without a gap",
    "content": {JSON: {"example": _EXAMPLE}, NDJSON: {}, XML: {}},
}

After = Annotated[int, Query(ge=0, le=_LARGEST, description="The sequence number up to which the copy stands.")]
Limit = Annotated[int, Query(ge=1, le=_MOST, description="The most entries to give.")]
Wait = Annotated[float, Query(ge=0, le=60, description="Seconds to wait for an entry when there is none.")]


@router.get(
    "/{name}/changes",
    summary="Read what changed in a view",
    responses=REFUSALS | problems.documented(*problems.POSITIONS) | {200: _ANSWER},
    openapi_extra={"security": SECURITY},
)
async def read_changes(
    request: Request, name: Name, after: After = 0, limit: Limit = 1000, wait: Wait = 0, recipient: Recipient = None
) -> Response:
    """Read the entries after a sequence number, as JSON, NDJSON or XML, whichever Accept prefers.

    With `wait` an answer without entries is held back until there is one or the time is over. The headers View-Next and
    View-Sequence say where to go on and where the view stands. 409: the position lies beyond the view's last entry;
    410: entries after it are no longer kept. Both ask for a new snapshot.
    """
    kind = negotiation.choose(request, (JSON, NDJSON, XML))
    caller, contract, receiver = await views.admit(request, name, recipient)
    hub = state.of(request)
    async with hub.pool.connection() as connection:
        head = await reading.get_head(connection, name=contract.name, recipient=receiver)
    changes = await _await_changes(hub, head, (after, limit), wait)
    if changes.entries:
        async with hub.pool.connection() as connection:
            await access_log.record_changes(connection, caller, changes)
    return await _answer(request, contract, changes, kind)


async def _await_changes(hub: State, head: Head, span: tuple[int, int], wait: float) -> Changes:
    """Return the changes after a position as soon as there are some, or none when the time is over."""
    deadline = time.monotonic() + wait
    with hub.listener.watch(head.view_id) as news:
        while True:
            news.clear()
            changes = await _find(hub, head, span)
            left = deadline - time.monotonic()
            if changes.entries or left <= 0 or hub.listener.is_closing:
                return changes
            with suppress(TimeoutError):
                await wait_for(news.wait(), left)


async def _find(hub: State, head: Head, span: tuple[int, int]) -> Changes:
    after, limit = span
    async with hub.pool.connection() as connection:
        return await reading.get_changes(connection, head=head, after=after, limit=limit)


async def _answer(request: Request, contract: Contract, changes: Changes, kind: str) -> Response:
    headers = PRIVATE | {"View-Next": str(changes.next_after), "View-Sequence": str(changes.last_sequence)}
    match kind:
        case "application/xml":
            body = await to_thread(xml_documents.of_changes, contract, changes)
        case "application/x-ndjson":
            body = messages.lines(changes.entries)
        case _:
            body = _document(contract, changes)
    if len(body) > 1000 and negotiation.takes_gzip(request):
        compressor = negotiation.compressor()
        body = await to_thread(lambda: compressor.compress(body) + compressor.flush())
        headers |= {"Content-Encoding": "gzip"}
    return Response(body, media_type=kind, headers=headers)


def _document(contract: Contract, changes: Changes) -> bytes:
    head = orjson.dumps(
        {
            "view": contract.name,
            "recipient": changes.head.recipient,
            "after": changes.after,
            "next": changes.next_after,
            "head": changes.last_sequence,
        }
    )
    return b'%b,"entries":[%b]}' % (head[:-1], b",".join(messages.line(entry) for entry in changes.entries))
