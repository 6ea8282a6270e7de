import os
import re
import signal
import threading
from pathlib import Path

import pytest

from mdm import db
from mdm.errors import MdmError
from tests.integration.capture.printing import command
from tests.integration.capture.printing.command import count, execute, running

PUBLICATIONS = "select from pg_publication"
SLOTS = "select from pg_replication_slots where database = current_database()"
TABLE = "create table thing (id integer primary key, v text)"


@pytest.fixture
def source(market_dsn: str) -> str:
    execute(market_dsn, TABLE)
    return market_dsn


@pytest.fixture(params=["market_dsn", "postgres15"])
def any_source(request: pytest.FixtureRequest) -> str:
    """A source on each server that is supported first and last."""
    dsn: str = request.getfixturevalue(request.param)
    execute(dsn, TABLE)
    return dsn


def test_changes_are_printed_until_the_limit_and_nothing_is_left(any_source: str) -> None:
    source = any_source
    with running(source, "--tables", "public.thing", "--limit", "4") as process:
        execute(source, "insert into thing values (1, 'a'), (2, 'b')", "update thing set id = 3 where id = 1")
        printed = command.finish(process)
    assert printed.rows() == [("c", 1), ("c", 2), ("d", 1), ("c", 3)]
    assert (printed.status, printed.told) == (0, "")
    assert count(source, PUBLICATIONS) == 0
    assert count(source, SLOTS) == 0


def test_existing_rows_and_changes_are_every_row_once(any_source: str) -> None:
    source = any_source
    execute(source, "insert into thing select n, 'before' from generate_series(1, 40000) n")
    stop = threading.Event()

    def write() -> None:
        with db.connect(source) as connection:
            for number in range(100_001, 104_001):
                if stop.is_set():
                    return
                connection.execute("insert into thing values (%s, 'during')", [number])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        printed = command.run(source, tables="thing", snapshot=True, until_current=True)
    finally:
        stop.set()
        writer.join()
    ids = [number for _, number in printed.rows()]
    assert len(ids) == len(set(ids))
    assert set(range(1, 40_001)) <= set(ids)
    later = sorted(number for number in ids if number > 100_000)
    assert later == list(range(100_001, 100_001 + len(later)))
    marks = [line["source"]["snapshot"] for line in printed.lines if line["op"] == "r"]
    assert (marks[0], marks[-1], set(marks[1:-1])) == ("first", "last", {"true"})


def test_named_slot_goes_on_behind_what_was_printed(any_source: str) -> None:
    source = any_source
    execute(source, "create publication p for table thing")
    execute(source, "select pg_create_logical_replication_slot('s', 'pgoutput')")
    for number in (1, 2, 3):
        execute(source, f"insert into thing values ({number}, 'a')")
    named = {"tables": "public.thing", "slot": "s", "publication": "p"}
    assert command.run(source, **named, limit=2).rows() == [("c", 1), ("c", 2)]
    assert command.run(source, **named, until_current=True).rows() == [("c", 3)]
    assert command.run(source, **named, until_current=True).rows() == []
    assert count(source, SLOTS) == 1
    execute(source, "select pg_drop_replication_slot('s')")


def test_transaction_that_the_limit_cuts_comes_again_whole(source: str) -> None:
    execute(source, "create publication p for table thing")
    execute(source, "select pg_create_logical_replication_slot('s', 'pgoutput')")
    execute(source, "insert into thing values (1, 'a')", "insert into thing values (2, 'b'), (3, 'c')")
    named = {"slot": "s", "publication": "p"}
    assert command.run(source, **named, limit=2).rows() == [("c", 1), ("c", 2)]
    assert command.run(source, **named, until_current=True).rows() == [("c", 2), ("c", 3)]


def test_named_slot_and_publication_are_made_if_missing_and_stay(any_source: str) -> None:
    source = any_source
    execute(source, "insert into thing values (1, 'a')")
    named = {"tables": "thing", "slot": "s", "publication": "p"}
    printed = command.run(source, **named, snapshot=True, until_current=True)
    assert printed.rows() == [("r", 1)]
    assert "Made the publication p" in printed.told
    execute(source, "insert into thing values (2, 'b')")
    assert command.run(source, **named, until_current=True).rows() == [("c", 2)]


