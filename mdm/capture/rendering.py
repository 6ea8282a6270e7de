"""Whole columns of PostgreSQL's text output as Debezium's JSON: expressions that leave no loop over rows to Python.

Pure. What is rare in a common type (BC, infinity, an exponent) and the rare types go value by value.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import polars as pl

from golden_records import json_text
from mdm.capture import array_values, scalar_values, temporal_values
from mdm.capture.types import ColumnType, Shape

_DATE = "%Y-%m-%d"
_UTC = "+00"
_DECIMAL_WORDS = {"NaN": "NAN", "Infinity": "POSITIVE_INFINITY", "-Infinity": "NEGATIVE_INFINITY"}

Convert = Callable[[str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPlan:
    """How a column becomes JSON: `null` stands for null, `unchanged` for a TOAST value that was left out."""

    name: str
    type: ColumnType
    null: str = "null"
    unchanged: str = "null"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What one look at a column's values has shown."""

    nulls: bool
    escapes: bool
    odd: bool


def unchanged_text(column: ColumnType) -> str | None:
    """Return what stands for an unchanged TOAST value, None where Debezium has no more than null for it."""
    match column.shape:
        case Shape.TEXT | Shape.PLAIN_TEXT | Shape.NUMERIC:
            return f'"{scalar_values.PLACEHOLDER}"'
        case Shape.BYTES:
            return scalar_values.PLACEHOLDER_BYTES
        case Shape.HSTORE if column.declared == "hstore":
            return scalar_values.hstore(f'"{scalar_values.PLACEHOLDER}"=>"{scalar_values.PLACEHOLDER}"')
        case Shape.ARRAY:
            return array_values.UNCHANGED.get(column.declared)
        case _:
            return None


def objects(
    frame: pl.DataFrame, columns: Sequence[ColumnPlan], unchanged: Mapping[str, pl.Series], *, snapshot: bool
) -> pl.Series:
    """Return a JSON object for each row of a frame that has a String column for each plan, and perhaps others."""
    if not columns:
        return pl.repeat("{}", frame.height, eager=True)
    values = pl.DataFrame([frame[plan.name].alias(f"c{index}") for index, plan in enumerate(columns)])
    masks = {index: unchanged[plan.name] for index, plan in enumerate(columns) if plan.name in unchanged}
    values = values.with_columns(mask.alias(f"m{index}") for index, mask in masks.items())
    parts: list[pl.Expr] = []
    literal = "{"
    for index, (plan, seen) in enumerate(zip(columns, _look(values, columns, snapshot=snapshot), strict=True)):
        before, expression, after = _member(pl.col(f"c{index}"), plan, seen, snapshot=snapshot)
        if index in masks:
            kept = pl.concat_str([pl.lit(before), expression, pl.lit(after)])
            before, expression, after = "", pl.when(f"m{index}").then(pl.lit(plan.unchanged)).otherwise(kept), ""
        parts += [pl.lit(f"{literal}{scalar_values.string(plan.name)}:{before}"), expression]
        literal = f"{after},"
    parts.append(pl.lit(literal[:-1] + "}"))
    return values.select(pl.concat_str(parts)).to_series()


def _look(values: pl.DataFrame, columns: Sequence[ColumnPlan], *, snapshot: bool) -> list[_Seen]:
    """Look at every column once, for nulls, for text to be escaped and for values beyond the quick way."""
    asked = [pl.col(f"c{index}").null_count().alias(f"n{index}") for index in range(len(columns))]
    for index, plan in enumerate(columns):
        column = pl.col(f"c{index}")
        if plan.type.shape in {Shape.TEXT, Shape.NAME}:
            asked.append(column.str.contains(json_text.NEEDS_ESCAPE).any().alias(f"e{index}"))
        odd = _odd(column, plan.type, snapshot=snapshot)
        if odd is not None:
            asked.append(odd.any().alias(f"o{index}"))
    found = values.select(asked).row(0, named=True)
    return [
        _Seen(nulls=found[f"n{index}"] > 0, escapes=bool(found.get(f"e{index}")), odd=bool(found.get(f"o{index}")))
        for index in range(len(columns))
    ]


