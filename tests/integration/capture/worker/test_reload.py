"""Ways back from a lost slot, a replaced source, a table to be loaded anew; refusals where a skip would be silent."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mdm import db
from mdm.capture import catalog, checkpoint, loads
from mdm.capture.checkpoint import ERA
from mdm.capture.crashes import Point
from mdm.capture.errors import SlotAhead, SlotLost, SlotMissing, SlotUnusable, SourceReplaced, TimelineChanged
from mdm.capture.lsn import Lsn
from mdm.capture.sources import Source
from mdm.capture.worker import NEEDS_PERSON, CaptureFailed
from tests.integration.capture.worker.rig import Crash, Rig, Running, crash_at, mpan_list, wait_for
from tests.integration.capture.worker.test_worker import doubles, writing


def reload_table(rig: Rig, relation: str) -> None:
    loads.expect(rig.hub, rig.captured.source_id, [relation], replaces=True)


def reload_source(rig: Rig) -> None:
    checkpoint.request_reload(rig.hub, rig.captured.source_id)


def stream_and_stop(rig: Rig) -> None:
    running = rig.start()
    rig.await_agreement()
    running.end()


def failure_of(running: Running) -> BaseException:
    failed = running.join()
    assert isinstance(failed, CaptureFailed)
    assert failed.exit_code == NEEDS_PERSON
    assert failed.__cause__ is not None
    return failed.__cause__


def golden_rows(rig: Rig) -> list[tuple[object, ...]]:
    return rig.hub.execute(
        "select golden_id, mpan, duos_tariff, gsp_group from golden.metering_point order by 1"
    ).fetchall()


def test_a_table_is_loaded_anew_while_writers_go_on(rig: Rig) -> None:
    rig.fill(500)
    rig.start(chunk_rows=100)
    rig.await_agreement(60)
    before = doubles(rig)
    with writing(rig, 500) as written:
        wait_for(lambda: written[0] > 20)
        reload_table(rig, "public.tariff")
        wait_for(lambda: rig.one("select state from hub.table_load where relation = 'public.tariff'") == "loading")
        wait_for(lambda: rig.state() == "streaming", seconds=120)
    rig.await_agreement(120)
    assert before == []
    assert rig.one("select rows from hub.table_load where relation = 'public.tariff'") >= 990


@pytest.mark.parametrize(
    "point", [Point.LOW_MARK_WRITTEN, Point.CHUNK_READ, Point.HIGH_MARK_WRITTEN, Point.CHUNK_MASTERED]
)
def test_a_reload_that_is_killed_goes_on_where_it_stood(rig: Rig, point: Point) -> None:
    rig.fill(600)
    stream_and_stop(rig)
    reload_table(rig, "public.tariff")
    with writing(rig, 600):
        killed = rig.start(crash_at(point, times=4), chunk_rows=200)
        assert isinstance(killed.join(60), Crash)
        read: list[Point] = []
        rig.start(read.append, chunk_rows=200)
        wait_for(lambda: rig.one("select count(*) from hub.table_load where state <> 'done'") == 0, seconds=120)
    rig.await_agreement(120)
    chunks = rig.one("select count(*) from hub.snapshot_chunk where relation = 'public.tariff'")
    assert read.count(Point.CHUNK_READ) < chunks


def test_a_reload_removes_what_the_source_no_longer_has_and_drops_no_golden_record(rig: Rig) -> None:
    rig.fill(50)
    stream_and_stop(rig)
    before = golden_rows(rig)
    rig.drop_slot()
    rig.source.execute("delete from tariff where mpan = %s", mpan_list(0, 1))
    rig.source.execute("update tariff set tariff = 'NEW' where mpan = %s", mpan_list(1, 1))
    rig.fill(5, first=100)
    assert isinstance(failure_of(rig.start()), SlotMissing)
    assert rig.one("select failed_at is not null from hub.checkpoint where source_id = %s", rig.captured.source_id)
    assert golden_rows(rig) == before
    reload_source(rig)
    rig.start()
    rig.await_agreement()
    assert not rig.one("select failed_at is not null from hub.checkpoint where source_id = %s", rig.captured.source_id)
    after = golden_rows(rig)
    assert [row[:2] for row in after[:50]] == [row[:2] for row in before]
    assert after[0][2] is None
    changed = [new for new, old in zip(after, before, strict=False) if new != old]
    assert len(changed) == 2


@contextmanager
def little_wal_kept(rig: Rig) -> Iterator[None]:
    rig.source.execute("alter system set max_slot_wal_keep_size = '1MB'")
    rig.source.execute("select pg_reload_conf()")
    try:
        yield
    finally:
        rig.source.execute("alter system reset max_slot_wal_keep_size")
        rig.source.execute("select pg_reload_conf()")


def test_a_slot_that_the_source_invalidated_is_told_and_a_reload_brings_equality(rig: Rig) -> None:
    rig.fill(20)
    stream_and_stop(rig)
    with little_wal_kept(rig):
        for number in range(4):
            rig.fill(5, first=100 + 5 * number)
            rig.source.execute("select pg_switch_wal()")
        rig.source.execute("checkpoint")
        lost = failure_of(rig.start())
        assert isinstance(lost, SlotLost)
        assert "mdm source reload" in str(lost)
        reload_source(rig)
        rig.start()
        rig.await_agreement()
    rig.fill(5, first=900)
    rig.await_agreement()


def test_a_slot_that_was_read_by_somebody_else_is_refused(rig: Rig) -> None:
    rig.fill(20)
    stream_and_stop(rig)
    rig.source.execute("delete from tariff where mpan = %s", mpan_list(0, 1))
    rig.source.execute("select pg_replication_slot_advance(%s, pg_current_wal_lsn())", [rig.captured.source.slot])
    assert isinstance(failure_of(rig.start()), SlotAhead)
    assert not rig.agrees()
    reload_source(rig)
    rig.start()
    rig.await_agreement()


@pytest.mark.parametrize(
    ("column", "value", "refusal"),
    [("system_identifier", "1", SourceReplaced), ("timeline", 99, TimelineChanged)],
)
def test_another_cluster_or_timeline_is_refused(
    rig: Rig, column: str, value: object, refusal: type[BaseException]
) -> None:
    rig.fill(20)
    stream_and_stop(rig)
    rig.hub.execute(f"update hub.checkpoint set {column} = %s where source_id = %s", [value, rig.captured.source_id])
    assert isinstance(failure_of(rig.start()), refusal)
    reload_source(rig)
    rig.start()
    rig.await_agreement()


def test_a_source_that_was_set_back_goes_on_in_a_new_era(rig: Rig) -> None:
    rig.fill(20)
    stream_and_stop(rig)
    rig.hub.execute(
        "update hub.checkpoint set end_lsn = 'FFFF/0', commit_lsn = 'FFFF/0' where source_id = %s",
        [rig.captured.source_id],
    )
    assert "set back" in str(failure_of(rig.start()))
    reload_source(rig)
    rig.start()
    rig.await_agreement()
    rig.fill(5, first=100)
    rig.await_agreement()
    assert rig.one("select era from hub.checkpoint where source_id = %s", rig.captured.source_id) == 1
    last = rig.one("select max(commit_lsn)::text from golden.journal where source_id = %s", rig.captured.source_id)
    assert Lsn.parse(last) > ERA


def test_a_slot_that_this_hub_did_not_make_is_left_alone(rig: Rig) -> None:
    rig.source.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [rig.captured.source.slot])
    assert isinstance(failure_of(rig.start()), SlotUnusable)
    assert rig.confirmed() is not None


def test_a_renamed_column_stops_capture_and_nothing_is_dropped(rig: Rig) -> None:
    rig.fill(20)
    running = rig.start()
    rig.await_agreement()
    rig.source.execute("alter table tariff rename column tariff to code")
    rig.source.execute("update tariff set code = 'LST' where mpan = %s", mpan_list(0, 1))
    assert "public.tariff no longer has the mapped column tariff" in str(failure_of(running))
    assert rig.one("select count(*) from golden.metering_point where duos_tariff is not null") == 20
    assert "public.tariff" in rig.one(
        "select last_error from hub.checkpoint where source_id = %s", rig.captured.source_id
    )
    rig.source.execute("alter table tariff rename column code to tariff")
    rig.drop_slot()
    reload_source(rig)
    rig.start()
    rig.await_agreement()


def test_a_mapping_of_the_renamed_column_goes_on_right_behind_the_rename(rig: Rig) -> None:
    rig.fill(20)
    stream_and_stop(rig)
    first, second = mpan_list(0, 2)
    rig.source.execute("update tariff set tariff = 'OLD' where mpan = %s", [first])
    rig.source.execute("alter table tariff rename column tariff to code")
    rig.source.execute("update tariff set code = 'NEW' where mpan = %s", [second])
    assert "mapped column tariff" in str(failure_of(rig.start()))
    assert rig.one("select count(*) from golden.metering_point where duos_tariff = 'OLD'") == 1
    declared = rig.captured.source.model_dump()
    (record,) = declared["tables"]["public.tariff"]["records"]
    record["items"]["duos_tariff"] = "code"
    rig.start(source=Source.model_validate(declared))
    wait_for(lambda: rig.one("select count(*) from golden.metering_point where duos_tariff = 'NEW'") == 1)
    assert rig.state() == "streaming"


def test_columns_may_be_added_dropped_and_retyped_in_mid_stream(rig: Rig) -> None:
    rig.fill(20)
    rig.start()
    rig.await_agreement()
    first, second, third = mpan_list(0, 3)
    rig.source.execute("alter table tariff add column colour text default 'red'")
    rig.source.execute("update tariff set tariff = 'A' where mpan = %s", [first])
    rig.source.execute("alter table tariff drop column note")
    rig.source.execute("update tariff set tariff = 'B' where mpan = %s", [second])
    rig.source.execute("alter table tariff alter column tariff type varchar(3)")
    rig.source.execute("update tariff set tariff = 'C' where mpan = %s", [third])
    rig.await_agreement()
    payload = rig.one("select payload from golden.journal where op = 'u' order by change_id limit 1")
    assert (payload["colour"], payload["note"]) == ("red", "first")


def test_a_table_that_is_rewritten_during_its_load_is_planned_anew(rig: Rig) -> None:
    rig.fill(600)
    stream_and_stop(rig)
    reload_table(rig, "public.tariff")

    rewritten: list[Point] = []

    def rewrite(point: Point) -> None:
        if point is Point.LOW_MARK_WRITTEN and not rewritten:
            with db.connect(rig.captured.source_dsn) as source:
                source.execute("vacuum full tariff")
            rewritten.append(point)

    rig.start(rewrite, chunk_rows=100)
    wait_for(lambda: rewritten)
    wait_for(lambda: rig.one("select count(*) from hub.table_load where state <> 'done'") == 0)
    rig.await_agreement()


def test_a_table_that_the_mapping_names_later_is_loaded_while_the_stream_runs(rig: Rig) -> None:
    rig.fill(30)
    declared = rig.captured.source
    fewer = declared.model_copy(update={"tables": {"public.area": declared.tables["public.area"]}})
    running = rig.start(source=fewer)
    wait_for(lambda: rig.state() == "streaming")
    assert not rig.agrees()
    running.end()
    rig.start()
    rig.await_agreement()


def test_a_table_outside_the_publication_is_told_with_the_remedy(rig: Rig) -> None:
    rig.source.execute("alter publication mdm drop table tariff")
    assert 'alter publication "mdm" add table "public"."tariff"' in str(failure_of(rig.start()))


def test_an_unchanged_toast_value_is_absent_from_the_payload_rather_than_null(rig: Rig) -> None:
    rig.fill(5)
    rig.start()
    rig.await_agreement()
    mpan = mpan_list(0, 1)[0]
    rig.source.execute("alter table tariff alter column note set storage external")
    rig.source.execute("update tariff set note = repeat('x', 5000) where mpan = %s", [mpan])
    rig.source.execute("update tariff set tariff = 'TST' where mpan = %s", [mpan])
    rig.await_agreement()
    touched = "select count(*) from golden.journal where payload ->> 'tariff' = 'TST'"
    assert (rig.one(touched), rig.one(f"{touched} and payload ? 'note'")) == (2, 0)


def test_partitions_published_by_their_root_are_loaded_and_streamed_as_it(rig: Rig) -> None:
    rig.source.execute("drop publication mdm; drop table area")
    rig.source.execute(
        "create table area (mpan text primary key, gsp text) partition by list (mpan);"
        "create table area_rest partition of area default;"
        "create publication mdm for table tariff, area with (publish_via_partition_root = true)"
    )
    rig.fill(40)
    rig.start()
    rig.await_agreement()
    rig.fill(5, first=100)
    rig.await_agreement()
    table = catalog.list_tables(rig.source, "mdm", ["public.area"])[0]
    assert [partition.name for partition in table.partitions] == ["area_rest"]
