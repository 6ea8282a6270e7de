"""Reads chunks while the stream runs: a thread with a session of its own at the source, which writes the marks.

The marks are transactional messages, since only a commit is flushed, and thus streamed, at once.
"""

import queue
import threading
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self

import polars as pl
from psycopg import IsolationLevel

from golden_records import rows
from mdm.capture import chunks
from mdm.capture.catalog import CapturedTable
from mdm.capture.chunks import Chunk, TableRewritten
from mdm.capture.crashes import Passing, Point
from mdm.capture.watermarks import PREFIX, SourceSnapshot
from mdm.db import Connection

_AHEAD = 2  # chunks that are read but not mastered yet
_PATIENCE = 0.2


class Mark(StrEnum):
    """What a message in the source's WAL stands for. END: all chunks of the load of a table are between marks."""

    LOW = "low"
    HIGH = "high"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A chunk to be read, or with None the end of its table's load."""

    table: CapturedTable
    chunk: Chunk | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A job as far as it came; `rows` is None for an end, and for a table that was rewritten before it was read."""

    job: Job
    rows: pl.DataFrame | None
    snapshot: SourceSnapshot | None


def parse_mark(prefix: str, content: bytes) -> tuple[Mark, str] | None:
    """Read the mark and its token from a logical message; None for a message of somebody else's."""
    kind, _, token = content.decode(errors="replace").partition(" ")
    return (Mark(kind), token) if prefix == PREFIX and kind in set(Mark) and token else None


class Reader:
    """Reads the chunks that it is given, in order; `run` makes its tokens its own among all readers before it."""

    def __init__(self, dsn: str, *, run: str, at: Passing) -> None:
        self._dsn = dsn
        self._run = run
        self._at = at
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._ahead = threading.Semaphore(_AHEAD)
        self._readings: dict[str, Reading] = {}
        self._closing = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._read_all, name="chunk reader", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """Ask for a chunk, or announce the end of a table's load."""
        self._jobs.put(job)

    def relation_of(self, token: str) -> str | None:
        """Return the table that a token of this reader is about, None for another reader's token."""
        reading = self._readings.get(token)
        return None if reading is None else reading.job.table.name

    def take(self, token: str) -> Reading | None:
        """Return what was read under a token, once, and let the reader go on; None for another reader's token."""
        reading = self._readings.pop(token, None)
        if reading is not None:
            self._ahead.release()
        return reading

    def check(self) -> None:
        """Raise what the reader failed with."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Stop; a chunk at hand is read to its end."""
        self._closing.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_all(self) -> None:
        try:
            with chunks.connect(self._dsn) as connection:
                number = 0
                while (job := self._next()) is not None:
                    number += 1
                    self._read(connection, job, f"{self._run}:{number}")
        except BaseException as error:  # noqa: BLE001 - raised again by check(), in the worker's own thread
            self._failure = error

    def _next(self) -> Job | None:
        """Wait for a job, and for the worker to have mastered what was read before; None when closing."""
        while not self._closing.is_set():
            try:
                job = self._jobs.get(timeout=_PATIENCE)
            except queue.Empty:
                continue
            while not self._ahead.acquire(timeout=_PATIENCE):
                if self._closing.is_set():
                    return None
            return job
        return None

    def _read(self, connection: Connection, job: Job, token: str) -> None:
        self._readings[token] = Reading(job=job, rows=None, snapshot=None)
        if job.chunk is None:
            _emit(connection, Mark.END, token)
            return
        _emit(connection, Mark.LOW, token)
        self._at(Point.LOW_MARK_WRITTEN)
        self._readings[token] = _reading(connection, job, job.chunk)
        self._at(Point.CHUNK_READ)
        _emit(connection, Mark.HIGH, token)
        self._at(Point.HIGH_MARK_WRITTEN)


def _reading(connection: Connection, job: Job, chunk: Chunk) -> Reading:
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            seen: str = rows.single(connection, "select pg_current_snapshot()::text")
            read = chunks.read(connection, job.table, chunk)
    except TableRewritten:
        return Reading(job=job, rows=None, snapshot=None)
    return Reading(job=job, rows=read, snapshot=SourceSnapshot.parse(seen))


def _emit(connection: Connection, mark: Mark, token: str) -> None:
    connection.execute("select pg_logical_emit_message(true, %s, %s)", [PREFIX, f"{mark} {token}"])
