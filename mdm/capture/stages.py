"""The columns that a table's records share, each worked out once, in stages: a stage reads the ones before it.

Text is stage 1, typed values stage 2, instants and failures stage 3. A column asked for twice is the same column.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

import polars as pl

from golden_records.catalogue import Item, ItemType
from mdm.capture import parsing
from mdm.capture.frames import Relation
from mdm.capture.sources import ColumnValue, ConstantValue, SystemValue, Value

EXPECTED: Mapping[ItemType, str] = {
    ItemType.TEXT: "text",
    ItemType.BOOL: "true or false",
    ItemType.INT: "a whole number",
    ItemType.DATE: "a date",
    ItemType.TIMESTAMPTZ: "a time with time zone",
    ItemType.GOLDEN_ID: "a reference",
}


_RULED = frozenset({"mpan"})  # a rule of its own holds its record back, and names the fault by its code
_LENGTH = re.compile(r"\^\.\{1,(\d+)\}\$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A column whose text may not be what is expected; `flag` is the shared column that tells the rows."""

    flag: str
    column: str
    expected: str

    @property
    def reason(self) -> str:
        """Say what could not be typed, without the value."""
        return f"column {self.column}: not {self.expected}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Expectation:
    column: str
    expected: str
    may_be_infinite: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A typed value: the shared column that holds it, and the fault where it may fail."""

    value: pl.Expr
    fault: Fault | None


@dataclass(slots=True, kw_only=True)
class Stages:
    """Collects the shared columns of one table; `steps` are applied to its rows one after the other."""

    relation: Relation
    participant: str | None
    zone: str
    steps: tuple[dict[str, pl.Expr], dict[str, pl.Expr], dict[str, pl.Expr]] = field(
        default_factory=lambda: ({}, {}, {})
    )

    def cell(self, value: Value, item: Item) -> Cell:
        """Return the shared column that holds a declared value as the catalogue types the item."""
        match value:
            case ColumnValue(column=column, map=None):
                return self._of_column(column, item)
            case ColumnValue(column=column, map=codes):
                return self._of_codes(column, codes or {}, item)
            case ConstantValue(value=constant):
                return Cell(value=_typed(pl.lit(str(constant)), item), fault=None)
            case SystemValue():
                return Cell(value=pl.lit(self.participant, dtype=pl.String), fault=None)
            case _:
                assert_never(value)

    def day(self, column: str) -> Cell:
        """Return the local calendar day that a column holds."""
        present = self._text(column)
        day = parsing.day(present, type_oid=self._type(column), zone=self.zone)
        expectation = _Expectation(column=column, expected="a date", may_be_infinite=True)
        return self._checked(f"day:{column}", present, day, expectation)

    def begin(self, column: str) -> Cell:
        """Return the UTC instant at which what a column dates begins."""
        if self._is_instant(column):
            return self._instant(column)
        day = self.day(column)
        begin = parsing.start_of_day(day.value, zone=self.zone)
        return Cell(value=self._share(2, f"begin:{column}", begin), fault=day.fault)

    def end(self, column: str) -> Cell:
        """Return the UTC instant from which what a column dates no longer holds; null where its end is open."""
        if self._is_instant(column):
            return self._instant(column)
        day = self.day(column)
        end = parsing.end_of_day(day.value, zone=self.zone)
        return Cell(value=self._share(2, f"end:{column}", end), fault=day.fault)

    def key_fault(self, columns: Sequence[str]) -> Fault:
        """Return the fault of a row that has nothing in the columns that tell it from others."""
        self._share(2, "failed:key", pl.all_horizontal(pl.col(column).is_null() for column in columns))
        return Fault(flag="mdm:failed:key", column=", ".join(columns), expected="given, though it tells the rows apart")

    def key(self, name: str, expression: pl.Expr) -> pl.Expr:
        """Share a key that is worked out from typed values."""
        return self._share(2, f"key:{name}", expression)

    def _of_column(self, column: str, item: Item) -> Cell:
        if item.type is ItemType.DATE:
            return self.day(column)
        present = self._text(column)
        if item.name == "uprn":  # what stands there for want of one is no UPRN, and no reason to lose the address
            return Cell(value=self._share(1, f"uprn:{column}", _only_digits(present)), fault=None)
        if item.name not in _RULED and (item.values or item.format):
            typed = _typed(present, item)
            valid = pl.when(_has_format(typed, item)).then(typed)
            expectation = _Expectation(column=column, expected=f"of the format of {item.name}")
            return self._checked(f"format:{item.name}:{column}", present, valid, expectation)
        if item.type in {ItemType.TEXT, ItemType.GOLDEN_ID}:
            is_plain = item.normalisation != "upper"
            return Cell(
                value=present if is_plain else self._share(1, f"upper:{column}", _typed(present, item)), fault=None
            )
        expectation = _Expectation(column=column, expected=EXPECTED[item.type])
        return self._checked(f"{item.type}:{column}", present, _typed(present, item), expectation)

    def _of_codes(self, column: str, codes: Mapping[str, str | bool | int], item: Item) -> Cell:
        present = self._text(column)
        meanings = [str(meaning) for meaning in codes.values()]
        text = present.replace_strict(list(codes), meanings, default=None, return_dtype=pl.String)
        name = f"code:{item.name}:{column}:{'|'.join(f'{code}={meaning}' for code, meaning in codes.items())}"
        return self._checked(name, present, _typed(text, item), _Expectation(column=column, expected="a known code"))

    def _instant(self, column: str) -> Cell:
        present = self._text(column)
        of_zone = self._type(column) == parsing.TIMESTAMPTZ
        instant = parsing.moment(present) if of_zone else parsing.local_moment(present, zone=self.zone)
        expectation = _Expectation(column=column, expected="a time", may_be_infinite=True)
        return self._checked(f"instant:{column}", present, instant, expectation)

    def _checked(self, name: str, present: pl.Expr, typed: pl.Expr, expectation: _Expectation) -> Cell:
        value = self._share(1, name, typed)
        failed = present.is_not_null() & value.is_null()
        if expectation.may_be_infinite:
            failed &= ~parsing.is_infinite(present)
        self._share(2, f"failed:{name}", failed)
        fault = Fault(flag=f"mdm:failed:{name}", column=expectation.column, expected=expectation.expected)
        return Cell(value=value, fault=fault)

    def _text(self, column: str) -> pl.Expr:
        if self._type(column) in parsing.NEVER_BLANK:
            return pl.col(column)
        return self._share(0, f"text:{column}", parsing.blank_is_null(pl.col(column)))

    def _share(self, step: int, name: str, expression: pl.Expr) -> pl.Expr:
        self.steps[step].setdefault(f"mdm:{name}", expression.alias(f"mdm:{name}"))
        return pl.col(f"mdm:{name}")

    def _type(self, column: str) -> int:
        return next(known.type_oid for known in self.relation.columns if known.name == column)

    def _is_instant(self, column: str) -> bool:
        return self._type(column) in {parsing.TIMESTAMP, parsing.TIMESTAMPTZ}


def _only_digits(present: pl.Expr) -> pl.Expr:
    return pl.when(present.str.contains(r"^\d{1,12}$")).then(present)


def _has_format(typed: pl.Expr, item: Item) -> pl.Expr:
    """Tell whether a value is one that the catalogue allows; a mere length is counted, which is cheaper."""
    if item.values:
        return typed.is_in(item.values)
    if length := _LENGTH.fullmatch(item.format or ""):
        return typed.str.len_chars() <= int(length[1])
    written = typed.cast(pl.String) if item.type is ItemType.INT else typed
    return written.str.contains(item.format or "")


def _typed(present: pl.Expr, item: Item) -> pl.Expr:
    match item.type:
        case ItemType.TEXT | ItemType.GOLDEN_ID:
            return present.str.to_uppercase() if item.normalisation == "upper" else present
        case ItemType.BOOL:
            return parsing.boolean(present)
        case ItemType.INT:
            return parsing.whole_number(present)
        case ItemType.DATE:
            return parsing.day(present, type_oid=parsing.DATE, zone="UTC")
        case ItemType.TIMESTAMPTZ:
            return parsing.json_moment(parsing.moment(present))
        case _:
            assert_never(item.type)