def test_snapshot_beside_a_slot_that_exists_leaves_no_overlap(source: str) -> None:
    execute(source, "create publication p for table thing")
    execute(source, "select pg_create_logical_replication_slot('s', 'pgoutput')")
    execute(source, "insert into thing values (1, 'a')")
    printed = command.run(source, slot="s", publication="p", snapshot=True, until_current=True)
    assert printed.rows() == [("r", 1)]


def test_table_without_identity_can_still_be_changed_by_others(market_dsn: str) -> None:
    execute(market_dsn, "create table loose (id integer, v text)", TABLE)
    with running(market_dsn, "--tables", "loose,thing", "--limit", "3") as process:
        execute(market_dsn, "insert into loose values (1, 'a')", "update loose set v = 'b'", "delete from loose")
        execute(market_dsn, "insert into thing values (2, 'a')", "delete from thing")
        printed = command.finish(process)
    assert printed.rows() == [("c", 1), ("c", 2), ("d", 2)]
    assert 'alter table "public"."loose" replica identity full' in printed.told


def test_odd_tables_are_printed_under_their_names(market_dsn: str) -> None:
    execute(
        market_dsn,
        'create schema "My Schema"',
        'create table "My Schema"."T.x y" (id integer primary key, "Col ""q""" text, gone text, kept text)',
        'alter table "My Schema"."T.x y" drop column gone',
        "create table full_of (id integer, v text)",
        "alter table full_of replica identity full",
        "create table computed (id integer primary key, twice integer generated always as (id * 2) stored)",
        "create table parted (id integer primary key) partition by range (id)",
        "create table parted_low partition of parted for values from (0) to (10)",
    )
    tables = '"My Schema"."T.x y",full_of,computed,parted'
    with running(market_dsn, "--tables", tables, "--limit", "5") as process:
        execute(market_dsn, """insert into "My Schema"."T.x y" values (1, 'a', 'b')""")
        execute(market_dsn, "insert into full_of values (2, null)", "update full_of set v = 'x'")
        execute(market_dsn, "insert into computed values (3)", "insert into parted values (4)")
        lines = command.finish(process).lines
    assert [line["source"]["table"] for line in lines] == ["T.x y", "full_of", "full_of", "computed", "parted"]
    assert lines[0]["after"] == {"id": 1, 'Col "q"': "a", "kept": "b"}
    assert (lines[2]["before"], lines[2]["after"]) == ({"id": 2, "v": None}, {"id": 2, "v": "x"})
    assert lines[3]["after"] == {"id": 3}


def test_table_altered_in_mid_stream_is_never_misread(source: str) -> None:
    with running(source, "--tables", "thing", "--limit", "5") as process:
        execute(
            source,
            "insert into thing values (1, 'a')",
            "alter table thing add column n numeric(5, 2) default 1",
            "insert into thing values (2, 'b', 2.5)",
            "alter table thing rename column v to w",
            "insert into thing values (3, 'c', 3)",
            "alter table thing alter column w type integer using 7",
            "insert into thing values (4, 8, 4)",
            "alter table thing drop column n",
            "create type mood as enum ('ok')",
            "alter table thing add column m mood",
            "insert into thing values (5, 9, 'ok')",
        )
        rows = [line["after"] for line in command.finish(process).lines]
    assert rows == [
        {"id": 1, "v": "a"},
        {"id": 2, "v": "b", "n": "2.50"},
        {"id": 3, "w": "c", "n": "3.00"},
        {"id": 4, "w": 8, "n": "4.00"},
        {"id": 5, "w": 9, "m": "ok"},
    ]


