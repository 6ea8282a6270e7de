"""Rows that are mapped one by one come out as those mapped by columns: on every table that ships as declared."""

import json
from typing import Any
from unittest import mock

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from golden_records.catalogue import ItemType
from mdm import settings
from mdm.batches import MappedBatch
from mdm.capture import compiled, rowwise, sources
from mdm.capture.frames import Batch, Relation
from mdm.capture.mapping import Mapper
from mdm.capture.sources import ColumnValue, Source, TableMapping
from tests.unit.capture.factories import (
    DATE,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    batch,
    by_row,
    change,
    relation,
    table_changes,
)

DECLARED = [*sources.load_all(settings.load().source_files()).values()]
TABLES = [(source, name) for source in DECLARED for name in source.tables]
DAYS = ["2024-01-10", "2024-03-31", "2024-10-27", "9999-12-31", "0001-01-01", "infinity", "-infinity", "10000-01-01"]
MOMENTS = ["2024-01-10 12:00:00+00", "2024-07-01 00:30:00.25+00", "2024-01-10 12:00:00+01", "2024-01-10 12:00:00"]
TEXTS = [
    "1012345678905",
    "10 123",
    "EELC",
    "eelc",
    "E",
    "I",
    "S",
    "W",
    "Y",
    "t",
    "12",
    "-3",
    "4.0",
    "01",
    "MSS",
    "LIVE",
]
PLACES = ["1 High St", "Flat 2, St. John's", "CF10 1AA", "cf101aa", "Tŷ Gwyn", "000123", "A|B", "A\\B", "X" * 41]
ODD = ["", " ", " x ", "a\u00a0b", "straße", "UNKNOWN", "\x1f", "²", "2024-1-1", "20240110", "44 BC"]
ANY = st.sampled_from([None, *DAYS, *MOMENTS, *TEXTS, *PLACES, *ODD]) | st.text(
    alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8
)


def dated(table: TableMapping) -> set[str]:
    """Return the columns that hold days."""
    days = {column for record in table.records for column in (record.effective_from, record.effective_to) if column}
    for record in table.records:
        types = {item.name: item.type for item in record.declared.items}
        days |= {
            value.column
            for name, value in record.items.items()
            if isinstance(value, ColumnValue) and types[name] is ItemType.DATE
        }
    return days


def codes(table: TableMapping, column: str) -> list[str]:
    values = [value for record in table.records for value in record.items.values() if isinstance(value, ColumnValue)]
    return [code for value in values if value.column == column for code in value.map or {}]


@st.composite
def rows(draw: st.DrawFn, table: TableMapping, columns: dict[str, int]) -> list[dict[str, Any]]:
    """Draw changes whose values are mostly what the column should hold."""
    fitting = {
        name: st.sampled_from(DAYS if oid == DATE else MOMENTS if oid in {TIMESTAMP, TIMESTAMPTZ} else TEXTS + PLACES)
        | st.sampled_from(codes(table, name) or TEXTS)
        for name, oid in columns.items()
    }
    ordinary = st.fixed_dictionaries(fitting)
    drawn = st.fixed_dictionaries({name: values | ANY for name, values in fitting.items()})
    changes = []
    for row in draw(st.lists(ordinary | drawn, min_size=1, max_size=4)):
        is_deleted = draw(st.booleans())
        key = {name: row[name] for name in table.key}
        changes.append(change("d", before=key) if is_deleted else change("c", row))
    return changes


@st.composite
def cases(draw: st.DrawFn) -> tuple[Source, Relation, list[dict[str, Any]]]:
    """Draw a declared table, types for the columns that date its records, and changes."""
    source, name = draw(st.sampled_from(TABLES))
    table = source.tables[name]
    named = sorted(compiled.columns_of(table))
    types = st.sampled_from([DATE, DATE, DATE, TIMESTAMP, TIMESTAMPTZ, TEXT])
    columns = {column: draw(types) if column in dated(table) else TEXT for column in named}
    return source, relation(name.removeprefix("public."), columns, key=table.key), draw(rows(table, columns))


def mapped(source: Source, changed: Batch) -> MappedBatch:
    return Mapper(source=source, source_id=7).map(changed)


def comparable(frame: pl.DataFrame) -> list[dict[str, Any]]:
    written = {"item_values", "payload"} & set(frame.columns)
    told = [{**row, **{name: parsed(row[name]) for name in written}} for row in frame.iter_rows(named=True)]
    return sorted(told, key=repr)


def parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)


@hypothesis_settings(max_examples=600, deadline=None)
@given(cases())
def test_few_rows_come_out_as_by_columns(case: tuple[Source, Relation, list[dict[str, Any]]]) -> None:
    source, of, changes = case
    table = table_changes(of, changes)
    one_by_one, by_columns = mapped(source, batch(few=(by_row(table),))), mapped(source, batch(table))
    for name in ("changes", "records", "rejects"):
        assert comparable(getattr(one_by_one, name)) == comparable(getattr(by_columns, name))
    assert one_by_one.records.schema == by_columns.records.schema


@pytest.mark.parametrize(("source", "name"), TABLES, ids=[f"{source.source}-{name}" for source, name in TABLES])
def test_every_declared_table_has_ordinary_rows(source: Source, name: str) -> None:
    table = source.tables[name]
    columns = {column: DATE if column in dated(table) else TEXT for column in sorted(compiled.columns_of(table))}
    known = rowwise.compile_table(source, table, relation(name.removeprefix("public."), columns, key=table.key))
    assert known is not None


def test_ordinary_rows_are_mapped_without_the_columns() -> None:
    source = next(source for source in DECLARED if source.kind == "SMRS")
    name = "public.market_segment"
    table = source.tables[name]
    columns = {column: DATE if column in dated(table) else TEXT for column in sorted(compiled.columns_of(table))}
    row = {column: "2024-01-10" if oid == DATE else None for column, oid in columns.items()} | {"mpan": "1012345678905"}
    with mock.patch.object(compiled, "json_object", side_effect=AssertionError("mapped by columns")):
        changes = by_row(
            table_changes(relation(name.removeprefix("public."), columns, key=table.key), [change("c", row)])
        )
        known = rowwise.compile_table(source, table, changes.relation)
        assert known is not None
        assert len(rowwise.map_rows(changes, known, [1])[0]) == 1
