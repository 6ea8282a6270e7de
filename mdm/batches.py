"""Batches on their way into mastering: what a source's changes come to, and the batches of several sources as one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

FRAMES = ("transactions", "changes", "records", "rejects")


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedBatch:
    """A part of a batch of one source in canonical frames; the columns of each are those of golden_records.staging."""

    source_id: int
    transactions: pl.DataFrame
    changes: pl.DataFrame
    records: pl.DataFrame
    rejects: pl.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedBatch:
    """The same of one source or several: all rows tell their source_id, and `tx` numbers the transactions of all.

    A source's transactions keep their order; among each other they stand by when they were committed. `change_no` is a
    source's own. `most_changes` is the greatest count of one source, `most_transactions` more than any `tx`.
    """

    source_ids: tuple[int, ...]
    transactions: pl.DataFrame
    changes: pl.DataFrame
    records: pl.DataFrame
    rejects: pl.DataFrame
    most_changes: int
    most_transactions: int

    def behind(self, *, changes: int, transactions: int) -> "JoinedBatch":
        """Return it with its numbers counted on behind so many changes and transactions."""
        if not changes and not transactions:
            return self
        change_no = (pl.col("change_no") + changes).alias("change_no")
        tx = (pl.col("tx") + pl.lit(transactions, pl.Int32)).alias("tx")
        return replace(
            self,
            transactions=self.transactions.with_columns_seq(tx),
            changes=self.changes.with_columns_seq(change_no, tx),
            records=self.records.with_columns_seq(change_no, tx),
            rejects=self.rejects.with_columns_seq(change_no),
        )

    @property
    def rows(self) -> int:
        """How many rows the largest of its frames has."""
        return max(frame.height for frame in (self.transactions, self.changes, self.records, self.rejects))


def chain(parts: Sequence[MappedBatch]) -> MappedBatch:
    """Put batches of one source together that follow each other."""
    if len(parts) == 1:
        return parts[0]
    changes, transactions, numbered = 0, 0, []
    for part in parts:
        numbered.append(join([part]).behind(changes=changes, transactions=transactions))
        changes, transactions = changes + numbered[-1].most_changes, transactions + numbered[-1].most_transactions
    frames = {
        name: pl.concat([getattr(part, name) for part in numbered], rechunk=True).drop("source_id") for name in FRAMES
    }
    return MappedBatch(source_id=parts[0].source_id, **frames)


def join(batches: Sequence[MappedBatch]) -> JoinedBatch:
    """Put batches together, each of another source."""
    places = [None] if len(batches) == 1 else _places([batch.transactions for batch in batches])
    placed = [_placed(batch, of_tx) for batch, of_tx in zip(batches, places, strict=True)]
    transactions, changes, records, rejects = (
        frames[0] if len(frames) == 1 else pl.concat(frames, rechunk=True) for frames in zip(*placed, strict=True)
    )
    return JoinedBatch(
        source_ids=tuple(batch.source_id for batch in batches),
        transactions=transactions,
        changes=changes,
        records=records,
        rejects=rejects,
        most_changes=max(batch.changes.height for batch in batches),
        most_transactions=int(transactions["tx"].to_numpy().max(initial=-1)) + 1,
    )


def _placed(batch: MappedBatch, of_tx: NDArray[np.int32] | None) -> tuple[pl.DataFrame, ...]:
    timed = [batch.transactions, batch.changes, batch.records]
    if of_tx is not None:
        timed = [frame.with_columns_seq(pl.Series("tx", of_tx[frame["tx"].to_numpy()])) for frame in timed]
    return tuple(_of_source(frame, batch.source_id) for frame in (*timed, batch.rejects))


def _of_source(frame: pl.DataFrame, source_id: int) -> pl.DataFrame:
    return frame.hstack([pl.Series("source_id", [source_id]).new_from_index(0, frame.height)])


def _places(transactions: Sequence[pl.DataFrame]) -> list[NDArray[np.int32]]:
    """Return for each source which place each of its `tx` has among the transactions of all."""
    numbers = [frame["tx"].to_numpy() for frame in transactions]
    # No later transaction of a source comes before an earlier one, whatever its clock has told.
    moments = [np.maximum.accumulate(frame["committed_at"].to_physical().to_numpy()) for frame in transactions]
    of_source = np.repeat(np.arange(len(numbers)), [len(each) for each in numbers])
    order = np.lexsort((np.concatenate(numbers), of_source, np.concatenate(moments)))
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    ends = np.cumsum([len(each) for each in numbers])[:-1]
    return [_indexed(own, at) for own, at in zip(numbers, np.split(place, ends), strict=True)]


def _indexed(numbers: NDArray[np.int32], places: NDArray[np.int32]) -> NDArray[np.int32]:
    found = np.zeros(int(numbers.max(initial=0)) + 1, np.int32)
    found[numbers] = places
    return found
