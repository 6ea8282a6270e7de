"""How far each source is mastered: the one row of `hub.checkpoint` a source, and the lock that one worker holds.

A checkpoint moves in the hub transaction that masters the changes, only forward, and before the slot is confirmed
(law 1). Whoever moves it does so for the source's present worker: its worker itself, or the lane (mdm.capture.lane)
for what that worker has handed over. So a lost worker cannot write.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg.rows import dict_row

from mdm.capture.errors import CaptureError
from mdm.capture.lsn import Lsn
from mdm.db import Connection

LOCK_CLASS = 0x6D646D  # 'mdm': keeps our advisory locks apart from others in the same database
ERA = 1 << 56  # added to a source's LSNs for each cluster that stood at its address before the present one


class State(StrEnum):
    """Where the capture of a source stands.

    NEW: registered, nothing captured (set by registration). LOADING: the slot stands and its snapshot is being
    loaded (set by the worker before the first chunk). ASSEMBLING: all chunks are in, golden records are being built.
    STREAMING: changes are mastered as they come. RELOADING: tables are loaded anew while changes come (set by
    `mdm source reload`). The worker sets all but the last. FAILED is shown when an error needs a person; the stage
    in which it failed is kept underneath.
    """

    NEW = "new"
    LOADING = "loading"
    ASSEMBLING = "assembling"
    STREAMING = "streaming"
    RELOADING = "reloading"
    FAILED = "failed"


class CheckpointMoved(CaptureError):
    """Another worker moved this source's checkpoint; this worker must start anew from where it stands now."""

    passes = True


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Position:
    """How far a source is mastered: its last transaction's commit LSN, and up to where nothing more is needed."""

    commit_lsn: Lsn
    end_lsn: Lsn


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Which cluster a position belongs to: an LSN means nothing in another cluster or on another timeline."""

    system_identifier: str
    timeline: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A source's row: `position` and `origin` are None until its slot stands. `failed` means a person is needed.

    `worker` numbers the workers that took the source over: the last one alone may write. `assembled` is how far the
    records that were loaded are assembled, None when all are.
    """

    source_id: int
    state: State
    slot: str
    worker: int
    era: int
    position: Position | None
    origin: Origin | None
    source_at: datetime | None
    changes: int
    rate: float
    assembled: int | None
    reload_requested: bool
    last_error: str | None
    failed: bool
    updated_at: datetime

    @property
    def offset(self) -> int:
        """What is added to the source's own LSNs to make the hub's positions."""
        return self.era * ERA


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a hub transaction adds to a checkpoint: changes mastered, rows a second, and the source's clock there."""

    changes: int = 0
    rate: float = 0.0
    source_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A source's checkpoint on its way from where it is known to stand to where a hub transaction takes it."""

    source_id: int
    known: Position
    reached: Position
    progress: Progress


_SELECT = """select source_id, state, slot, worker, era, commit_lsn::text, end_lsn::text, system_identifier, timeline,
    source_at, changes, rate, assembled, reload_requested_at is not null as reload_requested,
    last_error, failed_at is not null as failed, updated_at from hub.checkpoint"""


def find(connection: Connection, source_id: int) -> Checkpoint | None:
    """Return the source's checkpoint, or None when the source was never registered."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_SELECT + " where source_id = %s", [source_id]).fetchone()
    return None if row is None else _checkpoint(row)


def get(connection: Connection, source_id: int) -> Checkpoint:
    """Return the checkpoint of a registered source."""
    found = find(connection, source_id)
    if found is None:
        raise LookupError(f"source {source_id} has no checkpoint")
    return found


def list_all(connection: Connection) -> list[Checkpoint]:
    """Return the checkpoints of all sources, by source id."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SELECT + " order by source_id").fetchall()
    return [_checkpoint(row) for row in rows]


def register(connection: Connection, *, source_id: int, slot: str) -> None:
    """Note a source as new unless it is known already."""
    connection.execute(
        "insert into hub.checkpoint (source_id, state, slot) values (%s, 'new', %s) on conflict do nothing",
        [source_id, slot],
    )


def take_over(connection: Connection, source_id: int) -> Checkpoint:
    """Make the caller, who holds the source's lock, its worker; what an earlier worker still writes is refused."""
    connection.execute(
        "update hub.checkpoint set worker = worker + 1, updated_at = clock_timestamp() where source_id = %s",
        [source_id],
    )
    return get(connection, source_id)


