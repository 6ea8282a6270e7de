"""A comparison tells what is missing, what is unknown and which values differ."""

import polars as pl

from mdm.demo import checks
from mdm.demo.checks import Check

EXPECTED = pl.DataFrame({"key": ["1", "2"], "item": ["a", None]})


def compare(found: dict[str, list[str | None]]) -> Check:
    with_ids = pl.DataFrame(found | {"golden_id": [str(70 + row) for row in range(len(found["key"]))]})
    return checks.compare("things", EXPECTED, with_ids, key=["key"], look="See the store:")


def test_equal_rows_agree() -> None:
    check = compare({"key": ["2", "1"], "item": [None, "a"]})

    assert check.agrees
    assert (check.said, check.values) == ("OK", 2)


def test_a_value_that_differs_is_told_by_its_item_with_the_golden_record() -> None:
    check = compare({"key": ["1", "2"], "item": ["a", "b"]})

    assert not check.agrees
    assert check.differences == {"item": 1}
    assert check.said == "DIFFERS (item: 1). See the store: golden_id 71"


def test_rows_of_one_side_alone_are_told() -> None:
    check = compare({"key": ["1", "3"], "item": ["a", None]})

    assert check.differences == {"missing": 1, "unknown": 1}


def test_a_row_that_stands_twice_does_not_agree() -> None:
    check = compare({"key": ["1", "2", "2"], "item": ["a", None, None]})

    assert not check.agrees
    assert "1 too many" in check.said
