"""The tables that a person names on a command line, found in a source: quoted as in SQL, or plain as they are.

A plain name is taken as it is spelt, or else in lower case, as SQL would take it.
"""
# ruff: noqa: S608 - the SQL in messages is for a person to run

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mdm.capture.errors import TableMissing
from mdm.db import Connection
from mdm.errors import MdmError

_PART = r'(?:"(?:[^"]|"")+"|[^".,]+)'
_NAME = re.compile(rf"\s*({_PART})(?:\.({_PART}))?\s*")
_DEFAULT_SCHEMA = "public"

_FIND = """
select n.nspname, c.relname, c.relkind::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = any (%s) and c.relname = any (%s) and c.relkind in ('r', 'p', 'v', 'm', 'f')
order by array_position(%s::name[], n.nspname), array_position(%s::name[], c.relname)
limit 1
"""

# A partitioned table's changes may come under its partitions' names.
_FAMILY = """
select n.nspname, c.relname
from pg_partition_tree(format('%%I.%%I', %s::text, %s::text)::regclass) member
join pg_class c on c.oid = member.relid
join pg_namespace n on n.oid = c.relnamespace
"""

_OTHER_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}


class TableListUnreadable(MdmError):
    """The list of tables is not a list of names."""


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """A table's schema and name as the catalogue has them."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def parse(text: str) -> list[list[str]]:
    """Split a list such as `public.a,"My Schema"."T.x"` into names of one or two parts, still quoted."""
    names, at = [], 0
    while at <= len(text):
        match = _NAME.match(text, at)
        if match is None or (match.end() < len(text) and text[match.end()] != ","):
            raise TableListUnreadable(
                f"Cannot read the list of tables at character {at + 1}. Name them with their schema, with commas "
                "between, and put quotes around a part that has a dot, a comma or a quote in it: --tables "
                '\'public.a,"My Schema"."b.c"\''
            )
        names.append([part.strip() for part in match.groups() if part is not None])
        at = match.end() + 1
    return names


def find(connection: Connection, names: Sequence[list[str]]) -> list[TableName]:
    """Return the tables of these names, each once and sorted; raises TableMissing for one that cannot be captured."""
    return sorted({_find(connection, parts if len(parts) == 2 else [_DEFAULT_SCHEMA, *parts]) for parts in names})


def family(connection: Connection, table: TableName) -> set[TableName]:
    """Return the table with its partitions, if it has any."""
    members = connection.execute(_FAMILY, [table.schema, table.name]).fetchall()
    return {table} | {TableName(schema, name) for schema, name in members}


def _find(connection: Connection, parts: list[str]) -> TableName:
    schemas, tables = (_spellings(part) for part in parts)
    found = connection.execute(_FIND, [schemas, tables, schemas, tables]).fetchone()
    if found is None:
        raise TableMissing(
            f"There is no table {schemas[0]}.{tables[0]} in the source, or the role may not see it. List what there "
            "is: select schemaname, tablename from pg_tables order by 1, 2"
        )
    schema, name, kind = found
    if kind in _OTHER_KINDS:
        raise TableMissing(
            f"{schema}.{name} is {_OTHER_KINDS[kind]}: PostgreSQL captures the changes of tables alone. Name the "
            "tables beneath it."
        )
    return TableName(schema, name)


def _spellings(part: str) -> list[str]:
    if part.startswith('"'):
        return [part[1:-1].replace('""', '"')]
    return [part, part.lower()]
