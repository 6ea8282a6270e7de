"""What a source's own tables say, as SQL: its mapping written out as a select of records for each group of items.

It gives what capture gives (mdm.capture.stages): blank text is no value, codes are translated, text is in capitals
where the catalogue says so, days are the zone's. A row of which a value could not be typed gives no record.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

import psycopg

from golden_records.catalogue import Group, Item, ItemType
from mdm.capture.sources import ColumnValue, ConstantValue, RecordMapping, Source, SystemValue, Value

Types = Mapping[tuple[str, str], str]
"""The type of each column of each table, domains as what they are made of."""

_TYPES = """
select n.nspname || '.' || c.relname, a.attname, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type t on t.oid = a.atttypid
where n.nspname || '.' || c.relname = any (%s)
"""

_TRUE, _FALSE = "('t', 'true', 'y', 'yes', '1', 'on')", "('f', 'false', 'n', 'no', '0', 'off')"
_SQL_TYPES = {
    ItemType.TEXT: "text",
    ItemType.BOOL: "boolean",
    ItemType.INT: "int",
    ItemType.DATE: "date",
    ItemType.TIMESTAMPTZ: "timestamptz",
    ItemType.GOLDEN_ID: "bigint",
}
_INSTANTS = {"timestamp with time zone", "timestamp without time zone"}
_MPAN = Item(name="mpan", type=ItemType.TEXT, definition="", normalisation="upper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A select of records: record (the source key), item_group, mpan, effective_from, effective_to and the items.

    `items` are those that the source holds; the others of the group are null.
    """

    sql: str
    items: frozenset[str]

    @property
    def in_force(self) -> str:
        """The select of the one record of each point that is in force now."""
        return (
            f"select distinct on (mpan) * from ({self.sql}) s where coalesce(effective_from, '-infinity') <= now()"
            " and coalesce(effective_to, 'infinity') > now() order by mpan, effective_from desc nulls last, record"
        )


def read_types(connection: psycopg.Connection, source: Source) -> Types:
    """Read the types of the columns of a source's mapped tables."""
    rows = connection.execute(_TYPES, [list(source.tables)]).fetchall()
    return {(table, column): kind for table, column, kind in rows}


def of_group(source: Source, types: Types, name: str) -> Said | None:
    """Return what a source says of a group of items; None where it says nothing of it."""
    found = [_Writer(source=source, types=types, table=table, record=record) for table, record in _mapped(source, name)]
    if not found:
        return None
    return Said(
        sql=" union all ".join(writer.select() for writer in found),
        items=frozenset(item for writer in found for item in writer.items()),
    )


def groups(source: Source) -> list[str]:
    """Return the groups of items that a source holds."""
    return sorted({record.group for mapping in source.tables.values() for record in mapping.records})


def _mapped(source: Source, group: str) -> Iterator[tuple[str, RecordMapping]]:
    for table, mapping in source.tables.items():
        yield from ((table, record) for record in mapping.records if record.group == group)


