"""Replication slots: made with their snapshot, inspected, dropped, and whether one can go on from a checkpoint.

A slot is made together with a snapshot: what the snapshot shows and what the slot then sends is every row, once.
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import psycopg

from mdm import db
from mdm.capture import refusals
from mdm.capture.checkpoint import Origin
from mdm.capture.errors import SlotAhead, SourceReplaced, SourceRewound, TimelineChanged
from mdm.capture.lsn import Lsn
from mdm.capture.refusals import Refusal, Request

_PLUGIN = "pgoutput"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which cluster a server is, where its WAL ends, and which of its databases this is."""

    origin: Origin
    wal_end: Lsn
    database: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A slot as the source shows it; `invalidation` tells why it was lost, where the server knows (16 and later).

    `retained` is how many octets of WAL the source keeps for it, `safe_wal_size` how many it may still write before
    the slot is in danger; both are None where they mean nothing.
    """

    name: str
    plugin: str | None
    database: str | None
    active_pid: int | None
    restart_lsn: Lsn | None
    confirmed_flush_lsn: Lsn | None
    wal_status: str | None
    safe_wal_size: int | None
    retained: int | None
    two_phase: bool
    invalidation: str | None

    @property
    def is_active(self) -> bool:
        """Tell whether somebody reads it now."""
        return self.active_pid is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSlot:
    """A slot just made: import `snapshot` elsewhere while this stays open; the stream goes on at `consistent_point`.

    The connection must stay idle, for its next command ends the snapshot.
    """

    consistent_point: Lsn
    snapshot: str
    connection: db.Connection

    def close(self) -> None:
        """Give the snapshot up; transactions that have imported it keep it."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def identify(connection: db.Connection) -> Identity:
    """Ask a connection of replication.connect() which cluster it leads to."""
    ((system_identifier, timeline, wal_end, database),) = connection.execute("IDENTIFY_SYSTEM").fetchall()
    origin = Origin(system_identifier=system_identifier, timeline=timeline)
    return Identity(origin=origin, wal_end=Lsn.parse(wal_end), database=database)


def find(connection: psycopg.Connection[Any], name: str) -> Slot | None:
    """Return a slot of the source's cluster, or None when there is none of that name."""
    row = connection.execute(_SELECT, [name]).fetchone()
    return None if row is None else _slot(row)


def create(connection: db.Connection, request: Request) -> NewSlot:
    """Make the slot on a connection of replication.connect(), which then holds its snapshot.

    It waits for every transaction of the source's cluster that is open now. Raises CaptureError.
    """
    form = "(SNAPSHOT 'export')" if connection.info.server_version >= 150000 else "EXPORT_SNAPSHOT"
    command = f"CREATE_REPLICATION_SLOT {refusals.quoted(request.slot)} LOGICAL {_PLUGIN} {form}"
    try:
        ((_, consistent_point, snapshot, _),) = connection.execute(command.encode()).fetchall()
    except psycopg.Error as error:
        raise refusals.error(Refusal.of_diagnostic(error.diag), request) from error
    return NewSlot(consistent_point=Lsn.parse(consistent_point), snapshot=snapshot, connection=connection)


def drop(connection: psycopg.Connection[Any], request: Request) -> bool:
    """Drop the slot; return whether there was one. Raises SlotActive while somebody reads it."""
    try:
        dropped = connection.execute(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %s", [request.slot]
        )
    except psycopg.Error as error:
        raise refusals.error(Refusal.of_diagnostic(error.diag), request) from error
    return dropped.rowcount > 0


def verify_start(at: Lsn, origin: Origin, *, slot: Slot | None, identity: Identity, request: Request) -> None:
    """Refuse to stream from a checkpoint where the source would skip changes, or would not mean the same changes.

    Pure. `at` is the checkpoint's end LSN, `origin` the cluster it was taken in. Asked to begin behind what was
    confirmed, the source begins there instead, without a word; so that is an error here.
    """
    _verify_identity(at, origin, identity, request)
    if slot is None:
        raise refusals.slot_missing(request)
    _verify_slot(slot, identity, request)
    if slot.confirmed_flush_lsn is not None and slot.confirmed_flush_lsn > at:
        raise SlotAhead(
            f"The slot {request.slot} was confirmed to {slot.confirmed_flush_lsn}, but the hub stands at {at}: the "
            "source would skip what lies between. Either the hub was restored from an older backup, or something else "
            f"has read the slot. Run 'mdm source reload {request.source}': it loads the tables anew, and no golden "
            "record is dropped."
        )
    if slot.is_active:
        raise refusals.slot_active(request, slot.active_pid)


def _verify_identity(at: Lsn, origin: Origin, identity: Identity, request: Request) -> None:
    way_back = (
        f"If that was intended, run 'mdm source reload {request.source}': it loads the tables anew, and no golden "
        "record is dropped."
    )
    if identity.origin.system_identifier != origin.system_identifier:
        raise SourceReplaced(
            f"The source {request.source} is another cluster ({identity.origin.system_identifier}) than the one that "
            f"was captured ({origin.system_identifier}). Check its address. {way_back}"
        )
    if identity.origin.timeline != origin.timeline:
        raise TimelineChanged(
            f"The source {request.source} is on timeline {identity.origin.timeline}, its checkpoint on "
            f"{origin.timeline}: it was promoted or restored, and what was captured last may never have happened "
            f"there. {way_back}"
        )
    if identity.wal_end < at:
        raise SourceRewound(
            f"The WAL of the source {request.source} ends at {identity.wal_end}, before the checkpoint {at}: it was "
            f"set back to an older state. {way_back}"
        )


def _verify_slot(slot: Slot, identity: Identity, request: Request) -> None:
    if slot.plugin != _PLUGIN:
        raise refusals.slot_unusable(request, f"its plugin is {slot.plugin or 'none'}, not {_PLUGIN}")
    if slot.database != identity.database:
        raise refusals.slot_unusable(request, f"it belongs to the database {slot.database}, not {identity.database}")
    if slot.two_phase:
        raise refusals.slot_unusable(request, "it was created with two_phase")
    if slot.wal_status == "lost" or slot.invalidation is not None or slot.restart_lsn is None:
        raise refusals.slot_lost(request, slot.invalidation or "its WAL is removed")


# Columns that only newer servers have are read through JSON, where an absent one is null.
_SELECT = """
select slot_name, plugin, database, active_pid, restart_lsn::text, confirmed_flush_lsn::text, wal_status,
    safe_wal_size, pg_wal_lsn_diff(
        case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, restart_lsn)::bigint,
    two_phase,
    coalesce(
        to_jsonb(slot) ->> 'invalidation_reason',
        case when (to_jsonb(slot) ->> 'conflicting')::boolean then 'conflict with recovery' end)
from pg_replication_slots slot where slot_name = %s
"""


def _slot(row: tuple[Any, ...]) -> Slot:
    name, plugin, database, pid, restart, confirmed, status, safe, retained, two_phase, invalidation = row
    return Slot(
        name=name,
        plugin=plugin,
        database=database,
        active_pid=pid,
        restart_lsn=None if restart is None else Lsn.parse(restart),
        confirmed_flush_lsn=None if confirmed is None else Lsn.parse(confirmed),
        wal_status=status,
        safe_wal_size=safe,
        retained=retained,
        two_phase=two_phase,
        invalidation=invalidation,
    )
