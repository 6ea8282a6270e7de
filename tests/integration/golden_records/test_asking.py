"""Notice and retrospection: the local day on which an appointment was asked for, also where it was held back then."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from golden_records import audited as held_rows
from rules import registry
from rules.model import Scope
from tests.factories import NOW, Change, Transaction, appointment
from tests.integration.golden_records.conftest import Hub
from tests.integration.golden_records.verdicts_of import audited, held, open_violations, rules_against


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
    assert [outcome for _, outcome, _ in held(shared_hub, key)] == ["superseded", "superseded", None]
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
    assert [outcome for _, outcome, _ in held(shared_hub, key)] == ["superseded"]
    assert open_violations(shared_hub) == audited(shared_hub)


def test_what_is_withdrawn_and_created_anew_is_asked_for_by_that(shared_hub: Hub, key: str) -> None:
    asked = appointment(key, op="c", appointed_from=AHEAD, status="accepted")
    _tell(shared_hub, asked)
    _tell(shared_hub, appointment(key, appointed_from=AHEAD, status="accepted"), days_later=1)
    _tell(shared_hub, replace(asked, op="d"), days_later=17)
    _tell(shared_hub, asked, days_later=17)

    assert rules_against(shared_hub, key) == set()
    assert [outcome for _, outcome, _ in held(shared_hub, key)] == ["superseded", "withdrawn"]


def test_history_of_an_initial_load_that_was_held_is_not_judged_by_the_day_of_its_update(
    shared_hub: Hub, key: str
) -> None:
    wrong = appointment(key, contract_reference="NONE", agreed=False, appointed_from="2001-01-01")
    shared_hub.load("smrs10", wrong)
    shared_hub.change("smrs10", appointment(key, appointed_from="2001-01-01"))

    assert [(rules, outcome) for rules, outcome, _ in held(shared_hub, key)] == [([12], "superseded")]
    assert rules_against(shared_hub, key) == set()


def test_history_of_an_initial_load_is_not_judged_by_the_day_on_which_it_came(shared_hub: Hub, key: str) -> None:
    shared_hub.load("smrs10", appointment(key, appointed_from="2001-01-01"))

    assert rules_against(shared_hub, key) == set()
