"""What stands against golden records: opened, closed and told as subjects, and always what the audit finds."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from golden_records import reference
from mdm import mastering
from rules import registry
from tests import factories
from tests.factories import Change, Transaction, appointment, contract, meter, point
from tests.integration.golden_records.conftest import KEYS, Hub
from tests.integration.golden_records.market_facts import day, linked, supplied
from tests.integration.golden_records.verdicts_of import audited, held, open_violations, rules_against


def _standing(hub: Hub, key: str) -> list[tuple[object, ...]]:
    return hub.rows(
        "select v.rule, v.severity, v.closed_at is null, v.note from golden.violation v"
        " join golden.appointment a using (golden_id) where a.mpan = %s order by v.violation_id",
        key,
    )


def test_the_last_good_value_stays_when_its_successor_is_held(shared_hub: Hub, key: str) -> None:
    shared_hub.change("smrs10", point(key, "segment", market_segment="S"), appointment(key))
    shared_hub.change(
        "smrs10", replace(appointment(key, agreed=False, contract_reference="NEW"), key=f"{key}|MSS|SMAR")
    )

    assert shared_hub.rows("select contract_reference from golden.appointment where mpan = %s", key) == [("C1",)]
    assert held(shared_hub, key) == [([12], None, None)]


def test_what_becomes_wrong_by_another_change_stays_mastered_and_stands_as_an_error(shared_hub: Hub, key: str) -> None:
    shared_hub.change("mss", contract(key[6:12]))
    shared_hub.change("smrs10", appointment(key, agreed=False, contract_reference=key[6:12]))
    shared_hub.change("mss", contract(key[6:12], contract_to="2025-12-31"))
    stands = _standing(shared_hub, key)
    shared_hub.change("mss", contract(key[6:12], contract_to=None))

    assert stands == [(13, "E", True, None)]
    assert shared_hub.rows("select status from golden.appointment where mpan = %s", key) == [("active",)]
    assert _standing(shared_hub, key) == [(13, "E", False, "healed: the rule no longer speaks against it")]


def test_a_link_to_a_point_that_nobody_knows_is_judged_anew_when_its_own_point_changes(
    shared_hub: Hub, key: str
) -> None:
    shared_hub.change("smrs10", linked(key, next(KEYS), "SECONDARY"))
    shared_hub.change("smrs10", point(key, "direction", energy_direction="E"))

    assert rules_against(shared_hub, key) == {22}
    assert open_violations(shared_hub) == audited(shared_hub)


def test_a_held_record_that_heals_closes_with_a_note(shared_hub: Hub, key: str) -> None:
    shared_hub.change("smrs10", appointment(key, agreed=False, contract_reference=key[6:12]))
    shared_hub.change("msa", contract(key[6:12]))

    assert held(shared_hub, key) == [([12], "mastered", "healed: it agrees with what is known by now")]
    assert shared_hub.rows("select contract_reference from golden.appointment where mpan = %s", key) == [(key[6:12],)]


def test_groups_that_go_together_are_held_until_all_are_there_and_heal_together(shared_hub: Hub, key: str) -> None:
    shared_hub.change(
        "smrs10",
        point(key, "connection", connection_type="W"),
        point(key, "segment", market_segment="S"),
        point(key, "metered", metered_indicator=True),
    )
    shared_hub.change("smrs10", point(key, "connection", connection_type="U"))
    shared_hub.change("smrs10", point(key, "segment", market_segment="U"))
    golden = (
        "select connection_type, market_segment, metered_indicator from golden.metering_point m"
        " join golden.crosswalk c using (golden_id) where c.key = %s"
    )
    before = shared_hub.rows(golden, key)
    shared_hub.change("smrs10", point(key, "metered", metered_indicator=False))

    assert before == [("W", "S", True)]
    assert shared_hub.rows(golden, key) == [("U", "U", False)]
    assert [outcome for _, outcome, _ in held(shared_hub, key)] == ["mastered", "mastered"]


def test_what_heals_later_in_the_same_batch_is_mastered_with_it(shared_hub: Hub, key: str) -> None:
    shared_hub.master(
        "smrs10",
        Transaction(changes=[point(key, "segment", market_segment="A")]),
        Transaction(changes=[appointment(key)]),
        Transaction(changes=[point(key, "segment", market_segment="S")]),
    )

    assert [(rules, outcome) for rules, outcome, _ in held(shared_hub, key)] == [([14], "mastered")]
    assert shared_hub.rows("select role from golden.appointment where mpan = %s", key) == [("MSS",)]


def test_all_rules_that_speak_against_a_held_record_are_named(shared_hub: Hub, key: str) -> None:
    shared_hub.change("mss", contract(key[6:12], segments="S"))
    shared_hub.change("smrs10", point(key, "segment", market_segment="A"))
    shared_hub.change("smrs10", appointment(key, agreed=False, contract_reference=key[6:12]))

    assert held(shared_hub, key) == [([13, 14], None, None)]


def test_what_is_opened_and_closed_is_told_as_subjects(shared_hub: Hub, key: str) -> None:
    connection = shared_hub.connection

    def told(*changes: Change) -> set[tuple[object, ...]]:
        with connection.transaction():
            mastering.apply(
                connection, factories.batch(shared_hub.sources["smrs10"], Transaction(changes=list(changes)))
            )
            mastering.finish(connection)
            return {*connection.execute("select kind, is_open from stage_subject")}

    assert told(point(key, "segment", market_segment="A"), appointment(key)) == {("quarantine", True)}
    assert told(point(key, "segment", market_segment="S")) == {("quarantine", False)}
    assert told(point(key, "segment", market_segment="A")) == {("violation", True)}
    assert told(point(key, "segment", market_segment="S")) == {("violation", False)}


# A period's last day is the day before the moment at which it ends; in March and October that day has 23 and 25 hours.
@pytest.mark.parametrize(
    ("ends", "begins", "rules"),
    [
        (datetime(2025, 3, 30, tzinfo=UTC), datetime(2025, 3, 30, tzinfo=UTC), set()),
        (datetime(2025, 3, 30, 23, tzinfo=UTC), datetime(2025, 3, 30, tzinfo=UTC), {5}),
        (datetime(2025, 3, 30, tzinfo=UTC), datetime(2025, 3, 30, 23, tzinfo=UTC), {5}),
        (datetime(2025, 10, 25, 23, tzinfo=UTC), datetime(2025, 10, 25, 23, tzinfo=UTC), set()),
        (datetime(2025, 10, 27, tzinfo=UTC), datetime(2025, 10, 25, 23, tzinfo=UTC), {5}),
        (datetime(2025, 10, 25, 23, tzinfo=UTC), datetime(2025, 10, 27, tzinfo=UTC), {5}),
    ],
)
def test_supplier_periods_meet_on_the_day_on_which_the_clocks_change(
    shared_hub: Hub, key: str, ends: datetime, begins: datetime, rules: set[int]
) -> None:
    shared_hub.change("smrs10", supplied(key, "SUPA", day(2020, 1, 1), ends))
    shared_hub.change("smrs10", supplied(key, "SUPB", begins))

    assert rules_against(shared_hub, key) == rules


def test_a_load_holds_back_what_breaks_a_rule_across_records(shared_hub: Hub, key: str) -> None:
    shared_hub.load(
        "smrs10",
        appointment(key),
        supplied(key, "SUPB", day(2020, 1, 1)),
        meter(key, f"L{key[3:12]}"),
        point(key, "connection", connection_type="U"),
    )

    assert sorted(rules for rules, _, _ in held(shared_hub, key)) == [[6], [16]]  # type: ignore[type-var]
    assert open_violations(shared_hub) == audited(shared_hub)


def test_an_operator_is_appointed_in_its_distributors_areas_alone(shared_hub: Hub) -> None:
    here, there = next(KEYS), next(KEYS)
    for key, service in ((here, "LAMP"), (there, "NEON")):
        shared_hub.change("smrs10", appointment(key, role="UMSO", service=service))

    assert (rules_against(shared_hub, here), rules_against(shared_hub, there)) == (set(), {15})


def test_who_is_no_participant_on_the_date_is_held_and_mastered_when_it_is(shared_hub: Hub, key: str) -> None:
    reference.write_participants(
        shared_hub.connection, [{"mpid": "NEWS", "role": "MSS", "name": "New", "valid_from": date(2025, 1, 2)}]
    )
    shared_hub.change("smrs10", appointment(key, service="NEWS"))
    before = rules_against(shared_hub, key)
    shared_hub.change(
        "smrs10", replace(appointment(key, service="NEWS", appointed_from="2025-01-02"), key=f"{key}|MSS|NEWS")
    )

    assert (before, rules_against(shared_hub, key)) == ({19}, set())


@pytest.fixture
def _as_written() -> Iterator[None]:
    yield
    registry.configure({})


@pytest.mark.usefixtures("_as_written")
def test_a_rule_that_is_off_holds_nothing_and_a_parameter_counts(hub: Hub) -> None:
    registry.configure({14: {"is_on": False}, 8: {"parameters": {"days_ahead": 60}}})
    off, far = next(KEYS), next(KEYS)

    hub.change("smrs10", point(off, "segment", market_segment="A"), appointment(off))
    hub.change("smrs10", appointment(far, op="c", appointed_from="2026-03-01", status="accepted"))
    broken = rules_against(hub, off, far)
    registry.configure({})
    hub.change("smrs10", point(off, "segment", market_segment="U"))
    hub.change("smrs10", point(far, "segment", market_segment="S"))

    assert broken == set()
    assert rules_against(hub, off, far) == {8, 14}
    hub.change("smrs10", point(off, "segment", market_segment="S"))
    assert open_violations(hub) == audited(hub)


@pytest.mark.usefixtures("_as_written")
def test_versions_name_the_rules_as_they_are_configured(shared_hub: Hub) -> None:
    registry.configure({8: {"parameters": {"days_ahead": 60}}})

    reference.write_policy(shared_hub.connection)

    assert (
        shared_hub.value(
            "select rules -> '8' -> 'parameters' ->> 'days_ahead' from golden.policy order by policy_id desc limit 1"
        )
        == "60"
    )
