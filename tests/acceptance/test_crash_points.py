"""Workers killed between each two durable steps, under load: whatever was done before, the end is the same (law 1)."""

from collections.abc import Callable, Mapping

import pytest

from mdm.capture import checkpoint, lane
from mdm.capture.crashes import Point
from tests.acceptance import journal_audit, oracle, waiting
from tests.acceptance.installation import Installation
from tests.acceptance.load import Load

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1200)]

RATE = 150.0
Crashes = Mapping[str, tuple[Point, int]]  # source -> the point, and how often it is passed before it is fatal

STREAM: tuple[Crashes, ...] = (
    {
        "smrs10": (Point.BATCH_TAKEN, 2),
        "smrs20": (Point.PART_MASTERED, 2),
        "mss": (Point.CHECKPOINT_WRITTEN, 2),
        "mds": (Point.HUB_COMMITTED, 2),
    },
    {
        "smrs10": (Point.CHECKPOINT_WRITTEN, 3),
        "smrs20": (Point.HUB_COMMITTED, 1),
        "mss": (Point.SLOT_CONFIRMED, 2),
        "mds": (Point.PART_MASTERED, 3),
    },
)
LOAD: tuple[Crashes, ...] = (
    {
        "smrs10": (Point.CHUNK_MASTERED, 9),
        "smrs20": (Point.SLOT_CREATED, 1),
        "mss": (Point.LOAD_PLANNED, 1),
        "mds": (Point.CHUNK_READ, 3),
    },
    {
        "smrs10": (Point.RANGE_ASSEMBLED, 1),
        "smrs20": (Point.CHUNK_COMMITTED, 14),
        "mss": (Point.RANGE_COMMITTED, 1),
        "mds": (Point.RANGE_ASSEMBLED, 2),
    },
)
RELOAD: tuple[Crashes, ...] = (
    {
        "smrs10": (Point.LOW_MARK_WRITTEN, 3),
        "smrs20": (Point.HIGH_MARK_WRITTEN, 4),
        "mss": (Point.CHUNK_READ, 2),
        "mds": (Point.CHUNK_MASTERED, 2),
    },
)
SOURCES = ("smrs10", "smrs20", "mss", "mds")


@pytest.fixture(scope="module")
def installed(open_installation: Callable[..., Installation]) -> Installation:
    return open_installation(400, sources=SOURCES)


def crash_and_go_on(installed: Installation, crashes: Crashes) -> None:
    """Let each worker end at its point, then run them all again until they are level."""
    for source, (point, times) in crashes.items():
        installed.start_worker(source, crash_at=point, times=times)
    for source in crashes:
        installed.await_crash(source)
    installed.start_workers()
    installed.await_caught_up()


def level(installed: Installation) -> dict[str, int]:
    """Have all sources loaded, whatever ran before; return their youngest transactions."""
    installed.start_workers()
    installed.await_caught_up()
    installed.stop_workers()
    return youngest(installed)


def youngest(installed: Installation) -> dict[str, int]:
    """Return the youngest transaction of each source that has changed anything."""
    found = {}
    for source in installed.sources:
        with installed.connect(source) as connection:
            found[source] = journal_audit.newest(connection)
    return found


@pytest.mark.parametrize("crashes", LOAD, ids=["reading", "assembling"])
def test_a_load_that_is_killed_ends_as_one_that_is_not(installed: Installation, crashes: Crashes) -> None:
    installed.renew_hub()
    with Load(installed, seed=11, rate=RATE):
        crash_and_go_on(installed, crashes)
        loaded = youngest(installed)
    installed.await_caught_up()
    installed.stop_workers()
    oracle.assert_equal(installed, loaded=loaded)


@pytest.mark.parametrize("crashes", STREAM, ids=["taken to committed", "written to confirmed"])
def test_a_stream_that_is_killed_ends_as_one_that_is_not(installed: Installation, crashes: Crashes) -> None:
    loaded = level(installed)
    with Load(installed, seed=23, rate=RATE) as load:
        crash_and_go_on(installed, crashes)
        assert load.changes > 0
    installed.await_caught_up()
    installed.stop_workers()
    oracle.assert_equal(installed, loaded=loaded)


def test_what_waits_when_the_hubs_server_is_killed_comes_again(installed: Installation) -> None:
    """What waits to be mastered stands in unlogged tables, which a crash of the server empties."""
    loaded = level(installed)
    with Load(installed, seed=29, rate=RATE), installed.connect_hub() as keeper:
        assert checkpoint.try_lock(keeper, lane.LOCK)  # so nothing that waits is mastered
        installed.start_workers()
        waiting.until(lambda: all_wait(installed), seconds=120, what="batches of all sources that wait")
        put_at = installed.one("select max(put_at) from hub.inbox")
        installed.kill_server(installed.hub)
        installed.revive_hub()
        assert installed.one("select count(*) from hub.inbox where put_at <= %s", put_at) == 0
    installed.await_caught_up(revive=True)
    installed.stop_workers()
    oracle.assert_equal(installed, loaded=loaded)


def all_wait(installed: Installation) -> bool:
    """Tell whether batches of every source wait."""
    return bool(installed.one("select count(distinct source_id) from hub.inbox") == len(SOURCES))


@pytest.mark.parametrize("crashes", RELOAD, ids=["between marks"])
def test_a_reload_that_is_killed_ends_as_one_that_is_not(installed: Installation, crashes: Crashes) -> None:
    loaded = level(installed)
    for source in installed.sources:
        installed.run("source", "reload", source)
    with Load(installed, seed=37, rate=RATE):
        crash_and_go_on(installed, crashes)
    installed.await_caught_up()
    installed.stop_workers()
    oracle.assert_equal(installed, loaded=loaded)


def test_a_lost_slot_whose_renewal_is_killed_is_renewed(installed: Installation) -> None:
    installed.start_workers()
    with Load(installed, seed=41, rate=RATE):
        installed.await_caught_up()
        installed.stop_workers()
        installed.drop_slots()
        for source in installed.sources:
            installed.run("source", "reload", source)
        crash_and_go_on(installed, dict.fromkeys(SOURCES, (Point.SLOT_CREATED, 1)))
        loaded = youngest(installed)
    installed.await_caught_up()
    installed.stop_workers()
    oracle.assert_equal(installed, loaded=loaded)


def test_a_killed_load_begins_no_table_anew(installed: Installation) -> None:
    """Debezium starts from zero; here what was loaded stays loaded."""
    installed.renew_hub()
    installed.start_worker("smrs10", crash_at=Point.CHUNK_COMMITTED, times=18)
    installed.await_crash("smrs10")
    before = dict(done(installed))
    installed.start_workers()
    installed.await_caught_up()
    after = dict(done(installed))
    assert len(before) >= 17
    assert {key: after[key] for key in before} == before
    installed.stop_workers()
    oracle.assert_equal(installed, loaded=youngest(installed))


def done(installed: Installation) -> list[tuple[tuple[str, int], object]]:
    with installed.connect_hub() as hub:
        rows = hub.execute(
            "select relation, chunk_no, done_at from hub.snapshot_chunk join golden.source_system using (source_id)"
            " where name = 'smrs10' and done_at is not null"
        ).fetchall()
    return [((relation, chunk_no), done_at) for relation, chunk_no, done_at in rows]
