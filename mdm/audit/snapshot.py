"""A session of one transaction that is never committed: all that an audit reads is of one moment, and nothing stays.

SQLAlchemy commits and rolls back whenever it takes a connection out of its pool or gives it back; here both do nothing
until the session is closed, which takes back the temporary tables too.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg

from mdm import db


class Snapshot(psycopg.Connection[tuple[Any, ...]]):
    """A session whose one transaction lasts until it is closed."""

    def commit(self) -> None:
        """Keep the transaction."""

    def rollback(self) -> None:
        """Keep the transaction."""


@contextmanager
def open_snapshot(dsn: str) -> Iterator[Snapshot]:
    """Open a session that sees the database as it is now, with plans for reading much at once."""
    with closing(db.connect_as(Snapshot, dsn, application_name="mdm audit", autocommit=False)) as session:
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        session.execute("set local jit = off; set local work_mem = '128MB'; set local lock_timeout = '10s'")
        yield session
