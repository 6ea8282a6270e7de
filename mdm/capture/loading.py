"""Loading tables while the stream runs: one at a time, chunk by chunk between marks, each mastered where it belongs.

The chunk's rows stand at their high mark in the order of changes (law 3). At the end of a load that replaces, what it
did not see is deleted as a change of the source, so golden records are mastered, never dropped.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import assert_never

import structlog

from golden_records import rows, unseen
from mdm import db, mastering
from mdm.batches import MappedBatch
from mdm.capture import catalog, checkpoint, chunks, isolating, loads, mapping
from mdm.capture.capturing import Captured
from mdm.capture.chunks import Chunk, Place
from mdm.capture.crashes import Point
from mdm.capture.loads import LoadState, TableLoad
from mdm.capture.lsn import Lsn
from mdm.capture.mapping import Mapper
from mdm.capture.progress import LoadLog
from mdm.capture.reading import Job, Mark, Reader, Reading
from mdm.capture.watermarks import Watermarks
from mdm.db import Connection

_log = structlog.get_logger(__name__)

Step = Callable[[Connection], int]
"""A piece of work in the hub's open transaction; returns how many changes it mastered."""


@dataclass(slots=True, kw_only=True)
class Loading:
    """The load at hand. It is driven from two sides: begin_next() while idle, at_mark() in the order of the stream."""

    captured: Captured
    hub: Connection
    worker: int
    mapper: Mapper
    reader: Reader
    watermarks: Watermarks = field(default_factory=Watermarks)
    _load: TableLoad | None = None
    _open: list[Job] = field(default_factory=list)
    _progress: LoadLog = field(init=False)

    def __post_init__(self) -> None:
        self._progress = LoadLog(self.captured.name, self.captured.source_id)

    def begin_next(self) -> bool:
        """Begin the load that waits longest, or go on with a killed one; False when all tables are loaded."""
        if self._load is None:
            waiting = [load for load in loads.list_loads(self.hub, self.captured.source_id) if not _is_done(load)]
            if not waiting:
                return False
            self._begin(waiting[0])
        self.reader.check()
        self._progress.write(self.hub)
        return True

    def note(self, mapped: MappedBatch) -> None:
        """Take in the changes that the stream has shown."""
        self.watermarks.note(mapped)

    def owns(self, token: str) -> bool:
        """Tell whether a mark is of this run; older ones mean nothing any more."""
        return self.reader.relation_of(token) is not None

    def at_mark(self, mark: Mark, token: str, place: Place) -> list[Step]:
        """Return what is to be mastered at a mark; `place` is the mark's own transaction."""
        match mark:
            case Mark.LOW:
                self.watermarks.open(token, self.reader.relation_of(token) or "")
                return []
            case Mark.HIGH:
                reading = self.reader.take(token)
                return [] if reading is None else self._chunk_read(token, reading, place)
            case Mark.END:
                reading = self.reader.take(token)
                is_ours = reading is not None and self._load is not None and not self._open
                return [partial(self._end, self._load, place)] if is_ours and self._load is not None else []
            case _:
                assert_never(mark)

    def _begin(self, load: TableLoad) -> None:
        source_id = self.captured.source_id
        with chunks.connect(self.captured.source_dsn) as source:
            table = catalog.list_tables(source, self.captured.source.publication, [load.relation])[0]
            start = Lsn.parse(rows.single(source, "select pg_current_wal_insert_lsn()::text"))
        if load.state is LoadState.WAITING:
            with db.transaction(self.hub):
                checkpoint.fence(self.hub, source_id, self.worker)
                start_lsn = Lsn(start + self.mapper.offset)
                loads.begin(
                    self.hub,
                    source_id,
                    load.relation,
                    start_lsn=start_lsn,
                    chunks=chunks.plan(table, rows=self.captured.chunk_rows),
                )
        self._load = next(one for one in loads.list_loads(self.hub, source_id) if one.relation == load.relation)
        self._open = [
            Job(table=table, chunk=chunk) for chunk in loads.list_open_chunks(self.hub, source_id, load.relation)
        ]
        _log.info("load.began", source=self.captured.name, table=load.relation, chunks=len(self._open))
        for job in self._open or [Job(table=table, chunk=None)]:
            self.reader.put(job)

    def _chunk_read(self, token: str, reading: Reading, place: Place) -> list[Step]:
        job = reading.job
        if job.chunk is None or job not in self._open:
            return []
        if reading.rows is None or reading.snapshot is None:
            self._open = []
            return [partial(self._plan_again, job.table.name)]
        chunk = self.mapper.map(chunks.as_batch(job.table.relation, reading.rows, place))
        kept = self.watermarks.close(token, reading.snapshot, chunk)
        if kept is None:
            self.reader.put(job)
            return []
        self._open.remove(job)
        if not self._open:
            self.reader.put(Job(table=job.table, chunk=None))
        return [partial(self._master_chunk, job.chunk, kept, reading.rows.height, place)]

    def _master_chunk(self, chunk: Chunk, kept: MappedBatch, read: int, place: Place, hub: Connection) -> int:
        take: isolating.Take = mastering.apply
        for part in mapping.split(kept, rows=self.captured.batch_rows):
            if part.changes.height:
                isolating.master(hub, part, take)
                take = isolating.go_on
        commit_lsn = Lsn(place.commit_lsn + self.mapper.offset)
        loads.finish_chunk(hub, self.captured.source_id, chunk, rows=read, commit_lsn=commit_lsn)
        self.captured.at(Point.CHUNK_MASTERED)
        return kept.changes.height

    def _plan_again(self, relation: str, hub: Connection) -> int:
        loads.expect(hub, self.captured.source_id, [relation], replaces=True)
        self._load = None
        return 0

    def _end(self, load: TableLoad, place: Place, hub: Connection) -> int:
        removed = self._remove_unseen(load, place, hub) if load.replaces else 0
        loads.finish(hub, self.captured.source_id, load.relation)
        self._load = None
        _log.info("load.ended", source=self.captured.name, table=load.relation, removed=removed)
        return removed

    def _remove_unseen(self, load: TableLoad, place: Place, hub: Connection) -> int:
        source_id, size = self.captured.source_id, self.captured.batch_rows
        count = unseen.collect(hub, source_id=source_id, relation=load.relation, since=str(load.start_lsn))
        for after in range(0, count, size):
            keys = unseen.list_keys(hub, after=after, limit=size)
            at = Place(
                commit_lsn=place.commit_lsn,
                first_ordinal=place.first_ordinal + after,
                committed_at=place.committed_at,
            )
            mastering.apply(hub, self.mapper.deletions(load.relation, keys, at))
        return count


def _is_done(load: TableLoad) -> bool:
    return load.state is LoadState.DONE
