"""Quarantine over HTTP: what is held back and why, one record of it, and putting it through again.

What identifies a person is withheld, unless the key has golden:read-identified as well; such a read is written down.
"""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from golden_records import held
from golden_records.held import Chosen, Held
from golden_records.subjects import Kind
from mdm import db, mastering
from mdm.api import connections, cursors, problems, state, stewards, writing
from mdm.api.authentication import SECURITY
from mdm.api.idempotency import Answer
from mdm.api.negotiation import JSON
from mdm.api.problems import Problem
from mdm.api.tasks import PERSON, example
from rules import registry

router = APIRouter(prefix="/v1/quarantine", tags=["quarantine"])

_LARGEST = 2**63 - 1
_REFUSALS = problems.documented(
    HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
)
_HELD = {
    "quarantine_id": 5,
    "source": "smrs10",
    "table": "public.appointment",
    "key": "withheld|MSS|SMAR",
    "group": "appointment",
    "rule": 11,
    "reason": "An appointment has a contract reference",
    "attempts": 1,
    "commit_lsn": "0/1A2B3C8",
    "ordinal": 1,
    "change_id": 33555457,
    "quarantined_at": "2026-01-15T09:00:00Z",
    "closed_at": None,
    "outcome": None,
}
_WHOLE = _HELD | {
    "owner": "supplier",
    "explanation": "No appointment without an agreement between supplier and metering service.",
    "mend": "The supplier gives the contract reference and registration issues the appointment with it.",
    "items": {"mpan": "withheld", "role": "MSS"},
    "identified": False,
}

QuarantineId = Annotated[int, Path(ge=1, le=_LARGEST, description="The quarantined record's id.", examples=[5])]


@router.get(
    "",
    summary="List what is held back",
    responses=_REFUSALS | example("A page, the newest first", {"quarantine": [_HELD], "next": "WzVd"}),
    openapi_extra={"security": SECURITY},
)
async def list_quarantine(
    request: Request,
    *,
    source: Annotated[str | None, Query(pattern=PERSON)] = None,
    rule: Annotated[int | None, Query(ge=1, le=9999)] = None,
    closed: Annotated[bool, Query(description="List also what is no longer held back.")] = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=200, description="`next` of the page before.")] = None,
) -> Response:
    """List the records that could not be mastered, the newest first. `next` is null on the last page."""
    await stewards.admit_reader(request)
    chosen = Chosen(source=source, rule=rule, before=_before(cursor), closed=closed)
    found = await connections.ask(state.of(request).pool, held.page(chosen, limit=limit))
    place = cursors.encode([found[-1].quarantine_id]) if len(found) == limit else None
    return _json({"quarantine": [_brief(each) for each in found], "next": place})


@router.get(
    "/{quarantine_id:int}",
    summary="Read what is held back",
    responses=_REFUSALS | problems.documented(HTTPStatus.NOT_FOUND) | example("The record, and what mends it", _WHOLE),
    openapi_extra={"security": SECURITY},
)
async def show_quarantine(request: Request, quarantine_id: QuarantineId) -> Response:
    """Read one record: where it came from, which rule it breaks, what mends it, and what it says."""
    caller = await stewards.admit_reader(request)
    pool, reveal = state.of(request).pool, stewards.may_identify(caller)
    found = await connections.ask(pool, held.question(quarantine_id))
    if not found:
        raise _missing(quarantine_id)
    if reveal:
        about = (Kind.QUARANTINE.value, quarantine_id)
        await stewards.record_read(pool, caller, about=about, entity=None, golden_id=None)
    return _json(_whole(found[0], reveal=reveal))


@router.post(
    "/{quarantine_id:int}/retry",
    summary="Put a record through again",
    responses=writing.REFUSALS | example("The record as it stands now", _WHOLE),
    openapi_extra={"security": SECURITY},
    dependencies=[Depends(writing.keyed)],
)
async def retry(request: Request, quarantine_id: QuarantineId) -> Response:
    """Put a record through again: it is mastered when it passes now, else it stays and counts another attempt.

    It helps when something else was mended since. A record whose source sends it anew is looked at again by itself.
    """
    caller = await stewards.admit_writer(request)

    def act(connection: db.Connection) -> Answer:
        _refuse_unless_retriable(held.find_held(connection, quarantine_id), quarantine_id)
        mastering.retry(connection, now=datetime.now(UTC), after=quarantine_id - 1, limit=1)
        mastering.finish(connection)
        found = held.find_held(connection, quarantine_id)
        return writing.answer(_whole(found, reveal=False) if found else {})

    return await writing.perform(request, caller, act)


def _before(cursor: str | None) -> int | None:
    place = cursors.decode(cursor, length=1)
    if place is None:
        return None
    if not isinstance(place[0], int) or not 0 < place[0] <= _LARGEST:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The cursor is of another list. Begin again without one.")
    return place[0]


def _refuse_unless_retriable(found: Held | None, quarantine_id: int) -> None:
    if found is None:
        raise _missing(quarantine_id)
    if not found.is_open:
        raise Problem(HTTPStatus.CONFLICT, f"{quarantine_id} is no longer held back: it is {found.outcome}.")
    if found.record is None:
        raise Problem(
            HTTPStatus.CONFLICT,
            f"{quarantine_id} cannot be put through again, for its values could not be typed. "
            "Have the source send the row anew.",
        )


def _missing(quarantine_id: int) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"Quarantine has no {quarantine_id}. GET /v1/quarantine lists what there is.")


def _brief(found: Held, *, reveal: bool = False) -> dict[str, Any]:
    return {
        "quarantine_id": found.quarantine_id,
        "source": found.source,
        "table": found.relation,
        "key": found.key(reveal=reveal).partition("|")[2],
        "group": found.item_group or None,
        "rule": found.rule,
        "reason": found.reason,
        "attempts": found.attempts,
        "commit_lsn": found.commit_lsn,
        "ordinal": found.ordinal,
        "change_id": found.change_id,
        "quarantined_at": found.quarantined_at,
        "closed_at": found.closed_at,
        "outcome": found.outcome,
    }


def _whole(found: Held, *, reveal: bool) -> dict[str, Any]:
    rule = registry.RULES.get(found.rule or 0)
    return _brief(found, reveal=reveal) | {
        "owner": rule.owner if rule else None,
        "explanation": rule.explanation if rule else None,
        "mend": rule.mend if rule else "The source sends the row anew with values of their types.",
        "items": found.items(reveal=reveal),
        "identified": reveal,
    }


def _json(body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body, option=orjson.OPT_UTC_Z), media_type=JSON, headers=stewards.PRIVATE)
