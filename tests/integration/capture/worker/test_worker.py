"""The laws of capture on real servers: nothing is lost, nothing is doubled, whatever stops a worker and wherever."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from mdm import db
from mdm.capture import checkpoint, starting
from mdm.capture.crashes import Point
from tests.integration.capture.worker.rig import Crash, Rig, crash_at, mpan_list, wait_for

STREAM_POINTS = (
    Point.BATCH_TAKEN,
    Point.PART_MASTERED,
    Point.CHECKPOINT_WRITTEN,
    Point.HUB_COMMITTED,
    Point.SLOT_CONFIRMED,
)
LOAD_POINTS = (
    Point.SLOT_CREATED,
    Point.LOAD_PLANNED,
    Point.CHUNK_READ,
    Point.CHUNK_MASTERED,
    Point.CHUNK_COMMITTED,
    Point.RANGE_ASSEMBLED,
    Point.RANGE_COMMITTED,
)


@contextmanager
def writing(rig: Rig, points: int) -> Iterator[list[int]]:
    """Change the source at random while the block runs; yields a list that counts transactions in its only item."""
    stop, count = threading.Event(), [0]

    def write() -> None:
        mpans = mpan_list(0, points)
        with db.connect(rig.captured.source_dsn) as source:
            while not stop.wait(0.005):
                number = count[0]
                mpan, other = mpans[number * 7 % points], mpans[number * 11 % points]
                with source.transaction():
                    source.execute("update tariff set tariff = %s where mpan = %s", [f"{number % 900}", mpan])
                    source.execute("delete from area where mpan = %s", [other])
                    source.execute("insert into area values (%s, '_B') on conflict do nothing", [mpan])
                    source.execute("update tariff set effective_from = effective_from + 1 where mpan = %s", [other])
                count[0] += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield count
    finally:
        stop.set()
        thread.join()


def journal_rows(rig: Rig) -> Any:
    return rig.one("select count(*) from golden.journal where source_id = %s", rig.captured.source_id)


def test_an_initial_load_and_then_the_stream_make_the_hub_equal_the_source(rig: Rig) -> None:
    rig.fill(500)
    rig.start()
    rig.await_agreement()
    first, second = mpan_list(0, 2)
    with rig.source.transaction():
        rig.source.execute("update tariff set tariff = 'NEW' where mpan = %s", [first])
        rig.source.execute("delete from area where mpan = %s", [second])
        rig.source.execute(
            "update tariff set effective_from = '2022-02-02' where mpan = %s and effective_from = '2021-01-01'",
            [second],
        )
        rig.source.execute("insert into ignored values (1)")
    rig.fill(10, first=1000)
    rig.await_agreement()
    assert journal_rows(rig) == 1500 + 2 + 1 + 1 + 30
    assert rig.one("select count(*) from hub.table_load where state <> 'done'") == 0
    assert rig.one("select count(distinct duos_tariff) from golden.metering_point") > 100


def test_writers_during_the_initial_load_leave_no_gap_and_no_overlap(rig: Rig) -> None:
    rig.fill(2000)
    with writing(rig, 2000) as written:
        rig.start(chunk_rows=200)
        wait_for(lambda: rig.state() == "streaming", seconds=60)
        wait_for(lambda: written[0] > 50)
    rig.await_agreement(60)


@pytest.mark.parametrize("point", LOAD_POINTS)
def test_a_load_that_is_killed_goes_on_where_it_stood(rig: Rig, point: Point) -> None:
    rig.fill(600)
    killed = rig.start(crash_at(point, times=2 if point.name.startswith(("CHUNK", "RANGE")) else 1), chunk_rows=100)
    assert isinstance(killed.join(), Crash)
    done = rig.one("select coalesce(sum(rows), 0) from hub.snapshot_chunk where done_at is not null")
    rig.source.execute("delete from area where mpan = any (%s)", [mpan_list(0, 5)])
    rig.source.execute("update tariff set tariff = 'AFT' where mpan = any (%s)", [mpan_list(5, 5)])
    read: list[Point] = []
    rig.start(read.append, chunk_rows=100)
    rig.await_agreement()
    chunks = rig.one("select count(*) from hub.snapshot_chunk")
    assert rig.one("select count(*) from hub.snapshot_chunk where done_at is null") == 0
    if point in {Point.CHUNK_MASTERED, Point.CHUNK_COMMITTED}:
        assert done > 0
        assert 0 < read.count(Point.CHUNK_READ) < chunks
    if point in {Point.RANGE_ASSEMBLED, Point.RANGE_COMMITTED}:
        assert read.count(Point.CHUNK_READ) == 0
    assert doubles(rig) == []


def test_a_killed_load_that_goes_on_has_done_with_the_tables_that_were_loaded(rig: Rig) -> None:
    rig.fill(600)
    killed = rig.start(crash_at(Point.CHUNK_COMMITTED, times=5), chunk_rows=200, readers=1)
    assert isinstance(killed.join(), Crash)
    whole = "select count(*) from hub.table_load l where {0} (select from hub.snapshot_chunk c where"
    whole += " c.relation = l.relation and c.done_at is null)"
    loaded = rig.one(whole.format("not exists"))
    state = checkpoint.take_over(rig.hub, rig.captured.source_id)
    starting.prepare(rig.captured, rig.hub, state, threading.Event())
    assert 0 < loaded < 2
    assert rig.one("select count(*) from hub.table_load where state = 'done'") == loaded


def test_a_source_that_restarts_as_its_load_begins_is_loaded_by_the_same_worker(rig: Rig) -> None:
    """The snapshot of the slot goes with the session that exported it."""
    rig.fill(50)
    passed: list[Point] = []

    def restart(point: Point) -> None:
        if point is Point.LOAD_PLANNED:
            rig.source.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            passed.append(point)

    running = rig.start(at=restart)
    rig.await_agreement()
    assert passed == [Point.LOAD_PLANNED]
    assert running.failure == []
    assert journal_rows(rig) == 150


def doubles(rig: Rig) -> list[tuple[Any, ...]]:
    """Return the rows that were loaded more than once."""
    return rig.hub.execute(
        "select source_key, count(*) from golden.journal where op = 'r' and source_id = %s"
        " group by 1 having count(*) > 1",
        [rig.captured.source_id],
    ).fetchall()


@pytest.mark.parametrize("point", STREAM_POINTS)
def test_a_stream_that_is_killed_between_two_steps_loses_and_doubles_nothing(rig: Rig, point: Point) -> None:
    rig.fill(20)
    rig.start()
    rig.await_agreement()
    rig.start().end()
    rig._running[0].end()
    killed = rig.start(crash_at(point))
    wait_for(killed.has_lock.is_set)
    for number in range(5):
        rig.fill(10, first=100 + 10 * number)
    assert isinstance(killed.join(), Crash)
    rig.start()
    rig.await_agreement()
    assert journal_rows(rig) == 60 + 5 * 30
    versions = rig.hub.execute(
        "select golden_id from golden.golden_version group by golden_id having max(version) <> count(*)"
    )
    assert versions.fetchall() == []


def test_a_stand_by_takes_over_within_seconds(rig: Rig) -> None:
    rig.fill(10)
    first, second = rig.start(), rig.start()
    rig.await_agreement()
    running, waiting = (first, second) if first.has_lock.is_set() else (second, first)
    assert not waiting.has_lock.is_set()
    rig.fill(10, first=100)
    running.end()
    wait_for(waiting.has_lock.is_set, seconds=5)
    rig.fill(10, first=200)
    rig.await_agreement()
    assert journal_rows(rig) == 90


def test_a_stand_by_takes_over_when_the_hub_has_lost_the_first(rig: Rig) -> None:
    rig.fill(10)
    first = rig.start()
    rig.await_agreement()
    second = rig.start()
    with db.connect(rig.captured.hub_dsn) as other:
        other.execute(
            "select pg_terminate_backend(l.pid) from pg_locks l where locktype = 'advisory' and objid = %s"
            " and granted and database = (select oid from pg_database where datname = current_database())",
            [rig.captured.source_id],
        )
    rig.fill(10, first=100)
    rig.await_agreement()
    assert first.has_lock.is_set() or second.has_lock.is_set()
    assert journal_rows(rig) == 60


def test_the_hub_may_be_away_while_the_source_writes(rig: Rig) -> None:
    rig.fill(10)
    rig.start()
    rig.await_agreement()
    name = rig.hub.info.dbname
    rig.hub.close()
    admin = db.connect(psycopg.conninfo.make_conninfo(rig.captured.hub_dsn, dbname="postgres"))
    with admin:
        admin.execute(f'alter database "{name}" allow_connections false')
        admin.execute("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", [name])
        for number in range(20):
            rig.fill(20, first=100 + 20 * number)
        admin.execute(f'alter database "{name}" allow_connections true')
    rig.hub = db.connect(rig.captured.hub_dsn)
    rig.await_agreement(60)
    assert journal_rows(rig) == 30 + 20 * 60


def test_a_large_transaction_becomes_visible_wholly_or_not_at_all(rig: Rig) -> None:
    rig.start(batch_rows=100)
    rig.await_agreement()
    seen: set[int] = set()
    rig.fill(1000)

    def count() -> bool:
        found = rig.one("select count(*) from golden.source_record where source_id = %s", rig.captured.source_id)
        seen.add(found)
        return bool(found == 3000)

    wait_for(count, seconds=60)
    assert seen <= {0, 3000}
    assert (
        rig.one("select count(distinct commit_lsn) from golden.journal where source_id = %s", rig.captured.source_id)
        == 1
    )


def test_a_truncate_empties_the_table_in_the_hub(rig: Rig) -> None:
    rig.fill(20)
    rig.start()
    rig.await_agreement()
    rig.source.execute("truncate area")
    rig.source.execute("insert into area values (%s, '_C')", mpan_list(3, 1))
    rig.await_agreement()


def test_an_idle_source_lets_its_wal_go(rig: Rig) -> None:
    rig.start()
    rig.await_agreement()
    before = rig.confirmed()
    rig.source.execute("create table unpublished as select generate_series(1, 20000)")
    wait_for(lambda: rig.confirmed() != before, seconds=30)
    end_lsn = rig.one("select end_lsn::text from hub.checkpoint where source_id = %s", rig.captured.source_id)
    assert rig.source.execute("select %s::pg_lsn <= %s::pg_lsn", [rig.confirmed(), end_lsn]).fetchone() == (True,)


def test_a_worker_opens_the_task_of_a_conflict_when_its_grace_ends(rig: Rig) -> None:
    with db.connect(rig.captured.hub_dsn) as hub:
        hub.execute(
            """insert into golden.golden_record (golden_id, entity, created_at) values (1, 'metering_point', now());
               insert into golden.conflict (golden_id, item_group, item, source_id, change_id, owner_source_id,
                                            owner_change_id, owner, opened_at, visible_from)
               select 1, 'segment', 'market_segment', source_id, 1, source_id, 1, 'registration', now(),
                      now() + interval '3 seconds' from golden.source_system where source_id > 0"""
        )
    opened = "select count(*) from hub.task where kind = 'conflict'"

    rig.start()
    rig.await_agreement()
    assert rig.one(opened) == 0
    wait_for(lambda: rig.one(opened) > 0, seconds=30)
