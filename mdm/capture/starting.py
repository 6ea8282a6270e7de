"""How the capture of a source begins: its slot made or verified, its first load run, or the way back from a lost slot.

Whatever is durable at the source is announced in the hub before it is made, so that a kill in between leaves nothing
that the next worker does not know as its own.
"""

import threading
from collections.abc import Sequence
from datetime import datetime

import psycopg
import structlog

from golden_records import rows
from mdm import db
from mdm.capture import catalog, checkpoint, chunks, loads, prerequisites, refusals, replication, slots
from mdm.capture.capturing import Captured
from mdm.capture.catalog import CapturedTable
from mdm.capture.checkpoint import Checkpoint, State
from mdm.capture.crashes import Point
from mdm.capture.errors import (
    SlotAhead,
    SlotLost,
    SlotMissing,
    SlotUnusable,
    SourceReplaced,
    SourceRewound,
    TimelineChanged,
)
from mdm.capture.loads import LoadState
from mdm.capture.lsn import Lsn
from mdm.capture.slots import NewSlot
from mdm.capture.snapshot import Exported, InitialLoad
from mdm.db import Connection

_log = structlog.get_logger(__name__)

_MENDED_BY_RELOAD = (SlotMissing, SlotLost, SlotAhead, SlotUnusable, SourceReplaced, TimelineChanged, SourceRewound)


def prepare(captured: Captured, hub: Connection, state: Checkpoint, stop: threading.Event) -> None:
    """Bring a source to where its stream can begin; returns early when `stop` is set. Raises CaptureError."""
    _require(captured)
    if state.position is None:
        _begin(captured, hub, state, stop)
        return
    if state.reload_requested:
        _begin_reload(captured, hub, state)
    else:
        verify(captured, state)
        _finish_loaded(captured, hub, state)
    _expect_new_tables(captured, hub, state)


def _require(captured: Captured) -> None:
    """Raise the gravest of what keeps the source from being captured."""
    with chunks.connect(captured.source_dsn) as source:
        for problem in prerequisites.list_problems(source, captured.request, sorted(captured.source.tables)):
            raise problem


def verify(captured: Captured, state: Checkpoint) -> None:
    """Refuse to stream where the source would skip changes; ends a stream that a dead worker of ours left behind."""
    if state.position is None or state.origin is None:
        raise LookupError(f"source {captured.source_id} has no position yet")
    at = Lsn(state.position.end_lsn - state.offset)
    with chunks.connect(captured.source_dsn) as source, replication.connect(captured.stream_dsn) as walsender:
        identity = slots.identify(walsender)
        slot = slots.find(source, captured.source.slot)
        if slot is not None and slot.active_pid is not None:
            _end_abandoned(captured, source, slot.active_pid)
            slot = slots.find(source, captured.source.slot)
        slots.verify_start(at, state.origin, slot=slot, identity=identity, request=captured.request)


def _end_abandoned(captured: Captured, source: Connection, pid: int) -> None:
    """End the sender of a worker of this hub that is gone: the lock on the source is ours."""
    source.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where pid = %s and application_name = %s",
        [pid, captured.stream_name],
    )


def _begin(captured: Captured, hub: Connection, state: Checkpoint, stop: threading.Event) -> None:
    """Make the slot and run the initial load from its snapshot."""
    with replication.connect(captured.stream_dsn) as walsender, chunks.connect(captured.source_dsn) as source:
        _announce_slot(captured, hub, state, source)
        _log.info("slot.creating", source=captured.name, slot=captured.source.slot)
        with slots.create(walsender, captured.request) as new:
            captured.at(Point.SLOT_CREATED)
            tables = catalog.list_tables(source, captured.source.publication, captured.source.tables)
            exported = _plan(captured, hub, state, (new, tables))
            captured.at(Point.LOAD_PLANNED)
            load = InitialLoad(
                captured=captured,
                worker=state.worker,
                tables={table.name: table for table in tables},
                exported=exported,
                stop=stop,
            )
            try:
                _load(captured, hub, state, load)
            except psycopg.Error as error:
                if _is_lost(walsender):
                    raise refusals.disconnected("the snapshot of the load went with it") from error
                raise


def _is_lost(connection: Connection) -> bool:
    """Tell whether the server of a replication connection is gone; asking ends the snapshot that it exports."""
    try:
        slots.identify(connection)
    except psycopg.OperationalError:
        return True
    return False


def _announce_slot(captured: Captured, hub: Connection, state: Checkpoint, source: Connection) -> None:
    """Note that a slot will be made; drop the one that a killed worker announced, refuse one that nobody did."""
    left = slots.find(source, captured.source.slot)
    if left is not None and state.state is State.NEW:
        raise SlotUnusable(
            f"The slot {captured.source.slot} exists at the source {captured.name}, but this hub did not make it. If "
            "no other hub reads it, run at the source: select "
            f"pg_drop_replication_slot('{captured.source.slot}'); otherwise declare another slot for {captured.name}."
        )
    if left is not None:
        slots.drop(source, captured.request)
    with db.transaction(hub):
        checkpoint.fence(hub, captured.source_id, state.worker)
        checkpoint.enter(hub, captured.source_id, State.LOADING)


