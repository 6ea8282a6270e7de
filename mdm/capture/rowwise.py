"""The mapping of a few rows of a table, value by value, where all about them is ordinary; else NotOrdinary is raised.

To work columns out takes the same millisecond for one row as for a thousand, and a steady market brings few rows of
each of a dozen tables at once. What a value means is said in `stages` and `identities`; here is the short way for what
nearly all values are: printable, typed as declared, of known codes. Anything else is left to the columns, rejects
included, and a test holds both ways to one outcome.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache, partial
from itertools import repeat
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from golden_records import catalogue
from golden_records.catalogue import Item, ItemType
from mdm.capture import parsing
from mdm.capture.frames import FewChanges, Relation
from mdm.capture.sources import ColumnValue, ConstantValue, RecordMapping, Source, SystemValue, TableMapping, Value

MOST = 50
"""How many rows of a table are decoded and mapped one by one; more take longer so than by columns."""

Row = Mapping[str, str | None]
Json = str | bool | int | None
Read = Callable[[Row], Json]
Moment = Callable[[Row], datetime | None]
Text = Callable[[Row], str | None]

_MPAN = Item(name="mpan", type=ItemType.TEXT, definition="", normalisation="upper")
_UNFORMED = frozenset({"mpan", "uprn"})  # whose format is no matter of the mapping
_BOOLEANS = {"t": True, "true": True, "y": True, "f": False, "false": False, "n": False}
_WHOLE = re.compile(r"-?\d{1,9}", re.ASCII)
_UTC_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00", re.ASCII)
_UPRN = re.compile(r"0*([1-9]\d{0,11})", re.ASCII)
_INFINITE = frozenset({"infinity", "-infinity"})


class NotOrdinary(Exception):
    """Something about a row or a table is out of the ordinary: it is mapped by columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRecord:
    """One group of items of one golden record, read from a row."""

    entity: str
    group: str
    items: Mapping[str, Read]
    keys: Callable[[Row, str], tuple[str | None, str | None]]
    begin: Moment
    end: Moment
    point: Text
    address: Callable[[Row, str], tuple[str | None, str | None]] | None
    contract: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTable:
    """A table's records under one definition of the table."""

    name: str
    key: tuple[str, ...]
    records: tuple[RowRecord, ...]


def compile_table(source: Source, table: TableMapping, relation: Relation) -> RowTable | None:
    """Compile a mapping that fits its table's definition; None where the table has what is out of the ordinary."""
    compiler = _Compiler(source=source, types={column.name: column.type_oid for column in relation.columns})
    try:
        records = tuple(compiler.record(record, table) for record in table.records)
    except NotOrdinary:
        return None
    return RowTable(name=f"{relation.schema}.{relation.name}", key=table.key, records=records)


