"""Frames of texts out of a database: what a query gives, each value as PostgreSQL writes it, without outer spaces."""

from io import BytesIO

import polars as pl
from psycopg import sql

from mdm import db


def read(dsn: str, query: str) -> pl.DataFrame:
    """Return what a query gives; null stays null, an empty text becomes one."""
    with db.connect(dsn, application_name="mdm demo") as connection:
        return read_from(connection, query)


def read_from(connection: db.Connection, query: str) -> pl.DataFrame:
    """Return what a query gives in the caller's session."""
    statement = sql.SQL("copy ({}) to stdout (format csv, header)").format(sql.SQL(query))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        text = b"".join(bytes(block) for block in copy)
    return pl.read_csv(BytesIO(text), infer_schema=False).select(pl.all().str.strip_chars())
