"""The changes in a run of messages, as frames: one for each table and each definition of it.

Pure but for the definitions, which it learns from Relation messages and remembers for later runs. What belongs to
which transaction is told by `transactions`.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mdm.capture import few_rows, messages, tuples
from mdm.capture.errors import DecodeError
from mdm.capture.few_rows import Declined
from mdm.capture.frames import FewChanges, LogicalMessage, Relation, RowChange, TableChanges
from mdm.capture.messages import Cursor, Kind
from mdm.capture.tuples import Rows, Slots
from mdm.capture.wire import HEADER, Mask, Positions, Wire

ROW_KINDS = (Kind.INSERT, Kind.UPDATE, Kind.DELETE)
_IS_ROW = np.isin(np.arange(256), ROW_KINDS)
_NEW, _KEY, _OLD = b"NKO"
_HAS_OLD = np.isin(np.arange(256), (_KEY, _OLD))
_OPS = pl.Series(["c", "u", "d"], dtype=pl.String)
_OP_OF = np.zeros(256, np.uint32)
_OP_OF[list(ROW_KINDS)] = (0, 1, 2)
_OPS_OF_KINDS = dict(zip(ROW_KINDS, _OPS, strict=True))
_BEFORE_KINDS = pl.Series([None, "K", "O"], dtype=pl.String)
_BEFORE_OF = np.zeros(256, np.uint32)
_BEFORE_OF[[_KEY, _OLD]] = (1, 2)


@dataclass(frozen=True, slots=True)
class Placed:
    """Messages and where each stands: its row of Batch.transactions, and the last ordinal up to and with it.

    `kept` is false for messages of sub-transactions that were rolled back; their definitions still count, because the
    source sends a definition once in a streamed transaction, whatever becomes of the sub-transaction it came in.
    """

    wire: Wire
    tx: NDArray[np.int32]
    ordinals: Positions
    kept: Mask
    in_stream: bool

    @property
    def body(self) -> int:
        """How far behind its start a message's own fields begin."""
        return HEADER + (5 if self.in_stream else 1)

    def find(self, kind: Kind) -> list[int]:
        """Return the indices of the messages of a kind."""
        return [int(index) for index in np.flatnonzero(self.wire.kinds == kind)]

    def cursor(self, index: int) -> Cursor:
        """Read one message."""
        return Cursor(self.wire, index, in_stream=self.in_stream)


@dataclass(slots=True)
class Definitions:
    """The tables' definitions as the source last announced them; `by_oid` is what the next message starts from."""

    by_oid: dict[int, Relation] = field(default_factory=dict)

    def learn(self, placed: Placed) -> "Segments":
        """Take in the Relation messages of a run; tell from which message on each definition holds."""
        segments = Segments(dict(self.by_oid))
        for index in placed.find(Kind.RELATION):
            relation = messages.relation(placed.cursor(index))
            if self.by_oid.get(relation.oid) != relation:
                self.by_oid[relation.oid] = relation
                segments.changes[relation.oid].append((index, relation))
        return segments


@dataclass(slots=True)
class Segments:
    """Which definition of each table holds where in a run of messages."""

    at_start: dict[int, Relation]
    changes: dict[int, list[tuple[int, Relation]]] = field(default_factory=lambda: defaultdict(list))

    def of(self, oid: int, indices: NDArray[np.int64]) -> Iterator[tuple[Relation | None, NDArray[np.int64]]]:
        """Divide the messages of a table by the definition that holds for them; None where there is none yet."""
        changes = self.changes.get(oid, [])
        cuts = np.searchsorted(indices, [index for index, _ in changes])
        definitions = [self.at_start.get(oid), *(relation for _, relation in changes)]
        for relation, part in zip(definitions, np.split(indices, cuts), strict=True):
            if part.size:
                yield relation, part

    def at(self, oid: int, index: int) -> Relation | None:
        """Return the definition that holds for one message."""
        return next(self.of(oid, np.array([index])))[0]


