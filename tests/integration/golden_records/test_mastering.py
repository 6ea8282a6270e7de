"""The laws of the one write path, on a real store."""

from datetime import timedelta

import psycopg
import pytest

from mdm import mastering
from tests import factories
from tests.factories import NOW, Change, Transaction, address, appointment, meter, mpan, point
from tests.integration.golden_records.conftest import Hub

KEY = mpan(1)
OTHER = mpan(2)


def _smart_point(key: str) -> list[Change]:
    return [
        point(key, mpan_status="R"),
        point(key, "segment", market_segment="S"),
        point(key, "connection", connection_type="W"),
        point(key, "energisation", energisation_status="E"),
    ]


def test_one_golden_record_holds_what_many_tables_say_of_a_point(hub: Hub) -> None:
    hub.change("smrs10", *_smart_point(KEY))

    golden = hub.rows(
        "select mpan, mpan_status, market_segment, connection_type, energisation_status, version"
        " from golden.metering_point"
    )

    assert golden == [(KEY, "R", "S", "W", "E", 1)]


def test_each_item_names_the_change_that_it_came_from(hub: Hub) -> None:
    hub.change("smrs10", *_smart_point(KEY))

    lineage = hub.rows(
        "select j.relation, j.ordinal, s.name from golden.metering_point g"
        " join golden.journal j on j.change_id = (g.lineage ->> 'market_segment')::bigint"
        " join golden.source_system s using (source_id)"
    )

    assert lineage == [("public.segment", 2, "smrs10")]


def test_several_transactions_on_one_key_in_a_batch_keep_a_version_each(hub: Hub) -> None:
    statuses = ("N", "R", "T", "X")

    hub.master("smrs10", *(Transaction(changes=[point(KEY, mpan_status=status)]) for status in statuses))

    versions = hub.rows("select version, changed ->> 'mpan_status' from golden.golden_version order by version")
    assert versions == [(1, "N"), (2, "R"), (3, "T"), (4, "X")]
    assert hub.value("select version from golden.metering_point") == 4


def test_versions_of_one_key_stay_dense_over_batches_and_sources(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, mpan_status="N"))
    hub.change("mds", point(KEY, "segment", market_segment="S"))
    hub.master("smrs10", *(Transaction(changes=[point(KEY, mpan_status=status)]) for status in "RT"))

    assert hub.rows("select version from golden.golden_version order by version") == [(1,), (2,), (3,), (4,)]


def test_the_same_value_sent_again_makes_no_version(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, mpan_status="R"))
    hub.change("smrs10", point(KEY, mpan_status="R"))

    assert hub.value("select count(*) from golden.golden_version") == 1
    assert hub.value("select count(*) from golden.journal") == 2


def test_a_change_that_comes_twice_is_refused(hub: Hub) -> None:
    transaction = Transaction(changes=[point(KEY, mpan_status="R")])
    hub.master("smrs10", transaction)

    with pytest.raises(psycopg.errors.UniqueViolation):
        hub.master("smrs10", transaction)
    assert hub.value("select count(*) from golden.journal") == 1


def test_the_owner_wins_whichever_speaks_first(hub: Hub) -> None:
    hub.change("mds", point(KEY, "segment", market_segment="A"))
    hub.change("smrs10", point(KEY, "segment", market_segment="S"))
    hub.change("mds", point(KEY, "segment", row="1", market_segment="U"))

    assert hub.value("select market_segment from golden.metering_point") == "S"


def test_a_differing_copy_is_a_conflict_that_names_the_owner_and_closes_when_it_agrees(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, "segment", market_segment="S"))
    hub.change("mds", point(KEY, "segment", market_segment="A"))

    opened = hub.rows("select item, value, owner_value, owner, closed_at from golden.conflict")
    hub.change("mds", point(KEY, "segment", market_segment="s"))

    assert opened == [("market_segment", "A", "S", "registration", None)]
    assert hub.value("select count(*) from golden.conflict where closed_at is null") == 0


def test_where_the_owner_is_silent_the_fallback_speaks_item_by_item(hub: Hub) -> None:
    hub.change("smrs10", *_smart_point(KEY), appointment(KEY), meter(KEY, "L1", location="K", model="E470"))
    hub.change("mss", meter(KEY, "L1", location="B", model=None))

    assert hub.rows("select location, model from golden.meter") == [("B", "E470")]


def test_address_lines_come_from_one_source_together(hub: Hub) -> None:
    hub.change("mds", address(KEY, uprn="7", text="1 HIGH ST", line_2="MARKET WARD", line_3="OLD TOWN"))
    hub.change("smrs10", address(KEY, uprn="7", text="1 HIGH ST", line_2=None, line_3=None))

    assert hub.rows("select line_1, line_2, line_3 from golden.address") == [("1 HIGH ST", None, None)]


def test_the_appointed_metering_service_owns_the_meter(hub: Hub) -> None:
    hub.change("smrs10", *_smart_point(KEY), meter(KEY, "L1", location="K"))
    hub.change("mss", meter(KEY, "L1", location="B"))
    before = hub.value("select location from golden.meter")

    hub.change("smrs10", appointment(KEY))

    assert (before, hub.value("select location from golden.meter")) == ("K", "B")