def fence(connection: Connection, source_id: int, worker: int) -> None:
    """Raise CheckpointMoved unless this is still the source's worker; it stays so until the transaction ends."""
    held = connection.execute(
        "select from hub.checkpoint where source_id = %s and worker = %s for share", [source_id, worker]
    )
    if held.rowcount != 1:
        raise _taken_over(source_id)


def workers(connection: Connection, source_ids: Iterable[int]) -> dict[int, int]:
    """Return the present workers of sources."""
    found = connection.execute(
        "select source_id, worker from hub.checkpoint where source_id = any (%s)", [list(source_ids)]
    )
    return dict(found.fetchall())


def lock_workers(connection: Connection, source_ids: Iterable[int]) -> dict[int, int]:
    """Return the workers of sources; nobody changes these, or moves their checkpoints, until the transaction ends."""
    locked = connection.execute(
        "select source_id, worker from hub.checkpoint where source_id = any (%s) order by source_id for no key update",
        [list(source_ids)],
    )
    return dict(locked.fetchall())


def reached(connection: Connection, source_id: int, worker: int) -> Position:
    """Return where the source stands; raises CheckpointMoved unless this is still its worker."""
    present = get(connection, source_id)
    if present.worker != worker or present.position is None:
        raise _taken_over(source_id)
    return present.position


def _taken_over(source_id: int) -> CheckpointMoved:
    return CheckpointMoved(f"Source {source_id}: another worker has taken over. This one stands by.")


def begin(connection: Connection, before: Checkpoint, *, origin: Origin, consistent_point: Lsn) -> Position:
    """Set the checkpoint to where a new slot starts, just ahead of all that it sends; return it.

    The first commit that the slot sends may stand at the consistent point itself, so the last one mastered counts as
    one before. A slot that starts behind what the hub has mastered belongs to a source that was set back or replaced:
    its positions count on in a new era, so that the order of changes goes on (law 3).
    """
    era = before.era
    if before.position is not None and consistent_point + era * ERA < before.position.end_lsn:
        era += 1
    end_lsn = Lsn(consistent_point + era * ERA)
    position = Position(commit_lsn=Lsn(end_lsn - 1), end_lsn=end_lsn)
    connection.execute(
        """update hub.checkpoint
           set era = %s, commit_lsn = %s, end_lsn = %s, system_identifier = %s, timeline = %s,
               source_at = clock_timestamp(), reload_requested_at = null, updated_at = clock_timestamp()
           where source_id = %s""",
        [
            era,
            str(position.commit_lsn),
            str(position.end_lsn),
            origin.system_identifier,
            origin.timeline,
            before.source_id,
        ],
    )
    return position


_ADVANCE = """
update hub.checkpoint c
set commit_lsn = m.reached_commit_lsn, end_lsn = m.reached_end_lsn, changes = c.changes + m.changes, rate = m.rate,
    source_at = coalesce(m.source_at, c.source_at), updated_at = clock_timestamp()
from unnest(%s::int[], %s::pg_lsn[], %s::pg_lsn[], %s::pg_lsn[], %s::pg_lsn[], %s::bigint[], %s::float8[],
            %s::timestamptz[])
     m (source_id, commit_lsn, end_lsn, reached_commit_lsn, reached_end_lsn, changes, rate, source_at)
where c.source_id = m.source_id and c.commit_lsn = m.commit_lsn and c.end_lsn = m.end_lsn
  and c.commit_lsn <= m.reached_commit_lsn and c.end_lsn <= m.reached_end_lsn
returning c.source_id
"""


def advance(connection: Connection, *moves: Move) -> None:
    """Move checkpoints, each of another source, inside the caller's transaction; none ever moves back.

    Raises CheckpointMoved when one does not stand where it is known to: its changes were mastered by another worker.
    """
    told = zip(*map(_columns, moves), strict=True)
    moved = {source_id for (source_id,) in connection.execute(_ADVANCE, [list(column) for column in told])}
    for move in moves:
        if move.source_id not in moved:
            raise CheckpointMoved(
                f"Source {move.source_id}: its checkpoint no longer stands at {move.known.commit_lsn}, another worker "
                "moved it. This worker starts anew from the checkpoint."
            )


def _columns(move: Move) -> tuple[object, ...]:
    known, reached, progress = move.known, move.reached, move.progress
    lsns = (known.commit_lsn, known.end_lsn, reached.commit_lsn, reached.end_lsn)
    return (move.source_id, *map(str, lsns), progress.changes, progress.rate, progress.source_at)


