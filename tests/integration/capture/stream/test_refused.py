"""Whatever a source refuses, or would skip in silence, is an error of its own that says what mends it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from mdm import db
from mdm.capture import prerequisites, replication, slots, stream
from mdm.capture.errors import (
    CaptureError,
    PublicationIncomplete,
    PublicationMissing,
    ReplicaIdentityMissing,
    ReplicationForbidden,
    SlotActive,
    SlotAhead,
    SlotLost,
    SlotMissing,
    SlotsExhausted,
    SlotUnusable,
    SourceDisconnected,
    TableForbidden,
    TableMissing,
    WalLevelTooLow,
)
from mdm.capture.refusals import Request
from mdm.embedded import EmbeddedServer
from tests import clusters
from tests.clusters import Clusters
from tests.integration.capture.stream.source_under_test import Source, until_end, wait_until

TINY = {"max_slot_wal_keep_size": "1MB", "max_replication_slots": "1", "max_wal_size": "32MB", "min_wal_size": "32MB"}
REQUEST = Request(source="test", slot="test", publications=("mdm",))


@pytest.fixture(scope="module", params=["postgresql18", "postgresql15"])
def tiny(session_clusters: Clusters, request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """A cluster that keeps little WAL for its only slot."""
    binaries = None if request.param == "postgresql18" else request.getfixturevalue("binaries_15")
    yield session_clusters.start(f"tiny-{request.param}", settings=clusters.QUICK | TINY, binaries=binaries)
    session_clusters.remove(f"tiny-{request.param}")


def verify(source: Source) -> None:
    with replication.connect(source.dsn) as connection:
        identity = slots.identify(connection)
    found = slots.find(source.connection, source.request.slot)
    slots.verify_start(source.at, identity.origin, slot=found, identity=identity, request=source.request)


def test_a_slot_just_made_may_start(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    verify(source)
    slot = source.slot()
    assert (slot.plugin, slot.wal_status, slot.confirmed_flush_lsn) == ("pgoutput", "reserved", source.at)
    assert slot.retained is not None
    assert slot.retained >= 0


def test_a_slot_confirmed_beyond_the_checkpoint_is_refused(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    source.execute("insert into point values ('1')")
    source.execute(f"select pg_replication_slot_advance('{source.request.slot}', pg_current_wal_lsn())")
    with pytest.raises(SlotAhead):
        verify(source)


def test_a_slot_that_is_gone_is_refused(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    assert slots.drop(source.connection, source.request)
    assert not slots.drop(source.connection, source.request)
    with pytest.raises(SlotMissing):
        verify(source)
    with pytest.raises(SlotMissing), source.stream():
        pass


def test_a_slot_of_another_database_is_refused(source: Source, make_other: Callable[[], Source]) -> None:
    source.publish("create table point (mpan text primary key)")
    other = make_other()
    stranger = replace(other, request=source.request, at=source.at)
    with pytest.raises(SlotUnusable, match="database"):
        verify(stranger)
    with pytest.raises(SlotUnusable, match="database"), stranger.stream():
        pass


@pytest.fixture
def make_other(source: Source) -> Iterator[Callable[[], Source]]:
    """Make another database on the same server."""
    name = f"other_{uuid4().hex[:12]}"
    source.execute(f"create database {name}")
    dsn = source.dsn.replace(source.connection.info.dbname, name)
    with db.connect(dsn) as connection:
        yield lambda: Source(dsn=dsn, spool=source.spool, connection=connection)
    source.execute(f"drop database {name} with (force)")


def test_a_slot_of_another_plugin_is_refused(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    slots.drop(source.connection, source.request)
    source.execute(f"select pg_create_physical_replication_slot('{source.request.slot}', true)")
    with pytest.raises(SlotUnusable, match="plugin"):
        verify(source)


def test_a_slot_with_two_phase_is_refused(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    slots.drop(source.connection, source.request)
    source.execute(f"select pg_create_logical_replication_slot('{source.request.slot}', 'pgoutput', false, true)")
    source.at = source.wal_end()
    with pytest.raises(SlotUnusable, match="two_phase"):
        verify(source)


def test_a_slot_that_is_there_already_is_not_made_again(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    with replication.connect(source.dsn) as connection, pytest.raises(SlotUnusable, match="already exists"):
        slots.create(connection, source.request)


def test_a_second_reader_is_told_to_stand_by(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    with source.stream():
        with pytest.raises(SlotActive):
            verify(source)
        with pytest.raises(SlotActive), source.stream():
            pass
        with pytest.raises(SlotActive):
            slots.drop(source.connection, source.request)


def test_a_terminated_connection_may_be_opened_again(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    source.execute("insert into point values ('1')")
    with source.stream() as opened:
        wait_until(lambda: source.slot().is_active)
        source.execute(f"select pg_terminate_backend({source.slot().active_pid})")
        with pytest.raises(SourceDisconnected) as raised:
            until_end(opened)
    assert raised.value.passes
    assert [change.after for change in source.changes()] == [("1",)]


def test_a_publication_that_is_missing_is_an_error_on_every_version(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    source.execute("drop publication mdm", "insert into point values ('1')")
    with pytest.raises(PublicationMissing, match="create publication"), source.stream() as opened:
        until_end(opened)


def test_a_slot_that_lost_its_wal_says_so_and_the_way_back(tiny: EmbeddedServer, tmp_path: Path) -> None:
    with db.connect(tiny.dsn()) as connection:
        source = Source(dsn=tiny.dsn(), spool=tmp_path, connection=connection)
        source.publish("create table if not exists point (mpan text primary key)")
        for _ in range(4):
            source.execute("insert into point values (gen_random_uuid()::text)", "select pg_switch_wal()")
        source.execute("checkpoint")
        wait_until(lambda: source.slot().wal_status == "lost")
        with pytest.raises(SlotLost, match="mdm source reload test"):
            verify(source)
        with pytest.raises(SlotLost), source.stream():
            pass
        slots.drop(connection, source.request)
        source.execute("drop publication mdm")


def test_a_server_without_a_free_slot_says_so(tiny: EmbeddedServer) -> None:
    with db.connect(tiny.dsn()) as connection, replication.connect(tiny.dsn()) as own:
        connection.execute("select pg_create_physical_replication_slot('taken')")
        with pytest.raises(SlotsExhausted, match="max_replication_slots"):
            slots.create(own, REQUEST)
        connection.execute("select pg_drop_replication_slot('taken')")


def test_a_server_of_too_low_a_wal_level_says_so(session_clusters: Clusters) -> None:
    server = session_clusters.start("replica", settings=clusters.QUICK | {"wal_level": "replica"})
    with db.connect(server.dsn()) as connection, replication.connect(server.dsn()) as own:
        assert WalLevelTooLow in kinds(prerequisites.list_problems(connection, REQUEST, []))
        with pytest.raises(WalLevelTooLow, match="alter system set wal_level"):
            slots.create(own, REQUEST)
    session_clusters.remove("replica")


def kinds(problems: list[CaptureError]) -> list[type[CaptureError]]:
    return [type(problem) for problem in problems]


def test_a_source_that_allows_everything_has_no_problem(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    assert prerequisites.list_problems(source.connection, source.request, ["public.point"]) == []


@pytest.mark.parametrize(
    ("statements", "mended"),
    [
        (["create table t (a text)"], "replica identity full; or, better"),
        (["create table t (a text not null unique)"], 'replica identity using index "t_a_key"'),
        (["create table t (a text primary key)", "alter table t replica identity nothing"], "replica identity default"),
        (["create table t (a text primary key deferrable)"], "replica identity full"),
    ],
)
def test_a_table_whose_rows_cannot_be_told_apart_names_what_mends_it(
    source: Source, statements: list[str], mended: str
) -> None:
    source.publish(*statements)
    (problem,) = prerequisites.list_problems(source.connection, source.request, ["public.t"])
    assert isinstance(problem, ReplicaIdentityMissing)
    assert mended in str(problem)
    with pytest.raises(ReplicaIdentityMissing):
        prerequisites.ensure_publication(source.connection, source.request, ["public.t"])


@pytest.mark.parametrize("identity", ["full", "using index t_a_key"])
def test_a_table_whose_rows_can_be_told_apart_has_no_problem(source: Source, identity: str) -> None:
    source.publish("create table t (a text not null unique)", f"alter table t replica identity {identity}")
    assert prerequisites.list_problems(source.connection, source.request, ["public.t"]) == []


def test_a_table_that_is_not_there_or_not_published_is_told(source: Source) -> None:
    source.execute("create table a (id int primary key)", "create table b (id int primary key)")
    source.execute("create publication mdm for table a with (publish = 'insert')")
    problems = prerequisites.list_problems(source.connection, source.request, ["public.a", "public.b", "public.C"])
    assert kinds(problems) == [TableMissing, PublicationIncomplete, PublicationIncomplete]
    assert 'alter publication "mdm" add table "public"."b"' in str(problems[1])
    assert "publish = 'insert, update, delete, truncate'" in str(problems[2])


def test_a_partitioned_table_needs_its_changes_under_its_own_name(source: Source) -> None:
    source.execute("create table t (id int primary key) partition by range (id)")
    source.execute("create table t_1 partition of t for values from (0) to (10)")
    source.execute("create publication mdm for table t")
    problems = prerequisites.list_problems(source.connection, source.request, ["public.t"])
    assert PublicationIncomplete in kinds(problems)
    assert "publish_via_partition_root" in str(problems[-1])


def test_a_publication_is_made_and_completed(source: Source) -> None:
    source.execute("create table a (id int primary key)", 'create table "B c" (id int primary key)')
    tables = ["public.a", "public.B c"]
    assert kinds(prerequisites.list_problems(source.connection, source.request, tables)) == [PublicationMissing]
    made = prerequisites.ensure_publication(source.connection, source.request, tables[:1])
    assert made == ['create publication "mdm" for table "public"."a" with (publish_via_partition_root = true)']
    added = prerequisites.ensure_publication(source.connection, source.request, tables)
    assert added == ['alter publication "mdm" add table "public"."B c"']
    assert prerequisites.ensure_publication(source.connection, source.request, tables) == []
    assert prerequisites.list_problems(source.connection, source.request, tables) == []


def test_a_role_without_rights_is_told_which_it_lacks(source: Source) -> None:
    role = f"role_{uuid4().hex[:12]}"
    source.publish("create table point (mpan text primary key)", f"create role {role} login")
    dsn = source.dsn.replace("postgres@", f"{role}@")
    try:
        with db.connect(dsn) as connection:
            problems = prerequisites.list_problems(connection, source.request, ["public.point"])
        assert kinds(problems) == [ReplicationForbidden, TableForbidden]
        assert f'alter role "{role}" replication' in str(problems[0])
        with pytest.raises(ReplicationForbidden):
            replication.connect(dsn)
    finally:
        source.execute(f"drop role {role}")


def test_names_that_need_quotes_are_quoted(source: Source, tmp_path: Path) -> None:
    source.publish("create table point (mpan text primary key)")
    source.execute("""create publication "it's, a ""name" for table point""", "insert into point values ('1')")
    request = replace(source.request, publications=("""it's, a "name""",))
    with stream.start(replication.connect(source.dsn), request, at=source.at, spool_folder=tmp_path) as opened:
        wait_until(lambda: (batch := opened.next_batch(timeout=1)) is not None and bool(batch.tables))