def _odd(column: pl.Expr, type_: ColumnType, *, snapshot: bool) -> pl.Expr | None:
    """Tell which values the quick way of their type cannot convert."""
    match type_.shape:
        case Shape.NUMERIC:
            return _is_word(column)
        case Shape.FLOAT4 | Shape.FLOAT8:
            has_exponent = column.str.contains("e", literal=True)
            return _is_word(column) | has_exponent if type_.shape == Shape.FLOAT4 else _is_word(column)
        case Shape.DATE:
            is_far = column.str.len_bytes() != 10
            missing = column.is_between(pl.lit("1582-10-05"), pl.lit("1582-10-14"))
            return is_far | missing if snapshot else is_far
        case Shape.TIMESTAMP:
            return (column.str.slice(4, 1) != "-") | column.str.ends_with("C")
        case Shape.TIMESTAMP_ZONED:
            return ~((column.str.slice(4, 1) == "-") & column.str.ends_with(_UTC))
        case _:
            return None


def _is_word(column: pl.Expr) -> pl.Expr:
    """Tell NaN, Infinity and -Infinity from numbers; letters sort behind digits."""
    return (column >= "A") | column.str.starts_with("-I")


def _member(raw: pl.Expr, plan: ColumnPlan, seen: _Seen, *, snapshot: bool) -> tuple[str, pl.Expr, str]:
    """Return a member's value as an expression and the literals around it."""
    if plan.type.shape == Shape.NAME and not snapshot:
        return "", pl.when(raw.is_null()).then(pl.lit(plan.null)).otherwise(pl.lit(plan.null)), ""  # one for each row
    if seen.escapes:
        encoded = json_text.escaped(raw)
        return "", pl.when(raw.is_null()).then(pl.lit(plan.null)).otherwise(encoded) if seen.nulls else encoded, ""
    text, is_string = _text(raw, plan.type, seen, snapshot=snapshot)
    if plan.type.shape not in _TOTAL or seen.nulls or seen.odd:
        text = pl.concat_str([pl.lit('"'), text, pl.lit('"')]) if is_string else text
        return "", text.fill_null(pl.lit(plan.null)), ""
    return ('"', text, '"') if is_string else ("", text, "")


_TOTAL = {
    Shape.BOOLEAN, Shape.INTEGER, Shape.FLOAT8, Shape.NUMERIC, Shape.TEXT, Shape.PLAIN_TEXT, Shape.NAME, Shape.BYTES,
    Shape.DATE, Shape.TIME, Shape.TIMESTAMP, Shape.TIMESTAMP_ZONED,
}  # fmt: skip
"""Shapes whose conversion gives null for nothing but null."""


def _text(raw: pl.Expr, type_: ColumnType, seen: _Seen, *, snapshot: bool) -> tuple[pl.Expr, bool]:
    """Return the expression of a value, and whether it stands between quotes."""
    if type_.shape == Shape.INTEGER:
        return raw, False
    if type_.shape in {Shape.TEXT, Shape.PLAIN_TEXT, Shape.NAME}:
        return raw, True
    if type_.shape == Shape.NUMERIC:
        return _numeric(raw, type_, seen), True
    if type_.shape == Shape.BYTES:
        return raw.str.slice(2).str.decode("hex").bin.encode("base64"), True
    return _with_odd(raw, type_, seen, snapshot=snapshot), False


def _numeric(raw: pl.Expr, type_: ColumnType, seen: _Seen) -> pl.Expr:
    words = raw.replace(_DECIMAL_WORDS) if seen.odd else raw
    if type_.scale is None or type_.scale >= 0:
        return words
    # Debezium takes a negative scale for one of eleven bits without a sign.
    digits = pl.concat_str([words, pl.lit("." + "0" * (type_.scale & 0x7FF))])
    return pl.when(_is_word(raw)).then(words).otherwise(digits)


def _boolean(raw: pl.Expr, _: ColumnType) -> pl.Expr:
    return pl.when(raw == "t").then(pl.lit("true")).when(raw == "f").then(pl.lit("false"))


def _float(raw: pl.Expr, _: ColumnType) -> pl.Expr:
    return pl.when(raw.str.contains("[.e]")).then(raw).otherwise(pl.concat_str([raw, pl.lit(".0")]))


def _date(raw: pl.Expr, _: ColumnType) -> pl.Expr:
    return raw.str.to_date(_DATE, strict=False).cast(pl.Int32).cast(pl.String)


def _time(raw: pl.Expr, type_: ColumnType) -> pl.Expr:
    return _counted(_micros_of_day(raw, 0), type_)


