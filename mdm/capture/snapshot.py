"""The initial load: the chunks of all tables, read in parallel from the snapshot that the new slot exports.

What the snapshot shows and what the slot then sends make up every row, once. Each chunk is one hub transaction.
"""

import queue
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from psycopg import IsolationLevel, sql

from golden_records import statistics
from golden_records.known_keys import KnownKeys
from mdm import assembling, claiming, db, mastering
from mdm.batches import MappedBatch
from mdm.capture import checkpoint, chunks, isolating, loads, mapping
from mdm.capture.capturing import Captured
from mdm.capture.catalog import CapturedTable
from mdm.capture.chunks import Chunk, Place, TableRewritten
from mdm.capture.crashes import Point
from mdm.capture.lsn import Lsn
from mdm.capture.mapping import Mapper
from mdm.capture.progress import LoadLog
from mdm.capture.retrying import retried
from mdm.db import Connection

"""What PostgreSQL does to one of two transactions that stand in each other's way: the same work passes later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A snapshot that a slot exported; its rows stand at `commit_lsn`, ahead of all that the slot sends."""

    name: str
    commit_lsn: Lsn
    offset: int
    taken_at: datetime


@dataclass(slots=True, kw_only=True)
class InitialLoad:
    """Loads chunks with as many readers as are asked for; a table that was rewritten meanwhile waits for a reload."""

    captured: Captured
    worker: int
    tables: Mapping[str, CapturedTable]
    exported: Exported
    stop: threading.Event
    _chunks: queue.SimpleQueue[Chunk] = field(default_factory=queue.SimpleQueue)
    _numbering: threading.Lock = field(default_factory=threading.Lock)
    _next_ordinal: int = 1
    _keys: KnownKeys = field(default_factory=KnownKeys)
    _claiming: threading.Lock = field(default_factory=threading.Lock)
    _failures: list[BaseException] = field(default_factory=list)
    _log: LoadLog = field(init=False)

    def __post_init__(self) -> None:
        self._log = LoadLog(self.captured.name, self.captured.source_id)

    def run(self, planned: list[Chunk]) -> None:
        """Load the chunks; returns when all are done, when `stop` is set, or raises what a reader met first."""
        for chunk in planned:
            self._chunks.put(chunk)
        readers = [threading.Thread(target=self._load_all, name=f"reader {n}") for n in range(self.captured.readers)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        if self._failures:
            raise self._failures[0]

    def _load_all(self) -> None:
        try:
            mapper = self.captured.mapper(self.exported.offset)
            with chunks.connect(self.captured.source_dsn) as source, self.captured.connect_hub() as hub:
                mastering.tune(hub, terms=self.captured.terms)
                source.isolation_level = IsolationLevel.REPEATABLE_READ
                while (chunk := self._next()) is not None:
                    self._load(source, hub, mapper, chunk)
        except BaseException as error:  # noqa: BLE001 - raised again by run(), in the worker's own thread
            self._failures.append(error)

    def _next(self) -> Chunk | None:
        if self.stop.is_set() or self._failures:
            return None
        try:
            return self._chunks.get_nowait()
        except queue.Empty:
            return None

    def _load(self, source: Connection, hub: Connection, mapper: Mapper, chunk: Chunk) -> None:
        table = self.tables[chunk.relation]
        try:
            with source.transaction():
                source.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(self.exported.name)))
                rows = chunks.read(source, table, chunk)
        except TableRewritten:
            with db.transaction(hub):
                checkpoint.fence(hub, self.captured.source_id, self.worker)
                loads.expect(hub, self.captured.source_id, [chunk.relation], replaces=True)
            return
        self.captured.at(Point.CHUNK_READ)
        place = self._place(rows.height)
        mapped = mapper.map(chunks.as_batch(table.relation, rows, place))
        marked = self._marked(hub, mapped)
        retried(partial(self._master, hub, chunk, marked), source=self.captured.name)
        self.captured.at(Point.CHUNK_COMMITTED)
        statistics.renew(hub, changed_share=1.0)
        self._log.write(hub)

    def _place(self, rows: int) -> Place:
        """Give a chunk its ordinals: dense over the whole snapshot, in the order in which the chunks were read."""
        with self._numbering:
            first = self._next_ordinal
            self._next_ordinal += rows
        return Place(commit_lsn=self.exported.commit_lsn, first_ordinal=first, committed_at=self.exported.taken_at)

    def _marked(self, hub: Connection, mapped: MappedBatch) -> MappedBatch:
        """Give records the golden ids of their keys; what nobody has met yet is claimed, by one reader at a time."""
        marked = self._mark(mapped)
        if self._keys.are_full or not self._keys.present_unknown(marked.records).any():
            return marked
        with self._claiming:
            marked = self._mark(mapped)  # another reader may have claimed them meanwhile
            unknown = self._keys.present_unknown(marked.records)
            if unknown.any():
                retried(partial(self._claim, hub, marked, unknown.to_list()), source=self.captured.name)
                marked = self._mark(mapped)
        return marked

    def _mark(self, mapped: MappedBatch) -> MappedBatch:
        return replace(mapped, records=self._keys.mark(mapped.records))

    def _claim(self, hub: Connection, marked: MappedBatch, chosen: Sequence[bool]) -> None:
        """Claim new keys; one that PostgreSQL refuses is met again, and held back, when its record is mastered."""
        with suppress(*isolating.REFUSED):
            with db.transaction(hub):
                owned = claiming.claim_loaded(hub, marked, chosen)
            self._keys.learn(owned)

    def _master(self, hub: Connection, chunk: Chunk, mapped: MappedBatch) -> None:
        with db.transaction(hub):
            checkpoint.fence(hub, self.captured.source_id, self.worker)
            for part in mapping.split(mapped, rows=self.captured.batch_rows):
                isolating.master(hub, part, assembling.load)
            loads.finish_chunk(
                hub,
                self.captured.source_id,
                chunk,
                rows=mapped.changes.height,
                commit_lsn=Lsn(self.exported.commit_lsn + self.exported.offset),
            )
            self.captured.at(Point.CHUNK_MASTERED)
