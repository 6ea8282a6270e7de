"""Which transaction each message belongs to, and the batch that a run of messages becomes.

Pure. Ordinals are dense from 1 in each source transaction, over all tables, also where a transaction is handed out in
parts: the open transaction remembers how far it has counted.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mdm.capture import messages, pgoutput
from mdm.capture.frames import TRANSACTION_SCHEMA, Batch
from mdm.capture.lsn import Lsn
from mdm.capture.messages import Cursor, Kind
from mdm.capture.pgoutput import Definitions, Placed
from mdm.capture.wire import HEADER, Mask, Positions, Wire

_EPOCH = 946_684_800_000_000  # 2000-01-01 UTC, where PostgreSQL's clock begins, in Unix microseconds
_YEAR_9999 = 253_370_764_800_000_000
_BEGIN_SIZE = HEADER + 21
_COMMIT_SIZE = HEADER + 26
_IN_STREAM_SIZE = HEADER + 5
_IN_STREAM = np.isin(
    np.arange(256),
    (*pgoutput.ROW_KINDS, Kind.TRUNCATE, Kind.MESSAGE, Kind.RELATION, Kind.TYPE, Kind.ORIGIN),
)
_PLAIN = _IN_STREAM | np.isin(np.arange(256), (Kind.BEGIN, Kind.COMMIT))
_INSIDE = np.isin(np.arange(256), (*pgoutput.ROW_KINDS, Kind.TRUNCATE, Kind.ORIGIN, Kind.COMMIT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A transaction that is handed out in parts; `changes` counts the changes so far, `end_lsn` is None until known.

    `committed_at` is in microseconds since 1970.
    """

    xid: int
    commit_lsn: int
    end_lsn: int | None
    committed_at: int
    origin: str | None = None
    changes: int = 0

    def frame(self) -> pl.DataFrame:
        """Return it as the only row of Batch.transactions."""
        fields = {name: getattr(self, name, 0) for name in TRANSACTION_SCHEMA}
        return pl.DataFrame([fields], schema=TRANSACTION_SCHEMA)


def depth(wire: Wire, *, is_open: bool) -> NDArray[np.int64]:
    """Return behind each message whether a transaction is open: 1 or 0. Refuses what nests or stands outside."""
    pgoutput.refuse_unknown(wire, _PLAIN)
    begins, commits = wire.kinds == Kind.BEGIN, wire.kinds == Kind.COMMIT
    after = np.cumsum(begins.astype(np.int64) - commits) + int(is_open)
    before = after - begins + commits
    wrong = (after > 1) | (_INSIDE[wire.kinds] & (before < 1))
    if wrong.any():
        raise wire.refuse(int(np.argmax(wrong)), "it stands outside of a transaction, or begins one inside another")
    return after


def plain(
    wire: Wire, definitions: Definitions, carried: Transaction | None, *, few: int = 0
) -> tuple[Batch, Transaction | None]:
    """Decode whole transactions, or a part of one; return also the transaction that stays open behind it.

    The first messages belong to the carried transaction, if any. A part must be of one transaction alone. Up to `few`
    changes of a table come row by row.
    """
    is_complete = bool(depth(wire, is_open=carried is not None)[-1] == 0)
    placed = _place(wire, carried)
    known = _transactions(placed, carried)
    batch = _batch(placed, definitions, known, complete=is_complete, few=few)
    return batch, None if is_complete else _open(known, int(placed.ordinals[-1]))


def streamed(
    wire: Wire, definitions: Definitions, transaction: Transaction, *, rolled_back: Collection[int], complete: bool
) -> tuple[Batch, Transaction]:
    """Decode a part of a committed transaction that was streamed while in progress; return it as it stands then.

    Changes of sub-transactions that were rolled back are left out, and not counted.
    """
    kept = kept_messages(wire, rolled_back)
    counted = np.cumsum(pgoutput.weights(wire, in_stream=True) * kept) + transaction.changes
    placed = Placed(wire, np.zeros(len(wire), np.int32), counted, kept, in_stream=True)
    origins = [messages.origin(Cursor(wire, index)) for index in placed.find(Kind.ORIGIN)]
    changes = int(counted[-1]) if len(wire) else transaction.changes
    transaction = replace(transaction, changes=changes, origin=origins[0] if origins else transaction.origin)
    return _batch(placed, definitions, transaction.frame(), complete=complete), transaction


def kept_messages(wire: Wire, rolled_back: Collection[int]) -> Mask:
    """Tell which messages of a streamed transaction belong to no sub-transaction that was rolled back.

    The protocol makes one exception: a logical message names the top transaction, so it is kept in any case.
    """
    pgoutput.refuse_unknown(wire, _IN_STREAM)
    pgoutput.require_length(wire, np.flatnonzero(wire.kinds != Kind.ORIGIN), _IN_STREAM_SIZE)
    if not rolled_back:
        return np.ones(len(wire), np.bool_)
    xids = wire.uint32(wire.starts + HEADER + 1)
    kept: Mask = (wire.kinds == Kind.ORIGIN) | ~np.isin(xids, list(rolled_back))
    return kept


