"""How alike two records are said to be: what is equal but for its writing is, another flat or number never."""

from datetime import date
from typing import Any

import pytest

from golden_records import address_likeness, meter_likeness
from golden_records.likeness import Candidate
from golden_records.placeholders import is_placeholder


def address(golden_id: int, *lines: str, postcode: str | None = "CB1 1AA", uprn: str | None = None) -> Any:
    written = {f"line_{number}": line for number, line in enumerate(lines, 1)}
    return address_likeness.parse(golden_id, written | {"postcode": postcode, "uprn": uprn})


def compare_addresses(left: Any, right: Any) -> Candidate:
    (candidate,) = address_likeness.compare([(left, right)])
    return candidate


def is_proposed(candidate: Candidate, least: int) -> bool:
    return not candidate.is_against and candidate.score >= least


@pytest.mark.parametrize(
    "other",
    [
        address(2, "1 Heath Ln", "Cambridge"),
        address(2, "1 Heath Lane, Southfields, Cambridge"),
        address(2, "1 Heeth Lane", "Southfields", "Cambridge"),
        address(2, "1 HEATH LANE", "CAMBRIDGE", "CAMBRIDGESHIRE", postcode=None),
        address(2, "1 Heath Lane", "Southfields", "Cambridge", postcode="CB1 1AE"),
        address(2, "1 Heath Lanne", "Southfields", "Cambridge", uprn="17"),
    ],
)
def test_one_address_written_another_way_is_proposed(other: Any) -> None:
    known = address(1, "1 Heath Lane", "Southfields", "Cambridge", "Cambridgeshire")
    assert is_proposed(compare_addresses(known, other), address_likeness.PROPOSED_FROM)


@pytest.mark.parametrize(
    ("left", "right", "part"),
    [
        (address(1, "Flat 1", "Mill Court", "Oak Road"), address(2, "Flat 2", "Mill Court", "Oak Road"), "flat"),
        (address(1, "1 Oak Road", "Ely"), address(2, "3 Oak Road", "Ely"), "number"),
        (address(1, "Plot 1", "Oak Rise"), address(2, "Plot 2", "Oak Rise"), "plot"),
        (
            address(1, "Landlord Supply", "Mill Court", "Oak Road"),
            address(2, "Flat 1", "Mill Court", "Oak Road"),
            "landlord's supply",
        ),
        (address(1, "1 Oak Road", "Ely"), address(2, "1 Oak Close", "Ely"), "street"),
        (address(1, "1 Oak Road", "Ely"), address(2, "1 Oak Road", "Ely", postcode="BH1 1AA"), "postcode"),
        (
            address(1, "1 Oak Road", "Ely"),
            address(2, "1 Oak Road", "Bournemouth", postcode=None),
            "building and place",
        ),
    ],
)
def test_what_tells_two_addresses_apart_speaks_against_a_match(left: Any, right: Any, part: str) -> None:
    candidate = compare_addresses(left, right)
    assert [each.part for each in candidate.parts if each.verdict == "speaks against it"] == [part]


def test_a_flat_without_the_word_is_the_flat() -> None:
    with_word = address(1, "Flat 3", "Mill Court", "Oak Road", "Ely")
    without = address(2, "3 Mill Court", "Oak Road", "Ely")
    assert is_proposed(compare_addresses(with_word, without), address_likeness.PROPOSED_FROM)


def test_a_building_is_not_one_of_its_flats() -> None:
    candidate = compare_addresses(address(1, "Flat 3", "Mill Court", "Oak Road"), address(2, "Mill Court", "Oak Road"))
    assert not is_proposed(candidate, address_likeness.PROPOSED_FROM)


def test_an_explanation_holds_no_value() -> None:
    candidate = compare_addresses(address(1, "1 Secret Road"), address(2, "1 Secret Rd"))
    assert "secret" not in str([part.as_json() for part in candidate.parts]).lower()


def test_other_facts_are_another_digest_and_the_order_of_words_is_none() -> None:
    left, right = address(1, "1 Oak Road", "Ely"), address(2, "1 Oak Rd", "Ely")
    same = compare_addresses(left, address(2, "1 OAK ROAD", "ELY"))
    assert compare_addresses(left, right).facts == same.facts
    assert compare_addresses(left, address(2, "1 Oak Rd", "Ely", uprn="7")).facts != same.facts


def meter(golden_id: int, serial: str | None, **items: Any) -> Any:
    said = {"make": "Elster", "installation_date": date(2020, 1, 1), "metering_point_id": 7, "address_id": 8} | items
    return meter_likeness.parse(golden_id, said | {"meter_id": serial})


def compare_meters(left: Any, right: Any) -> Candidate:
    (candidate,) = meter_likeness.compare([(left, right)])
    return candidate


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (meter(1, "E12345678"), meter(2, "E1234567819")),
        (meter(1, "E12345678"), meter(2, "2019E12345678", metering_point_id=None)),
        (meter(1, "E12345678"), meter(2, "E12345679")),
        (meter(1, "E12345678"), meter(2, "E12345687", make=None)),
        (meter(1, "E12345678"), meter(2, "E 12345678", make="Elster Metering")),
        (meter(1, "E12345678"), meter(2, "E12345678", make="Itron", metering_point_id=9, address_id=10)),
    ],
)
def test_one_meter_written_another_way_is_proposed(left: Any, right: Any) -> None:
    assert is_proposed(compare_meters(left, right), meter_likeness.PROPOSED_FROM)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (meter(1, "E12345678"), meter(2, "E12345679", metering_point_id=9, address_id=10)),
        (meter(1, "E12345678"), meter(2, "E87654321")),
        (meter(1, "E12345678", esme_id="00-01"), meter(2, "E12345679", esme_id="00-02")),
        (
            meter(1, "E12345678", removal_date=date(2021, 1, 1)),
            meter(2, "E12345679", installation_date=date(2021, 1, 1)),
        ),
    ],
)
def test_neighbours_meters_and_exchanged_ones_are_not_proposed(left: Any, right: Any) -> None:
    assert not is_proposed(compare_meters(left, right), meter_likeness.PROPOSED_FROM)


def test_a_meter_with_a_year_is_found_by_the_number_without_it_and_never_two_by_what_is_left_of_both() -> None:
    first, second, bare = (dict(meter_likeness.keys(meter(1, serial))) for serial in ("E1234518", "E1234519", "E12345"))
    assert first["M|E12345"]
    assert second["M|E12345"]
    assert not bare["M|E12345"]


@pytest.mark.parametrize(
    "value",
    [None, "", " ", "-", "N/A", "n/a", "UNKNOWN", "TBC", "t.b.c.", "0000000000", "XXXXX", "Not Known", "ZZ99 9ZZ", "?"],
)
def test_placeholders_say_nothing(value: str | None) -> None:
    assert is_placeholder(value)
    assert not dict(meter_likeness.keys(meter(1, value, metering_point_id=7)))
    assert not dict(address_likeness.keys(address(1, value or "", postcode=value)))


@pytest.mark.parametrize("value", ["E12345678", "Rose Cottage", "7", "Unknown Street", "CB1 1AA"])
def test_what_says_something_is_no_placeholder(value: str) -> None:
    assert not is_placeholder(value)
