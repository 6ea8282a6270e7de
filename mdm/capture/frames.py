"""The frames in which decoded changes travel: whole source transactions, one frame for each table and definition of it.

Values are PostgreSQL's text output, one Polars String column for each source column; null is SQL null.
"""

from dataclasses import dataclass

import polars as pl

from mdm.capture.lsn import Lsn

TRANSACTION_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "tx": pl.Int32,
    "xid": pl.Int64,
    "commit_lsn": pl.Int64,
    "end_lsn": pl.Int64,
    "committed_at": pl.Datetime("us", "UTC"),
    "origin": pl.String,
}
"""Columns of `Batch.transactions`; `commit_lsn` is the commit record's LSN, `origin` null for a change born there."""

META_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "tx": pl.Int32,
    "ordinal": pl.Int64,
    "op": pl.String,
    "lsn": pl.Int64,
}
"""Columns of `TableChanges.meta`; `ordinal` is dense from 1 within the source transaction, over all its tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a source table as the source announced it; `is_key` when it belongs to the replica identity."""

    name: str
    type_oid: int
    type_modifier: int
    is_key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A source table under one definition; `replica_identity` is d(efault), n(othing), f(ull) or i(ndex)."""

    oid: int
    schema: str
    name: str
    replica_identity: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChanges:
    """Changes of one relation under one definition of it, in order; all frames and series are aligned with `meta`.

    `meta` (META_SCHEMA) gives transaction, ordinal, op (c|u|d|r|t) and LSN. `after` is all null for d and t.
    `before` holds the old key or the old row where the source sent one. `unchanged` maps a column's name to a mask
    of the rows whose after value is a TOAST value that the source left out because it did not change (null in
    `after`); a column without any is absent.
    """

    relation: Relation
    meta: pl.DataFrame
    after: pl.DataFrame
    before: pl.DataFrame
    before_kind: pl.Series
    unchanged: dict[str, pl.Series]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicalMessage:
    """A message of pg_logical_emit_message; `tx` and `ordinal` are None when it is not transactional."""

    transactional: bool
    lsn: Lsn
    prefix: str
    content: bytes
    tx: int | None
    ordinal: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Whole source transactions in commit order, or one part of a single transaction that is too large for one batch.

    While `complete` is False more parts of the same transaction follow: commit the hub's transaction only after the
    part whose `complete` is True. `end_lsn` may be confirmed to the source once the hub has committed it.
    """

    transactions: pl.DataFrame
    tables: tuple[TableChanges, ...]
    messages: tuple[LogicalMessage, ...]
    complete: bool
    end_lsn: Lsn
