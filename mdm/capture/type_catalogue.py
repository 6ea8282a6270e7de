"""What the stream does not say of a source's types and tables, asked of its catalogue: domains, enums, elements, keys.

The answers are those of now, not of the moment of a change; Debezium asks in the same way.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg.rows import class_row

from mdm.capture import defaults
from mdm.capture.change_rows import TablePlan
from mdm.capture.frames import Column, Relation
from mdm.capture.rendering import ColumnPlan, unchanged_text
from mdm.capture.types import ColumnType, Shape, TypeFacts, Types
from mdm.db import Connection

_TYPES = """
select oid::bigint as oid, typname as name, typtype::text as kind, typcategory::text as category,
       typbasetype::bigint as base_oid, typtypmod as base_modifier, typelem::bigint as element_oid
from pg_type
"""

_COLUMNS = """
select a.attname, a.attnotnull or (t.typtype = 'd' and t.typnotnull), pg_get_expr(d.adbin, d.adrelid)
from pg_attribute a
join pg_type t on t.oid = a.atttypid
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum and a.attgenerated = ''
where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
"""

# The primary key, else the first unique index as the JDBC driver lists them; an index on an expression does not count.
_KEY = """
select array(select a.attname::text from unnest(i.indkey[0:i.indnkeyatts - 1]) with ordinality k (number, place)
             join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number order by k.place)
from pg_index i
join pg_class c on c.oid = i.indexrelid
where i.indrelid = %s and i.indisunique and not 0 = any (i.indkey[0:i.indnkeyatts - 1])
order by i.indisprimary desc, not i.indisclustered, c.relname
limit 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """What a source's catalogue says of a table: columns that take no null, their default expressions, the key."""

    not_null: frozenset[str]
    defaults: Mapping[str, str]
    key: tuple[str, ...]


class TypeCatalogue:
    """The plans of a source's relations; it asks the source anew whenever the source describes a relation anew."""

    __slots__ = ("_connection", "_plans", "_types")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._types = read_types(connection)
        self._plans: dict[int, tuple[Relation, TablePlan]] = {}

    def plan(self, relation: Relation) -> TablePlan:
        """Return how a relation's rows become JSON."""
        known, found = self._plans.get(relation.oid, (None, None))
        # A relation that is told again, equal or not, may have other defaults and null constraints than before.
        if found is None or known is not relation:
            if any(self._types.resolve(column.type_oid, -1) is None for column in relation.columns):
                self._types = read_types(self._connection)
            found = plan(relation, self._types, read_table(self._connection, relation.oid))
            self._plans[relation.oid] = (relation, found)
        return found


def plan(relation: Relation, types: Types, facts: TableFacts) -> TablePlan:
    """Return how a relation's rows become JSON; a column of a type that is unknown is left out."""
    kept = {}
    for column in relation.columns:
        type_ = types.resolve(column.type_oid, column.type_modifier)
        if type_ is not None and type_.shape != Shape.OMITTED:
            kept[column.name] = _column_plan(column, type_, facts)
    key = tuple(kept[name] for name in facts.key if name in kept)
    return TablePlan(columns=tuple(kept.values()), key=key)


def _column_plan(column: Column, type_: ColumnType, facts: TableFacts) -> ColumnPlan:
    not_null, default = column.name in facts.not_null, facts.defaults.get(column.name)
    null = defaults.null_text(type_, not_null=not_null, default=default)
    return ColumnPlan(name=column.name, type=type_, null=null, unchanged=unchanged_text(type_) or null)


def read_types(connection: Connection) -> Types:
    """Read all types of the source's database."""
    with connection.cursor(row_factory=class_row(TypeFacts)) as cursor:
        return Types(cursor.execute(_TYPES).fetchall())


def read_table(connection: Connection, oid: int) -> TableFacts:
    """Read the facts of a table; those of one that is gone are empty."""
    columns = connection.execute(_COLUMNS, [oid]).fetchall()
    key = connection.execute(_KEY, [oid]).fetchone()
    return TableFacts(
        not_null=frozenset(name for name, not_null, _ in columns if not_null),
        defaults={name: default for name, _, default in columns if default is not None},
        key=() if key is None else tuple(key[0]),
    )
