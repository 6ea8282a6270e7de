"""Which rows of a chunk, read while the stream runs, are older than what the stream has shown (pure).

A chunk is read between two marks that the reader writes into the source's WAL (DBLog, Andreakis & Papapanagiotou 2020).
Rows whose keys the stream changes between the marks are dropped from the chunk: the stream's are newer. DBLog trusts
that what committed before the low mark is visible to the read. PostgreSQL writes a commit to the WAL a moment before
others see it, so the read's own snapshot is compared with the transactions seen so far; a chunk that missed one of
them is read again.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from mdm.batches import MappedBatch

PREFIX = "mdm"
_REMEMBERED = 100_000  # transactions; a commit is invisible for microseconds, or while a synchronous standby is slow
_XIDS = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSnapshot:
    """What a read saw: every transaction below `xmin`, none from `xmax` on, none of `in_progress` (64-bit ids)."""

    xmin: int
    xmax: int
    in_progress: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> "SourceSnapshot":
        """Read the text of pg_current_snapshot(), `xmin:xmax:xid,xid`."""
        xmin, xmax, running = text.split(":")
        return cls(xmin=int(xmin), xmax=int(xmax), in_progress=tuple(int(xid) for xid in running.split(",") if xid))

    def sees_all(self, xids: np.ndarray) -> bool:
        """Tell whether all these transactions are visible; their ids are of 32 bits, as the stream gives them."""
        behind = (self.xmax - xids) % _XIDS
        behind[behind >= _XIDS // 2] -= _XIDS  # xmax or later
        whole = self.xmax - behind
        return not bool(((whole >= self.xmax) | np.isin(whole, self.in_progress)).any())


@dataclass(slots=True, kw_only=True)
class _Window:
    relation: str
    seen_before: np.ndarray
    touched: list[pl.Series] = field(default_factory=list)
    is_emptied: bool = False


@dataclass(slots=True)
class Watermarks:
    """The windows that are open in the stream, by token; fed with every change in stream order."""

    _windows: dict[str, _Window] = field(default_factory=dict)
    _xids: deque[int] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def note(self, mapped: MappedBatch) -> None:
        """Take in the changes that the stream has shown."""
        self._xids.extend(mapped.transactions["xid"].drop_nulls())
        for window in self._windows.values():
            changes = mapped.changes.filter(pl.col("relation") == window.relation)
            window.is_emptied |= bool((changes["op"] == "t").any())
            keys = pl.concat([changes["source_key"], _keys_left(mapped, changes)])
            if len(keys):
                window.touched.append(keys)

    def open(self, token: str, relation: str) -> None:
        """Open a window at its low mark."""
        self._windows[token] = _Window(relation=relation, seen_before=np.array(self._xids, dtype=np.int64))

    def close(self, token: str, snapshot: SourceSnapshot, chunk: MappedBatch) -> MappedBatch | None:
        """Close a window at its high mark; return the chunk's rows that still hold, None when it must be read again.

        None also for a token that was never opened: its low mark came before this run of the stream.
        """
        window = self._windows.pop(token, None)
        if window is None or not snapshot.sees_all(window.seen_before):
            return None
        if window.is_emptied:
            return _keeping(chunk, chunk.changes.clear())
        if not window.touched:
            return chunk
        touched = pl.concat(window.touched).drop_nulls().unique().to_frame("source_key")
        return _keeping(chunk, chunk.changes.join(touched, on="source_key", how="anti", maintain_order="left"))


def _keys_left(mapped: MappedBatch, changes: pl.DataFrame) -> pl.Series:
    """Return the old keys of rows whose key was changed: they have a record that is deleted, but no change."""
    numbers = changes["change_no"].implode()
    deleted = pl.col("change_no").is_in(numbers) & (pl.col("op") == "d")
    return mapped.records.filter(deleted)["source_key"]


def _keeping(chunk: MappedBatch, changes: pl.DataFrame) -> MappedBatch:
    """Return the chunk with these of its changes, numbered densely again."""
    numbers = changes.select("change_no").with_columns(number=pl.int_range(1, changes.height + 1, dtype=pl.Int64))

    def renumbered(frame: pl.DataFrame) -> pl.DataFrame:
        kept = frame.join(numbers, on="change_no", how="inner", maintain_order="left")
        return kept.with_columns(change_no=pl.col("number")).drop("number")

    return MappedBatch(
        source_id=chunk.source_id,
        transactions=chunk.transactions,
        changes=renumbered(changes),
        records=renumbered(chunk.records),
        rejects=renumbered(chunk.rejects),
    )
