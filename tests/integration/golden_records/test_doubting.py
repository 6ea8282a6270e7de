"""When records are held back, all that they may change is looked at again, and nothing that is wrong is passed over."""

import pytest

from tests.factories import appointment, meter, mpan, point
from tests.integration.golden_records.conftest import Hub

HELD = "select rule, point_key from golden.quarantine where closed_at is null order by rule, point_key"


BROKEN = {4: appointment(mpan(1)), 9: appointment(mpan(2), status="proposed")}
"""What a rule of the first step speaks against, and what one of the second, each at a point of its own."""


@pytest.mark.parametrize("rules", [[4], [9], [4, 9]])
def test_rules_of_later_steps_are_put_to_what_stands_beside_a_record_that_one_before_holds(
    hub: Hub, rules: list[int]
) -> None:
    hub.change("smrs10", point(mpan(1), mpan_status="T"))

    hub.change("smrs10", *(BROKEN[rule] for rule in rules), meter(mpan(3), "L1", removal_date="2024-01-01"))

    assert [rule for rule, _ in hub.rows(HELD)] == [*rules, 25]


def test_what_stands_beside_a_record_that_is_held_is_chosen_as_without_it(hub: Hub) -> None:
    hub.change("smrs10", point(mpan(1), mpan_status="T"))

    hub.change(
        "smrs10",
        appointment(mpan(1)),
        appointment(mpan(2)),
        point(mpan(2), "segment", market_segment="S"),
        point(mpan(3), "segment", market_segment="A"),
    )

    assert hub.rows(HELD) == [(4, mpan(1))]
    segments = """select c.key, g.market_segment from golden.metering_point g join golden.crosswalk c using (golden_id)
                  where g.market_segment is not null order by c.key"""
    assert hub.rows(segments) == [(mpan(2), "S"), (mpan(3), "A")]
    assert hub.rows("select mpan, version from golden.appointment") == [(mpan(2), 1)]


def test_what_is_chosen_after_appointments_is_chosen_beside_a_record_that_is_held(hub: Hub) -> None:
    hub.change("smrs10", point(mpan(1), mpan_status="T"))

    hub.change("smrs10", appointment(mpan(1)), meter(mpan(2), "L1"))

    assert hub.rows(HELD) == [(4, mpan(1))]
    assert hub.rows("select meter_id from golden.meter") == [("L1",)]
