"""Databases for tests, each created for one test and dropped after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from psycopg import sql

from golden_records import reference
from mdm import db
from mdm.demo import reference as market
from mdm.embedded import EmbeddedServer


@contextmanager
def fresh(server: EmbeddedServer, *, prefix: str = "test", template: str = "template1") -> Iterator[str]:
    """Create a database, as a copy of template, and drop it at the end, whoever is still connected."""
    name = f"{prefix}_{uuid4().hex[:12]}"
    statement = sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
    with db.connect(server.dsn()) as connection:
        connection.execute(statement)
    try:
        yield server.dsn(name)
    finally:
        _drop(server, name)


def create_template(server: EmbeddedServer, name: str) -> None:
    """Create a database with the present schema, standing data and the market's participants, to be copied."""
    address = server.ensure_database(name)
    db.upgrade(address)
    with db.connect(address) as connection, db.transaction(connection):
        reference.write_standing(connection)
        market.register_participants(connection)
        _write_parties(connection)


# Whom the builders of tests.factories name.
_PARTIES = {"SMAR": "MSS", "OTHR": "MSS", "ADVA": "MSA", "MDSX": "MDS", "SUPA": "SUPPLIER", "SUPB": "SUPPLIER"}


def _write_parties(connection: db.Connection) -> None:
    reference.write_participants(
        connection,
        [{"mpid": mpid, "role": role, "name": mpid, "valid_from": "1998-04-01"} for mpid, role in _PARTIES.items()],
    )


def _drop(server: EmbeddedServer, name: str) -> None:
    """Drop a database with the slots in it; whatever a test left connected is sent away and cannot come back."""
    if not server.is_running():
        return
    database = sql.Identifier(name)
    with db.connect(server.dsn()) as connection:
        connection.execute(sql.SQL("alter database {} allow_connections false").format(database))
        connection.execute("select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = %s", [name])
        connection.execute(sql.SQL("drop database {} with (force)").format(database))
