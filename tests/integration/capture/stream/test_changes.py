"""Real changes of real tables come out as they were made, on every supported server."""

from dataclasses import replace

import pytest

from mdm import db
from mdm.capture.backlog import Limits
from tests.integration.capture.stream.source_under_test import SMALL_MEMORY, Source, wait_until
from tests.unit.capture import flat
from tests.unit.capture.encoder import UNCHANGED
from tests.unit.capture.flat import Change

LONG = "(select string_agg(md5(n::text), '') from generate_series(1, 2000) n)"  # too long for its row when compressed


def brief(changes: list[Change]) -> list[tuple[str, tuple[object, ...], tuple[object, ...], str | None]]:
    return [(change.op, change.after, change.before, change.before_kind) for change in changes]


def test_a_table_with_a_primary_key_sends_its_key_only_when_it_changes(source: Source) -> None:
    source.publish("create table point (mpan text primary key, note text)")
    source.execute(
        "insert into point values ('1', 'a'), ('2', null), ('3', '')",
        "update point set note = 'b' where mpan = '1'",
        "update point set mpan = '4' where mpan = '2'",
        "delete from point where mpan = '3'",
    )
    assert brief(source.changes()) == [
        ("c", ("1", "a"), (None, None), None),
        ("c", ("2", None), (None, None), None),
        ("c", ("3", ""), (None, None), None),
        ("u", ("1", "b"), (None, None), None),
        ("u", ("4", None), ("2", None), "K"),
        ("d", (None, None), ("3", None), "K"),
    ]


def test_a_full_replica_identity_sends_whole_old_rows(source: Source) -> None:
    source.publish("create table point (mpan text, note text)", "alter table point replica identity full")
    source.execute(
        "insert into point values ('1', 'a')",
        "update point set note = null",
        "delete from point",
    )
    assert brief(source.changes()) == [
        ("c", ("1", "a"), (None, None), None),
        ("u", ("1", None), ("1", "a"), "O"),
        ("d", (None, None), ("1", None), "O"),
    ]


def test_an_index_as_replica_identity_sends_its_columns(source: Source) -> None:
    source.publish(
        "create table point (id int primary key, mpan text not null)",
        "create unique index point_mpan on point (mpan)",
        "alter table point replica identity using index point_mpan",
    )
    source.execute("insert into point values (1, 'a')", "update point set mpan = 'b'", "delete from point")
    found = source.changes()
    assert brief(found)[1:] == [("u", ("1", "b"), (None, "a"), "K"), ("d", (None, None), (None, "b"), "K")]


def test_an_unchanged_toast_value_is_told_apart_from_null(source: Source) -> None:
    source.publish("create table point (mpan text primary key, long text, note text)")
    source.execute(
        f"insert into point values ('1', {LONG}, 'a')",
        "update point set note = 'b'",
        "update point set long = null",
    )
    _, kept, nulled = source.changes()
    assert kept.after == ("1", UNCHANGED, "b")
    assert nulled.after == ("1", None, "b")


def test_a_full_replica_identity_brings_the_old_value_of_an_unchanged_toast(source: Source) -> None:
    source.publish("create table point (mpan text, long text)", "alter table point replica identity full")
    source.execute(f"insert into point values ('1', {LONG})", "update point set mpan = '2'")
    inserted, updated = source.changes()
    assert updated.after == ("2", UNCHANGED)
    assert updated.before == ("1", inserted.after[1])


def test_a_truncate_names_each_table_in_its_order_with_the_rows(source: Source) -> None:
    source.publish(
        "create table point (mpan text primary key)",
        "create table meter (serial text primary key, mpan text references point)",
    )
    source.transaction("insert into point values ('1')", "truncate point cascade", "insert into point values ('2')")
    found = [(change.ordinal, change.table, change.op) for change in source.changes()]
    assert found == [
        (1, "public.point", "c"),
        (2, "public.point", "t"),
        (3, "public.meter", "t"),
        (4, "public.point", "c"),
    ]


def test_columns_altered_in_mid_stream_are_read_as_they_stood(source: Source) -> None:
    source.publish("create table point (mpan text primary key, note text)")
    source.execute(
        "insert into point values ('1', 'a')",
        "alter table point add column added int default 7",
        "insert into point values ('2', 'b', 8)",
        "alter table point drop column note",
        "insert into point values ('3', 9)",
        "alter table point rename column added to renamed",
        "insert into point values ('4', 10)",
        "alter table point alter column renamed type text using renamed::text || '!'",
        "update point set renamed = 'x' where mpan = '4'",
    )
    found = [(change.columns, change.after) for change in source.changes() if change.op in "cu"]
    assert found == [
        (("mpan", "note"), ("1", "a")),
        (("mpan", "note", "added"), ("2", "b", "8")),
        (("mpan", "added"), ("3", "9")),
        (("mpan", "renamed"), ("4", "10")),
        (("mpan", "renamed"), ("4", "x")),
    ]


