"""How the capture of each source stands: state, lag, what its slot holds back, rate, last error, progress of its load.

Read from the hub's checkpoint and from the source's own server; one that cannot be reached is told as such. The same
is given as Prometheus metrics, and beside it what of the sources is open.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from psycopg.rows import dict_row

from mdm import db
from mdm.capture import checkpoint, findings, loads, slots
from mdm.capture.checkpoint import Checkpoint, State
from mdm.capture.findings import Findings
from mdm.capture.loads import TableLoad
from mdm.capture.lsn import Lsn
from mdm.capture.sources import Source
from mdm.db import Connection
from mdm.errors import MdmError

_BETWEEN_SCRAPES = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A declared source and its address, None where that is not known."""

    source: Source
    dsn: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """How one source stands; what is not known, because its server or its slot cannot be asked, is None.

    `lag_bytes` is WAL that the hub has not mastered, `lag_seconds` the age of the oldest of it at most,
    `wal_held_bytes` what the slot keeps the source from removing.
    """

    source: str
    kind: str
    state: str
    worker_runs: bool
    lag_bytes: int | None
    lag_seconds: float | None
    wal_held_bytes: int | None
    wal_status: str | None
    safe_wal_bytes: int | None
    slot: str
    slot_active: bool | None
    position: str | None
    changes: int
    rate: float
    tables: int
    tables_loaded: int
    chunks: int
    chunks_loaded: int
    rows_loaded: int
    last_error: str | None
    source_error: str | None
    updated_at: datetime | None

    def as_json(self) -> dict[str, Any]:
        """Return what `mdm status --json` prints."""
        return asdict(self) | {"updated_at": None if self.updated_at is None else self.updated_at.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _AtSource:
    slot: slots.Slot | None = None
    wal_end: Lsn | None = None
    now: datetime | None = None
    error: str | None = None


def collect(hub: Connection, watched: Iterable[Watched]) -> list[SourceStatus]:
    """Return how each of these sources stands now."""
    ids: dict[str, int] = dict(hub.execute("select name, source_id from golden.source_system").fetchall())
    return [_status(hub, one, ids.get(one.source.source)) for one in watched]


def _status(hub: Connection, watched: Watched, source_id: int | None) -> SourceStatus:
    known = None if source_id is None else checkpoint.find(hub, source_id)
    loaded = [] if source_id is None else loads.list_loads(hub, source_id)
    at_source = _ask(watched)
    slot = at_source.slot
    return SourceStatus(
        source=watched.source.source,
        kind=watched.source.kind,
        state=_state(known),
        worker_runs=source_id is not None and checkpoint.is_held(hub, source_id),
        lag_bytes=_lag_bytes(known, at_source),
        lag_seconds=_lag_seconds(known, at_source),
        wal_held_bytes=None if slot is None else slot.retained,
        wal_status=None if slot is None else slot.wal_status,
        safe_wal_bytes=None if slot is None else slot.safe_wal_size,
        slot=watched.source.slot,
        slot_active=None if at_source.error else slot is not None and slot.is_active,
        position=None if known is None or known.position is None else str(known.position.commit_lsn),
        changes=0 if known is None else known.changes,
        rate=0.0 if known is None else round(known.rate, 1),
        **_progress(watched.source, loaded),
        last_error=None if known is None else known.last_error,
        source_error=at_source.error,
        updated_at=None if known is None else known.updated_at,
    )


def _state(known: Checkpoint | None) -> str:
    if known is None:
        return State.NEW
    return State.FAILED if known.failed else known.state


def _progress(source: Source, loaded: Sequence[TableLoad]) -> dict[str, int]:
    return {
        "tables": len(source.tables),
        "tables_loaded": sum(load.state is loads.LoadState.DONE for load in loaded),
        "chunks": sum(load.chunks for load in loaded),
        "chunks_loaded": sum(load.chunks_done for load in loaded),
        "rows_loaded": sum(load.rows for load in loaded),
    }


def _ask(watched: Watched) -> _AtSource:
    """Ask the source's server for its slot, its WAL's end and its clock."""
    if watched.dsn is None:
        return _AtSource(error="its address is not known")
    try:
        with db.connect(watched.dsn, application_name="mdm status", wait=0) as source:
            with source.cursor(row_factory=dict_row) as cursor:
                row = cursor.execute(
                    "select pg_current_wal_lsn()::text as wal_end, clock_timestamp() as now"
                ).fetchone()
            slot = slots.find(source, watched.source.slot)
    except (MdmError, psycopg.Error) as error:
        return _AtSource(error=str(error) if isinstance(error, MdmError) else type(error).__name__)
    known = row or {}
    return _AtSource(slot=slot, wal_end=Lsn.parse(known["wal_end"]), now=known["now"])


def _lag_bytes(known: Checkpoint | None, at_source: _AtSource) -> int | None:
    if known is None or known.position is None or at_source.wal_end is None:
        return None
    return max(at_source.wal_end - (known.position.end_lsn - known.offset), 0)


def _lag_seconds(known: Checkpoint | None, at_source: _AtSource) -> float | None:
    if _lag_bytes(known, at_source) == 0:
        return 0.0
    if known is None or known.source_at is None or at_source.now is None:
        return None
    return max(round((at_source.now - known.source_at).total_seconds(), 3), 0.0)


class SourceCollector(Collector):
    """Gives the sources' status and what is open to Prometheus; looks in a thread of its own: no scrape waits."""

    def __init__(self, hub_dsn: str, watched: Sequence[Watched]) -> None:
        self._hub_dsn = hub_dsn
        self._watched = watched
        self._statuses: list[SourceStatus] = []
        self._findings: Findings | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="source status", daemon=True)

    def register(self, registry: CollectorRegistry) -> None:
        """Begin to watch, and to give metrics to this registry."""
        registry.register(self)
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._closing.set()
        self._thread.join()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the last look."""
        yield from metrics(self._statuses)
        if self._findings is not None:
            yield from findings.metrics(self._findings)

    def _watch(self) -> None:
        while not self._closing.is_set():
            try:
                with db.connect(self._hub_dsn, application_name="mdm status", wait=0) as hub:
                    while not self._closing.is_set():
                        self._statuses, self._findings = collect(hub, self._watched), findings.count(hub)
                        self._closing.wait(_BETWEEN_SCRAPES)
            except (MdmError, psycopg.Error):
                self._statuses, self._findings = [], None
                self._closing.wait(_BETWEEN_SCRAPES)


_GAUGES = {
    "lag_bytes": "WAL of the source that is not mastered yet",
    "lag_seconds": "Age of the oldest change that is not mastered yet, at most",
    "wal_held_bytes": "WAL that the slot keeps the source from removing",
    "safe_wal_bytes": "WAL that may still be written before the slot is lost",
    "worker_runs": "Whether a worker captures the source",
    "slot_active": "Whether the slot is being read",
    "rate": "Changes mastered a second",
    "tables": "Tables captured",
    "tables_loaded": "Tables whose load is done",
    "chunks": "Chunks of the tables' loads",
    "chunks_loaded": "Chunks that are mastered",
}


def metrics(statuses: Sequence[SourceStatus]) -> Iterator[Metric]:
    """Yield Prometheus metrics of these statuses; a metric lacks the sources for which it is not known."""
    for name, meaning in _GAUGES.items():
        gauge = GaugeMetricFamily(f"mdm_source_{name}", meaning, labels=["source"])
        for status in statuses:
            value = getattr(status, name)
            if value is not None:
                gauge.add_metric([status.source], float(value))
        yield gauge
    changes = CounterMetricFamily("mdm_source_changes", "Changes mastered", labels=["source"])
    states = GaugeMetricFamily("mdm_source_state", "1 for the state the source is in", labels=["source", "state"])
    wal = GaugeMetricFamily("mdm_source_wal_status", "1 for the slot's wal_status", labels=["source", "wal_status"])
    for status in statuses:
        changes.add_metric([status.source], status.changes)
        for state in State:
            states.add_metric([status.source, state], float(state == status.state))
        if status.wal_status is not None:
            wal.add_metric([status.source, status.wal_status], 1.0)
    yield from (changes, states, wal)