def test_a_service_that_is_not_appointed_does_not_overwrite_the_meter(hub: Hub) -> None:
    hub.change("smrs10", *_smart_point(KEY), appointment(KEY, service="OTHR"), meter(KEY, "L1", location="K"))
    hub.change("mss", meter(KEY, "L1", location="B"))
    hub.change("mds", meter(KEY, "L1", location="C"))

    assert hub.value("select location from golden.meter") == "K"
    assert hub.rows("select rules from golden.quarantine") == [([26],)]
    assert hub.value("select count(*) from golden.conflict where item = 'location'") == 1


def test_de_appointment_gives_the_energisation_status_back_to_registration(hub: Hub) -> None:
    hub.change("smrs10", *_smart_point(KEY), appointment(KEY))
    hub.change("mss", point(KEY, "energisation", energisation_status="D"))
    while_appointed = hub.value("select energisation_status from golden.metering_point")

    hub.change("smrs10", appointment(KEY, appointed_to="2025-12-31", status="de-appointed"))

    assert (while_appointed, hub.value("select energisation_status from golden.metering_point")) == ("D", "E")


def test_the_period_in_force_survives_and_a_correction_of_it_reverts(hub: Hub) -> None:
    old, new = {"effective_from": NOW - timedelta(days=90)}, {"effective_from": NOW - timedelta(days=3)}
    hub.change("smrs10", point(KEY, "duos", row="old", at=old, duos_tariff="111"))
    hub.change("smrs10", point(KEY, "duos", row="new", at=new, duos_tariff="222"))
    in_force = hub.value("select duos_tariff from golden.metering_point")

    hub.change("smrs10", point(KEY, "duos", row="new", op="d"))

    assert (in_force, hub.value("select duos_tariff from golden.metering_point")) == ("222", "111")


def test_what_is_dated_ahead_comes_into_force_on_its_day(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, "duos", at={"effective_from": NOW - timedelta(days=90)}, duos_tariff="111"))
    hub.change("smrs10", point(KEY, "duos", row="2", at={"effective_from": NOW + timedelta(days=7)}, duos_tariff="222"))
    before = hub.value("select duos_tariff from golden.metering_point")

    with hub.connection.transaction():
        early = mastering.come_due(hub.connection, now=NOW + timedelta(days=6))
    with hub.connection.transaction():
        due = mastering.come_due(hub.connection, now=NOW + timedelta(days=7))
        mastering.finish(hub.connection)

    assert (before, early, due) == ("111", 0, 1)
    assert hub.value("select duos_tariff from golden.metering_point") == "222"
    assert hub.rows("select version, changed from golden.golden_version")[-1] == (2, {"duos_tariff": "222"})


def test_a_deleted_last_source_record_removes_the_golden_record_and_keeps_its_history(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, mpan_status="R"))
    hub.change("smrs10", point(KEY, op="d"))
    removed = hub.value("select count(*) from golden.metering_point")
    hub.change("smrs10", point(KEY, mpan_status="N"))

    assert removed == 0
    assert hub.rows("select version, op from golden.golden_version order by version") == [(1, "c"), (2, "d"), (3, "c")]
    assert hub.rows("select version, mpan_status from golden.metering_point") == [(3, "N")]


def test_a_source_record_that_changes_its_key_leaves_the_old_golden_record(hub: Hub) -> None:
    hub.change("smrs10", *_smart_point(KEY), meter(KEY, "L1"))
    moved = Change(
        relation="public.meter",
        key=f"{KEY}|L1",
        records=[factories.record("meter", "asset", "L2|LANDIS", at={"point_key": KEY}, meter_id="L2", make="LANDIS")],
    )

    hub.change("smrs10", moved)

    assert hub.rows("select meter_id from golden.meter") == [("L2",)]


def test_insert_and_delete_of_one_row_in_a_batch_leave_nothing(hub: Hub) -> None:
    hub.master(
        "smrs10",
        Transaction(changes=[point(KEY, mpan_status="R")]),
        Transaction(changes=[point(KEY, op="d")]),
    )

    assert hub.value("select count(*) from golden.metering_point") == 0
    assert hub.value("select count(*) from golden.source_record") == 0
    assert hub.value("select count(*) from golden.journal") == 2


def test_a_truncated_table_takes_back_all_that_it_said(hub: Hub) -> None:
    hub.change("smrs10", *_smart_point(KEY), *_smart_point(OTHER))
    hub.change("smrs10", Change(relation="public.segment", key="", op="t"))

    assert hub.rows("select market_segment, mpan_status from golden.metering_point") == [(None, "R"), (None, "R")]


def test_unchanged_toast_values_are_kept_over_several_changes_in_a_batch(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, mpan_status="N", registration_status="C"))
    partial = {"is_partial": True}
    changes = [point(KEY, at=partial, mpan_status=status) for status in "RT"]

    hub.master("smrs10", *(Transaction(changes=[change]) for change in changes))

    assert hub.rows("select mpan_status, registration_status from golden.metering_point") == [("T", "C")]
    assert hub.value("select item_values ->> 'registration_status' from golden.source_record") == "C"


