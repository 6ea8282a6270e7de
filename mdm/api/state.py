"""What the routes share in one process: sessions, keys, the listener, readers of golden records."""

import asyncio
from dataclasses import dataclass, field

from fastapi import Request

from golden_records import catalogue
from mdm.api import connections
from mdm.api.authentication import Keyring
from mdm.api.connections import Pool, WritingPool
from mdm.api.golden import Reader
from mdm.api.listener import Listener
from mdm.stewardship.approvals import NONE, Policy
from mdm.stewardship.terms import USUAL, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One server's means; open before the first request, closed after the last."""

    pool: Pool
    reading_pool: Pool
    writing_pool: WritingPool
    keyring: Keyring
    listener: Listener
    readers: dict[str, Reader] = field(default_factory=dict)
    terms: Terms = USUAL
    approvals: Policy = NONE
    revision: str | None = None

    async def open(self) -> None:
        """Begin to connect; the first requests wait for it."""
        await self.pool.open()
        await self.reading_pool.open()
        self.writing_pool.open()
        await self.listener.open()

    async def close(self) -> None:
        """Let nobody wait any longer and close every session."""
        await self.listener.close()
        await self.pool.close()
        await self.reading_pool.close()
        await asyncio.to_thread(self.writing_pool.close)


def make(dsn: str, *, revision: str | None = None, terms: Terms = USUAL, approvals: Policy = NONE) -> State:
    """Return the state of a server of the hub in this database; `revision` is the schema that it needs."""
    pool = connections.make_pool(dsn, size=8, is_checked=True)
    reading_pool = connections.make_pool(dsn, size=4, is_checked=False)
    keyring = Keyring(pool)
    return State(
        pool=pool,
        reading_pool=reading_pool,
        writing_pool=connections.make_writing_pool(dsn, size=4, terms=terms),
        keyring=keyring,
        listener=Listener(dsn, on_revoked=keyring.forget),
        readers={entity: Reader(reading_pool, entity) for entity in catalogue.load().entities},
        terms=terms,
        approvals=approvals,
        revision=revision,
    )


def of(request: Request) -> State:
    """Return the state of the server that a request came to."""
    state: State = request.app.state.hub
    return state
