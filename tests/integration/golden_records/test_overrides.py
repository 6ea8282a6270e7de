"""An override is neither lost nor forgotten (law 5), whatever sources send meanwhile."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from golden_records import journal, overrides
from golden_records.due import Cause
from golden_records.overrides import Draft, Why
from mdm import mastering
from tests import factories
from tests.factories import NOW, Change, Transaction, address, appointment, meter, mpan, point
from tests.integration.golden_records.conftest import Hub

KEY = mpan(1)


def override(hub: Hub, entity: str, group: str, item: str, *, at: datetime = NOW, **rest: Any) -> int:
    """Override an item of the only golden record of an entity, as a decision does; `value` holds its items."""
    golden_id = hub.value(f"select golden_id from golden.{entity}")
    assert isinstance(golden_id, int)
    draft = Draft(
        golden_id=golden_id,
        entity=entity,
        item_group=group,
        item=item,
        author="anna",
        reason="seen on site",
        decision_id=1,
        **rest,
    )
    with hub.connection.transaction():
        block = journal.next_block(hub.connection)
        change_id = journal.change_id(block, journal.HUB)
        (made,) = overrides.make(hub.connection, [draft], change_id=change_id, made_at=at).values()
        cause = Cause(relation="hub.decision", source_key="1", payload={"value": rest["value"]})
        assert mastering.master_again(hub.connection, [golden_id], now=at, cause=cause, block=block) == change_id
        mastering.finish(hub.connection)
    return made


def come_due(hub: Hub, at: datetime) -> list[tuple[object, ...]]:
    """Do what is due at a moment; return the subjects that were noted."""
    with hub.connection.transaction():
        mastering.come_due(hub.connection, now=at)
        noted = hub.rows("select kind, subject_id, is_open from stage_subject where kind = 'override'")
        mastering.finish(hub.connection)
    return noted


def energisation(hub: Hub) -> object:
    return hub.value("select energisation_status from golden.metering_point")


@pytest.fixture
def overridden(hub: Hub) -> Hub:
    """A point whose registration says E, while a steward says D."""
    hub.change(
        "smrs10", point(KEY), point(KEY, "energisation", energisation_status="E", energisation_from="2025-01-01")
    )
    override(hub, "metering_point", "energisation", "energisation_status", value={"energisation_status": "D"})
    return hub


def test_a_stewards_value_survives_and_the_rest_of_the_group_stays_the_owners(overridden: Hub) -> None:
    assert overridden.rows("select energisation_status, energisation_from::text from golden.metering_point") == [
        ("D", "2025-01-01")
    ]
    named = overridden.rows(
        "select l.key, j.source_id, j.relation, j.source_key from golden.metering_point g"
        " cross join jsonb_each_text(g.lineage) l join golden.journal j on j.change_id = l.value::bigint"
        " where l.key like 'energisation%%' order by l.key",
    )
    smrs = overridden.sources["smrs10"]
    assert named == [
        ("energisation_from", smrs, "public.energisation", f"public.energisation|{KEY}|1"),
        ("energisation_status", 0, "hub.decision", "1"),
    ]


def test_an_override_tells_what_it_hid(overridden: Hub) -> None:
    hidden = overridden.rows(
        "select o.hidden_value, j.source_id, o.author, o.reason from golden.override o"
        " join golden.journal j on j.change_id = o.hidden_change_id"
    )
    assert hidden == [({"energisation_status": "E"}, overridden.sources["smrs10"], "anna", "seen on site")]


def test_the_same_value_sent_again_neither_ends_an_override_nor_makes_a_version(overridden: Hub) -> None:
    before = overridden.rows("select golden_id, version from golden.metering_point")
    overridden.change("smrs10", point(KEY, "energisation", energisation_status="E", energisation_from="2025-01-01"))

    assert energisation(overridden) == "D"
    assert overridden.rows("select golden_id, version from golden.metering_point") == before
    assert overridden.rows("select changed_at, retired_at from golden.override") == [(None, None)]


def test_another_value_of_the_owner_leaves_the_override_and_is_noted(overridden: Hub) -> None:
    with overridden.connection.transaction():
        part = point(KEY, "energisation", energisation_status="U", energisation_from="2025-01-01")
        mastering.apply(
            overridden.connection, factories.batch(overridden.sources["smrs10"], Transaction(changes=[part]))
        )
        noted = overridden.rows("select kind, is_open from stage_subject where kind = 'override'")
        mastering.finish(overridden.connection)

    assert energisation(overridden) == "D"
    assert noted == [("override", True)]
    state = overridden.rows("select hidden_value, owner_value, changed_at, retired_at from golden.override")
    assert state == [({"energisation_status": "E"}, {"energisation_status": "U"}, NOW, None)]


def test_the_owner_coming_back_to_the_hidden_value_closes_the_subject(overridden: Hub) -> None:
    for status in "UE":
        overridden.change("smrs10", point(KEY, "energisation", energisation_status=status))
    assert overridden.rows("select changed_at, retired_at from golden.override") == [(None, None)]
    assert energisation(overridden) == "D"


def test_the_owner_deleting_its_row_leaves_the_override_and_is_noted(overridden: Hub) -> None:
    overridden.change("smrs10", point(KEY, "energisation", op="d"))
    assert energisation(overridden) == "D"
    assert overridden.rows("select owner_value, changed_at from golden.override") == [({}, NOW)]


def test_an_override_equal_to_the_owners_value_retires_itself(overridden: Hub) -> None:
    overridden.change("smrs10", point(KEY, "energisation", energisation_status="D", energisation_from="2025-01-01"))

    assert energisation(overridden) == "D"
    assert overridden.rows("select retired_why, retired_at from golden.override") == [("equal", NOW)]
    assert overridden.value("select count(*) from golden.source_record where source_id = 0") == 0
    owner = overridden.value(
        "select j.source_id from golden.metering_point g"
        " join golden.journal j on j.change_id = (g.lineage ->> 'energisation_status')::bigint"
    )
    assert owner == overridden.sources["smrs10"]


def test_an_override_ends_on_its_day(hub: Hub) -> None:
    hub.change("smrs10", point(KEY), point(KEY, "energisation", energisation_status="E"))
    ends = NOW + timedelta(days=3)
    override(
        hub,
        "metering_point",
        "energisation",
        "energisation_status",
        value={"energisation_status": "D"},
        expires_at=ends,
    )
    come_due(hub, ends - timedelta(seconds=1))
    before = energisation(hub)

    come_due(hub, ends)

    assert (before, energisation(hub)) == ("D", "E")
    assert hub.rows("select retired_why, retired_at from golden.override") == [("expired", ends)]
    assert hub.value("select count(*) from golden.source_record where source_id = 0") == 0


def test_an_override_of_an_undated_group_ends_on_its_day_too(hub: Hub) -> None:
    hub.change("smrs10", point(KEY), meter(KEY, "L1", location="K"))
    ends = NOW + timedelta(days=3)
    override(hub, "meter", "asset", "location", value={"location": "B"}, expires_at=ends)
    before = hub.value("select location from golden.meter")

    come_due(hub, ends)

    assert (before, hub.value("select location from golden.meter")) == ("B", "K")


def test_an_override_stands_above_the_service_that_is_appointed(hub: Hub) -> None:
    hub.change("smrs10", point(KEY), appointment(KEY), meter(KEY, "L1", location="K"))
    hub.change("mss", meter(KEY, "L1", location="B"))
    override(hub, "meter", "asset", "location", value={"location": "C"})
    hub.change("mss", meter(KEY, "L1", location="D"))
    assert hub.value("select location from golden.meter") == "C"
    assert hub.rows("select hidden_value, owner_value from golden.override") == [({"location": "B"}, {"location": "D"})]


def test_the_service_that_is_relieved_changes_what_lies_underneath(hub: Hub) -> None:
    hub.change("smrs10", point(KEY), appointment(KEY), meter(KEY, "L1", location="K"))
    hub.change("mss", meter(KEY, "L1", location="B"))
    override(hub, "meter", "asset", "location", value={"location": "C"})
    hub.change("smrs10", appointment(KEY, op="d"))
    assert hub.rows("select owner_value, changed_at from golden.override") == [({"location": "K"}, NOW)]


def test_overrides_of_two_items_of_a_group_stand_beside_each_other(hub: Hub) -> None:
    hub.change("smrs10", point(KEY), meter(KEY, "L1", location="K", model="A"))
    first = override(hub, "meter", "asset", "location", value={"location": "B"})
    second = override(hub, "meter", "asset", "model", value={"model": "Z"})
    assert hub.rows("select location, model, meter_id from golden.meter") == [("B", "Z", "L1")]

    hub.change("smrs10", meter(KEY, "L1", location="C", model="A"))

    changed = hub.rows("select override_id, changed_at from golden.override order by 1")
    assert changed == [(first, NOW), (second, None)]


def test_an_address_is_overridden_with_all_its_lines(hub: Hub) -> None:
    hub.change("smrs10", point(KEY), address(KEY, uprn="100", text="1 High Street", line_2="Bath"))
    override(hub, "address", "address", "", value={"line_1": "Flat 1", "postcode": "BA1 1AB", "uprn": "100"})
    lines = "select line_1, line_2, postcode, uprn from golden.address"
    assert hub.rows(lines) == [("Flat 1", None, "BA1 1AB", "100")]

    hub.change("smrs10", address(KEY, uprn="100", text="2 High Street", line_2="Bath"))

    assert hub.rows(lines) == [("Flat 1", None, "BA1 1AB", "100")]
    assert hub.value("select owner_value ->> 'line_1' from golden.override where changed_at = %s", NOW) == (
        "2 High Street"
    )


def test_a_review_falls_due_on_its_day(hub: Hub) -> None:
    hub.change("smrs10", point(KEY), point(KEY, "energisation", energisation_status="E"))
    review = NOW + timedelta(days=30)
    made = override(
        hub,
        "metering_point",
        "energisation",
        "energisation_status",
        value={"energisation_status": "D"},
        review_at=review,
    )
    assert come_due(hub, review - timedelta(seconds=1)) == []
    assert come_due(hub, review) == [("override", made, True)]
    assert energisation(hub) == "D"


def test_a_golden_record_whose_sources_are_gone_is_not_kept_by_an_override(overridden: Hub) -> None:
    overridden.change("smrs10", point(KEY, op="d"), point(KEY, "energisation", op="d"))
    assert overridden.value("select count(*) from golden.metering_point") == 0
    assert overridden.rows("select retired_why from golden.override") == [("gone",)]
    assert overridden.value("select count(*) from golden.source_record") == 0


def test_a_retired_override_that_is_revived_is_as_it_was(overridden: Hub) -> None:
    lineage = "select lineage from golden.metering_point"
    before = overridden.rows(lineage)
    golden_id = overridden.value("select golden_id from golden.metering_point")
    assert isinstance(golden_id, int)
    with overridden.connection.transaction():
        taken = overrides.retire(overridden.connection, [1], why=Why.UNDONE, at=NOW)
        mastering.master_again(overridden.connection, [golden_id], now=NOW, cause=Cause(relation="hub.decision"))
        between = energisation(overridden)
        assert overrides.revive(overridden.connection, taken, at=NOW) == [1]
        mastering.master_again(overridden.connection, [golden_id], now=NOW, cause=Cause(relation="hub.decision"))
        mastering.finish(overridden.connection)
    assert (between, energisation(overridden)) == ("E", "D")
    assert overridden.rows(lineage) == before


def test_every_candidate_of_a_version_is_named_the_steward_first(overridden: Hub) -> None:
    named = overridden.rows(
        "select j.source_id from golden.golden_version v"
        " cross join jsonb_array_elements_text(v.candidates -> 'energisation') with ordinality c (change_id, place)"
        " join golden.journal j on j.change_id = c.change_id::bigint where v.version = 2 order by c.place"
    )
    assert named == [(0,), (overridden.sources["smrs10"],)]


def test_the_payload_of_the_decision_stands_in_the_journal(overridden: Hub) -> None:
    payload = overridden.value("select payload from golden.journal where relation = 'hub.decision'")
    assert json.dumps(payload) == '{"value": {"energisation_status": "D"}}'


def test_a_change_beside_an_override_goes_through(overridden: Hub) -> None:
    changes: list[Change] = [point(KEY, "energisation", energisation_status="E", energisation_from="2025-06-01")]
    overridden.change("smrs10", *changes)
    assert overridden.rows("select energisation_status, energisation_from::text from golden.metering_point") == [
        ("D", "2025-06-01")
    ]
