"""Identity: one golden record for one thing, whoever presents it, in whatever order, at once or one after another."""

import threading
import time
from collections.abc import Callable

import psycopg
import pytest

from golden_records import identity, staging
from mdm import claiming, mastering
from tests import factories
from tests.factories import Change, Transaction, address, batch, meter, mpan, point
from tests.integration.golden_records.conftest import Hub
from tests.integration.golden_records.test_quarantine import wait_for_lock

KEY = mpan(1)


def test_a_meter_is_found_by_serial_alone_where_the_maker_is_not_known(hub: Hub) -> None:
    hub.change("smrs10", meter(KEY, "L YYP 12345", make="LANDIS"))
    hub.change("mss", meter(KEY, "LYYP12345", make=None))

    assert hub.value("select count(*) from golden.meter") == 1


def test_a_maker_that_comes_later_joins_the_meter_that_had_none(hub: Hub) -> None:
    hub.change("mss", meter(KEY, "LYYP12345", make=None))
    hub.change("smrs10", meter(KEY, "L YYP 12345", make="LANDIS"))

    assert hub.rows("select make from golden.meter") == [("LANDIS",)]


def test_one_serial_of_two_makers_is_two_meters(hub: Hub) -> None:
    hub.change("smrs10", meter(KEY, "L1", make="LANDIS"))
    hub.change("smrs10", meter(mpan(2), "L1", make="ELSTER"))

    assert hub.value("select count(*) from golden.meter") == 2


def test_an_address_without_uprn_is_found_by_its_text(hub: Hub) -> None:
    hub.change("smrs10", address(KEY, uprn="77", text="1 HIGH ST"))
    hub.change("mds", address(KEY, uprn=None, text="1 HIGH ST"))

    assert hub.value("select count(*) from golden.address") == 1
    assert hub.value("select count(*) from golden.conflict") == 0


def test_a_uprn_that_comes_later_joins_the_address_that_had_none(hub: Hub) -> None:
    hub.change("mds", address(KEY, uprn=None, text="1 HIGH ST"))
    hub.change("smrs10", address(KEY, uprn="77", text="1 HIGH ST"))

    assert hub.rows("select uprn from golden.address") == [("77",)]


def test_two_uprns_with_one_text_are_two_addresses(hub: Hub) -> None:
    hub.change("smrs10", address(KEY, uprn="1", text="1 HIGH ST"), address(mpan(2), uprn="2", text="1 HIGH ST"))

    assert hub.value("select count(*) from golden.address") == 2


def test_strong_and_weak_keys_of_one_thing_in_one_batch_are_one(hub: Hub) -> None:
    hub.change("mds", address(mpan(2), uprn=None, text="1 HIGH ST"), address(KEY, uprn="1", text="1 HIGH ST"))

    assert hub.value("select count(*) from golden.address") == 1


def test_the_crosswalk_dates_its_links_and_says_how_they_came(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, mpan_status="R"))

    assert hub.rows("select entity, key, origin, unlinked_at from golden.crosswalk") == [
        ("metering_point", KEY, "AUTO", None)
    ]


