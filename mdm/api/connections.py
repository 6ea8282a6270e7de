"""The API's sessions with the hub's database: pools for queries, bound to indexes, and one for writes, which master."""

from functools import partial
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.string import TextLoader
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from golden_records.rows import Question, Row
from mdm import db, mastering
from mdm.stewardship.terms import Terms

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
Pool = AsyncConnectionPool[Connection]
WritingPool = ConnectionPool[db.Connection]

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


def make_writing_pool(dsn: str, *, size: int, terms: Terms) -> WritingPool:
    """Return a pool, not open yet, of sessions that are set up for mastering; none is kept while nobody writes."""
    return ConnectionPool(
        dsn,
        min_size=0,
        max_size=size,
        timeout=10,
        open=False,
        configure=partial(mastering.tune, terms=terms),
        check=ConnectionPool.check_connection,
        kwargs={"autocommit": True, "application_name": "mdm serve", "client_encoding": "utf8"},
    )


async def ask(pool: Pool, question: Question[Row]) -> list[Row]:
    """Return what a question is answered with."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(question.row)) as cursor:
        await cursor.execute(question.text, question.parameters)
        return await cursor.fetchall()


async def _configure(connection: Connection) -> None:
    await connection.execute(_SESSION)
    connection.adapters.register_loader("date", TextLoader)  # as PostgreSQL writes it, which is as JSON wants it
