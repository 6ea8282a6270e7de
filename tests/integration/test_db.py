"""Sessions are in UTC, wait for a server that is not up yet, and have one transaction at a time."""

import threading
from collections.abc import Callable
from contextlib import suppress

import psycopg
import pytest

from mdm import db
from mdm.db import DatabaseUnreachable, NestedTransaction
from mdm.embedded import EmbeddedServer


def test_a_session_is_in_utc_and_bears_a_name(market_dsn: str) -> None:
    with db.connect(market_dsn, application_name="mdm capture smrs10") as connection:
        row = connection.execute(
            "select current_setting('timezone'), current_setting('datestyle'), current_setting('application_name')"
        ).fetchone()
    assert row == ("UTC", "ISO, MDY", "mdm capture smrs10")


def test_options_of_the_dsn_are_kept(market_dsn: str) -> None:
    with db.connect(f"{market_dsn}&options=-c%20work_mem%3D7MB") as connection:
        assert connection.execute("show work_mem").fetchone() == ("7MB",)
        assert connection.execute("show timezone").fetchone() == ("UTC",)


def test_a_transaction_is_undone_by_an_exception(market_dsn: str) -> None:
    with db.connect(market_dsn) as connection:
        connection.execute("create table seen (n int)")
        with suppress(ZeroDivisionError), db.transaction(connection):
            connection.execute("insert into seen values (1)")
            raise ZeroDivisionError
        with db.transaction(connection):
            connection.execute("insert into seen values (2)")
        assert connection.execute("select n from seen").fetchall() == [(2,)]


def test_a_transaction_within_another_is_refused(market_dsn: str) -> None:
    with db.connect(market_dsn) as connection, db.transaction(connection), pytest.raises(NestedTransaction):
        db.transaction(connection).__enter__()


def test_work_that_is_tried_again_on_a_lost_connection_says_so(market_dsn: str) -> None:
    """Whoever tries again has not seen that the connection is gone, but must not take that for a fault of ours."""
    with db.connect(market_dsn) as other, db.connect(market_dsn) as connection:
        with suppress(psycopg.errors.SerializationFailure), db.transaction(connection):
            other.execute("select pg_terminate_backend(%s, 10000)", [connection.info.backend_pid])
            raise psycopg.errors.SerializationFailure
        with pytest.raises(psycopg.OperationalError, match="lost"), db.transaction(connection):
            pass


def test_a_missing_database_is_told_at_once(market_server: EmbeddedServer) -> None:
    with pytest.raises(DatabaseUnreachable, match="does not exist"):
        db.connect(market_server.dsn("nowhere"), wait=3600)


def test_connecting_waits_for_a_server_that_starts(start_durable: Callable[[str], EmbeddedServer]) -> None:
    server = start_durable("late")
    server.stop()
    starting = threading.Thread(target=start_durable, args=("late",))
    starting.start()
    with db.connect(server.dsn(), wait=60) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    starting.join()


def test_an_error_of_postgresql_is_explained_without_its_values(market_dsn: str) -> None:
    with db.connect(market_dsn) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute("select '1012345678901x'::bigint")
    assert "1012345678901" in str(caught.value)
    assert "1012345678901" not in db.explain(caught.value)
    assert "22P02" in db.explain(caught.value)


def test_a_database_without_the_hubs_tables_is_told_with_the_remedy(market_dsn: str) -> None:
    with db.connect(market_dsn) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute("select from golden.source_system")
    assert "mdm init" in db.explain(caught.value)


def test_a_refused_password_is_told_at_once(market_server: EmbeddedServer) -> None:
    with pytest.raises(DatabaseUnreachable, match="password authentication failed"):
        db.connect(f"postgresql://postgres:wrong@127.0.0.1:{market_server.port}/postgres", wait=3600)