@pytest.mark.parametrize("keys", [1, 40])
def test_sources_that_race_on_the_same_new_keys_make_one_golden_record_each(
    open_hub: Callable[[], Hub], keys: int
) -> None:
    sources = ("smrs10", "mss", "mds", "msa")
    sessions = [open_hub() for _ in sources]
    start = threading.Barrier(len(sources))

    def present(hub: Hub, source: str, order: int) -> None:
        start.wait(timeout=10)
        for number in range(5):
            changes: list[Change] = []
            for key in [mpan(n) for n in range(1, keys + 1)][::order]:
                changes += [
                    point(key, "energisation", row=source, energisation_status="ED"[number % 2]),
                    meter(key, f"S{key[-6:]}", location="AB"[number % 2]),
                ]
            hub.master(source, Transaction(changes=changes))

    threads = [
        threading.Thread(target=present, args=(hub, source, 1 if place % 2 else -1))
        for place, (hub, source) in enumerate(zip(sessions, sources, strict=True))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    hub = sessions[0]
    assert hub.value("select count(*) from golden.metering_point") == keys
    assert hub.value("select count(*) from golden.meter") == keys
    assert hub.value("select count(*) from golden.journal") == keys * 2 * 5 * len(sources)
    dense = (
        "select count(*) from (select max(version) = count(*) as dense from golden.golden_version group by golden_id) v"
    )
    assert hub.value(f"{dense} where not dense") == 0
    stale = (
        "select count(*) from golden.metering_point g join golden.golden_version v"
        " on v.golden_id = g.golden_id and v.version = g.version where v.lineage <@ g.lineage is not true"
    )
    assert hub.value(stale) == 0


@pytest.mark.parametrize(("first", "second"), [("mds", "smrs10"), ("smrs10", "mds")])
def test_sources_that_race_on_a_meter_make_one_although_one_of_them_knows_no_maker(
    open_hub: Callable[[], Hub], first: str, second: str
) -> None:
    makers = {"smrs10": "LANDIS", "mds": None}
    ahead, behind, watcher = open_hub(), open_hub(), open_hub()
    fitted = {source: Transaction(changes=[meter(KEY, "S1", make=maker)]) for source, maker in makers.items()}
    racing = threading.Thread(target=behind.master, args=(second, fitted[second]))

    with ahead.connection.transaction():
        mastering.apply(ahead.connection, batch(ahead.sources[first], fitted[first]))
        racing.start()
        wait_until_blocked(watcher, behind.connection.info.backend_pid)
    racing.join(timeout=20)

    assert watcher.value("select count(*) from golden.meter") == 1


def wait_until_blocked(hub: Hub, pid: int) -> None:
    deadline = time.monotonic() + 20
    while hub.value("select cardinality(pg_blocking_pids(%s))", pid) == 0:
        assert time.monotonic() < deadline, "the other session did not wait"
        time.sleep(0.01)


def test_a_weak_and_a_strong_key_that_race_are_one_meter(open_hub: Callable[[], Hub]) -> None:
    first, second = open_hub(), open_hub()
    strong = threading.Thread(target=second.change, args=("smrs10", meter(KEY, "L1", make="LANDIS")))

    with first.connection.transaction():
        mastering.apply(
            first.connection, factories.batch(first.sources["mds"], Transaction(changes=[meter(KEY, "L1", make=None)]))
        )
        strong.start()
        wait_for_lock(first, second)
        mastering.finish(first.connection)
    strong.join(timeout=30)

    assert first.rows("select make from golden.meter") == [("LANDIS",)]


def test_sources_that_race_for_adoption_and_for_new_points_wait_for_each_other_and_never_deadlock(
    open_hub: Callable[[], Hub],
) -> None:
    rounds, size = 12, 30
    makers = {"smrs10": "LANDIS", "mds": None, "mss": "LANDIS"}
    sessions = {source: open_hub() for source in makers}
    numbers = [range(first, first + size) for first in range(1, rounds * size, size)]
    for chunk in numbers:
        sessions["mds"].change("mds", *(meter(mpan(n + 5_000), f"S{n}", make=None) for n in chunk))
    start = threading.Barrier(len(makers))

    def present(source: str) -> None:
        for place, chunk in enumerate(numbers):
            start.wait(timeout=30)
            ordered = list(chunk)[:: 1 if place % 2 else -1]
            fitted = [meter(mpan(n), f"S{n}", make=makers[source]) for n in ordered]
            sessions[source].master(source, Transaction(changes=fitted))

    threads = [threading.Thread(target=present, args=(source,)) for source in makers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive()

    assert sessions["mds"].value("select count(*) from golden.meter") == rounds * size
    name = sessions["mds"].connection.info.dbname
    for session in sessions.values():
        session.connection.close()
    observer = open_hub()
    assert observer.value("select deadlocks from pg_stat_database where datname = %s", name) == 0


def test_what_may_heal_is_never_waited_for_out_of_order(open_hub: Callable[[], Hub]) -> None:
    hub, other = open_hub(), open_hub()
    hub.change("smrs10", point(KEY, mpan_status="R"))
    with other.connection.transaction(), hub.connection.transaction():
        other.connection.execute("select from golden.golden_record for no key update")
        staging.begin(hub.connection)
        hub.connection.execute(
            "insert into stage_key (entity, golden_id) select entity, golden_id from golden.golden_record"
        )
        with pytest.raises(psycopg.errors.SerializationFailure):
            identity.lock_more(hub.connection)
        raise psycopg.Rollback


def test_whoever_masters_a_meter_holds_the_point_where_it_stands(open_hub: Callable[[], Hub]) -> None:
    """Else a view's row of the point that is made at the same time could miss the meter."""
    hub, other = open_hub(), open_hub()
    hub.change("smrs10", meter(KEY, "L1"))
    meter_id = int(str(hub.value("select golden_id from golden.meter")))
    point_id = hub.value("select metering_point_id from golden.meter")

    with hub.connection.transaction():
        identity.lock_ids(hub.connection, [meter_id])
        with pytest.raises(psycopg.errors.LockNotAvailable), other.connection.transaction():
            other.connection.execute(
                "select from golden.golden_record where golden_id = %s for no key update nowait", [point_id]
            )


@pytest.mark.parametrize("count", [3, 600])
def test_keys_are_claimed_ahead_once_and_mastering_claims_no_more(hub: Hub, count: int) -> None:
    """More than some hundred are copied into the hub, fewer are inserted; a mistyped MPAN is never claimed."""
    fitted = [meter(mpan(number), f"S{number}", make="ELSTER") for number in range(1, count + 1)]
    part = batch(hub.sources["smrs10"], Transaction(changes=[*fitted, point("1000000000000")]))
    claimed = []
    for _ in range(2):
        with hub.connection.transaction():
            claiming.claim(hub.connection, part)
        claimed.append(hub.rows("select entity, count(*) from golden.crosswalk group by 1 order by 1"))
    with hub.connection.transaction():
        mastering.apply(hub.connection, part)
        mastering.finish(hub.connection)
    claimed.append(hub.rows("select entity, count(*) from golden.crosswalk group by 1 order by 1"))
    # A meter has two keys: with its maker and without.
    assert claimed == [[("meter", 2 * count), ("metering_point", count)]] * 3
    assert hub.value("select count(*) from golden.meter") == count