def test_a_reference_finds_the_contract_that_comes_later(hub: Hub) -> None:
    hub.change("smrs10", *_smart_point(KEY), appointment(KEY))
    contract = Change(
        relation="public.contract",
        key="SUPA|C1",
        records=[factories.record("contract", "contract", "SUPA|C1", reference="C1", supplier_mpid="SUPA")],
    )

    hub.change("mss", contract)

    joined = "select c.reference from golden.appointment a join golden.contract c on c.golden_id = a.contract_id"
    assert hub.rows(joined) == [("C1",)]


def test_a_deleted_appointment_gives_the_energisation_status_back(hub: Hub) -> None:
    hub.change("smrs10", *_smart_point(KEY), appointment(KEY))
    hub.change("mss", point(KEY, "energisation", energisation_status="D"))

    hub.change("smrs10", appointment(KEY, op="d"))

    assert hub.value("select energisation_status from golden.metering_point") == "E"


def test_an_appointment_that_runs_out_gives_the_meter_back_on_its_day(hub: Hub) -> None:
    ends = {"effective_to": NOW + timedelta(days=3)}
    ending = appointment(KEY, appointed_to="2026-01-17")
    ending.records[0].update(ends)
    hub.change("smrs10", *_smart_point(KEY), ending, meter(KEY, "L1", location="K"))
    hub.change("mss", meter(KEY, "L1", location="B"))
    while_appointed = hub.value("select location from golden.meter")

    with hub.connection.transaction():
        mastering.come_due(hub.connection, now=NOW + timedelta(days=3))
        mastering.finish(hub.connection)

    assert (while_appointed, hub.value("select location from golden.meter")) == ("B", "K")


def test_an_appointment_that_runs_out_has_its_point_looked_at_by_the_views(hub: Hub) -> None:
    ending = appointment(KEY, appointed_to="2026-01-17")
    ending.records[0].update({"effective_to": NOW + timedelta(days=3)})
    hub.change("smrs10", *_smart_point(KEY), ending)

    with hub.connection.transaction():
        mastering.come_due(hub.connection, now=NOW + timedelta(days=3))
        touched = hub.rows("select golden_id from touched_point")
        mastering.finish(hub.connection)

    assert touched == hub.rows("select golden_id from golden.metering_point")


def test_a_feed_entry_says_when_the_source_committed_what_it_tells_of(hub: Hub) -> None:
    keys = (KEY, mpan(2))
    hub.change("smrs10", *(change for key in keys for change in _smart_point(key)))
    first = hub.value("select max(seq) from hub.feed")

    hub.master(
        "smrs10",
        *(
            Transaction(changes=[point(key, "duos", duos_tariff="222")], committed_at=NOW + timedelta(hours=hour))
            for hour, key in enumerate(keys)
        ),
    )

    entries = hub.rows(
        "select p.mpan, f.source_committed_at from hub.feed f join golden.metering_point p using (golden_id)"
        " where f.seq > %s order by p.mpan",
        first,
    )
    assert sorted(set(entries)) == [(key, NOW + timedelta(hours=hour)) for hour, key in enumerate(keys)]


def test_whose_database_is_a_source_has_a_view(hub: Hub) -> None:
    hub.change("smrs10", *_smart_point(KEY))

    assert hub.value("select count(*) from hub.view where recipient = 'MDSX' and role = 'MDS'") == 2


def test_a_version_names_its_policy_and_the_candidates_that_lost(hub: Hub) -> None:
    hub.change("mds", point(KEY, "segment", market_segment="A"))
    hub.change("smrs10", point(KEY, "segment", market_segment="S"))

    named = hub.rows(
        "select s.name from golden.golden_version v join golden.policy p using (policy_id)"
        " cross join jsonb_array_elements_text(v.candidates -> 'segment') with ordinality c (change_id, place)"
        " join golden.journal j on j.change_id = c.change_id::bigint"
        " join golden.source_system s on s.source_id = j.source_id"
        " where v.version = 2 order by c.place"
    )
    assert named == [("smrs10",), ("mds",)]


def test_values_that_together_are_longer_than_a_page_are_mastered(hub: Hub) -> None:
    """Temporary tables keep values in the row, where a page is the limit: no row holds all groups of a record."""
    long = {"duos": "duos_tariff", "gsp": "gsp_group", "direction": "energy_direction", "dcc": "dcc_service_flag"}
    names = ", ".join(long.values())
    for value in ("x" * 3_000, "y" * 3_000):
        hub.change("smrs10", *(point(KEY, group, **{item: value}) for group, item in long.items()))
        assert hub.rows(f"select {names} from golden.metering_point") == [(value,) * 4]


def test_temporary_tables_have_no_other_table_for_long_values(hub: Hub) -> None:
    """Its index would be written anew at each commit, and cut off again only when the disk has it."""
    hub.change("smrs10", *_smart_point(KEY))
    made = hub.rows("select relname, reltoastrelid from pg_class where relnamespace = pg_my_temp_schema()")
    assert len(made) > 10
    assert {toast for _, toast in made} == {0}