def test_other_tables_of_a_publication_are_left_out(source: str) -> None:
    execute(source, "create table other (id integer primary key)", "create publication p for all tables")
    execute(source, "select pg_create_logical_replication_slot('s', 'pgoutput')")
    execute(source, "insert into other values (1)", "insert into thing values (2)")
    printed = command.run(source, tables="thing", slot="s", publication="p", until_current=True)
    assert printed.rows() == [("c", 2)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_cleanly(source: str, number: signal.Signals) -> None:
    with running(source, "--tables", "thing") as process:
        execute(source, "insert into thing values (1, 'a')")
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(number)
        printed = command.finish(process)
    assert b'"id":1' in first
    assert (printed.status, printed.told) == (0, "")
    assert count(source, PUBLICATIONS) == 0


def test_lost_connection_is_told_with_the_way_on(source: str) -> None:
    with running(source, "--tables", "thing") as process:
        execute(
            source,
            "select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database()",
        )
        printed = command.finish(process)
    assert printed.status == 1
    assert "with --slot it goes on behind what was printed" in printed.told
    assert count(source, PUBLICATIONS) == 0


def test_reader_that_goes_away_ends_it_cleanly(source: str) -> None:
    with running(source, "--tables", "thing") as process:
        assert process.stdout is not None
        process.stdout.close()
        execute(source, "insert into thing values (1, 'a')")
        assert process.wait(timeout=30) == 0
    assert count(source, PUBLICATIONS) == 0


def test_what_a_killed_run_left_is_taken_away_by_the_next(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running(source, "--tables", "thing") as process:
        process.kill()
        process.wait()
    assert list(tmp_path.iterdir()) == []
    command.wait_for(lambda: count(source, SLOTS) == 0)
    assert count(source, PUBLICATIONS) == 1
    command.run(source, tables="thing", until_current=True)
    assert count(source, PUBLICATIONS) == 0


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"tables": "nowhere"}, "no table public.nowhere"),
        ({"tables": "a.b.c"}, "commas between"),
        ({"tables": "seen"}, "Name the tables beneath it"),
        ({}, "--tables public.a,public.b"),
        ({"publication": "nowhere"}, "Name the tables too"),
        ({"tables": "thing", "publication": "empty"}, 'alter publication "empty" add table "public"."thing"'),
        ({"tables": "loose", "publication": "new"}, 'alter table "public"."loose" replica identity full'),
    ],
)
def test_problem_is_told_with_its_remedy(source: str, options: dict[str, str], remedy: str) -> None:
    execute(source, "create view seen as select * from thing", "create publication empty")
    execute(source, "create table loose (id integer)")
    with pytest.raises(MdmError, match=re.escape(remedy)):
        command.run(source, **options, until_current=True)


def test_slot_of_another_kind_is_refused(source: str) -> None:
    name = f"physical_{os.getpid()}"
    execute(source, f"select pg_create_physical_replication_slot('{name}')")
    try:
        with pytest.raises(MdmError, match="not of pgoutput"):
            command.run(source, tables="thing", slot=name, until_current=True)
    finally:
        execute(source, f"select pg_drop_replication_slot('{name}')")


def test_slot_in_use_is_told_with_its_reader(source: str) -> None:
    execute(source, "create publication p for table thing")
    with (
        running(source, "--slot", "s", "--publication", "p"),
        pytest.raises(MdmError, match="is read by the session with process id"),
    ):
        command.run(source, slot="s", publication="p", until_current=True)


@pytest.mark.parametrize(
    ("rights", "remedy"),
    [
        ("replication", "may not publish the tables"),
        ("noreplication", "alter role"),
    ],
)
def test_role_without_the_rights_is_told_what_it_lacks(source: str, rights: str, remedy: str) -> None:
    name = f"reader_{os.getpid()}"
    execute(source, f"create role {name} {rights}", f"grant {name} to postgres", f"grant select on thing to {name}")
    try:
        with pytest.raises(MdmError, match=remedy):
            command.run(f"{source}&options=-c%20role%3D{name}", tables="thing", until_current=True)
    finally:
        execute(source, f"revoke all on thing from {name}", f"drop role {name}")


def test_role_that_may_not_read_is_told_so_when_rows_are_asked_for(source: str) -> None:
    name = f"reader_{os.getpid()}"
    execute(source, "create publication p for table thing", f"create role {name} replication")
    try:
        with pytest.raises(MdmError, match="grant select on"):
            command.run(f"{source}&options=-c%20role%3D{name}", publication="p", snapshot=True, until_current=True)
    finally:
        execute(source, f"drop role {name}")


def test_error_of_the_command_is_one_line_and_a_status(source: str) -> None:
    printed = command.refused(source, "--tables", "nowhere")
    assert (printed.status, printed.lines) == (1, [])
    assert printed.told.startswith("error: There is no table public.nowhere")
    assert printed.told.count("\n") == 1