def unix_microseconds(moment: int) -> int:
    """Return one of PostgreSQL's times as microseconds since 1970."""
    return moment + _EPOCH


def _place(wire: Wire, carried: Transaction | None) -> Placed:
    """Give each message its transaction, -1 ahead of all, and the count of changes in it so far."""
    begins = wire.kinds == Kind.BEGIN
    tx = np.cumsum(begins, dtype=np.int32) - np.int32(carried is None)
    counted = np.cumsum(pgoutput.weights(wire, in_stream=False))
    bases = np.append(counted[begins], 0) if carried is None else np.append(-carried.changes, counted[begins])
    return Placed(wire, tx, counted - bases[tx], np.ones(len(wire), np.bool_), in_stream=False)


def _batch(placed: Placed, definitions: Definitions, known: pl.DataFrame, *, complete: bool, few: int = 0) -> Batch:
    tables, by_row = pgoutput.tables(placed, definitions, few=few)
    said = pgoutput.logical_messages(placed)
    # Everything that commits ahead of end_lsn has been handed out: behind a part, only what commits ahead of it.
    ends = [*known["end_lsn" if complete else "commit_lsn"], *(one.lsn + 1 for one in said if not one.transactional)]
    return Batch(
        transactions=known,
        tables=tables,
        few=by_row,
        messages=said,
        complete=complete,
        end_lsn=Lsn(max(ends)),
    )


def _transactions(placed: Placed, carried: Transaction | None) -> pl.DataFrame:
    """Read the begins and the commits; the end of a transaction that stays open is null."""
    wire = placed.wire
    begins, commits = np.array(placed.find(Kind.BEGIN), np.int64), np.array(placed.find(Kind.COMMIT), np.int64)
    _require_size(wire, begins, _BEGIN_SIZE)
    at = wire.starts[begins] + HEADER + 1
    xids, lsns, moments = wire.uint32(at + 16), wire.int64(at), wire.int64(at + 8) + _EPOCH
    _require(wire, begins, (lsns >= 0) & (moments >= 0) & (moments < _YEAR_9999), "its position or time is none")
    if carried is not None:
        xids, lsns = np.append(carried.xid, xids), np.append(carried.commit_lsn, lsns)
        moments = np.append(carried.committed_at, moments)
    ends = pl.Series(_ends(wire, commits, lsns[: commits.size]))
    return pl.DataFrame(
        {
            "tx": np.arange(xids.size, dtype=np.int32),
            "xid": xids,
            "commit_lsn": lsns,
            "end_lsn": ends.append(pl.Series([None] * (xids.size - commits.size), dtype=pl.Int64)),
            "committed_at": pl.Series(moments).cast(pl.Datetime("us", "UTC")),
            "origin": _origins(placed, xids.size, carried),
        }
    )


def _ends(wire: Wire, commits: Positions, expected: Positions) -> Positions:
    """Read where each commit record ends; each must be the commit that its transaction's begin announced."""
    _require_size(wire, commits, _COMMIT_SIZE)
    at = wire.starts[commits] + HEADER + 2
    lsns, ends = wire.int64(at), wire.int64(at + 8)
    _require(wire, commits, lsns == expected, "it commits another transaction than the one that is open")
    _require(wire, commits, ends >= lsns, "it ends before it begins")
    return ends


def _origins(placed: Placed, count: int, carried: Transaction | None) -> pl.Series:
    """Return where the source itself had each transaction from; null when it was born there."""
    names: list[str | None] = [None] * count
    if carried is not None:
        names[0] = carried.origin
    for index in placed.find(Kind.ORIGIN):
        names[int(placed.tx[index])] = messages.origin(placed.cursor(index))
    return pl.Series("origin", names, dtype=pl.String)


def _open(known: pl.DataFrame, changes: int) -> Transaction:
    return Transaction(
        xid=known["xid"].item(),
        commit_lsn=known["commit_lsn"].item(),
        end_lsn=None,
        committed_at=known["committed_at"].cast(pl.Int64).item(),
        origin=known["origin"].item(),
        changes=changes,
    )


def _require_size(wire: Wire, indices: Positions, size: int) -> None:
    sizes = (wire.ends - wire.starts)[indices]
    _require(wire, indices, sizes == size, f"it is not {size - HEADER} octets long")


def _require(wire: Wire, indices: Positions, fulfilled: Mask, problem: str) -> None:
    if not fulfilled.all():
        raise wire.refuse(int(indices[np.argmin(fulfilled)]), problem)