def test_a_table_altered_within_a_transaction_changes_within_it(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    source.transaction(
        "insert into point values ('1')",
        "alter table point add column added text",
        "insert into point values ('2', 'x')",
    )
    source.transaction("insert into point values ('3', 'y')")
    assert [change.after for change in source.changes()] == [("1",), ("2", "x"), ("3", "y")]


def test_generated_columns_are_left_out(source: Source) -> None:
    source.publish("create table point (mpan text primary key, double text generated always as (mpan || mpan) stored)")
    source.execute("insert into point values ('1')")
    assert [(change.columns, change.after) for change in source.changes()] == [(("mpan",), ("1",))]


def test_values_are_printed_alike_whatever_the_role_prefers(source: Source) -> None:
    source.publish(
        """create table reading (id int primary key, at timestamptz, span interval, ratio float8, amount numeric,
        octets bytea, words text[], period daterange, day date)"""
    )
    source.execute(
        "do $$ begin execute format('alter role %I set datestyle = ''German''', current_user); end $$",
        """insert into reading values (1, '2026-03-29 01:30:00+01', '1 day 02:03:04', 0.1::float8 + 0.2, 'NaN',
        '\\xdeadbeef', array['a', null, 'b,c'], '[2026-01-01,2026-02-01)', '0044-03-15 BC')""",
    )
    try:
        (change,) = source.changes()
    finally:
        source.execute("do $$ begin execute format('alter role %I reset datestyle', current_user); end $$")
    assert change.after == (
        "1",
        "2026-03-29 00:30:00+00",
        "1 day 02:03:04",
        "0.30000000000000004",
        "NaN",
        r"\xdeadbeef",
        '{a,NULL,"b,c"}',
        "[2026-01-01,2026-02-01)",
        "0044-03-15 BC",
    )


def test_a_transaction_has_its_id_its_position_and_its_time(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    with source.connection.transaction():
        source.execute("insert into point values ('1')")
        ((xid, moment),) = source.connection.execute("select pg_current_xact_id()::text::bigint, now()").fetchall()
    (batch,) = [batch for batch in source.batches() if batch.transactions.height]
    (known,) = batch.transactions.rows(named=True)
    assert known["xid"] == xid
    assert abs((known["committed_at"] - moment).total_seconds()) < 5
    assert source.at < known["commit_lsn"] < known["end_lsn"] <= source.wal_end()
    assert batch.tables[0].meta["lsn"].item() < known["commit_lsn"]


def test_an_origin_is_told(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    name = f"origin of {source.request.slot}"
    source.execute(f"select pg_replication_origin_create('{name}')")
    source.execute(f"select pg_replication_origin_session_setup('{name}')", "insert into point values ('1')")
    source.execute("select pg_replication_origin_session_reset()", "insert into point values ('2')")
    origins = [origin for batch in source.batches() for origin in batch.transactions["origin"].to_list()]
    source.execute(f"select pg_replication_origin_drop('{name}')")
    assert origins == [name, None]


def test_logical_messages_come_with_and_without_a_transaction(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    source.transaction(
        "insert into point values ('1')",
        "select pg_logical_emit_message(true, 'inside', 'one')",
        "select pg_logical_emit_message(false, 'outside', 'two')",
    )
    said = [message for batch in source.batches() for message in batch.messages if message.prefix != "end of test"]
    assert [(message.prefix, message.content, message.tx, message.ordinal) for message in said] == [
        ("outside", b"two", None, None),
        ("inside", b"one", 0, 1),
    ]


@pytest.mark.parametrize("options", [{}, SMALL_MEMORY], ids=["plain", "streamed"])
def test_a_large_transaction_comes_in_parts(source: Source, options: dict[str, str]) -> None:
    source.publish("create table point (mpan text primary key)")
    source.execute("insert into point select n::text from generate_series(1, 2500) n", "insert into point values ('x')")
    batches = source.batches(limits=Limits(rows=1000), options=options)
    wait_until(lambda: source.has_streamed() == bool(options))
    parts = [batch for batch in batches if batch.tables]
    assert [batch.complete for batch in parts] == [False, False, True, True]
    found = flat.changes(parts[:3])
    assert [change.ordinal for change in found] == list(range(1, 2501))
    assert [change.after[0] for change in found] == [str(number) for number in range(1, 2501)]
    assert {change.commit_lsn for change in found} == {found[0].commit_lsn}


def test_transactions_in_progress_come_in_the_order_of_their_commits(source: Source) -> None:
    source.publish("create table point (mpan text primary key, by text)")
    rows = "insert into point select '{0}' || n, '{0}' from generate_series({1}, {2}) n"
    with source.connection.transaction():
        source.execute(rows.format("a", 1, 2000))
        with _another(source) as other:
            other.execute(rows.format("b", 1, 2000))
            other.execute("insert into point values ('c', 'c')")
        source.execute(rows.format("a", 2001, 4000))
    batches = source.batches(options=SMALL_MEMORY)
    assert list(dict.fromkeys(change.after[1] for change in flat.changes(batches))) == ["b", "c", "a"]
    assert len(flat.changes(batches)) == 6001


def test_a_streamed_transaction_that_aborts_leaves_no_trace(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    source.execute(
        "begin",
        "alter table point add column added text",
        "insert into point select n::text, 'x' from generate_series(1, 3000) n",
        "rollback",
    )
    source.execute("insert into point values ('1')")
    assert brief(source.changes(options=SMALL_MEMORY)) == [("c", ("1",), (None,), None)]


def test_a_sub_transaction_that_aborts_leaves_no_trace(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    source.transaction(
        "insert into point select 'a' || n from generate_series(1, 2000) n",
        "savepoint one",
        "insert into point select 'b' || n from generate_series(1, 2000) n",
        "savepoint two",
        "insert into point select 'c' || n from generate_series(1, 2000) n",
        "rollback to savepoint one",
        "insert into point select 'd' || n from generate_series(1, 2000) n",
        "savepoint three",
        "insert into point select 'e' || n from generate_series(1, 2000) n",
        "release savepoint three",
    )
    found = source.changes(options=SMALL_MEMORY)
    assert [change.ordinal for change in found] == list(range(1, 6001))
    assert list(dict.fromkeys(str(change.after[0])[0] for change in found)) == ["a", "d", "e"]


def test_a_table_altered_in_a_sub_transaction_that_aborts_is_read_as_it_stands(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    source.transaction(
        "insert into point select 'a' || n from generate_series(1, 2000) n",
        "savepoint one",
        "alter table point add column added text",
        "insert into point select 'b' || n, 'x' from generate_series(1, 2000) n",
        "rollback to savepoint one",
        "insert into point select 'c' || n from generate_series(1, 2000) n",
    )
    source.execute("insert into point values ('d')")
    found = source.changes(options=SMALL_MEMORY)
    assert {change.columns for change in found} == {("mpan",)}
    assert list(dict.fromkeys(str(change.after[0])[0] for change in found)) == ["a", "c", "d"]


def test_a_table_altered_in_a_streamed_transaction_is_altered_for_those_behind_it(source: Source) -> None:
    source.publish("create table point (mpan text primary key)", "create table other (id int primary key)")
    with source.connection.transaction():
        source.execute(
            "alter table point add column added text",
            "insert into point select n::text, 'x' from generate_series(1, 2000) n",
        )
        with _another(source) as other:
            other.execute("insert into other values (1)")
    source.execute("insert into point values ('y', 'y')", "insert into other values (2)")
    found = source.changes(options=SMALL_MEMORY)
    assert [change.after for change in (found[0], *found[-2:])] == [("1",), ("y", "y"), ("2",)]
    assert len(found) == 2003


def _another(source: Source) -> db.Connection:
    return db.connect(source.dsn)


def test_changes_of_another_origin_are_left_out_when_asked(source_18: Source) -> None:
    source_18.publish("create table point (mpan text primary key)")
    name = f"origin of {source_18.request.slot}"
    source_18.execute(
        f"select pg_replication_origin_create('{name}')",
        f"select pg_replication_origin_session_setup('{name}')",
        "insert into point values ('theirs')",
        "select pg_replication_origin_session_reset()",
        "insert into point values ('ours')",
    )
    source_18.request = replace(source_18.request, origin="none")
    found = [change.after for change in source_18.changes()]
    source_18.execute(f"select pg_replication_origin_drop('{name}')")
    assert found == [("ours",)]