def enter(connection: Connection, source_id: int, state: State) -> None:
    """Set the stage that the source's capture has entered."""
    connection.execute(
        "update hub.checkpoint set state = %s, updated_at = clock_timestamp() where source_id = %s",
        [state, source_id],
    )


def note_assembled(connection: Connection, source_id: int, after: int | None) -> None:
    """Remember how far the records that were loaded are assembled: 0 before any is, None when all are."""
    connection.execute(
        "update hub.checkpoint set assembled = %s, updated_at = clock_timestamp() where source_id = %s",
        [after, source_id],
    )


def request_reload(connection: Connection, source_id: int) -> None:
    """Ask for the whole source to be loaded anew, from a new slot where the present one cannot go on."""
    connection.execute("update hub.checkpoint set reload_requested_at = now() where source_id = %s", [source_id])


def settle_reload(connection: Connection, source_id: int) -> None:
    """Note that the reload that was asked for has begun."""
    connection.execute("update hub.checkpoint set reload_requested_at = null where source_id = %s", [source_id])


def fail(connection: Connection, source_id: int, *, error: str, needs_person: bool) -> None:
    """Note what went wrong; `needs_person` shows the source as failed until a worker runs again."""
    connection.execute(
        """update hub.checkpoint
           set last_error = %s, failed_at = case when %s then clock_timestamp() end, updated_at = clock_timestamp()
           where source_id = %s""",
        [error, needs_person, source_id],
    )


def recover(connection: Connection, source_id: int) -> None:
    """Note that the source is captured again; the last error stays readable."""
    connection.execute(
        """update hub.checkpoint set failed_at = null, updated_at = clock_timestamp()
           where source_id = %s and failed_at is not null""",
        [source_id],
    )


def try_lock(connection: Connection, source_id: int) -> bool:
    """Take the source's lock for this session; False while another worker has it."""
    row = connection.execute("select pg_try_advisory_lock(%s, %s)", [LOCK_CLASS, source_id]).fetchone()
    return bool(row and row[0])


def is_held(connection: Connection, source_id: int) -> bool:
    """Tell whether any worker has the source's lock now."""
    row = connection.execute(
        "select count(*) from pg_locks where locktype = 'advisory' and classid = %s and objid = %s and objsubid = 2"
        " and database = (select oid from pg_database where datname = current_database())",
        [LOCK_CLASS, source_id],
    ).fetchone()
    return bool(row and row[0])


def are_others_loading(connection: Connection, source_id: int) -> bool:
    """Tell whether a live worker of another source is still loading: what it brings is best assembled with the rest."""
    row = connection.execute(
        "select exists (select from hub.checkpoint c join pg_locks l on l.locktype = 'advisory' and l.objsubid = 2"
        " and l.classid = %s and l.objid = c.source_id"
        " and l.database = (select oid from pg_database where datname = current_database())"
        " where c.source_id <> %s and c.state in ('new', 'loading') and c.failed_at is null)",
        [LOCK_CLASS, source_id],
    ).fetchone()
    return bool(row and row[0])


def are_any_loading(connection: Connection) -> bool:
    """Tell whether a live worker is loading its source, or assembling what it has loaded."""
    row = connection.execute(
        "select exists (select from hub.checkpoint c join pg_locks l on l.locktype = 'advisory' and l.objsubid = 2"
        " and l.classid = %s and l.objid = c.source_id"
        " and l.database = (select oid from pg_database where datname = current_database())"
        " where c.state in ('new', 'loading', 'assembling') and c.failed_at is null)",
        [LOCK_CLASS],
    ).fetchone()
    return bool(row and row[0])


def _checkpoint(row: dict[str, Any]) -> Checkpoint:
    position, origin = _position(row), _origin(row)
    for name in ("commit_lsn", "end_lsn", "system_identifier", "timeline"):
        del row[name]
    return Checkpoint(**row | {"state": State(row["state"])}, position=position, origin=origin)


def _position(row: dict[str, Any]) -> Position | None:
    if row["commit_lsn"] is None:
        return None
    return Position(commit_lsn=Lsn.parse(row["commit_lsn"]), end_lsn=Lsn.parse(row["end_lsn"]))


def _origin(row: dict[str, Any]) -> Origin | None:
    if row["system_identifier"] is None:
        return None
    return Origin(system_identifier=row["system_identifier"], timeline=row["timeline"])
