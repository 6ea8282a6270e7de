"""Batches on their way into mastering: what a source's changes come to."""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedBatch:
    """A part of a batch of one source in canonical frames; the columns of each are those of golden_records.staging."""

    source_id: int
    transactions: pl.DataFrame
    changes: pl.DataFrame
    records: pl.DataFrame
    rejects: pl.DataFrame
