"""Authentication: whose key a request bears, and whether the key's scopes allow what it asks.

A verified key is remembered for some seconds; a revocation forgets all of them at once in every running server.
"""

import time
from http import HTTPStatus

from fastapi import Request

from mdm.api import keys
from mdm.api.connections import Pool
from mdm.api.keys import Caller, Scope
from mdm.api.problems import Problem

_REMEMBERED = 30.0  # seconds
_MOST = 10_000

SECURITY: list[dict[str, list[str]]] = [{"bearer": []}]
"""What OpenAPI says of an operation that needs a key."""

_CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Keyring:
    """The keys that were verified of late."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: dict[str, tuple[float, Caller]] = {}

    async def identify(self, token: str) -> Caller | None:
        """Return whose key this is, or None when it is none that holds."""
        known = self._known.get(token)
        if known and known[0] > time.monotonic():
            return known[1]
        async with self._pool.connection() as connection:
            caller = await keys.find_caller(connection, token)
        if len(self._known) >= _MOST:
            self.forget()
        if caller:
            self._known[token] = (time.monotonic() + _REMEMBERED, caller)
        else:
            self._known.pop(token, None)
        return caller

    def forget(self) -> None:
        """Verify every key anew."""
        self._known.clear()


async def authenticate(request: Request, keyring: Keyring, *scopes: Scope) -> Caller:
    """Return the caller, whose key has one of the scopes; raises Problem 401 or 403."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "This needs an API key. Send it as 'Authorization: Bearer KEY'; 'mdm key create' makes one.",
            headers=_CHALLENGE,
        )
    caller = await keyring.identify(token.strip())
    if caller is None:
        detail = "The API key does not hold: it is unknown, expired or revoked. Ask the hub's operator for another."
        raise Problem(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    if caller.scopes.isdisjoint(scopes):
        wanted = " or ".join(scopes)
        raise Problem(HTTPStatus.FORBIDDEN, f"The API key lacks the scope {wanted}. Ask the hub's operator for it.")
    return caller
