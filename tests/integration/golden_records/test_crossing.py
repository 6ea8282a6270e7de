"""Rules across records: the same verdicts in whatever order the records come, and healing when the rest does."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from psycopg.errors import SerializationFailure

from golden_records.due import Cause
from mdm import mastering
from tests import factories
from tests.factories import Change, Transaction, appointment, contract, meter, mpan, point
from tests.integration.golden_records.conftest import Hub
from tests.integration.golden_records.market_facts import (
    Told,
    day,
    later_appointment,
    linked,
    provided,
    smrs,
    supplied,
)
from tests.integration.golden_records.verdicts_of import audited, open_violations, rules_against


@dataclass(frozen=True, kw_only=True)
class Case:
    """What two points are told, each change in a batch of its own, and what mends it. `b` is another point."""

    rule: int
    told: Callable[[str, str], list[Told]]
    mended: Callable[[str, str], list[Told]]


CASES = [
    Case(
        rule=4,
        told=lambda a, _: [
            smrs(point(a, mpan_status="X", disconnection_date="2025-06-01")),
            smrs(point(a, "duos", at={"effective_from": day(2025, 6, 2)}, duos_tariff="D99")),
        ],
        mended=lambda a, _: [smrs(point(a, mpan_status="X", disconnection_date="2025-06-02"))],
    ),
    Case(
        rule=5,
        told=lambda a, _: [
            smrs(supplied(a, "SUPA", day(2020, 1, 1))),
            smrs(supplied(a, "SUPB", day(2025, 3, 30))),
        ],
        mended=lambda a, _: [smrs(supplied(a, "SUPA", day(2020, 1, 1), day(2025, 3, 30)))],
    ),
    Case(
        rule=6,
        told=lambda a, _: [smrs(supplied(a, "SUPB", day(2024, 1, 1))), smrs(appointment(a))],
        mended=lambda a, _: [smrs(supplied(a, "SUPA", day(2024, 1, 1)))],
    ),
    Case(
        rule=7,
        told=lambda a, _: [smrs(appointment(a)), smrs(later_appointment(a))],
        mended=lambda a, _: [smrs(appointment(a, appointed_to="2025-05-31", status="de-appointed"))],
    ),
    Case(
        rule=7,
        told=lambda a, _: [
            smrs(appointment(a, appointed_to="2025-05-30", status="de-appointed")),
            smrs(later_appointment(a)),
        ],
        mended=lambda a, _: [smrs(appointment(a, appointed_to="2025-05-31", status="de-appointed"))],
    ),
    Case(
        rule=12,
        told=lambda a, b: [
            smrs(appointment(a, agreed=False, contract_reference=b[6:12])),
            ("mss", point(a, "segment", market_segment="S")),
        ],
        mended=lambda _, b: [("mss", contract(b[6:12]))],
    ),
    Case(
        rule=13,
        told=lambda a, b: [
            ("mss", contract(b[6:12], segments="A", connection_types="W")),
            smrs(point(a, "segment", market_segment="S")),
            smrs(appointment(a, agreed=False, contract_reference=b[6:12])),
        ],
        mended=lambda _, b: [("mss", contract(b[6:12], segments="SA", connection_types="W"))],
    ),
    Case(
        rule=13,
        told=lambda a, b: [
            ("mss", contract(b[6:12], contract_from="2025-01-01", contract_to="2025-10-26")),
            smrs(appointment(a, agreed=False, contract_reference=b[6:12], appointed_to="2025-10-27")),
        ],
        mended=lambda _, b: [("mss", contract(b[6:12], contract_from="2025-01-01", contract_to="2025-10-27"))],
    ),
    Case(
        rule=14,
        told=lambda a, _: [smrs(point(a, "segment", market_segment="A")), smrs(appointment(a))],
        mended=lambda a, _: [smrs(point(a, "segment", market_segment="S"))],
    ),
    Case(
        rule=16,
        told=lambda a, _: [smrs(point(a, "connection", connection_type="U")), ("mss", meter(a, f"L{a[3:12]}"))],
        mended=lambda a, _: [smrs(point(a, "connection", connection_type="W"))],
    ),
    Case(
        rule=17,
        told=lambda a, _: [
            smrs(point(a, "connection", connection_type="U")),
            smrs(point(a, "metered", metered_indicator=True)),
        ],
        mended=lambda a, _: [smrs(point(a, "metered", metered_indicator=False))],
    ),
    Case(
        rule=20,
        told=lambda a, b: [smrs(linked(a, b, "IMPORT")), smrs(appointment(a))],
        mended=lambda a, b: [smrs(linked(a, b, "IMPORT", op="d"))],
    ),
    Case(
        rule=21,
        told=lambda a, b: [smrs(linked(a, b, "EXPORT")), smrs(point(a, "direction", energy_direction="E"))],
        mended=lambda a, b: [smrs(linked(a, b, "EXPORT", op="d"))],
    ),
    Case(
        rule=22,
        told=lambda a, b: [
            smrs(point(b, mpan_status="N")),
            smrs(point(b, "connection", connection_type="U")),
            smrs(linked(a, b, "SECONDARY")),
        ],
        mended=lambda _, b: [smrs(point(b, "connection", connection_type="W"))],
    ),
    Case(
        rule=22,
        told=lambda a, b: [
            smrs(point(b, mpan_status="N")),
            smrs(linked(b, mpan(999_999), "IMPORT")),
            smrs(linked(a, b, "EXPORT")),
        ],
        mended=lambda a, b: [smrs(linked(b, a, "IMPORT"))],
    ),
    Case(
        rule=23,
        told=lambda a, _: [smrs(meter(a, f"L {a[4:12]}")), smrs(meter(a, f"L{a[4:12]}"))],
        mended=lambda a, _: [smrs(meter(a, f"L {a[4:12]}", removal_date="2025-02-01"))],
    ),
    Case(
        rule=24,
        told=lambda a, b: [("mss", meter(a, f"L {a[4:12]}")), smrs(meter(b, f"L{a[4:12]}", make="ELSTER"))],
        mended=lambda a, b: [smrs(meter(b, f"L{a[4:12]}", make="ELSTER", removal_date="2025-03-01"))],
    ),
    Case(
        rule=25,
        told=lambda a, _: [smrs(point(a, created_date="2025-02-02", mpan_status="N")), smrs(meter(a, f"L{a[3:12]}"))],
        mended=lambda a, _: [smrs(point(a, created_date="2025-02-01", mpan_status="N"))],
    ),
    Case(
        rule=26,
        told=lambda a, _: [smrs(appointment(a, service="OTHR")), ("mss", meter(a, f"L{a[3:12]}"))],
        mended=lambda a, _: [smrs(replace(appointment(a, service="SMAR"), key=f"{a}|MSS|OTHR"))],
    ),
    Case(
        rule=27,
        told=lambda a, _: [smrs(meter(a, f"L{a[3:12]}")), smrs(provided(a, f"L{a[3:12]}", "2025-01-31"))],
        mended=lambda a, _: [smrs(provided(a, f"L{a[3:12]}", "2025-02-01"))],
    ),
    Case(
        rule=30,
        told=lambda a, _: [
            smrs(point(a, "segment", market_segment="S")),
            ("mss", meter(a, f"L{a[3:12]}", meter_type="N")),
            smrs(point(a, "profile", profile_class="1")),
        ],
        mended=lambda a, _: [smrs(point(a, "profile", profile_class="1", ssc="0393"))],
    ),
    Case(
        rule=31,
        told=lambda a, _: [
            smrs(point(a, "segment", market_segment="S")),
            smrs(point(a, "consent", consent_granularity="N")),
        ],
        mended=lambda a, _: [smrs(point(a, "consent", consent_granularity="D"))],
    ),
    Case(
        rule=33,
        told=lambda a, _: [
            smrs(point(a, mpan_status="R")),
            smrs(point(a, "energisation", energisation_status="E")),
            smrs(point(a, "metered", metered_indicator=True)),
        ],
        mended=lambda a, _: [("mss", meter(a, f"L{a[3:12]}")), smrs(appointment(a))],
    ),
    Case(
        rule=36,
        told=lambda a, _: [
            smrs(point(a, mpan_status="R")),
            smrs(appointment(a, status="de-appointed", appointed_to="2025-06-01")),
        ],
        mended=lambda a, _: [smrs(appointment(a))],
    ),
]


def _named(case: Case) -> str:
    return str(case.rule)


def _points(case: Case, order: int) -> tuple[str, str]:
    number = 10 * CASES.index(case) + 2 * order
    return mpan(1_000 + number), mpan(1_001 + number)


def _tell(hub: Hub, told: list[Told]) -> None:
    for source, change in told:
        hub.change(source, change)


@pytest.mark.parametrize("case", CASES, ids=_named)
def test_both_orders_give_the_same_verdicts_and_are_mended_alike(shared_hub: Hub, case: Case) -> None:
    found, left = [], []
    for order in (0, 1):
        pair = _points(case, order)
        _tell(shared_hub, case.told(*pair)[:: -1 if order else 1])
        found.append(rules_against(shared_hub, *pair))
        _tell(shared_hub, case.mended(*pair))
        left.append(rules_against(shared_hub, *pair))

    assert case.rule in found[0]
    assert found[0] == found[1]
    assert left == [set(), set()]
    assert open_violations(shared_hub) == audited(shared_hub)


@pytest.mark.parametrize("case", CASES, ids=_named)
def test_what_comes_in_one_transaction_is_judged_by_its_end(shared_hub: Hub, case: Case) -> None:
    pair = _points(case, 2)
    by_source: dict[str, list[Change]] = {}
    for source, change in (*case.told(*pair), *case.mended(*pair)):
        renewed = [
            each for each in by_source.get(source, []) if (each.relation, each.key) != (change.relation, change.key)
        ]
        by_source[source] = renewed + ([] if change.op == "d" else [change])
    for source in sorted(by_source):  # contracts and meters of the services come first
        shared_hub.change(source, *by_source[source])

    assert rules_against(shared_hub, *pair) == set()
    assert open_violations(shared_hub) == audited(shared_hub)


def test_a_contract_and_an_appointment_under_it_that_are_mastered_at_once_find_each_other(
    open_hub: Callable[[], Hub],
) -> None:
    hub, other = open_hub(), open_hub()
    for number in (1, 2):
        hub.change("smrs10", point(mpan(number), mpan_status="R"), supplied(mpan(number), "SUPA", day(2020, 1, 1)))
    hub.change("smrs10", appointment(mpan(1), agreed=False, contract_reference="C-NEW"))  # it claims the contract's key
    agreed = Transaction(changes=[contract("C-NEW", service_mpid="SMAR", role="MSS", contract_from="2020-01-01")])
    asked = Transaction(changes=[appointment(mpan(2), agreed=False, contract_reference="C-NEW")])
    batches = [factories.batch(hub.sources[name], told) for name, told in (("mss", agreed), ("smrs10", asked))]

    with hub.connection.transaction():
        mastering.apply(hub.connection, batches[0])
        with pytest.raises(SerializationFailure), other.connection.transaction():
            mastering.apply(other.connection, batches[1])
    with other.connection.transaction():
        mastering.apply(other.connection, batches[1])

    assert hub.value("select count(*) from golden.appointment") == 2
    assert hub.value("select count(*) from golden.quarantine where closed_at is null") == 0


def test_what_stands_against_a_rule_is_not_held_back_when_a_decision_masters_it_again(hub: Hub) -> None:
    key = mpan(1)
    hub.change("smrs10", point(key, mpan_status="R"), supplied(key, "SUPA", day(2020, 1, 1)))
    hub.change("smrs10", appointment(key))
    hub.change("smrs10", replace(supplied(key, "SUPB", day(2020, 1, 1)), key=f"{key}|2020-01-01"))
    standing = hub.rows("select rule, severity from golden.violation where closed_at is null and rule = 6")
    appointed = hub.rows("select golden_id from golden.appointment")

    with hub.connection.transaction():
        ids = [int(str(row[0])) for row in appointed]
        mastering.master_again(hub.connection, ids, now=datetime.now(UTC), cause=Cause(relation="hub.decision"))
        mastering.finish(hub.connection)

    assert standing == [(6, "E")]
    assert hub.rows("select golden_id from golden.appointment") == appointed
    assert hub.value("select count(*) from golden.quarantine") == 0
    assert hub.rows("select rule, severity from golden.violation where closed_at is null and rule = 6") == standing
