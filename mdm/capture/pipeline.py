"""Decoding and mapping ahead: a thread prepares the next batches while the hub masters the present one.

PostgreSQL works for the hub's connection meanwhile, so the two overlap where there is much to do; few changes are left
to gather until the hub is ready for them. The queue is short: memory stays flat, and what waits in it is what a worker
that dies has done in vain.
"""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol, Self

import polars as pl

from mdm.batches import MappedBatch
from mdm.capture.compiled import SchemaBroken
from mdm.capture.frames import Batch, FewChanges, TableChanges
from mdm.capture.lsn import Lsn
from mdm.capture.mapping import Mapper

_DEPTH = 1
_PATIENCE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A batch as it came, and as mastering takes it; None when it moves the checkpoint alone."""

    batch: Batch
    mapped: MappedBatch | None


class BatchStream(Protocol):
    """Where batches come from (capture.stream.ChangeStream, or a fake)."""

    def next_batch(self, *, timeout: float, is_awaited: Callable[[], bool]) -> Batch | None:
        """Return the next batch, or None when none is due within so many seconds; few changes only when awaited."""


class Pipeline:
    """Takes batches from a stream in a thread of its own; what fails there is raised to the taker, in order."""

    def __init__(self, stream: BatchStream, mapper: Mapper) -> None:
        self._stream = stream
        self._mapper = mapper
        self._ready: queue.Queue[Prepared | BaseException] = queue.Queue(maxsize=_DEPTH)
        self._awaited = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._prepare, name="pipeline", daemon=True)
        self._thread.start()

    def expect(self) -> None:
        """Have the next batch prepared now, however few its changes: it will be taken soon."""
        self._awaited.set()

    def take(self, *, timeout: float) -> Prepared | None:
        """Return the next batch, or None when none is ready within so many seconds; raises what the stream raised."""
        self.expect()
        try:
            ready = self._ready.get(timeout=timeout) if timeout > 0 else self._ready.get_nowait()
        except queue.Empty:
            return None
        self._awaited.clear()
        if isinstance(ready, BaseException):
            raise ready
        return ready

    def close(self) -> None:
        """Stop; what is prepared but not taken comes again from the checkpoint."""
        self._closing.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _prepare(self) -> None:
        try:
            while not self._closing.is_set():
                batch = self._stream.next_batch(timeout=_PATIENCE, is_awaited=self._is_awaited)
                if batch is not None:
                    self._put_prepared(batch)
        except BaseException as error:  # noqa: BLE001 - raised again by take(), in the worker's own thread
            self._put(error)

    def _is_awaited(self) -> bool:
        return self._awaited.is_set() and self._ready.empty()

    def _put_prepared(self, batch: Batch) -> None:
        """Prepare a batch; of one that a table's new definition breaks, what came before that, and then the error.

        So the checkpoint comes to stand right before the break, and a mapping of the new definition goes on there.
        """
        try:
            self._put(self._prepared(batch))
        except SchemaBroken as broken:
            if broken.tx > 0:
                self._put(self._prepared(_before(batch, broken.tx)))
            raise

    def _prepared(self, batch: Batch) -> Prepared:
        is_empty = batch.transactions.is_empty() and not batch.tables and not batch.few
        return Prepared(batch=batch, mapped=None if is_empty else self._mapper.map(batch))

    def _put(self, ready: Prepared | BaseException) -> None:
        while not self._closing.is_set():
            try:
                self._ready.put(ready, timeout=_PATIENCE)
            except queue.Full:
                continue
            return


def _before(batch: Batch, tx: int) -> Batch:
    """Return the transactions of a batch before one of them."""
    kept = batch.transactions.filter(pl.col("tx") < tx)
    return Batch(
        transactions=kept,
        tables=tuple(part for table in batch.tables if (part := _part_before(table, tx)).meta.height),
        few=tuple(left for some in batch.few if (left := _few_before(some, tx)).rows),
        messages=tuple(message for message in batch.messages if message.tx is None or message.tx < tx),
        complete=True,
        end_lsn=Lsn(kept["end_lsn"].item(-1)),
    )


def _part_before(table: TableChanges, tx: int) -> TableChanges:
    kept = table.meta["tx"] < tx
    return replace(
        table,
        meta=table.meta.filter(kept),
        after=table.after.filter(kept),
        before=table.before.filter(kept),
        before_kind=table.before_kind.filter(kept),
        unchanged={name: mask.filter(kept) for name, mask in table.unchanged.items()},
    )


def _few_before(table: FewChanges, tx: int) -> FewChanges:
    return replace(table, rows=tuple(row for row in table.rows if row.tx < tx))
