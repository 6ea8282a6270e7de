"""A source tapped for a while: publications and a slot of our own that are gone afterwards, or named ones that stay.

A temporary slot ends with its connection, also when the process is killed. Temporary publications are dropped at the
end; those of a killed process are dropped by the next one, which tells them by a lock that nobody holds any more.
"""

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql

from mdm.capture import prerequisites, refusals, slots
from mdm.capture.errors import (
    CaptureError,
    PublicationIncomplete,
    PublicationMissing,
    ReplicaIdentityMissing,
    SlotActive,
    SlotLost,
    SlotUnusable,
)
from mdm.capture.lsn import Lsn
from mdm.capture.refusals import Refusal, Request, quoted
from mdm.capture.slots import Slot
from mdm.capture.table_names import TableName
from mdm.db import Connection

_PREFIX = "mdm_print_"
_TEMPORARY = re.compile(rf"{_PREFIX}([0-9a-f]{{1,15}})(_inserts)?")

_PUBLISHED = """
select schemaname::text, tablename::text from pg_publication_tables where pubname = any (%s) order by 1, 2
"""


class PublicationForbidden(CaptureError):
    """The role may not publish the tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tapped:
    """Where the stream begins, and the snapshot that ends there, if one was asked for."""

    at: Lsn
    snapshot: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Publications:
    """Publications that have the tables; `notes` is what a person should know of them."""

    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def verify_server(control: Connection, source: str) -> None:
    """Raise what keeps the server from sending changes at all."""
    for problem in prerequisites.list_problems(control, Request(source=source, slot="", publications=()), []):
        raise problem


def list_published(control: Connection, publications: Sequence[str]) -> list[TableName]:
    """Return the tables of publications, under the names by which their changes come."""
    return [TableName(*row) for row in control.execute(_PUBLISHED, [list(publications)])]


@contextmanager
def temporary_publications(control: Connection, tables: Sequence[TableName], source: str) -> Iterator[Publications]:
    """Publish the tables until the end of the block.

    A table whose updates do not tell which row they mean is published with its inserts alone: PostgreSQL would refuse
    its updates and deletes to everybody as long as they are published.
    """
    _drop_abandoned(control)
    key = secrets.randbits(59)
    control.execute("select pg_advisory_lock(%s)", [key])
    request = Request(source=source, slot="", publications=(f"{_PREFIX}{key:x}",))
    found = prerequisites.list_tables(control, request, [str(table) for table in tables])
    whole = [table for table, known in zip(tables, found, strict=True) if known.tells_rows_apart]
    inserts = [table for table in tables if table not in whole]
    wanted = {f"{_PREFIX}{key:x}": (whole, ""), f"{_PREFIX}{key:x}_inserts": (inserts, "publish = 'insert', ")}
    wanted = {name: listed for name, listed in wanted.items() if listed[0]}
    try:
        for name, (listed, options) in wanted.items():
            _create(control, name, listed, options)
        yield Publications(names=tuple(wanted), notes=tuple(map(_inserts_alone, inserts)))
    finally:
        with suppress(psycopg.OperationalError):  # a lost connection leaves them to the next process
            for name in wanted:
                _drop(control, name)
            control.execute("select pg_advisory_unlock(%s)", [key])


def named_publication(control: Connection, name: str, tables: Sequence[TableName]) -> Publications:
    """Use a publication, which is made if it is missing, and stays; it must have the tables."""
    known = control.execute("select from pg_publication where pubname = %s", [name]).rowcount
    if not known and not tables:
        raise PublicationMissing(
            f"There is no publication {name} in the source. Name the tables too, with --tables, and it is made."
        )
    if not known:
        _verify_identities(control, tables, name)
        _create(control, name, tables, "")
        return Publications(names=(name,), notes=(f"Made the publication {name}; it stays.",))
    published = set(list_published(control, [name]))
    missing = [table for table in tables if table not in published]
    if missing and not published.intersection(_children(control, missing)):
        listed = ", ".join(f"{quoted(table.schema)}.{quoted(table.name)}" for table in missing)
        raise PublicationIncomplete(
            f"The publication {name} leaves out {', '.join(map(str, missing))}. Run at the source: alter publication "
            f"{quoted(name)} add table {listed}"
        )
    return Publications(names=(name,))


def begin(control: Connection, connection: Connection, request: Request, *, temporary: bool, snapshot: bool) -> Tapped:
    """Make or find the slot, from which `connection` is to stream; it must stay idle until the snapshot is imported.

    A slot that is missing is made, and stays unless it is temporary.
    """
    if temporary:
        return _temporary_slot(connection, request, snapshot=snapshot)
    slot = slots.find(control, request.slot)
    if slot is None:
        made = slots.create(connection, request)
        return Tapped(at=made.consistent_point, snapshot=made.snapshot if snapshot else None)
    return Tapped(at=_verified(slot, control.info.dbname), snapshot=None)


def begin_beside(connection: Connection, source: str) -> Tapped:
    """Take a snapshot with a temporary slot, for a slot that exists already: it begins where the snapshot ends."""
    name = f"{_PREFIX}{secrets.token_hex(6)}"
    return _temporary_slot(connection, Request(source=source, slot=name, publications=()), snapshot=True)


def temporary_name() -> str:
    """Return a name for a temporary slot."""
    return f"{_PREFIX}{secrets.token_hex(6)}"


def _temporary_slot(connection: Connection, request: Request, *, snapshot: bool) -> Tapped:
    if connection.info.server_version >= 150000:
        form = "(SNAPSHOT 'export')" if snapshot else "(SNAPSHOT 'nothing')"
    else:
        form = "EXPORT_SNAPSHOT" if snapshot else "NOEXPORT_SNAPSHOT"
    command = f"CREATE_REPLICATION_SLOT {quoted(request.slot)} TEMPORARY LOGICAL pgoutput {form}"
    try:
        [(_, at, exported, _)] = connection.execute(command.encode()).fetchall()
    except psycopg.Error as error:
        raise refusals.error(Refusal.of_diagnostic(error.diag), request) from error
    return Tapped(at=Lsn.parse(at), snapshot=exported)


def _verified(slot: Slot, database: str) -> Lsn:
    """Return where a slot goes on; raise what keeps it from doing so."""
    if slot.plugin != "pgoutput" or slot.database != database:
        raise SlotUnusable(
            f"The slot {slot.name} is of the plugin {slot.plugin or 'none'} in the database {slot.database or 'none'}, "
            f"not of pgoutput in {database}. Name another; one that is missing is made."
        )
    if slot.confirmed_flush_lsn is None or slot.wal_status == "lost" or slot.invalidation is not None:
        raise SlotLost(
            f"The source has invalidated the slot {slot.name} ({slot.invalidation or 'its WAL is removed'}), so "
            f"changes are missing from it. Run at the source: select pg_drop_replication_slot('{slot.name}'); then "
            "begin anew with --snapshot."
        )
    if slot.is_active:
        raise SlotActive(
            f"The slot {slot.name} is read by the session with process id {slot.active_pid}. End that reader, or run "
            f"at the source: select pg_terminate_backend({slot.active_pid}). Or leave --slot out: a temporary slot "
            "is made then."
        )
    return slot.confirmed_flush_lsn


def _create(control: Connection, name: str, tables: Sequence[TableName], options: str) -> None:
    listed = sql.SQL(", ").join(sql.Identifier(table.schema, table.name) for table in tables)
    statement = sql.SQL("create publication {} for table {} with ({}publish_via_partition_root = true)")
    try:
        control.execute(statement.format(sql.Identifier(name), listed, sql.SQL(options)))
    except psycopg.errors.InsufficientPrivilege as error:
        names = ", ".join(f"{quoted(table.schema)}.{quoted(table.name)}" for table in tables)
        raise PublicationForbidden(
            f"The role {control.info.user} may not publish the tables: {Refusal.of_diagnostic(error.diag).words}. Let "
            f"their owner, with the right to create in the database, run there: create publication mdm for table "
            f"{names}; then add --publication mdm."
        ) from error
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise PublicationForbidden(
            "The source is a standby or read only, where no publication can be made. Make one on its primary, and name "
            "it with --publication."
        ) from error
    except psycopg.Error as error:
        raise PublicationForbidden(
            f"The tables cannot be published: {Refusal.of_diagnostic(error.diag).words}. Leave out the table that the "
            "message names, or make a publication yourself and name it with --publication."
        ) from error


def _drop(control: Connection, name: str) -> None:
    control.execute(sql.SQL("drop publication if exists {}").format(sql.Identifier(name)))


def _drop_abandoned(control: Connection) -> None:
    """Drop what a killed process left, where the role may."""
    found = control.execute("select pubname from pg_publication where pubname ~ %s", [f"^{_PREFIX}"]).fetchall()
    for (name,) in found:
        match = _TEMPORARY.fullmatch(name)
        if match is None:
            continue
        key = int(match[1], 16)
        locked = control.execute("select pg_try_advisory_lock(%s)", [key]).fetchone()
        if locked is not None and locked[0]:
            with suppress(psycopg.errors.InsufficientPrivilege):
                _drop(control, name)
            control.execute("select pg_advisory_unlock(%s)", [key])


def _verify_identities(control: Connection, tables: Sequence[TableName], publication: str) -> None:
    """Refuse a table whose updates and deletes PostgreSQL would refuse to everybody once it is published."""
    request = Request(source=publication, slot="", publications=(publication,))
    for table in prerequisites.list_tables(control, request, [str(table) for table in tables]):
        if not table.tells_rows_apart:
            raise ReplicaIdentityMissing(
                f"{table} has no replica identity, so PostgreSQL would refuse its updates and deletes while the "
                f"publication {publication} stands. Run at the source: alter table {table.quoted} replica identity "
                "full; or give it a primary key. Without --publication its inserts can be printed."
            )


def _children(control: Connection, tables: Sequence[TableName]) -> set[TableName]:
    statement = """
        select n.nspname::text, c.relname::text
        from unnest(%s::text[], %s::text[]) asked (schema, name),
             pg_partition_tree(format('%%I.%%I', asked.schema, asked.name)::regclass) member
        join pg_class c on c.oid = member.relid
        join pg_namespace n on n.oid = c.relnamespace
    """
    asked = [[table.schema for table in tables], [table.name for table in tables]]
    return {TableName(*row) for row in control.execute(statement, asked)}


def _inserts_alone(table: TableName) -> str:
    name = f"{quoted(table.schema)}.{quoted(table.name)}"
    return (
        f"{table} has no replica identity, so only its inserts are printed. To have its updates and deletes too, run "
        f"at the source: alter table {name} replica identity full; or give it a primary key."
    )
