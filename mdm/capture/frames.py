"""The frames in which decoded changes travel: whole source transactions, one frame for each table and definition of it.

Values are PostgreSQL's text output, one Polars String column for each source column; null is SQL null. Of a table with
few changes they travel row by row: a frame costs the same for one row as for a thousand.
"""

from dataclasses import dataclass
from typing import NamedTuple

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


Values = tuple[str | None, ...]
"""A row's values, in the order of its relation's columns."""


class RowChange(NamedTuple):
    """A change by itself, with the fields of META_SCHEMA.

    `after` is None for d; `before`, the old key (`before_kind` K) or the old row (O), where the source sent none.
    """

    tx: int
    ordinal: int
    op: str
    lsn: int
    before_kind: str | None
    before: Values | None
    after: Values | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FewChanges:
    """A few changes of one relation under one definition of it, row by row, in order; no value is left out."""

    relation: Relation
    rows: tuple[RowChange, ...]

    def framed(self) -> TableChanges:
        """Return the same as frames."""
        names = [column.name for column in self.relation.columns]
        nothing = (None,) * len(names)
        return TableChanges(
            relation=self.relation,
            meta=pl.DataFrame([row[:4] for row in self.rows], schema=META_SCHEMA, orient="row"),
            after=_framed([row.after or nothing for row in self.rows], names),
            before=_framed([row.before or nothing for row in self.rows], names),
            before_kind=pl.Series([row.before_kind for row in self.rows], dtype=pl.String),
            unchanged={},
        )


def _framed(rows: list[Values], names: list[str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


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

    A table's changes are in `tables`, or in `few`, where these were asked for (backlog.Limits).
    While `complete` is False more parts of the same transaction follow: commit the hub's transaction only after the
    part whose `complete` is True. `end_lsn` may be confirmed to the source once the hub has committed it.
    """

    transactions: pl.DataFrame
    tables: tuple[TableChanges, ...]
    messages: tuple[LogicalMessage, ...]
    complete: bool
    end_lsn: Lsn
    few: tuple[FewChanges, ...] = ()
