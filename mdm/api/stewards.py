"""Who may see and change what waits for stewards. A service's key, which is confined to its own points, may not."""

from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import Request

from mdm.api import state
from mdm.api.authentication import authenticate
from mdm.api.connections import Pool
from mdm.api.keys import Caller, Scope
from mdm.api.problems import Problem
from mdm.stewardship.tasks import Deed

PRIVATE = {"Cache-Control": "no-store", "Vary": "Authorization"}

_READ = """
insert into hub.access_log (key_id, action, entity, golden_id, kind, subject_id) values (%s, 'read', %s, %s, %s, %s)
"""


async def admit_reader(request: Request) -> Caller:
    """Return the caller, who may see tasks; raises Problem 401 or 403."""
    return await _admit(request, Scope.STEWARD_READ, Scope.STEWARD_WRITE, Scope.STEWARD_APPROVE)


async def admit_writer(request: Request) -> Caller:
    """Return the caller, who may work on tasks; raises Problem 401 or 403."""
    return await _admit(request, Scope.STEWARD_WRITE)


async def admit_approver(request: Request) -> Caller:
    """Return the caller, who may approve what others propose; raises Problem 401 or 403."""
    return await _admit(request, Scope.STEWARD_APPROVE)


async def _admit(request: Request, *scopes: Scope) -> Caller:
    caller = await authenticate(request, state.of(request).keyring, *scopes)
    if caller.recipient is not None:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "The key is confined to one recipient's points, and tasks are about all. Use a key without a recipient.",
        )
    return caller


def may_identify(caller: Caller) -> bool:
    """Tell whether the caller sees what identifies a person."""
    return Scope.GOLDEN_READ_IDENTIFIED in caller.scopes


async def record_read(
    pool: Pool, caller: Caller, *, about: tuple[str, int], entity: str | None, golden_id: int | None
) -> None:
    """Write down that a caller reads the identifying values of a subject (kind, id), before they are given."""
    async with pool.connection() as connection:
        await connection.execute(_READ, [caller.key_id, entity, golden_id, *about])


def deed(caller: Caller, note: str | None = None) -> Deed:
    """Return what the caller does now."""
    return Deed(by=caller.name, at=datetime.now(UTC), note=note)
