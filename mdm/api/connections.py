"""The API's sessions with the hub's database: a pool for queries, each session in UTC and bound to indexes."""

from typing import Any

import psycopg
from psycopg.types.string import TextLoader
from psycopg_pool import AsyncConnectionPool

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
Pool = AsyncConnectionPool[Connection]

# Every query of the API goes by an index; a plan made while a table was small must not scan it when it has grown.
_SESSION = "set timezone = 'UTC'; set datestyle = 'ISO'; set enable_seqscan = off"


def make_pool(dsn: str, *, size: int, is_checked: bool) -> Pool:
    """Return a pool that is not open yet; with `is_checked` a broken session is replaced before it is given out."""
    return AsyncConnectionPool(
        dsn,
        min_size=1,
        max_size=size,
        timeout=5,
        open=False,
        configure=_configure,
        check=AsyncConnectionPool.check_connection if is_checked else None,
        kwargs={"autocommit": True, "application_name": "mdm serve", "client_encoding": "utf8"},
    )


async def _configure(connection: Connection) -> None:
    await connection.execute(_SESSION)
    connection.adapters.register_loader("date", TextLoader)  # as PostgreSQL writes it, which is as JSON wants it
