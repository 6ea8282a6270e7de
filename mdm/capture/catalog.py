"""What a source's own catalogue says of the tables that a publication has: columns, replica identity, size, partitions.

A table's rows lie in one partition or more; a plain table is its own only partition. Blocks are told where the rows of
a partition can be read by ranges of them.
"""

from collections.abc import Collection
from dataclasses import dataclass

from psycopg.rows import dict_row

from mdm.capture.errors import TableMissing
from mdm.capture.frames import Column, Relation
from mdm.db import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A table that holds rows; `filenode` is the file they lie in, `blocks` None where it cannot be read in ranges."""

    schema: str
    name: str
    filenode: int | None
    blocks: int | None
    rows_per_block: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedTable:
    """A table as the publication publishes it: only these columns, only rows that pass `row_filter`."""

    relation: Relation
    row_filter: str | None
    partitions: tuple[Partition, ...]

    @property
    def name(self) -> str:
        """The table's name as mappings, journal and source keys have it."""
        return f"{self.relation.schema}.{self.relation.name}"


_TABLES = """
select c.oid::bigint as oid, n.nspname as schema, c.relname as name, c.relreplident::text as replica_identity,
       p.attnames::text[] as published, p.rowfilter as row_filter
from pg_publication_tables p
join pg_namespace n on n.nspname = p.schemaname
join pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
where p.pubname = %s
order by n.nspname, c.relname
"""

_COLUMNS = """
select a.attname as name, a.atttypid::bigint as type_oid, a.atttypmod as type_modifier,
       case c.relreplident when 'f' then true when 'n' then false
            else coalesce(a.attnum = any (i.indkey), false) end as is_key
from pg_attribute a
join pg_class c on c.oid = a.attrelid
left join pg_index i on i.indrelid = c.oid
    and case c.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident else false end
where a.attrelid = %s and a.attnum > 0 and not a.attisdropped and a.attname = any (%s)
order by a.attnum
"""

_PARTITIONS = """
select n.nspname as schema, p.relname as name, pg_relation_filenode(p.oid)::bigint as filenode,
       case when am.amname = 'heap'
            then pg_relation_size(p.oid) / current_setting('block_size')::bigint end as blocks,
       case when p.reltuples > 0 and p.relpages > 0 then p.reltuples / p.relpages end as rows_per_block
from (select relid from pg_partition_tree(%(table)s::oid::regclass) where isleaf
      union select %(table)s::oid where not exists (select from pg_partition_tree(%(table)s::oid::regclass))) leaf
join pg_class p on p.oid = leaf.relid
join pg_namespace n on n.oid = p.relnamespace
left join pg_am am on am.oid = p.relam
order by n.nspname, p.relname
"""


def list_tables(connection: Connection, publication: str, names: Collection[str]) -> list[CapturedTable]:
    """Describe the named tables (`schema.table`) of a publication; TableMissing when it has not all of them."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = {f"{row['schema']}.{row['name']}": row for row in cursor.execute(_TABLES, [publication])}
    if missing := sorted(set(names) - set(found)):
        raise TableMissing(
            f"The publication {publication} has no table {', '.join(missing)}. Run at the source: "
            f"alter publication {publication} add table {', '.join(missing)}. Nothing was skipped."
        )
    return [_table(connection, found[name]) for name in sorted(names)]


def filenode(connection: Connection, partition: Partition) -> int | None:
    """Return the file in which a partition's rows lie now; another one means that they were all written anew."""
    row = connection.execute(
        "select pg_relation_filenode(format('%%I.%%I', %s::text, %s::text)::regclass)::bigint",
        [partition.schema, partition.name],
    ).fetchone()
    return None if row is None else row[0]


def _table(connection: Connection, row: dict[str, object]) -> CapturedTable:
    with connection.cursor(row_factory=dict_row) as cursor:
        columns = cursor.execute(_COLUMNS, [row["oid"], row["published"]]).fetchall()
        partitions = cursor.execute(_PARTITIONS, {"table": row["oid"]}).fetchall()
    relation = Relation(
        oid=int(str(row["oid"])),
        schema=str(row["schema"]),
        name=str(row["name"]),
        replica_identity=str(row["replica_identity"]),
        columns=tuple(Column(**column) for column in columns),
    )
    row_filter = None if row["row_filter"] is None else str(row["row_filter"])
    return CapturedTable(
        relation=relation, row_filter=row_filter, partitions=tuple(Partition(**found) for found in partitions)
    )
