"""Initial loads: taken in by chunks of any source in any order, assembled once each."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from golden_records import loaded
from mdm import assembling, mastering
from tests import factories
from tests.factories import Change, Transaction, address, appointment, contract, meter, mpan, point
from tests.integration.golden_records.conftest import Hub
from tests.integration.golden_records.test_quarantine import wait_for_lock

KEY = mpan(1)


def _load(hub: Hub, source: str, *changes: Change) -> None:
    with hub.connection.transaction():
        assembling.load(hub.connection, factories.batch(hub.sources[source], Transaction(changes=changes)))


def _assemble(hub: Hub, limit: int = 2) -> None:
    after: int | None = 0
    while after is not None:
        with hub.connection.transaction():
            after = assembling.assemble(hub.connection, after=after, limit=limit, now=datetime.now(UTC))
            mastering.finish(hub.connection)


def test_what_all_sources_loaded_is_one_version_of_each_golden_record(hub: Hub) -> None:
    _load(hub, "mss", meter(KEY, "L1", location="B"), point(KEY, "energisation", energisation_status="D"))
    _load(hub, "smrs10", point(KEY, mpan_status="R"), point(KEY, "segment", market_segment="S"))
    _load(hub, "smrs10", point(KEY, "energisation", energisation_status="E"), meter(KEY, "L1", location="K"))
    _load(hub, "smrs10", appointment(KEY), address(KEY, uprn="1", text="1 HIGH ST"))

    _assemble(hub)

    golden = "select mpan_status, market_segment, energisation_status, version from golden.metering_point"
    assert hub.rows(golden) == [("R", "S", "D", 1)]
    assert hub.rows("select location, version from golden.meter") == [("B", 1)]
    assert hub.value("select count(*) from golden.golden_version where entity <> 'contract'") == 4
    assert hub.value("select count(*) from golden.loaded") == 0
    assert hub.value("select count(*) > 0 from hub.view_row") is True


def test_a_load_is_quarantined_like_a_stream(hub: Hub) -> None:
    _load(hub, "smrs10", point(KEY, "segment", market_segment="A"), appointment(KEY, role="MSS"))
    _load(hub, "smrs10", point("1012345678900", mpan_status="R"))

    _assemble(hub)

    held = hub.rows("select rule from golden.quarantine where closed_at is null order by rule")
    assert held == [(1,), (14,)]
    assert hub.value("select count(*) from golden.appointment") == 0
    hub.change("smrs10", point(KEY, "segment", market_segment="S"))
    assert hub.value("select role from golden.appointment") == "MSS"


def test_a_meter_of_several_points_is_judged_once_the_appointments_at_all_of_them_are_known(hub: Hub) -> None:
    _load(hub, "mds", meter(mpan(1), "L1"), appointment(mpan(2), role="MSA", service="ADVA"))
    _load(hub, "mss", meter(mpan(2), "L1"))

    _assemble(hub, limit=1)

    assert hub.rows("select rule, point_key from golden.quarantine where closed_at is null") == [(26, mpan(2))]
    assert hub.rows("select meter_id, version from golden.meter") == [("L1", 1)]


def test_a_meter_is_not_held_back_for_an_appointment_that_is_held_back_itself(hub: Hub) -> None:
    _load(hub, "smrs10", point(KEY, "segment", market_segment="S"), appointment(KEY, role="MSA", service="ADVA"))
    _load(hub, "mss", meter(KEY, "L1"))

    _assemble(hub)

    assert hub.rows("select rule, item_group from golden.quarantine") == [(14, "appointment")]
    assert hub.rows("select meter_id from golden.meter") == [("L1",)]


def test_a_point_is_judged_when_it_is_known_which_meters_are_fitted(hub: Hub) -> None:
    _load(hub, "smrs10", point(KEY, "segment", market_segment="S"), point(KEY, "profile", profile_class="1"))
    _load(hub, "mss", meter(KEY, "L1", meter_type="N"))

    _assemble(hub)

    assert hub.rows("select rule, item_group from golden.quarantine") == [(30, "profile")]
    golden = "select market_segment, profile_class, version from golden.metering_point"
    assert hub.rows(golden) == [("S", None, 1)]
    assert hub.rows("select meter_type from golden.meter") == [("N",)]


def test_a_meter_that_is_put_together_of_two_records_is_judged_as_it_stands(hub: Hub) -> None:
    _load(hub, "mss", meter(KEY, "L1", installation_date="2025-02-01"))
    _load(hub, "mds", meter(KEY, "L1", installation_date=None, removal_date="2024-01-01"))

    _assemble(hub)

    assert hub.rows("select installation_date::text, removal_date::text from golden.meter") == [
        ("2025-02-01", "2024-01-01")
    ]
    assert hub.rows("select rule from golden.violation where closed_at is null and rule <> 33") == [(25,)]


def test_a_stream_that_overtakes_the_assembly_loses_nothing(hub: Hub) -> None:
    _load(hub, "smrs10", point(KEY, mpan_status="N"), point(KEY, "segment", market_segment="S"))

    hub.change("smrs10", point(KEY, mpan_status="R"))
    _assemble(hub)

    golden = hub.rows("select mpan_status, market_segment, version from golden.metering_point")
    assert golden == [("R", "S", 2)]


def test_a_source_that_loads_later_adds_to_what_is_assembled(hub: Hub) -> None:
    _load(hub, "smrs10", point(KEY, mpan_status="R"), appointment(KEY))
    _assemble(hub)
    _load(hub, "mss", point(KEY, "energisation", energisation_status="D"))
    _assemble(hub)

    assert hub.rows("select mpan_status, energisation_status from golden.metering_point") == [("R", "D")]
    assert hub.rows("select version from golden.golden_version where entity = 'metering_point'") == [(1,), (2,)]


def test_a_range_that_is_rolled_back_is_assembled_by_the_next(hub: Hub) -> None:
    _load(hub, "smrs10", point(KEY, mpan_status="R"))
    with hub.connection.transaction(force_rollback=True):
        assembling.assemble(hub.connection, after=1 << 56, limit=10, now=datetime.now(UTC))

    _assemble(hub)

    assert hub.value("select count(*) from golden.metering_point") == 1


def test_a_worker_may_find_nothing_left_to_assemble(hub: Hub) -> None:
    _assemble(hub)
    assert hub.rows("select count(*) from golden.golden_version") == [(0,)]


def test_what_several_sources_list_is_cut_into_batches_in_which_each_golden_record_stands_once(hub: Hub) -> None:
    _load(hub, "smrs10", *(point(mpan(number), mpan_status="R") for number in range(1, 6)))
    _load(hub, "mss", *(point(mpan(number), "energisation", energisation_status="E") for number in range(3, 8)))

    with hub.connection.transaction():
        assembling.assemble(hub.connection, after=1 << 56, limit=3, now=datetime.now(UTC))

    listed = [ids for (ids,) in hub.rows("select golden_ids from golden.loaded where is_batch order by loaded_id")]
    points = [golden_id for (golden_id,) in hub.rows("select golden_id from golden.golden_record order by 1")]
    assert listed == [points[:3], points[3:6], points[6:]]


def test_workers_that_assemble_at_once_take_different_batches(open_hub: Callable[[], Hub]) -> None:
    hub, other = open_hub(), open_hub()
    _load(hub, "smrs10", *(point(mpan(number), mpan_status="R") for number in range(1, 5)))
    with hub.connection.transaction():
        loaded.cut(hub.connection, stage=1, limit=2)

    with hub.connection.transaction(), other.connection.transaction():
        taken = loaded.take(hub.connection, stage=1)
        others = loaded.take(other.connection, stage=1)

    assert len(taken) == len(others) == 2
    assert set(taken).isdisjoint(others)
    assert loaded.find_pass(hub.connection) is None


def test_a_contract_that_changes_while_its_appointments_are_assembled_waits_for_them(
    open_hub: Callable[[], Hub],
) -> None:
    hub, other = open_hub(), open_hub()
    _load(hub, "smrs10", point(KEY, mpan_status="R"), appointment(KEY))
    after: int | None = 0
    while hub.value("select count(*) from golden.loaded where pass = 1 and is_batch") == 0:
        with hub.connection.transaction():
            after = assembling.assemble(hub.connection, after=after or 0, limit=10, now=datetime.now(UTC))

    with ThreadPoolExecutor(1) as threads:
        with hub.connection.transaction():
            assembling.assemble(hub.connection, after=after or 0, limit=10, now=datetime.now(UTC))
            mastering.finish(hub.connection)
            changing = threads.submit(other.change, "smrs10", contract("C1", service_mpid="ADVA"))
            wait_for_lock(hub, other)
        changing.result()

    assert hub.value("select count(*) from golden.appointment") == 1
    assert hub.rows("select rule from golden.violation where closed_at is null") == [(13,)]