def _plan(
    captured: Captured, hub: Connection, state: Checkpoint, made: tuple[NewSlot, Sequence[CapturedTable]]
) -> Exported:
    new, tables = made
    with replication.connect(captured.stream_dsn) as walsender, chunks.connect(captured.source_dsn) as source:
        identity = slots.identify(walsender)
        taken_at: datetime = rows.single(source, "select clock_timestamp()")
    with db.transaction(hub):
        checkpoint.fence(hub, captured.source_id, state.worker)
        position = checkpoint.begin(hub, state, origin=identity.origin, consistent_point=new.consistent_point)
        checkpoint.note_assembled(hub, captured.source_id, 0)
        loads.expect(hub, captured.source_id, [table.name for table in tables], replaces=False)
        for table in tables:
            planned = chunks.plan(table, rows=captured.chunk_rows)
            loads.begin(hub, captured.source_id, table.name, start_lsn=position.commit_lsn, chunks=planned)
    era = Lsn(position.end_lsn - new.consistent_point)
    return Exported(
        name=new.snapshot,
        commit_lsn=Lsn(position.commit_lsn - era),
        offset=era,
        taken_at=taken_at,
    )


def _load(captured: Captured, hub: Connection, state: Checkpoint, load: InitialLoad) -> None:
    planned = loads.list_open_chunks(hub, captured.source_id)
    _log.info("load.began", source=captured.name, tables=len(load.tables), chunks=len(planned))
    load.run(planned)
    _finish_loaded(captured, hub, state)
    _log.info("load.ended", source=captured.name)


def _finish_loaded(captured: Captured, hub: Connection, state: Checkpoint) -> None:
    """Note the tables of which nothing is left to load; one that replaces has an end of its own, in the stream."""
    with db.transaction(hub):
        checkpoint.fence(hub, captured.source_id, state.worker)
        for table in loads.list_loads(hub, captured.source_id):
            is_loaded = table.state is LoadState.LOADING and table.chunks == table.chunks_done
            if is_loaded and not table.replaces:
                loads.finish(hub, captured.source_id, table.relation)


def _begin_reload(captured: Captured, hub: Connection, state: Checkpoint) -> None:
    """Have every table loaded anew, from a new slot where the present one cannot go on."""
    try:
        verify(captured, state)
    except _MENDED_BY_RELOAD as broken:
        _log.warning("slot.renewed", source=captured.name, reason=type(broken).__name__)
        _renew_slot(captured, hub, state)
        return
    with db.transaction(hub):
        checkpoint.fence(hub, captured.source_id, state.worker)
        checkpoint.settle_reload(hub, captured.source_id)
        _expect_all(captured, hub)


def _renew_slot(captured: Captured, hub: Connection, state: Checkpoint) -> None:
    with replication.connect(captured.stream_dsn) as walsender, chunks.connect(captured.source_dsn) as source:
        identity = slots.identify(walsender)
        _drop_ours(captured, source, identity.database)
        with slots.create(walsender, captured.request) as new:
            captured.at(Point.SLOT_CREATED)
            with db.transaction(hub):
                checkpoint.fence(hub, captured.source_id, state.worker)
                checkpoint.begin(hub, state, origin=identity.origin, consistent_point=new.consistent_point)
                _expect_all(captured, hub)


def _drop_ours(captured: Captured, source: Connection, database: str) -> None:
    """Drop the slot that cannot go on, unless it was made for something else."""
    slot = slots.find(source, captured.source.slot)
    if slot is None:
        return
    if slot.plugin != "pgoutput" or slot.database != database:
        raise SlotUnusable(
            f"The slot {slot.name} at the source {captured.name} was made for something else (plugin {slot.plugin}, "
            f"database {slot.database}). Declare another slot for {captured.name}."
        )
    if slot.active_pid is not None:
        _end_abandoned(captured, source, slot.active_pid)
    slots.drop(source, captured.request)


def _expect_all(captured: Captured, hub: Connection) -> None:
    loads.expect(hub, captured.source_id, sorted(captured.source.tables), replaces=True)
    checkpoint.enter(hub, captured.source_id, State.RELOADING)


def _expect_new_tables(captured: Captured, hub: Connection, state: Checkpoint) -> None:
    """Have tables loaded that the mapping names since the last start."""
    known = {load.relation for load in loads.list_loads(hub, captured.source_id)}
    new = sorted(set(captured.source.tables) - known)
    if new:
        with db.transaction(hub):
            checkpoint.fence(hub, captured.source_id, state.worker)
            loads.expect(hub, captured.source_id, new, replaces=False)