def weights(wire: Wire, *, in_stream: bool) -> NDArray[np.int64]:
    """Count the changes that each message makes: one for a row, one for each table that is truncated."""
    counts = _IS_ROW[wire.kinds].astype(np.int64)
    for index in np.flatnonzero(wire.kinds == Kind.TRUNCATE).tolist():
        counts[index] = len(messages.truncate(Cursor(wire, index, in_stream=in_stream)).relation_oids)
    return counts


def tables(
    placed: Placed, definitions: Definitions, *, few: int = 0
) -> tuple[tuple[TableChanges, ...], tuple[FewChanges, ...]]:
    """Decode the changes of a run of messages: as frames by their first changes; up to `few` row by row."""
    for index in placed.find(Kind.TYPE):
        messages.check_type(placed.cursor(index))
    segments = definitions.learn(placed)
    framed, by_row = [*_truncates(placed, segments)], []
    for relation, part in _rows(placed, segments):
        changes = _few_changes(placed, relation, part) if part.size <= few else None
        if changes is None:
            framed.append((int(part[0]), _changes(placed, relation, part)))
        else:
            by_row.append(changes)
    return tuple(changes for _, changes in sorted(framed, key=lambda pair: pair[0])), tuple(by_row)


def logical_messages(placed: Placed) -> tuple[LogicalMessage, ...]:
    """Decode the logical messages of a run; an ordinal is that of the change which a message follows, 0 at first."""
    return tuple(_logical_message(placed, index) for index in placed.find(Kind.MESSAGE) if placed.kept[index])


def _logical_message(placed: Placed, index: int) -> LogicalMessage:
    message = messages.message(placed.cursor(index))
    inside = message.transactional
    return LogicalMessage(
        transactional=inside,
        lsn=message.lsn,
        prefix=message.prefix,
        content=message.content,
        tx=int(placed.tx[index]) if inside else None,
        ordinal=int(placed.ordinals[index]) if inside else None,
    )


def _rows(placed: Placed, segments: Segments) -> Iterator[tuple[Relation, NDArray[np.int64]]]:
    """Return the messages that change rows, by the definition of the table that holds for them."""
    wire = placed.wire
    is_row = _IS_ROW[wire.kinds]
    indices = np.flatnonzero(is_row & placed.kept)
    require_length(wire, np.flatnonzero(is_row), placed.body + 5)
    oids = wire.uint32(wire.starts[indices] + placed.body)
    for oid in np.unique(oids).tolist():
        for relation, part in segments.of(oid, indices[oids == oid]):
            if relation is None:
                raise wire.refuse(int(part[0]), f"a row of table {oid} came before the table's definition")
            yield relation, part


def require_length(wire: Wire, indices: NDArray[np.int64], length: int) -> None:
    """Refuse the first of these messages that is shorter than so many octets."""
    short = indices[(wire.ends - wire.starts)[indices] < length]
    if short.size:
        raise wire.refuse(int(short[0]), "it is cut off")


def _changes(placed: Placed, relation: Relation, indices: NDArray[np.int64]) -> TableChanges:
    wire = placed.wire
    rows = Rows(wire, indices, wire.starts[indices] + placed.body + 4)
    kinds = wire.kinds[indices]
    leads = _leads(rows, kinds)
    before, after = _images(rows, kinds, relation, has_old=_HAS_OLD[leads])
    names = [column.name for column in relation.columns]
    return TableChanges(
        relation=relation,
        meta=_meta(placed, indices, placed.ordinals[indices], _OPS[_OP_OF[kinds]]),
        after=tuples.frame(rows, after, names),
        before=tuples.frame(rows, before, names),
        before_kind=_BEFORE_KINDS[_BEFORE_OF[leads]],
        unchanged=_unchanged(after, names),
    )


def _few_changes(placed: Placed, relation: Relation, indices: NDArray[np.int64]) -> FewChanges | None:
    """Decode changes row by row; None where any is out of the ordinary."""
    wire, columns = placed.wire, len(relation.columns)
    places = (wire.starts[indices] + placed.body + 4, wire.ends[indices], wire.kinds[indices])
    told = (placed.tx[indices], placed.ordinals[indices], wire.lsns(indices))
    changes = []
    try:
        for start, end, kind, tx, ordinal, lsn in zip(*(array.tolist() for array in (*places, *told)), strict=True):
            op = _OPS_OF_KINDS[kind]
            said = few_rows.read(wire.content, start, end, op=op, columns=columns)
            changes.append(RowChange(tx, ordinal, op, lsn, *said))
    except Declined:
        return None
    return FewChanges(relation=relation, rows=tuple(changes))


