"""Bad records: held back with their reason, put through again, never in the way of the good ones."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from golden_records.staging import FEW, LONGEST
from mdm import mastering
from tests import factories
from tests.factories import NOW, Change, Transaction, appointment, meter, mpan, point
from tests.integration.golden_records.conftest import Hub

KEY = mpan(1)
MANY = range(100, 101 + FEW)  # changes that are not journalled one by one


def wait_for_lock(observer: Hub, waiting: Hub) -> None:
    """Wait until the session of another hub waits for a lock that this one holds."""
    blocked = "select wait_event_type = 'Lock' from pg_stat_activity where pid = %s"
    deadline = time.monotonic() + 20
    while observer.value(blocked, waiting.connection.info.backend_pid) is not True:
        assert time.monotonic() < deadline, "nobody waits for the lock"
        observer.connection.execute("select pg_stat_clear_snapshot()")


def _open(hub: Hub) -> list[tuple[object, ...]]:
    return hub.rows("select rule, source_key from golden.quarantine where closed_at is null order by rule")


def test_a_wrong_check_digit_is_quarantined_with_its_position_and_payload(hub: Hub) -> None:
    wrong = KEY[:-1] + str((int(KEY[-1]) + 1) % 10)

    outcome = hub.change("smrs10", point(wrong, mpan_status="R"), point(KEY, mpan_status="R"))

    assert outcome.violations == 1
    assert hub.rows("select mpan from golden.metering_point") == [(KEY,)]
    held = hub.rows(
        "select q.rule, q.ordinal, j.payload ->> 'key' from golden.quarantine q join golden.journal j using (change_id)"
    )
    assert held == [(1, 1, f"{wrong}|1")]


def test_a_point_of_another_distributor_is_refused_from_this_registration_only(hub: Hub) -> None:
    foreign = mpan(5, distributor="20")

    hub.change("smrs10", point(foreign, mpan_status="R"))
    hub.change("mds", point(foreign, "segment", market_segment="S"))

    assert _open(hub) == [(2, f"public.registration|{foreign}|1")]
    assert hub.rows("select market_segment, mpan_status from golden.metering_point") == [("S", None)]


def test_an_unknown_distributor_is_refused(hub: Hub) -> None:
    hub.change("mds", point(mpan(5, distributor="99"), "segment", market_segment="S"))

    assert [rule for rule, _ in _open(hub)] == [2]


def test_a_distributor_is_known_while_its_area_is_valid(hub: Hub) -> None:
    hub.connection.execute("insert into golden.distributor_area values ('98', '_A', '2020-01-01', '2025-12-31')")
    hub.connection.execute("insert into golden.distributor_area values ('99', '_A', '2020-01-01', '2026-01-15')")

    hub.change("mds", point(mpan(5, distributor="98"), "segment", market_segment="S"))
    hub.change("mds", point(mpan(5, distributor="99"), "segment", market_segment="S"))

    assert [rule for rule, _ in _open(hub)] == [2]
    assert hub.value("select left(key, 2) from golden.crosswalk") == "99"


def test_the_last_good_value_stays_when_a_later_one_is_held(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, "segment", market_segment="S"), appointment(KEY))
    hub.change("smrs10", appointment(KEY, contract_reference=" "))

    assert hub.value("select contract_reference from golden.appointment") == "C1"
    assert [rule for rule, _ in _open(hub)] == [11]


def test_a_mended_row_closes_its_quarantine_and_is_mastered(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, "segment", market_segment="S"), appointment(KEY, contract_reference=None))
    hub.change("smrs10", appointment(KEY, contract_reference="C9"))

    assert _open(hub) == []
    assert hub.value("select outcome from golden.quarantine") == "superseded"
    assert hub.value("select contract_reference from golden.appointment") == "C9"


def test_a_withdrawn_row_closes_its_quarantine(hub: Hub) -> None:
    hub.change("smrs10", appointment(KEY, contract_reference=None))
    hub.change("smrs10", appointment(KEY, op="d"))

    assert hub.value("select outcome from golden.quarantine") == "withdrawn"


def test_a_role_that_does_not_fit_the_segment_waits_until_the_segment_is_mended(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, "segment", market_segment="A"), appointment(KEY, role="MSS"))
    before = hub.value("select count(*) from golden.appointment"), _open(hub)[0][0]

    hub.change("smrs10", point(KEY, "segment", market_segment="S"))

    assert before == (0, 14)
    assert hub.value("select role from golden.appointment") == "MSS"
    assert hub.rows("select outcome, attempts from golden.quarantine") == [("mastered", 2)]


def test_another_systems_meter_on_an_unmetered_point_is_held_and_healed_by_registration(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, "connection", connection_type="U"))
    hub.change("mss", meter(KEY, "L1"))
    held = _open(hub)

    hub.change("smrs10", point(KEY, "connection", connection_type="W"))

    assert held == [(16, f"public.meter|{KEY}|L1")]
    assert hub.rows("select meter_id from golden.meter") == [("L1",)]
    lineage = hub.value("select lineage -> 'meter_id' from golden.meter")
    assert hub.value("select source_id from golden.journal where change_id = %s", lineage) == hub.sources["mss"]


def test_removal_before_installation_is_held(hub: Hub) -> None:
    hub.change("mss", meter(KEY, "L1", installation_date="2025-02-02", removal_date="2025-02-01"))

    assert [rule for rule, _ in _open(hub)] == [25]


def test_installation_after_disconnection_is_held(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, disconnection_date="2025-01-31"))
    hub.change("mss", meter(KEY, "L1", installation_date="2025-02-01"))

    assert [rule for rule, _ in _open(hub)] == [25]


def test_a_bad_postcode_passes_and_stands_as_a_violation_until_it_is_mended(hub: Hub) -> None:
    hub.change("smrs10", factories.address(KEY, uprn="7", text="1 HIGH ST", postcode="NONE"))
    stands = hub.rows("select rule, closed_at from golden.violation")
    hub.change("smrs10", factories.address(KEY, uprn="7", text="1 HIGH ST", postcode="BA1 1AA"))

    assert stands == [(34, None)]
    assert hub.rows("select postcode from golden.address") == [("BA1 1AA",)]
    assert hub.value("select count(*) from golden.violation where closed_at is null") == 0


def test_a_row_that_cannot_be_typed_is_held_with_its_reason(hub: Hub) -> None:
    hub.change("smrs10", Change(relation="public.meter", key="x", reject="displayed_digits is not an int"))

    assert hub.rows("select reason, item_group from golden.quarantine") == [("displayed_digits is not an int", "")]


def test_a_record_without_a_key_is_held(hub: Hub) -> None:
    nameless = Change(
        relation="public.meter", key="x", records=[factories.record("meter", "asset", None, meter_id=None)]
    )

    hub.change("mss", nameless)

    assert hub.rows("select rule, reason from golden.quarantine") == [(None, "The record has no key")]


def test_what_still_fails_stays_held_when_it_is_put_through_again(hub: Hub) -> None:
    hub.change("smrs10", appointment(KEY, contract_reference=None))

    with hub.connection.transaction():
        tried = mastering.retry(hub.connection, now=NOW)
        mastering.finish(hub.connection)

    assert tried == 1
    assert hub.rows("select attempts, closed_at from golden.quarantine") == [(2, None)]


def test_what_passes_after_reference_data_was_mended_is_mastered(hub: Hub) -> None:
    hub.change("mds", point(mpan(5, distributor="99"), "segment", market_segment="S"))
    with hub.connection.transaction():
        hub.connection.execute("insert into golden.distributor_area values ('99', '_A', '2020-01-01', null)")

    with hub.connection.transaction():
        mastering.retry(hub.connection, now=NOW)
        mastering.finish(hub.connection)

    assert hub.value("select market_segment from golden.metering_point") == "S"
    assert hub.value("select outcome from golden.quarantine") == "mastered"


def test_a_row_that_is_mended_in_the_same_batch_does_not_stay_held(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, "segment", market_segment="A"))

    hub.master(
        "smrs10",
        Transaction(changes=[appointment(KEY, role="MSS"), appointment(mpan(2), contract_reference=None)]),
        Transaction(changes=[appointment(KEY, role="MSS", status="de-appointed")]),
        Transaction(changes=[appointment(mpan(2), contract_reference="C2")]),
    )

    assert _open(hub) == []
    assert hub.rows("select rule, outcome from golden.quarantine order by rule") == [
        (11, "superseded"),
        (14, "superseded"),
    ]
    assert hub.value("select count(*) from golden.appointment") == 2


def test_a_held_row_that_is_deleted_in_the_same_batch_is_withdrawn(hub: Hub) -> None:
    hub.master(
        "smrs10",
        Transaction(changes=[appointment(KEY, contract_reference=None)]),
        Transaction(changes=[appointment(KEY, op="d")]),
    )

    assert hub.rows("select rule, outcome from golden.quarantine") == [(11, "withdrawn")]


def test_an_untypable_row_that_is_mended_in_the_same_batch_does_not_stay_held(hub: Hub) -> None:
    garbage = replace(meter(KEY, "L1"), reject="displayed_digits is not an int")

    hub.master("mss", Transaction(changes=[garbage]), Transaction(changes=[meter(KEY, "L1")]))

    assert hub.rows("select reason, outcome from golden.quarantine") == [
        ("displayed_digits is not an int", "superseded")
    ]


def test_an_untypable_row_that_a_load_finds_mended_does_not_stay_held(hub: Hub) -> None:
    hub.change("mss", replace(meter(KEY, "L1"), reject="displayed_digits is not an int"))

    hub.load("mss", *(meter(mpan(number), f"L{number}") for number in MANY), meter(KEY, "L1"))

    assert hub.value("select count(*) > 0 from golden.journal_block") is True
    assert hub.value("select outcome from golden.quarantine") == "superseded"
    assert hub.value("select count(*) from golden.meter where meter_id = 'L1'") == 1


def test_what_is_held_back_of_a_load_tells_its_position_and_payload(hub: Hub) -> None:
    hub.load("smrs10", *(appointment(mpan(number)) for number in MANY), appointment(KEY, contract_reference=None))

    assert hub.value("select count(*) > 0 from golden.journal_block") is True
    held = hub.rows(
        "select q.rule, q.ordinal, j.ordinal, j.payload ->> 'key', j.source_key = q.source_key"
        " from golden.quarantine q cross join lateral golden.journalled(q.change_id) j"
    )
    place = len(MANY) + 1
    assert held == [(11, place, place, appointment(KEY).key, True)]


def test_a_record_of_a_load_that_is_too_long_is_held_back(hub: Hub) -> None:
    hub.load("mss", *(meter(mpan(number), f"L{number}") for number in MANY), meter(KEY, "L1", make="M" * LONGEST))

    assert hub.rows("select source_key, left(reason, 25) from golden.quarantine") == [
        (f"public.meter|{KEY}|L1", "values of more than 3500 ")
    ]
    assert hub.value("select count(*) from golden.meter") == len(MANY)


def test_a_row_that_is_wrong_to_the_end_of_the_batch_is_held_once(hub: Hub) -> None:
    hub.master(
        "smrs10",
        Transaction(changes=[appointment(KEY, contract_reference="C1")]),
        Transaction(changes=[appointment(KEY, contract_reference=None)]),
        Transaction(changes=[appointment(KEY, contract_reference="")]),
    )

    assert [rule for rule, _ in _open(hub)] == [11]
    assert hub.value("select contract_reference from golden.appointment") == "C1"


def test_a_record_that_a_later_one_of_the_same_batch_overtakes_does_not_stay_held(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, "segment", market_segment="A"))

    hub.master(
        "smrs10",
        Transaction(changes=[appointment(KEY, role="MSS")]),
        Transaction(changes=[appointment(KEY, role="MSS", status="lapsed", appointed_to="2025-12-31")]),
    )

    assert _open(hub) == []
    assert hub.rows("select rule, outcome from golden.quarantine") == [(14, "superseded")]
    assert hub.value("select status from golden.appointment") == "lapsed"


def test_a_record_held_while_its_point_is_being_mended_is_healed(open_hub: Callable[[], Hub]) -> None:
    registration, service = open_hub(), open_hub()
    registration.change("smrs10", point(KEY, "segment", market_segment="S"))
    mended = threading.Thread(target=registration.change, args=("smrs10", point(KEY, "segment", market_segment="A")))

    with service.connection.transaction():
        held = factories.batch(
            service.sources["msa"], Transaction(changes=[appointment(KEY, role="MSA", service="ADVA")])
        )
        mastering.apply(service.connection, held)
        mended.start()
        wait_for_lock(service, registration)
        mastering.finish(service.connection)
    mended.join(timeout=30)

    assert _open(service) == []
    assert service.value("select role from golden.appointment") == "MSA"
