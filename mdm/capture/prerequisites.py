"""What a source must allow before it can be captured: each thing that is missing, with the SQL that mends it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row

from mdm.capture import refusals
from mdm.capture.errors import (
    CaptureError,
    PublicationIncomplete,
    ReplicaIdentityMissing,
    TableForbidden,
    TableMissing,
)
from mdm.capture.refusals import Request, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    """A table as the source's catalogue shows it; `usable_index` could be its replica identity."""

    schema: str
    name: str
    kind: str | None
    replica_identity: str | None
    has_key: bool
    has_identity_index: bool
    usable_index: str | None
    may_read: bool | None
    is_published: bool

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def quoted(self) -> str:
        """Its name as SQL takes it."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def tells_rows_apart(self) -> bool:
        """Tell whether its updates and deletes say which row they mean."""
        match self.replica_identity:
            case "d":
                return self.has_key
            case "i":
                return self.has_identity_index
            case _:
                return self.replica_identity == "f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A publication of the source."""

    name: str
    is_complete: bool
    via_root: bool


def list_problems(
    connection: psycopg.Connection[Any], request: Request, relations: Sequence[str]
) -> list[CaptureError]:
    """Return everything that keeps these tables ('schema.name') from being captured, the gravest first."""
    tables = list_tables(connection, request, relations)
    return [
        *_server_problems(connection),
        *(problem for table in tables for problem in _table_problems(table)),
        *_publication_problems(connection, request, tables),
    ]


def list_tables(connection: psycopg.Connection[Any], request: Request, relations: Sequence[str]) -> list[SourceTable]:
    """Look the tables up in the source's catalogue, in the given order."""
    schemas, names = zip(*(relation.split(".", 1) for relation in relations), strict=True) if relations else ((), ())
    with connection.cursor(row_factory=class_row(SourceTable)) as cursor:
        return cursor.execute(_TABLES, [list(request.publications), list(schemas), list(names)]).fetchall()


def ensure_publication(connection: psycopg.Connection[Any], request: Request, relations: Sequence[str]) -> list[str]:
    """Make the request's only publication, or add what it leaves out; return the SQL that was run.

    Raises CaptureError for a table that cannot be published safely: the source would refuse its updates from then on.
    """
    tables = list_tables(connection, request, relations)
    for table in tables:
        for problem in _table_problems(table):
            raise problem
    commands = list(_publishing(connection, request, tables))
    for command in commands:
        connection.execute(command.encode())
    return commands


def _publishing(connection: psycopg.Connection[Any], request: Request, tables: Sequence[SourceTable]) -> Iterator[str]:
    (name,) = request.publications
    missing = ", ".join(table.quoted for table in tables if not table.is_published)
    if not _publications(connection, request):
        yield f"create publication {quoted(name)} for table {missing} with (publish_via_partition_root = true)"
    elif missing:
        yield f"alter publication {quoted(name)} add table {missing}"


def _server_problems(connection: psycopg.Connection[Any]) -> Iterator[CaptureError]:
    ((level, role, may_replicate),) = connection.execute(_SERVER).fetchall()
    if level != "logical":
        yield refusals.wal_level_too_low(level)
    if not may_replicate:
        yield refusals.replication_forbidden(role)


def _table_problems(table: SourceTable) -> Iterator[CaptureError]:
    if table.kind is None:
        yield TableMissing(
            f"The table {table} does not exist in the source, or the role may not see it. Correct the source's "
            f"declaration, or run there: grant usage on schema {quoted(table.schema)} to <role>"
        )
        return
    if not table.tells_rows_apart:
        yield ReplicaIdentityMissing(
            f"The table {table} has no replica identity: its updates and deletes do not tell which row they mean. Run "
            f"on the source: {_identity_remedy(table)}"
        )
    if not table.may_read:
        yield TableForbidden(
            f"The role may not read the table {table}, so it cannot be loaded. Run on the source: grant select on "
            f"{table.quoted} to <role>"
        )


