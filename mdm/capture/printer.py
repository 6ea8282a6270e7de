"""Batches printed as JSON lines by a thread of its own, so that the next batch is decoded meanwhile.

What is written is then confirmed, and only that: what a run that ends early has not written comes again.
"""

import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from mdm.capture.envelope import Envelope, Lines
from mdm.capture.frames import Batch
from mdm.capture.lsn import Lsn
from mdm.capture.table_names import TableName

_DEPTH = 2
_PATIENCE = 0.2
_LAST_WAIT = 2.0  # seconds; a reader that takes nothing more does not keep the process from ending


class Output:
    """Writes blocks of lines to a file descriptor, at most `limit` lines; `ended` is set when no more is wanted."""

    def __init__(self, descriptor: int, *, limit: int | None) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self.written = 0
        self.ended = threading.Event()
        if limit == 0:
            self.ended.set()

    def write(self, lines: Lines) -> int | None:
        """Write the lines; return the first of the batch's transactions that is not wholly written, None if all are."""
        left_out = None
        if self._limit is not None and self.written + lines.count >= self._limit:
            lines, left_out = lines.head(self._limit - self.written)
            self.ended.set()
        try:
            self._write(lines.octets())
        except BrokenPipeError:
            self.ended.set()
            return 0
        self.written += lines.count
        return left_out

    def _write(self, octets: memoryview) -> None:
        while octets:
            octets = octets[os.write(self._descriptor, octets) :]


class Printer:
    """Takes batches to print; `confirm` is told how far what was written reaches."""

    def __init__(
        self, envelope: Envelope, output: Output, tables: frozenset[TableName] | None, confirm: Callable[[Lsn], None]
    ) -> None:
        self._envelope = envelope
        self._output = output
        self._tables = tables
        self._confirm = confirm
        self._batches: queue.Queue[Batch | None] = queue.Queue(maxsize=_DEPTH)
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="printer", daemon=True)
        self._thread.start()

    def put(self, batch: Batch, *, stop: threading.Event) -> None:
        """Print a batch after those before it; waits while they are being printed, unless the output ends or `stop`."""
        while not (self._output.ended.is_set() or stop.is_set()):
            try:
                self._batches.put(batch, timeout=_PATIENCE)
            except queue.Full:
                continue
            return

    def finish(self, *, stop: threading.Event) -> None:
        """Wait until all is printed; raises what went wrong. Asked to stop, it waits no longer than a moment."""
        deadline: float | None = None
        while self._thread.is_alive():
            if stop.is_set() and deadline is None:
                deadline = time.monotonic() + _LAST_WAIT
            if deadline is not None and time.monotonic() > deadline:
                return
            try:
                self._batches.put(None, timeout=_PATIENCE)
            except queue.Full:
                continue
            self._thread.join(_PATIENCE)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._output.ended.is_set() and (batch := self._batches.get()) is not None:
                self._print(batch)
        except Exception as error:  # noqa: BLE001 - the thread's outermost loop: finish() raises it
            self._failure = error
            self._output.ended.set()

    def _print(self, batch: Batch) -> None:
        lines = self._envelope.lines(self._wanted(batch), now=time.time_ns())
        left_out = self._output.write(lines)
        if left_out is None:
            if batch.complete:
                self._confirm(batch.end_lsn)
        elif left_out > 0:
            self._confirm(Lsn(batch.transactions["end_lsn"][left_out - 1]))

    def _wanted(self, batch: Batch) -> Batch:
        if self._tables is None:
            return batch
        kept = (one for one in batch.tables if TableName(one.relation.schema, one.relation.name) in self._tables)
        return replace(batch, tables=tuple(kept))