def _timestamp(raw: pl.Expr, type_: ColumnType) -> pl.Expr:
    # In parts, which takes half the time of reading it whole.
    days = raw.str.slice(0, 10).str.to_date(_DATE, strict=False).cast(pl.Int64)
    return _counted(days * 86_400_000_000 + _micros_of_day(raw, 11), type_)


def _micros_of_day(raw: pl.Expr, start: int) -> pl.Expr:
    hours, minutes, seconds = (raw.str.slice(start + at, 2).cast(pl.Int64, strict=False) for at in (0, 3, 6))
    micros = raw.str.slice(start + 9).str.pad_end(6, "0").cast(pl.Int64, strict=False)
    return (hours * 3600 + minutes * 60 + seconds) * 1_000_000 + micros


def _counted(micros: pl.Expr, type_: ColumnType) -> pl.Expr:
    return (micros // 1_000 if type_.precision <= 3 else micros).cast(pl.String)


def _timestamp_zoned(raw: pl.Expr, type_: ColumnType) -> pl.Expr:
    parts = [raw.str.slice(0, 10), pl.lit("T"), raw.str.slice(11, 8)]
    if type_.precision:
        fraction = raw.str.slice(19).str.strip_suffix(_UTC).str.strip_prefix(".")
        parts += [pl.lit("."), fraction.str.pad_end(type_.precision, "0")]
    return pl.concat_str([pl.lit('"'), *parts, pl.lit('Z"')])


_QUICK: dict[Shape, Callable[[pl.Expr, ColumnType], pl.Expr]] = {
    Shape.BOOLEAN: _boolean,
    Shape.FLOAT4: _float,
    Shape.FLOAT8: _float,
    Shape.DATE: _date,
    Shape.TIME: _time,
    Shape.TIMESTAMP: _timestamp,
    Shape.TIMESTAMP_ZONED: _timestamp_zoned,
}
"""Shapes that whole columns are converted in; all others go value by value."""


def _with_odd(raw: pl.Expr, type_: ColumnType, seen: _Seen, *, snapshot: bool) -> pl.Expr:
    """Return the quick conversion, with value by value for what it cannot do; by value alone for a rare type."""
    if type_.shape not in _QUICK:
        return _by_value(raw, _converter(type_, snapshot=snapshot))
    quick = _QUICK[type_.shape](raw, type_)
    odd = _odd(raw, type_, snapshot=snapshot)
    if not seen.odd or odd is None:
        return quick
    convert = _converter(type_, snapshot=snapshot)
    return pl.when(odd).then(_by_value(pl.when(odd).then(raw), convert)).otherwise(quick)


def _by_value(raw: pl.Expr, convert: Convert) -> pl.Expr:
    def column(values: pl.Series) -> pl.Series:
        cached = cache(convert)
        converted = [None if text is None else cached(text) for text in values.to_list()]
        return pl.Series(values.name, converted, dtype=pl.String)

    return raw.map_batches(column, return_dtype=pl.String, is_elementwise=True)


def _converter(type_: ColumnType, *, snapshot: bool) -> Convert:
    match type_.shape:
        case Shape.ARRAY if type_.element is not None:
            return array_values.converter(type_.element)
        case Shape.DATE:
            return temporal_values.date_element if snapshot else temporal_values.date
        case Shape.TIMESTAMP:
            return partial(temporal_values.timestamp, precision=type_.precision)
        case Shape.TIMESTAMP_ZONED:
            return partial(temporal_values.timestamp_zoned, precision=type_.precision)
        case Shape.BITS if type_.length == 1:
            return scalar_values.bit
        case _:
            return _CONVERTERS[type_.shape]


_CONVERTERS: dict[Shape, Convert] = {
    Shape.FLOAT4: scalar_values.float4,
    Shape.FLOAT8: scalar_values.float8,
    Shape.MONEY: scalar_values.money,
    Shape.TIME_ZONED: scalar_values.time_zoned,
    Shape.INTERVAL: scalar_values.interval,
    Shape.BITS: scalar_values.bits,
    Shape.POINT: scalar_values.point,
    Shape.GEOMETRY: scalar_values.geometry,
    Shape.HSTORE: scalar_values.hstore,
    Shape.VECTOR: scalar_values.vector,
    Shape.HALF_VECTOR: scalar_values.half_vector,
    Shape.SPARSE_VECTOR: scalar_values.sparse_vector,
}