def _identity_remedy(table: SourceTable) -> str:
    if table.has_key:
        return f"alter table {table.quoted} replica identity default"
    if table.usable_index is not None:
        return f"alter table {table.quoted} replica identity using index {quoted(table.usable_index)}"
    return (
        f"alter table {table.quoted} replica identity full; or, better, give it a primary key: alter table "
        f"{table.quoted} add primary key (<columns>)"
    )


def _publication_problems(
    connection: psycopg.Connection[Any], request: Request, tables: Sequence[SourceTable]
) -> Iterator[CaptureError]:
    publications = _publications(connection, request)
    if len(publications) < len(set(request.publications)):
        yield refusals.publication_missing(request)
        return
    missing = ", ".join(table.quoted for table in tables if table.kind and not table.is_published)
    if missing:
        name = quoted(request.publications[0])
        yield _incomplete(f"leaves out captured tables; run alter publication {name} add table {missing}", request)
    for publication in publications:
        yield from _settings_problems(publication, request, tables)


def _settings_problems(
    publication: Publication, request: Request, tables: Sequence[SourceTable]
) -> Iterator[CaptureError]:
    change = f"run alter publication {quoted(publication.name)} set"
    if not publication.is_complete:
        yield _incomplete(
            f"leaves out kinds of change; {change} (publish = 'insert, update, delete, truncate')", request
        )
    if not publication.via_root and any(table.kind == "p" for table in tables):
        yield _incomplete(f"names a table's partitions instead of it; {change} (publish_via_partition_root)", request)


def _incomplete(problem: str, request: Request) -> PublicationIncomplete:
    return PublicationIncomplete(
        f"The publication of the source {request.source} {problem}. Then run 'mdm source reload {request.source}' if "
        "the table was captured before: what changed meanwhile is not in the slot."
    )


def _publications(connection: psycopg.Connection[Any], request: Request) -> list[Publication]:
    with connection.cursor(row_factory=class_row(Publication)) as cursor:
        return cursor.execute(_PUBLICATIONS, [list(request.publications)]).fetchall()


_SERVER = """
select current_setting('wal_level'), current_user, rolsuper or rolreplication
    or exists (select from pg_roles managed where managed.rolname in ('rds_replication', 'cloudsqlsuperuser')
               and pg_has_role(current_user, managed.oid, 'member'))
from pg_roles where rolname = current_user
"""

_PUBLICATIONS = """
select pubname as name, pubinsert and pubupdate and pubdelete and pubtruncate as is_complete, pubviaroot as via_root
from pg_publication where pubname = any(%s)
"""

_TABLES = """
with published as (
    select distinct schemaname, tablename from pg_publication_tables where pubname = any(%s)
)
select asked.schema, asked.name, class.relkind::text as kind, class.relreplident::text as replica_identity,
    exists (select from pg_index where indrelid = class.oid and indisprimary and indimmediate) as has_key,
    exists (select from pg_index where indrelid = class.oid and indisreplident) as has_identity_index,
    (select indexed.relname from pg_index
     join pg_class indexed on indexed.oid = indexrelid
     where indrelid = class.oid and indisunique and indimmediate and indisvalid and indpred is null
         and 0 <> all (indkey::int2[])
         and not exists (select from pg_attribute
                         where attrelid = class.oid and attnum = any (indkey::int2[]) and not attnotnull)
     order by indexed.relname limit 1) as usable_index,
    has_table_privilege(class.oid, 'select') and has_schema_privilege(class.relnamespace, 'usage') as may_read,
    published.tablename is not null as is_published
from unnest(%s::text[], %s::text[]) with ordinality as asked (schema, name, place)
left join pg_namespace namespace on namespace.nspname = asked.schema
left join pg_class class on class.relnamespace = namespace.oid and class.relname = asked.name
    and class.relkind in ('r', 'p')
left join published on published.schemaname = asked.schema and published.tablename = asked.name
order by asked.place
"""
