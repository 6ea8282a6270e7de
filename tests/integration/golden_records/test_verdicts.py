"""What stands against golden records: opened, closed and told as subjects, and always what the audit finds."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from golden_records import audited as held_rows
from golden_records import reference, verdicts
from mdm import mastering
from rules import registry
from rules.model import Scope
from tests import factories
from tests.factories import NOW, Change, Transaction, appointment, contract, meter, mpan, point
from tests.integration.golden_records.conftest import Hub
from tests.integration.golden_records.market_facts import day, later_appointment, linked, provided, supplied
from tests.integration.golden_records.verdicts_of import audited, open_violations, rules_against

KEYS = (mpan(number) for number in count(50_000))


@pytest.fixture
def key() -> str:
    return next(KEYS)


def _held(hub: Hub, key: str) -> list[tuple[object, ...]]:
    return hub.rows(
        "select rules, outcome, note from golden.quarantine where point_key = %s order by quarantine_id", key
    )


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
    assert _held(shared_hub, key) == [([12], None, None)]


def test_what_becomes_wrong_by_another_change_stays_mastered_and_stands_as_an_error(shared_hub: Hub, key: str) -> None:
    shared_hub.change("mss", contract(key[6:12]))
    shared_hub.change("smrs10", appointment(key, agreed=False, contract_reference=key[6:12]))
    shared_hub.change("mss", contract(key[6:12], contract_to="2025-12-31"))
    stands = _standing(shared_hub, key)
    shared_hub.change("mss", contract(key[6:12], contract_to=None))

    assert stands == [(13, "E", True, None)]
    assert shared_hub.rows("select status from golden.appointment where mpan = %s", key) == [("active",)]
    assert _standing(shared_hub, key) == [(13, "E", False, "healed: the rule no longer speaks against it")]


def test_a_held_record_that_heals_closes_with_a_note(shared_hub: Hub, key: str) -> None:
    shared_hub.change("smrs10", appointment(key, agreed=False, contract_reference=key[6:12]))
    shared_hub.change("msa", contract(key[6:12]))

    assert _held(shared_hub, key) == [([12], "mastered", "healed: it agrees with what is known by now")]
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
    assert [outcome for _, outcome, _ in _held(shared_hub, key)] == ["mastered", "mastered"]


def test_what_heals_later_in_the_same_batch_is_mastered_with_it(shared_hub: Hub, key: str) -> None:
    shared_hub.master(
        "smrs10",
        Transaction(changes=[point(key, "segment", market_segment="A")]),
        Transaction(changes=[appointment(key)]),
        Transaction(changes=[point(key, "segment", market_segment="S")]),
    )

    assert [(rules, outcome) for rules, outcome, _ in _held(shared_hub, key)] == [([14], "mastered")]
    assert shared_hub.rows("select role from golden.appointment where mpan = %s", key) == [("MSS",)]


def test_all_rules_that_speak_against_a_held_record_are_named(shared_hub: Hub, key: str) -> None:
    shared_hub.change("mss", contract(key[6:12], segments="S"))
    shared_hub.change("smrs10", point(key, "segment", market_segment="A"))
    shared_hub.change("smrs10", appointment(key, agreed=False, contract_reference=key[6:12]))

    assert _held(shared_hub, key) == [([13, 14], None, None)]


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


@pytest.mark.parametrize(
    ("committed", "since", "rules"),
    [
        # Half past eleven at night in summer is the next day here.
        (datetime(2025, 6, 30, 23, 30, tzinfo=UTC), "2025-07-29", set()),
        (datetime(2025, 6, 30, 23, 30, tzinfo=UTC), "2025-07-30", {8}),
        (datetime(2025, 6, 30, 22, 30, tzinfo=UTC), "2025-07-29", {8}),
        (datetime(2025, 12, 31, 23, 30, tzinfo=UTC), "2026-01-28", set()),
        (datetime(2025, 12, 31, 23, 30, tzinfo=UTC), "2026-01-29", {8}),
    ],
)
def test_notice_is_counted_in_local_days(
    shared_hub: Hub, key: str, committed: datetime, since: str, rules: set[int]
) -> None:
    proposed = appointment(key, op="c", appointed_from=since, status="accepted")

    shared_hub.master("smrs10", Transaction(changes=[proposed], committed_at=committed))

    assert rules_against(shared_hub, key) == rules


@pytest.mark.parametrize(("since", "rules"), [("2026-01-15", set()), ("2026-01-14", {9})])
def test_a_proposal_may_begin_on_the_day_on_which_it_is_made(
    shared_hub: Hub, key: str, since: str, rules: set[int]
) -> None:
    shared_hub.change("smrs10", appointment(key, appointed_from=since, status="proposed"))

    assert rules_against(shared_hub, key) == rules


@pytest.mark.parametrize("days", [425, 426])
def test_an_appointment_is_asked_for_within_the_retrospection_limit(shared_hub: Hub, key: str, days: int) -> None:
    since = (NOW - timedelta(days=days)).date().isoformat()

    shared_hub.change("smrs10", appointment(key, op="c", appointed_from=since))

    assert rules_against(shared_hub, key) == (set() if days == 425 else {10})


def test_a_later_word_on_an_appointment_is_not_judged_by_the_day_on_which_it_comes(shared_hub: Hub, key: str) -> None:
    since = (NOW - timedelta(days=425)).date().isoformat()
    later = Transaction(
        changes=[appointment(key, appointed_from=since, status="accepted")], committed_at=NOW + timedelta(900)
    )

    shared_hub.change("smrs10", appointment(key, op="c", appointed_from=since))
    shared_hub.master("smrs10", later)

    assert rules_against(shared_hub, key) == set()


_OPEN = "select 'quarantine ' || quarantine_id from golden.quarantine where closed_at is null and point_key = %s"
AHEAD, NEARER = "2026-03-01", "2026-02-20"  # 45 and 36 days after NOW


def _tell(hub: Hub, *changes: Change, days_later: int = 0) -> None:
    hub.master("smrs10", Transaction(changes=changes, committed_at=NOW + timedelta(days_later)))


def _audited_as_held(hub: Hub, code: int) -> set[object]:
    """Return what the audit says is held back rightly because of a rule on appointments."""
    rows = held_rows.rows(Scope.APPOINTMENT_AT_POINT, is_sample=False)
    with hub.connection.transaction():
        held_rows.prepare(hub.connection, sample=None)
        return {
            row[0] for row in hub.rows(f"select record from ({rows}) r where {held_rows.condition(registry.get(code))}")
        }


@pytest.mark.parametrize(("since", "rule"), [(AHEAD, 8), ("2024-11-15", 10)])
def test_what_is_asked_for_at_a_wrong_time_stays_held_whatever_else_its_source_updates(
    shared_hub: Hub, key: str, since: str, rule: int
) -> None:
    asked = appointment(key, op="c", appointed_from=since, status="accepted")
    _tell(shared_hub, asked)
    for days_later, until in ((20, "2027-01-01"), (40, "2027-02-01")):
        updated = appointment(key, appointed_from=since, appointed_to=until, status="accepted")
        _tell(shared_hub, updated, days_later=days_later)

        assert rules_against(shared_hub, key) == {rule}
        assert shared_hub.value(_OPEN, key) in _audited_as_held(shared_hub, rule)
    assert [outcome for _, outcome, _ in _held(shared_hub, key)] == ["superseded", "superseded", None]
    assert shared_hub.rows("select 1 from golden.appointment where mpan = %s", key) == []


def test_what_is_asked_for_and_updated_in_one_batch_is_held_as_a_whole(shared_hub: Hub, key: str) -> None:
    asked = appointment(key, op="c", appointed_from=AHEAD, status="accepted")
    updated = appointment(key, appointed_from=AHEAD, appointed_to="2027-01-01", status="accepted")
    shared_hub.master("smrs10", *(Transaction(changes=[change]) for change in (asked, updated)))

    assert rules_against(shared_hub, key) == {8}
    assert shared_hub.rows("select 1 from golden.appointment where mpan = %s", key) == []


@pytest.mark.parametrize(("days_later", "rules"), [(7, {8}), (8, set())])
def test_another_first_day_of_what_is_held_is_asked_for_by_the_update_that_names_it(
    shared_hub: Hub, key: str, days_later: int, rules: set[int]
) -> None:
    _tell(shared_hub, appointment(key, op="c", appointed_from=AHEAD, status="accepted"))
    _tell(shared_hub, appointment(key, appointed_from=NEARER, status="accepted"), days_later=days_later)

    assert rules_against(shared_hub, key) == rules
    assert open_violations(shared_hub) == audited(shared_hub)


def test_what_was_asked_for_in_time_passes_when_what_else_held_it_is_mended_late(shared_hub: Hub, key: str) -> None:
    wrong = appointment(key, op="c", contract_reference="NONE", agreed=False, appointed_from="2026-01-20")
    _tell(shared_hub, wrong)
    _tell(shared_hub, appointment(key, appointed_from="2026-01-20"), days_later=900)

    assert rules_against(shared_hub, key) == set()
    assert [outcome for _, outcome, _ in _held(shared_hub, key)] == ["superseded"]
    assert open_violations(shared_hub) == audited(shared_hub)


def test_what_is_withdrawn_and_created_anew_is_asked_for_by_that(shared_hub: Hub, key: str) -> None:
    asked = appointment(key, op="c", appointed_from=AHEAD, status="accepted")
    _tell(shared_hub, asked)
    _tell(shared_hub, appointment(key, appointed_from=AHEAD, status="accepted"), days_later=1)
    _tell(shared_hub, replace(asked, op="d"), days_later=17)
    _tell(shared_hub, asked, days_later=17)

    assert rules_against(shared_hub, key) == set()
    assert [outcome for _, outcome, _ in _held(shared_hub, key)] == ["superseded", "withdrawn"]


def test_history_of_an_initial_load_that_was_held_is_not_judged_by_the_day_of_its_update(
    shared_hub: Hub, key: str
) -> None:
    wrong = appointment(key, contract_reference="NONE", agreed=False, appointed_from="2001-01-01")
    with shared_hub.connection.transaction():
        loaded = Transaction(changes=[replace(wrong, op="r")])
        mastering.load(shared_hub.connection, factories.batch(shared_hub.sources["smrs10"], loaded))
    _assemble(shared_hub)
    shared_hub.change("smrs10", appointment(key, appointed_from="2001-01-01"))

    assert [(rules, outcome) for rules, outcome, _ in _held(shared_hub, key)] == [([12], "superseded")]
    assert rules_against(shared_hub, key) == set()


def test_history_of_an_initial_load_is_not_judged_by_the_day_on_which_it_came(shared_hub: Hub, key: str) -> None:
    old = replace(appointment(key, appointed_from="2001-01-01"), op="r")
    with shared_hub.connection.transaction():
        mastering.load(shared_hub.connection, factories.batch(shared_hub.sources["smrs10"], Transaction(changes=[old])))
    _assemble(shared_hub)

    assert rules_against(shared_hub, key) == set()


def test_a_load_holds_back_what_breaks_a_rule_across_records(shared_hub: Hub, key: str) -> None:
    changes = [
        appointment(key),
        supplied(key, "SUPB", day(2020, 1, 1)),
        meter(key, f"L{key[3:12]}"),
        point(key, "connection", connection_type="U"),
    ]
    with shared_hub.connection.transaction():
        loaded = Transaction(changes=[replace(change, op="r") for change in changes])
        mastering.load(shared_hub.connection, factories.batch(shared_hub.sources["smrs10"], loaded))
    _assemble(shared_hub)

    assert sorted(rules for rules, _, _ in _held(shared_hub, key)) == [[6], [16]]  # type: ignore[type-var]
    assert open_violations(shared_hub) == audited(shared_hub)


def _assemble(hub: Hub) -> None:
    place: int | None = 0
    while place is not None:
        with hub.connection.transaction():
            place = mastering.assemble(hub.connection, after=place, limit=100, now=NOW)
            mastering.finish(hub.connection)


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
    held = rules_against(hub, off, far)
    registry.configure({})
    hub.change("smrs10", point(off, "segment", market_segment="U"))
    hub.change("smrs10", point(far, "segment", market_segment="S"))

    assert held == set()
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


NUMBERED = count(80_000)
_DAYS = st.sampled_from(["2025-01-01", "2025-01-02", "2025-03-30", "2025-06-01", "2026-01-15"])


@st.composite
def _changes(draw: st.DrawFn, first: int) -> list[tuple[str, Change]]:
    """Draw what systems tell of two points, right or wrong."""
    keys = mpan(first), mpan(first + 1)
    return [draw(_change(keys)) for _ in range(draw(st.integers(2, 7)))]


@st.composite
def _change(draw: st.DrawFn, keys: tuple[str, str]) -> tuple[str, Change]:
    key, other = draw(st.sampled_from([keys, keys[::-1]]))
    since, until = draw(_DAYS), draw(st.none() | _DAYS)
    source = draw(st.sampled_from(["smrs10", "smrs10", "smrs10", "mds", "mss"]))
    supplier = draw(st.sampled_from(["SUPA", "SUPB", "ZZZZ"]))
    serial = draw(st.sampled_from([f"L {key[4:12]}", f"L{key[4:12]}", f"L{keys[0][4:12]}", "UNKNOWN"]))
    changes: list[Any] = [
        lambda: point(
            key,
            mpan_status=draw(st.sampled_from("NRTX")),
            created_date=since,
            disconnection_date=draw(st.none() | _DAYS),
        ),
        lambda: point(key, "segment", market_segment=draw(st.sampled_from("SAU"))),
        lambda: point(key, "connection", connection_type=draw(st.sampled_from("WLU"))),
        lambda: point(key, "metered", metered_indicator=draw(st.booleans())),
        lambda: point(key, "direction", energy_direction=draw(st.sampled_from("IE"))),
        lambda: point(key, "energisation", energisation_status=draw(st.sampled_from("ED"))),
        lambda: point(key, "gsp", gsp_group=draw(st.sampled_from(["_A", "_P"])), gsp_from=since),
        lambda: point(key, "consent", consent_granularity=draw(st.sampled_from("HN"))),
        lambda: point(key, "profile", profile_class=draw(st.sampled_from(["1", "9", None])), ssc="0393"),
        lambda: point(key, "dcc", dcc_service_flag=draw(st.sampled_from("AN"))),
        lambda: point(key, "duos", row=since, at={"effective_from": _moment(since)}, duos_tariff="D01"),
        lambda: supplied(
            key,
            supplier,
            _moment(since),
            _moment(until) + timedelta(1) if until else None,
            op=draw(st.sampled_from("uud")),
        ),
        lambda: linked(key, draw(st.sampled_from([other, mpan(1)])), draw(st.sampled_from(["IMPORT", "SECONDARY"]))),
        lambda: linked(key, other, "EXPORT", op=draw(st.sampled_from("uud"))),
        lambda: later_appointment(
            key,
            draw(_DAYS | st.sampled_from(["2024-06-01", "2026-02-12", "2026-02-13"])),
            role=draw(st.sampled_from(["MSS", "MSA"])),
            status=draw(st.sampled_from(["proposed", "accepted", "active", "lapsed", "de-appointed"])),
            appointed_to=until,
            supplier_mpid=draw(st.sampled_from(["SUPA", "SUPB"])),
            agreed=draw(st.booleans()),
            op=draw(st.sampled_from("ccuud")),
        ),
        lambda: contract("C1", supplier="SUPB", segments=draw(st.sampled_from(["S", "SA"])), contract_to=until),
        lambda: meter(
            key,
            serial,
            make=draw(st.sampled_from(["LANDIS", "ELSTER"])),
            installation_date=since,
            removal_date=until,
            meter_type=draw(st.sampled_from(["N", "S2A", "ZZZ", None])),
            op=draw(st.sampled_from("uuud")),
        ),
        lambda: provided(key, f"L{key[4:12]}", since, draw(st.sampled_from(["MAPL", "ZZZZ"]))),
        lambda: factories.address(
            key,
            uprn=key[:12],
            text=draw(st.sampled_from(["1 HIGH ST", "UNKNOWN", "1, HIGH ST"])),
            postcode=draw(st.sampled_from(["BA1 1AA", "NONE"])),
        ),
    ]
    return source, draw(st.sampled_from(changes))()


def _moment(day_of: str) -> datetime:
    return datetime.fromisoformat(day_of).replace(tzinfo=UTC)


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_inline_and_audit_give_the_same_verdicts(shared_hub: Hub, data: st.DataObject) -> None:
    first = next(NUMBERED) * 2
    told = data.draw(_changes(first))
    if data.draw(st.booleans(), label="in one batch of each source"):
        for source in dict.fromkeys(source for source, _ in told):
            shared_hub.master(source, *(Transaction(changes=[change]) for named, change in told if named == source))
    else:
        for source, change in told:
            shared_hub.change(source, change)

    assert open_violations(shared_hub) == audited(shared_hub)


_LARGE = {
    "metering_point",
    "meter",
    "appointment",
    "address",
    "source_record",
    "crosswalk",
    "violation",
    "journal",
    "quarantine",
}


def test_the_verdicts_of_one_point_are_found_by_indexes(shared_hub: Hub, key: str) -> None:
    shared_hub.change("smrs10", point(key, mpan_status="R"), appointment(key), meter(key, f"L{key[3:12]}"))
    shared_hub.connection.execute("analyze")
    with shared_hub.connection.transaction():
        for statement in verdicts.statements(registry.edition()):
            plan = shared_hub.value(f"explain (format json) {statement}")
            scans = [*_scans(plan[0]["Plan"])]  # type: ignore[index]
            assert not [each for each in scans if not each[1]], json.dumps(scans)


def _scans(node: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield each scan of a large table, and whether an index finds its rows."""
    if node.get("Relation Name") in _LARGE and node.get("Schema", "golden") == "golden" and "Scan" in node["Node Type"]:
        yield node["Relation Name"], "Index Cond" in node or node["Node Type"] == "Bitmap Heap Scan"
    for child in node.get("Plans", ()):
        yield from _scans(child)