def map_rows(
    table: FewChanges, known: RowTable, numbers: Sequence[int]
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return the changes and the records of a table's rows, as tuples in the order of the mapping's schemas."""
    names = [column.name for column in table.relation.columns]
    changes, records = [], []
    for number, (tx, ordinal, op, _, before_kind, before, after) in zip(numbers, table.rows, strict=True):
        is_deleted = op == "d"
        values = before if is_deleted else after
        if values is None or (before_kind is not None and not is_deleted):
            raise NotOrdinary
        row = dict(zip(names, values, strict=True))
        if all(row[column] is None for column in known.key):
            raise NotOrdinary
        source_key = _source_key(known.name, [row[column] for column in known.key])
        told = {column: row[column] for column in known.key} if is_deleted else row
        changes.append((number, tx, ordinal, known.name, op, source_key, orjson.dumps(told).decode()))
        records += [
            (number, tx, "d", record.entity, record.group, None, None, source_key, None, None, False, *repeat(None, 4))
            if is_deleted
            else (number, tx, "u", record.entity, record.group, *_said(record, row, source_key))
            for record in known.records
        ]
    return changes, records


def _said(record: RowRecord, row: Row, source_key: str) -> tuple[Any, ...]:
    values = orjson.dumps({name: read(row) for name, read in record.items.items()}).decode()
    key, alternative = record.keys(row, source_key)
    address = None if record.address is None else record.address(row, source_key)[0]
    dated = (record.begin(row), record.end(row))
    return (key, alternative, source_key, *dated, False, values, record.point(row), address, record.contract(row))


def _source_key(relation: str, values: Sequence[str | None]) -> str:
    written = [r"\N" if value is None else value for value in values]
    if len(values) > 1:
        written = [value if known is None else _escaped(value) for value, known in zip(written, values, strict=True)]
    return "|".join((relation, *written))


def _escaped(value: str) -> str:
    return re.sub(r"([\\|])", r"\\\1", value) if "|" in value or "\\" in value else value


@dataclass(slots=True, kw_only=True)
class _Compiler:
    """Turns what is declared of one table's columns into functions over its rows."""

    source: Source
    types: Mapping[str, int]

    def record(self, record: RecordMapping, table: TableMapping) -> RowRecord:
        declared = {item.name: item for item in record.declared.items}
        items = {name: self._cell(value, declared[name]) for name, value in record.items.items()}
        if record.effective_from is not None and record.dated_item is not None:
            items.setdefault(record.dated_item, self._day(record.effective_from))
        references = record.references
        point, contract = references.metering_point, references.contract
        parts: list[tuple[Value, Item]] = []
        if contract is not None:
            known = _items("contract")
            parts = [(contract.supplier_mpid, known["supplier_mpid"]), (contract.reference, known["reference"])]
        return RowRecord(
            entity=record.entity,
            group=record.group,
            items={name: items[name] for name in declared if name in items},
            keys=self._keys(record, table),
            begin=self._begin(record.effective_from, day=_start_of_day),
            end=self._begin(record.effective_to, day=_end_of_day),
            point=_nothing if point is None else self._text(point, _MPAN),
            address=self._address(table) if references.address else None,
            contract=_joined([self._text(*part) for part in parts]) if parts else _nothing,
        )

    def _keys(self, record: RecordMapping, table: TableMapping) -> Callable[[Row, str], tuple[str | None, str | None]]:
        if not isinstance(record.identity, dict):
            return self._address(table)
        known = _items(record.entity)
        parts = {part: self._text(value, known[part]) for part, value in record.identity.items()}
        if record.entity == "meter":
            return partial(_meter_keys, parts["meter_id"], parts.get("make", _nothing))
        order = {"contract": ("supplier_mpid", "reference"), "appointment": ("mpan", "role", "appointed_from")}
        named = _joined([parts[part] for part in order.get(record.entity, ("mpan",))])
        return lambda row, _: (named(row), None)

    def _address(self, table: TableMapping) -> Callable[[Row, str], tuple[str | None, str | None]]:
        record = next(record for record in table.records if record.entity == "address")
        known = _items("address")
        values = {name: self._text(value, known[name]) for name, value in record.items.items()}
        lines = [values[f"line_{number}"] for number in range(1, 10) if f"line_{number}" in values]
        return partial(_address_keys, lines, values.get("postcode", _nothing), values.get("uprn", _nothing))

    def _text(self, value: Value, item: Item) -> Text:
        read = self._cell(value, item)
        return lambda row: None if (found := read(row)) is None else str(found)

    def _cell(self, value: Value, item: Item) -> Read:
        if isinstance(value, SystemValue):
            participant = self.source.participant
            return lambda _: participant
        if isinstance(value, ConstantValue):
            constant = _typed(str(value.value), item)
            return lambda _: constant
        if value.map is None:
            return self._column(value.column, item)
        return self._code(value, item)

    def _column(self, column: str, item: Item) -> Read:
        if item.type is ItemType.DATE:
            return self._day(column)
        text = self._present(column)
        return lambda row: None if (present := text(row)) is None else _typed(present, item)

    def _code(self, value: ColumnValue, item: Item) -> Read:
        meanings = {code: _typed(str(meaning), item) for code, meaning in (value.map or {}).items()}
        text = self._present(value.column)

        def read(row: Row) -> Json:
            present = text(row)
            if present is not None and present not in meanings:
                raise NotOrdinary
            return None if present is None else meanings[present]

        return read

    def _present(self, column: str) -> Text:
        if self.types[column] in parsing.NEVER_BLANK:
            return lambda row: row[column]

        def read(row: Row) -> str | None:
            text = row[column]
            if text is None:
                return None
            if not text.isprintable():
                raise NotOrdinary
            return text.strip() or None

        return read

    def _day(self, column: str) -> Text:
        if self.types[column] == parsing.TIMESTAMPTZ:
            zone = self.source.zone
            return lambda row: _day_of_moment(row[column], zone)
        if self.types[column] != parsing.DATE:
            raise NotOrdinary
        return lambda row: None if (day := _read_day(row[column])) is None else day.isoformat()

    def _begin(self, column: str | None, *, day: Callable[[date, str], datetime | None]) -> Moment:
        if column is None:
            return lambda _: None
        if self.types[column] == parsing.TIMESTAMPTZ:
            return lambda row: _read_moment(row[column])
        if self.types[column] != parsing.DATE:
            raise NotOrdinary
        zone = self.source.zone
        return lambda row: None if (found := _read_day(row[column])) is None else day(found, zone)


def _items(entity: str) -> dict[str, Item]:
    return {item.name: item for item in catalogue.load().entity(entity).items}


def _nothing(_: Row) -> None:
    return None


def _joined(parts: Sequence[Text]) -> Text:
    def read(row: Row) -> str | None:
        values = [part(row) for part in parts]
        return None if None in values else "|".join(map(str, values))

    return read


def _meter_keys(serial: Text, make: Text, row: Row, _: str) -> tuple[str | None, str | None]:
    written, maker = serial(row), make(row)
    if written is None:
        return None, None
    known = "".join(_upper(written).split())
    if maker is None:
        return f"{known}|*", None
    return f"{known}|{' '.join(_upper(maker).split())}", f"{known}|*"


def _address_keys(
    lines: Sequence[Text], postcode: Text, uprn: Text, row: Row, source_key: str
) -> tuple[str | None, str | None]:
    written = _upper(" ".join(line for read in lines if (line := read(row)) is not None))
    building = re.sub(r"[^A-Z0-9]+", " ", re.sub(r"['.]", "", written)).strip()
    code, number = postcode(row), uprn(row)
    placed = f"AT:{''.join(_upper(code).split())}|{building}" if building and code is not None else None
    if number is not None and (known := _UPRN.fullmatch(number)):
        return f"UPRN:{known[1]}", placed
    return placed or (f"AT:|{building}|{source_key}" if building else None), None


def _typed(present: str, item: Item) -> Json:
    """Type a value that is there as the catalogue has its item."""
    if item.name == "uprn":
        return present if _is_formed(present, r"\d{1,12}") else None
    if item.type is ItemType.BOOL:
        return _of(_BOOLEANS, present.lower())
    if item.type is ItemType.INT:
        return int(present) if _WHOLE.fullmatch(present) and _is_valid(str(int(present)), item) else _decline()
    if item.type is not ItemType.TEXT:
        raise NotOrdinary
    text = _upper(present) if item.normalisation == "upper" else present
    if item.name not in _UNFORMED and not _is_valid(text, item):
        raise NotOrdinary
    return text


def _is_valid(text: str, item: Item) -> bool:
    return text in item.values if item.values else item.format is None or _is_formed(text, item.format)


@lru_cache(maxsize=20_000)
def _is_formed(text: str, form: str) -> bool:
    return re.fullmatch(form, text, re.ASCII) is not None


def _of(meanings: Mapping[str, bool], present: str) -> bool:
    if present not in meanings:
        raise NotOrdinary
    return meanings[present]


def _decline() -> Json:
    raise NotOrdinary


def _upper(text: str) -> str:
    if not text.isascii():
        raise NotOrdinary
    return text.upper()


@lru_cache(maxsize=20_000)
def _read_day(text: str | None) -> date | None:
    if text is None or text in _INFINITE:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise NotOrdinary from None
    if day.isoformat() != text:
        raise NotOrdinary
    return day


@lru_cache(maxsize=20_000)
def _read_moment(text: str | None) -> datetime | None:
    if text is None or text in _INFINITE:
        return None
    if not _UTC_MOMENT.fullmatch(text):
        raise NotOrdinary
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise NotOrdinary from None


@lru_cache(maxsize=20_000)
def _day_of_moment(text: str | None, zone: str) -> str | None:
    moment = _read_moment(text)
    return None if moment is None else moment.astimezone(ZoneInfo(zone)).date().isoformat()


@lru_cache(maxsize=20_000)
def _start_of_day(day: date, zone: str) -> datetime | None:
    begin = datetime.combine(day, time(), ZoneInfo(zone))
    if begin.astimezone(UTC).astimezone(begin.tzinfo).replace(tzinfo=None) != begin.replace(tzinfo=None):
        raise NotOrdinary  # no clock shows this midnight
    return begin.astimezone(UTC)


def _end_of_day(day: date, zone: str) -> datetime | None:
    return None if day == date.max else _start_of_day(day + timedelta(days=1), zone)
