import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm.capture import rendering, temporal_values
from mdm.capture.rendering import ColumnPlan
from mdm.capture.types import ColumnType, Shape


def _plan(shape: Shape, *, name: str = "c", null: str = "null", **details: Any) -> ColumnPlan:
    type_ = ColumnType(shape=shape, name="any", declared="any", **details)
    return ColumnPlan(name=name, type=type_, null=null, unchanged='"unchanged"')


def _rendered(values: list[str | None], plan: ColumnPlan, *, snapshot: bool = False) -> list[Any]:
    frame = pl.DataFrame({plan.name: pl.Series(values, dtype=pl.String)})
    texts = rendering.objects(frame, [plan], {}, snapshot=snapshot)
    return [json.loads(text)[plan.name] for text in texts]


@pytest.mark.parametrize(
    ("shape", "details", "values", "expected"),
    [
        (Shape.BOOLEAN, {}, ["t", "f", None], [True, False, None]),
        (Shape.INTEGER, {}, ["9223372036854775807", None], [9223372036854775807, None]),
        (Shape.FLOAT8, {}, ["1.5", "3", "1e+22", "NaN", "-Infinity", None], [1.5, 3.0, 1e22, "NaN", "-Infinity", None]),
        (Shape.FLOAT4, {}, ["1.5", "3", "1e-45", "NaN", None], [1.5, 3.0, 1.4e-45, "NaN", None]),
        (Shape.NUMERIC, {}, ["1.10", "NaN", "Infinity", "-Infinity", None],
         ["1.10", "NAN", "POSITIVE_INFINITY", "NEGATIVE_INFINITY", None]),
        (Shape.TEXT, {}, ['a"b', "c\\d", "e\nf", "\x01", "", None], ['a"b', "c\\d", "e\nf", "\x01", "", None]),
        (Shape.PLAIN_TEXT, {}, ["10.0.0.1", None], ["10.0.0.1", None]),
        (Shape.BYTES, {}, ["\\x00ff", "\\x", None], ["AP8=", "", None]),
        (Shape.DATE, {}, ["2024-02-29", "0044-03-15 BC", "infinity", "10000-01-01", None],
         [19782, -735160, -2147472692, 2932897, None]),
        (Shape.TIME, {}, ["10:00:00.5", "24:00:00", None], [36000500000, 86400000000, None]),
        (Shape.TIME, {"precision": 3}, ["10:00:00.5"], [36000500]),
        (Shape.TIMESTAMP, {}, ["2024-02-29 12:34:56.789012", "infinity", "0044-03-15 12:00:00 BC", None],
         [1709210096789012, 9223372036825200000, -63517780800000000, None]),
        (Shape.TIMESTAMP, {"precision": 3}, ["1969-12-31 23:59:59.999", "12024-01-01 00:00:00"], [-1, 317273587200000]),
        (Shape.TIMESTAMP_ZONED, {}, ["2024-02-29 12:34:56+00", "-infinity", None],
         ["2024-02-29T12:34:56.000000Z", "-infinity", None]),
        (Shape.TIMESTAMP_ZONED, {"precision": 0}, ["2024-02-29 12:34:56+00"], ["2024-02-29T12:34:56Z"]),
        (Shape.BITS, {"length": 1}, ["1", "0", "", None], [True, False, None, None]),
        (Shape.BITS, {"length": 9}, ["101010101", None], ["VQE=", None]),
        (Shape.INTERVAL, {}, ["1 day", "1 day", None], ["P0Y0M1DT0H0M0S", "P0Y0M1DT0H0M0S", None]),
    ],
)  # fmt: skip
def test_column_becomes_json(
    shape: Shape, details: dict[str, Any], values: list[str | None], expected: list[Any]
) -> None:
    assert _rendered(values, _plan(shape, **details)) == expected
    alone = [_rendered([value], _plan(shape, **details))[0] for value in values]
    assert alone == expected


def test_date_of_an_existing_row_forgets_its_era() -> None:
    values: list[str | None] = ["2024-02-29", "0044-03-15 BC", "1582-10-10", "infinity"]
    assert _rendered(values, _plan(Shape.DATE), snapshot=True) == [19782, -703383, -141422, -622191234]


def test_name_is_there_in_existing_rows_alone() -> None:
    assert _rendered(["a", None], _plan(Shape.NAME)) == [None, None]
    assert _rendered(["a", None], _plan(Shape.NAME), snapshot=True) == ["a", None]


def test_what_stands_for_null_is_given_for_it() -> None:
    assert _rendered(["a", None], _plan(Shape.TEXT, null='"d\\"q"')) == ["a", 'd"q']
    assert _rendered(['"', None], _plan(Shape.TEXT, null='"d"')) == ['"', "d"]


def test_value_that_was_left_out_has_its_placeholder() -> None:
    plan = _plan(Shape.TEXT)
    frame = pl.DataFrame({"c": ["a", None, None]})
    texts = rendering.objects(frame, [plan], {"c": pl.Series([False, True, False])}, snapshot=False)
    assert [json.loads(text)["c"] for text in texts] == ["a", "unchanged", None]


@pytest.mark.parametrize("name", ["^a.*$", "*", "", 'q"uote', "back\\slash", "é", "literal", "c0"])
def test_column_of_any_name_is_kept(name: str) -> None:
    assert _rendered(["x"], _plan(Shape.TEXT, name=name)) == ["x"]


def test_row_without_columns_is_an_empty_object() -> None:
    assert rendering.objects(pl.DataFrame({"c": ["a"]}), [], {}, snapshot=False).to_list() == ["{}"]


@given(st.lists(st.none() | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=1))
def test_any_text_survives(values: list[str | None]) -> None:
    assert _rendered(values, _plan(Shape.TEXT)) == values


@given(st.lists(st.floats(), min_size=1))
def test_any_double_survives(values: list[float]) -> None:
    special = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
    texts: list[str | None] = [special.get(repr(value), repr(value).removesuffix(".0")) for value in values]
    expected = [special.get(repr(value), value) for value in values]
    assert _rendered(texts, _plan(Shape.FLOAT8)) == expected


@given(st.lists(st.datetimes(), min_size=1))
def test_any_timestamp_is_what_its_slow_way_makes_of_it(values: list[Any]) -> None:
    texts: list[str | None] = [value.isoformat(" ") for value in values]
    slow = [int(temporal_values.timestamp(str(text), 6)) for text in texts]
    assert _rendered(texts, _plan(Shape.TIMESTAMP)) == slow
