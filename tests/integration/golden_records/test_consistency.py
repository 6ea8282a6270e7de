"""The measure of consistency equals what comparing every value with every other one gives."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from golden_records import consistency
from golden_records.conflict_reading import Query
from golden_records.consistency import KINDS
from tests import consistency_oracle
from tests.factories import NOW, Change, Transaction, address, appointment, meter, mpan, point
from tests.integration.golden_records.conftest import Hub

SOURCES = ("smrs10", "mss", "msa", "mds")
SECOND = timedelta(seconds=1)


@pytest.fixture
def hub(emptied_hub: Hub) -> Hub:
    return emptied_hub


def refresh(hub: Hub) -> None:
    with hub.connection.transaction():
        assert consistency.refresh(hub.connection, now=datetime.now(UTC))


def ask(hub: Hub, query: Query) -> list[tuple[Any, ...]]:
    return hub.connection.execute(*query).fetchall()


def told(hub: Hub) -> dict[consistency_oracle.Pair, tuple[int, int]]:
    """Return what the measure tells of each item and pair of systems: held and differing."""
    rows = ask(hub, consistency.by_item())
    return {(row[1], row[2], row[3], row[5]): (row[7], row[8]) for row in rows}


def _said(random: Random, key: str, number: int) -> list[Change]:
    """Return what a system says of a point, most of it the same that all say."""

    def differs() -> bool:
        return random.random() < 0.25

    line = {"line_4": "TWERTON"} | ({"line_4": random.choice(["OLDFIELD", "Twerton."])} if differs() else {})
    flat = {"line_2": random.choice(["FLAT 1", "FLAT 2"])} if differs() else {}
    changes = [
        point(key, "supplier", supplier_mpid=random.choice(["BRIM", "COVE"]) if differs() else "ACRE"),
        point(key, "energisation", energisation_status="D" if differs() else "E"),
        point(key, "profile", ssc="0393", profile_class=random.choice(["1", "01", "2", None])),
        meter(key, f"L{number}", location=random.choice(["A", None, "K"])),
        address(key, uprn=str(number + 50 * (random.random() < 0.1)), text=f"{number} HIGH ST", **line, **flat),
    ]
    return [change for change in changes if random.random() < 0.85]


@pytest.mark.parametrize("seed", [1, 2])
def test_shares_are_those_of_comparing_everything(hub: Hub, seed: int) -> None:
    random = Random(seed)
    keys = [(mpan(number), number) for number in range(1, 31)]
    for source in [*SOURCES, *random.choices(SOURCES, k=6)]:
        said = [change for key, number in random.sample(keys, 24) for change in _said(random, key, number)]
        hub.change(source, *said)
    hub.change("smrs10", *(appointment(key) for key, _ in keys[:15]))
    refresh(hub)

    counted = consistency_oracle.count(hub.connection)
    assert told(hub) == counted
    assert sum(differing for _, differing in counted.values()) > 100


def test_an_address_differs_at_each_point_that_has_it_in_both_systems(hub: Hub) -> None:
    pair = [mpan(1), mpan(2)]
    hub.change("smrs10", *(address(key, uprn="7", text="1 HIGH ST") for key in (*pair, mpan(3))))
    hub.change("mds", *(address(key, uprn="7", text="2 HIGH ST") for key in pair))
    hub.change("mss", address(pair[0], uprn="8", text="1 HIGH ST"))
    refresh(hub)

    rows = ask(hub, consistency.of_address())
    shares = {(KINDS[one - 1], KINDS[other - 1]): counts for one, other, *counts in rows}
    assert {pair: counts[:2] for pair, counts in shares.items()} == {
        ("SMRS", "MDS"): [2, 2],
        ("SMRS", "MSS"): [1, 1],
        ("MSS", "MDS"): [1, 1],
    }


def _supply(hub: Hub, source: str, key: str, supplier: str, seconds: float) -> None:
    change = point(key, "supplier", supplier_mpid=supplier)
    hub.master(source, Transaction(changes=[change], committed_at=NOW + seconds * SECOND))


def test_the_time_to_agree_is_that_of_the_last_copy_whichever_the_hub_saw_first(hub: Hub) -> None:
    for source in ("smrs10", "mss", "mds"):
        for number in (1, 2, 3, 4):
            _supply(hub, source, mpan(number), "ACRE", -100)
    _supply(hub, "smrs10", mpan(1), "BRIM", 0)  # the last copy follows after 5 seconds
    _supply(hub, "mss", mpan(1), "BRIM", 2)
    _supply(hub, "mds", mpan(1), "BRIM", 5)
    _supply(hub, "mss", mpan(2), "BRIM", 3)  # seen before its owner's change
    _supply(hub, "smrs10", mpan(2), "BRIM", 0)
    _supply(hub, "mds", mpan(2), "BRIM", 1)
    _supply(hub, "mds", mpan(3), "BRIM", 0)  # both were there when the owner came
    _supply(hub, "mss", mpan(3), "BRIM", 0)
    _supply(hub, "smrs10", mpan(3), "BRIM", 7)
    _supply(hub, "smrs10", mpan(4), "BRIM", 0)  # one copy never follows
    _supply(hub, "mss", mpan(4), "BRIM", 1)

    whole, item = ask(hub, consistency.times(now=NOW + timedelta(hours=1)))

    assert item[:4] == ("metering_point", "supplier", "supplier_mpid", 3)
    assert item[4:7] == ([3.0, 5.0, 5.0], 1, NOW)
    assert whole[:3] == (None, None, None)
    assert whole[3:7] == item[3:7]


def test_a_copy_that_errs_and_is_mended_is_no_change_of_the_owner(hub: Hub) -> None:
    _supply(hub, "smrs10", mpan(1), "ACRE", 0)
    _supply(hub, "mds", mpan(1), "BRIM", 1)
    _supply(hub, "mds", mpan(1), "ACRE", 9)

    rows = ask(hub, consistency.times(now=NOW + timedelta(hours=1)))
    assert [row[3] for row in rows if row[2] == "supplier_mpid"] == []


def test_nothing_held_has_no_share() -> None:
    assert consistency.share(0, 0) is None
    assert consistency.share(2, 3) == 0.0
    assert consistency.share(4, 1) == 0.75


def test_two_that_count_at_once_do_not_wait_for_each_other(open_hub: Callable[[], Hub]) -> None:
    first, second = open_hub(), open_hub()
    with first.connection.transaction():
        assert consistency.refresh(first.connection, now=NOW)
        with second.connection.transaction():
            assert not consistency.refresh(second.connection, now=NOW)