def literal(text: object) -> str:
    """Write a value as a SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """Writes the select of one record of one table."""

    source: Source
    types: Types
    table: str
    record: RecordMapping

    def items(self) -> dict[str, Value]:
        """Return the items that the record holds; the group's own date where it is the effective-from."""
        dated = self.record.dated_item
        begin = {dated: ColumnValue(column=self.record.effective_from)} if dated and self.record.effective_from else {}
        return {**begin, **self.record.items}

    def select(self) -> str:
        declared: Group = self.record.declared
        held = self.items()
        columns = [
            f"{self.typed(held[item.name], item) if item.name in held else f'null::{_sql(item)}'} as {item.name}"
            for item in declared.items
            if item.name != "mpan"
        ]
        faults = [
            fault
            for item in declared.items
            if item.name in held and item.name != "mpan" and (fault := self.fault(held[item.name], item))
        ]
        where = f" where not coalesce({' or '.join(faults)}, false)" if faults else ""
        named = [
            f"{self.source_key()} as record",
            f"{literal(self.record.group)} as item_group",
            f"{self.mpan()} as mpan",
            f"{self.begin()} as effective_from",
            f"{self.end()} as effective_to",
        ]
        schema, _, table = self.table.partition(".")
        return f"select {', '.join([*named, *columns])} from {_quoted(schema)}.{_quoted(table)} t{where}"

    def source_key(self) -> str:
        """Write the source key as capture does; parts of a composite one are escaped."""
        parts = [f"{self.column(name)}::text" for name in self.key()]
        if len(parts) > 1:
            parts = [rf"regexp_replace({part}, '([\\|])', '\\\1', 'g')" for part in parts]
        return " || '|' || ".join([literal(self.table), *(rf"coalesce({part}, '\N')" for part in parts)])

    def key(self) -> tuple[str, ...]:
        return self.source.tables[self.table].key

    def mpan(self) -> str:
        """Write the metering point that the record is of or names."""
        identity = self.record.identity
        value = self.record.references.metering_point
        if value is None and isinstance(identity, dict):
            value = identity.get("mpan")
        return "null::text" if value is None else self.typed(value, _MPAN)

    def typed(self, value: Value, item: Item) -> str:
        """Write a declared value as the catalogue types the item; null where it cannot be."""
        match value:
            case ColumnValue(column=column, map=None):
                return self._of_column(column, item)
            case ColumnValue(column=column, map=codes):
                cases = " ".join(
                    f"when {literal(code)} then {constant(meaning)}" for code, meaning in (codes or {}).items()
                )
                return f"(case {self.text(column)} {cases} end)::{_sql(item)}"
            case ConstantValue(value=said):
                return f"{constant(said)}::{_sql(item)}"
            case SystemValue():
                return "null::text" if self.source.participant is None else f"{literal(self.source.participant)}::text"
            case _:
                assert_never(value)

    def fault(self, value: Value, item: Item) -> str | None:
        """Write whether a value cannot be typed, so that capture rejects the record."""
        if (
            not isinstance(value, ColumnValue)
            or item.name == "uprn"
            or (value.map is None and item.type is ItemType.DATE)
        ):
            return None
        typed, present = self.typed(value, item), f"{self.text(value.column)} is not null"
        if item.values:
            allowed = ", ".join(literal(each) for each in item.values)
            return f"({present} and coalesce({typed} <> all (array[{allowed}]), true))"
        shaped = f" or {typed}::text !~ {literal(item.format)}" if item.format else ""
        return f"({present} and coalesce({typed} is null{shaped}, true))"

    def _of_column(self, column: str, item: Item) -> str:
        text = self.text(column)
        match item.type:
            case ItemType.DATE:
                return self.day(column)
            case ItemType.BOOL:
                return f"(case when lower({text}) in {_TRUE} then true when lower({text}) in {_FALSE} then false end)"
            case ItemType.INT:
                return rf"(case when {text} ~ '^-?[0-9]{{1,9}}(\.0+)?$' then {text}::numeric::int end)"
            case _ if item.name == "uprn":
                return f"(case when {text} ~ '^[0-9]{{1,12}}$' then {text} end)"
            case _:
                return f"upper({text})" if item.normalisation == "upper" else text

    def text(self, column: str) -> str:
        """Write a column as text without blanks around it: nothing left is no value, and true is t, as it is sent."""
        if self.types.get((self.table, column)) == "boolean":
            return f"left({self.column(column)}::text, 1)"
        return f"nullif(btrim({self.column(column)}::text, E' \\t\\n\\r'), '')"

    def day(self, column: str) -> str:
        """Write the local calendar day of a column; an infinite one is no value."""
        name, kind = self.column(column), self.types.get((self.table, column))
        if kind == "timestamp with time zone":
            name = f"({name} at time zone {literal(self.source.zone)})"
        elif kind not in {"date", *_INSTANTS}:
            name = self.text(column)
        return f"nullif(nullif({name}::date, 'infinity'), '-infinity')"

    def begin(self) -> str:
        column = self.record.effective_from
        return "null::timestamptz" if column is None else self._instant(column, after_days=0)

    def end(self) -> str:
        column = self.record.effective_to
        return "null::timestamptz" if column is None else self._instant(column, after_days=1)

    def _instant(self, column: str, *, after_days: int) -> str:
        """Write the instant of a column; of a day its beginning, or that of the day after it."""
        name, kind = self.column(column), self.types.get((self.table, column))
        if kind == "timestamp with time zone":
            return f"nullif(nullif({name}, 'infinity'), '-infinity')"
        zone = literal(self.source.zone)
        if kind == "timestamp without time zone":
            return f"nullif(nullif({name}, 'infinity'), '-infinity') at time zone {zone}"
        return f"({self.day(column)} + {after_days})::timestamp at time zone {zone}"

    def column(self, name: str) -> str:
        return f"t.{_quoted(name)}"


def _sql(item: Item) -> str:
    return _SQL_TYPES[item.type]


def constant(value: object) -> str:
    """Write a constant of a declaration as SQL."""
    return str(value).lower() if isinstance(value, bool) else literal(value)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