def _leads(rows: Rows, kinds: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Read which tuple comes first in each message: the new row, or the old one or its key."""
    leads = rows.octet()
    is_new, is_old = leads == _NEW, _HAS_OLD[leads]
    fits = (is_new & (kinds != Kind.DELETE)) | (is_old & (kinds != Kind.INSERT))
    rows.require(fits, "the mark of its first row is unknown")
    return leads


def _images(rows: Rows, kinds: NDArray[np.uint8], relation: Relation, *, has_old: Mask) -> tuple[Slots, Slots]:
    """Find the values before and after each change; every message must end with its last value."""
    count = len(relation.columns)
    before = Slots.absent(count, kinds.size)
    at = rows.positions.copy()
    if has_old.any():
        found, at[has_old] = tuples.walk(rows.only(has_old).at(at[has_old] + 1), relation)
        before.put(has_old, found)
        rows.require(~np.asarray(before.unchanged().any(axis=0)), "its old row leaves a value out")
    has_new = kinds != Kind.DELETE
    new = rows.at(at).only(has_new)
    new.require((new.octet() == _NEW) & (new.positions < new.ends), "the mark of its new row is missing")
    after, at[has_new] = tuples.walk(new.at(new.positions + 1), relation)
    rows.require(at == rows.ends, "it is longer than its row")
    if not has_new.all():
        found, after = after, Slots.absent(count, kinds.size)
        after.put(has_new, found)
    return before, after


def _unchanged(after: Slots, names: list[str]) -> dict[str, pl.Series]:
    mask = after.unchanged()
    return {names[column]: pl.Series(mask[column]) for column in np.flatnonzero(mask.any(axis=1)).tolist()}


def _meta(placed: Placed, indices: NDArray[np.int64], ordinals: Positions, ops: pl.Series) -> pl.DataFrame:
    lsns = placed.wire.lsns(indices)
    return pl.DataFrame({"tx": placed.tx[indices], "ordinal": ordinals, "op": ops, "lsn": lsns})


def _truncates(placed: Placed, segments: Segments) -> Iterator[tuple[int, TableChanges]]:
    for index in placed.find(Kind.TRUNCATE):
        if placed.kept[index]:
            oids = messages.truncate(placed.cursor(index)).relation_oids
            for place, oid in enumerate(oids):
                yield index, _truncated(placed, index, segments.at(oid, index), len(oids) - 1 - place)


def _truncated(placed: Placed, index: int, relation: Relation | None, later: int) -> TableChanges:
    """Build the change of one truncated table, after which the same message truncates so many others."""
    if relation is None:
        raise placed.wire.refuse(index, "a truncated table was not defined before")
    names = [column.name for column in relation.columns]
    only = np.array([index])
    return TableChanges(
        relation=relation,
        meta=_meta(placed, only, placed.ordinals[only] - later, pl.Series(["t"])),
        after=tuples.nulls(names, 1),
        before=tuples.nulls(names, 1),
        before_kind=pl.Series([None], dtype=pl.String),
        unchanged={},
    )


def refuse_unknown(wire: Wire, known: NDArray[np.bool_]) -> None:
    """Refuse the first message of a kind that does not belong here."""
    strange = np.flatnonzero(~known[wire.kinds])
    if strange.size:
        raise unknown(wire, int(strange[0]))


def unknown(wire: Wire, index: int) -> DecodeError:
    """Build the error for a message of a kind that does not belong where it stands."""
    if wire.kinds[index] in messages.TWO_PHASE:
        return wire.refuse(index, "it belongs to a prepared transaction, so the slot was created with two_phase")
    return wire.refuse(index, "a message of this kind does not belong here")
