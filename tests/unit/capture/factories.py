"""Builders of decoded changes: rows as dicts in, the decoder's frames out."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import polars as pl

from mdm.capture.frames import (
    META_SCHEMA,
    TRANSACTION_SCHEMA,
    Batch,
    Column,
    FewChanges,
    Relation,
    RowChange,
    TableChanges,
)
from mdm.capture.lsn import Lsn

TEXT, DATE, TIMESTAMP, TIMESTAMPTZ = 25, 1082, 1114, 1184
MOMENT = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)

Row = Mapping[str, str | None]


class Unchanged(str):
    """Stands for a TOAST value that the source did not send."""

    __slots__ = ()


UNCHANGED = Unchanged("unchanged")


def relation(
    name: str, columns: Mapping[str, int] | Sequence[str], *, key: Sequence[str], identity: str = "d"
) -> Relation:
    """Build a table definition; columns without a type are text."""
    types = columns if isinstance(columns, Mapping) else dict.fromkeys(columns, TEXT)
    return Relation(
        oid=16384,
        schema="public",
        name=name,
        replica_identity=identity,
        columns=tuple(
            Column(name=column, type_oid=oid, type_modifier=-1, is_key=identity == "f" or column in key)
            for column, oid in types.items()
        ),
    )


def change(
    op: str, after: Row | None = None, *, tx: int = 0, before: Row | None = None, kind: str | None = None
) -> dict:  # type: ignore[type-arg]
    """Describe one change; `kind` K when `before` is a key only, O when it is the whole old row."""
    return {"op": op, "after": after or {}, "before": before or {}, "kind": kind or ("K" if before else None), "tx": tx}


def table_changes(of: Relation, changes: Sequence[dict], *, first_ordinal: int = 1) -> TableChanges:  # type: ignore[type-arg]
    """Lay changes of one table out in frames; ordinals count on within a transaction."""
    names = [column.name for column in of.columns]
    counts: dict[int, int] = {}
    ordinals = []
    for entry in changes:
        counts[entry["tx"]] = counts.get(entry["tx"], first_ordinal - 1) + 1
        ordinals.append(counts[entry["tx"]])
    unchanged = {
        name: pl.Series(name, [isinstance(entry["after"].get(name), Unchanged) for entry in changes]) for name in names
    }
    return TableChanges(
        relation=of,
        meta=pl.DataFrame(
            {
                "tx": [entry["tx"] for entry in changes],
                "ordinal": ordinals,
                "op": [entry["op"] for entry in changes],
                "lsn": [1000] * len(changes),
            },
            schema=META_SCHEMA,
        ),
        after=_frame(names, [entry["after"] for entry in changes]),
        before=_frame(names, [entry["before"] for entry in changes]),
        before_kind=pl.Series("before_kind", [entry["kind"] for entry in changes], dtype=pl.String),
        unchanged={name: mask for name, mask in unchanged.items() if mask.any()},
    )


def by_row(table: TableChanges) -> FewChanges:
    """Return changes row by row; none may leave out a value."""
    assert not table.unchanged
    told = zip(table.meta.rows(), table.before_kind, table.before.rows(), table.after.rows(), strict=True)
    rows = [
        RowChange(tx, ordinal, op, lsn, kind, before if kind else None, None if op == "d" else after)
        for (tx, ordinal, op, lsn), kind, before, after in told
    ]
    return FewChanges(relation=table.relation, rows=tuple(rows))


def batch(
    *tables: TableChanges, few: tuple[FewChanges, ...] = (), transactions: int = 1, first_lsn: int = 0x1000
) -> Batch:
    """Build a batch of so many transactions, 0x100 bytes apart."""
    return Batch(
        transactions=pl.DataFrame(
            {
                "tx": range(transactions),
                "xid": range(700, 700 + transactions),
                "commit_lsn": [first_lsn + 0x100 * tx for tx in range(transactions)],
                "end_lsn": [first_lsn + 0x100 * tx + 0x30 for tx in range(transactions)],
                "committed_at": [MOMENT] * transactions,
                "origin": [None] * transactions,
            },
            schema=TRANSACTION_SCHEMA,
        ),
        tables=tables,
        few=few,
        messages=(),
        complete=True,
        end_lsn=Lsn(first_lsn + 0x100 * transactions),
    )


def _frame(names: Sequence[str], rows: Sequence[Row]) -> pl.DataFrame:
    values = {name: [_sent(row.get(name)) for row in rows] for name in names}
    return pl.DataFrame(values, schema=dict.fromkeys(names, pl.String))


def _sent(value: str | None) -> str | None:
    return None if isinstance(value, Unchanged) else value
