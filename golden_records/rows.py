"""Reading a single value out of a query."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg


def single(connection: psycopg.Connection, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
    """Return the first column of a query that always gives one row."""
    row = connection.execute(query, parameters or None).fetchone()
    if row is None:
        raise LookupError("a query that always gives a row gave none")
    return row[0]
