"""The rows inside messages: where each value lies, column by column over all rows, and the values as Polars frames.

Pure, and without a loop over rows. Values are asked for as text: text is what the frames promise for every type, so
binary values would have to be printed again here, type by type. Measured on eight columns: binary saves the source up
to one of its four microseconds a row, and decoding text takes one microsecond in all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from mdm.capture.frames import Relation
from mdm.capture.wire import Mask, Positions, Wire

_NULL, _UNCHANGED, _TEXT = b"nut"
_FEW = 50
_INLINE = 12  # Arrow keeps a string of up to 12 octets in its view, a longer one in a buffer that the view points into
_NOTHING = pl.Series([None], dtype=pl.String)
_KNOWN = np.isin(np.arange(256), (_NULL, _UNCHANGED, _TEXT))
_LOW_OCTETS = np.array([2 ** (8 * min(length, 4)) - 1 for length in range(_INLINE + 1)], np.uint32)
_HIGH_OCTETS = np.array([2 ** (8 * max(length - 4, 0)) - 1 for length in range(_INLINE + 1)], np.uint64)


@dataclass(frozen=True, slots=True)
class Slots:
    """Where each value of each row lies: arrays of one line a column and one place a row."""

    starts: Positions
    lengths: Positions
    kinds: NDArray[np.uint8]

    @classmethod
    def absent(cls, columns: int, rows: int) -> Self:
        """Return the slots of rows that were not sent: all null."""
        shape = (columns, rows)
        return cls(np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.full(shape, _NULL, np.uint8))

    def put(self, rows: Mask, found: "Slots") -> None:
        """Fill in the slots of those rows that were sent."""
        self.starts[:, rows] = found.starts
        self.lengths[:, rows] = found.lengths
        self.kinds[:, rows] = found.kinds

    def unchanged(self) -> Mask:
        """Tell which values are TOAST values that the source left out because they did not change."""
        mask: Mask = self.kinds == _UNCHANGED
        return mask


@dataclass(frozen=True, slots=True)
class Rows:
    """Messages that carry rows of one relation: their indices in the wire, and where to read on in each."""

    wire: Wire
    indices: NDArray[np.int64]
    positions: Positions

    @property
    def ends(self) -> Positions:
        """Where each message ends."""
        return self.wire.ends[self.indices]

    def only(self, mask: Mask) -> "Rows":
        """Return the rows of the mask."""
        return Rows(self.wire, self.indices[mask], self.positions[mask])

    def at(self, positions: Positions) -> "Rows":
        """Return the same rows, to be read on from other positions."""
        return Rows(self.wire, self.indices, positions)

    def octet(self) -> NDArray[np.uint8]:
        """Read the octet at the position of each; at the end of a message it is not the message's own."""
        return self.wire.octets[self.positions]

    def require(self, fulfilled: Mask, problem: str) -> None:
        """Refuse the first row that breaks the promise."""
        if not fulfilled.all():
            raise self.wire.refuse(int(self.indices[np.argmin(fulfilled)]), problem)


def walk(rows: Rows, relation: Relation) -> tuple[Slots, Positions]:
    """Find the values of a tuple that begins at each row's position; return also where each tuple ends."""
    count, octets, ends = len(relation.columns), rows.wire.octets, rows.ends
    rows.require(rows.wire.int16(rows.positions) == count, f"a row of {_name(relation)} has not its {count} columns")
    slots = Slots.absent(count, rows.positions.size)
    at = rows.positions + 2
    for column in range(count):
        kinds = octets[at]
        has_value = kinds == _TEXT
        lengths = rows.wire.int32(at + 1) * has_value
        at = at + 1 + 4 * has_value
        slots.starts[column], slots.lengths[column], slots.kinds[column] = at, lengths, kinds
        at = at + lengths
        rows.require((at <= ends) & (lengths >= 0), f"a value of {_name(relation)} is cut off")
    rows.require(at <= ends, f"a row of {_name(relation)} is cut off")
    rows.require(
        np.asarray(_KNOWN[slots.kinds].all(axis=0)), f"a value of {_name(relation)} is of an unknown kind, or binary"
    )
    return slots, at


def frame(rows: Rows, slots: Slots, names: Sequence[str]) -> pl.DataFrame:
    """Build the frame of these values, one String column for each name; refuses what is not UTF-8.

    Short values are copied into the strings' views, longer ones stay in the wire's buffer, which the frame keeps.
    """
    count = slots.starts.shape[1]
    if not (slots.kinds == _TEXT).any():
        return nulls(names, count)
    values = _strings(rows, slots)
    return pl.DataFrame({name: values.slice(column * count, count) for column, name in enumerate(names)})


def nulls(names: Sequence[str], rows: int) -> pl.DataFrame:
    """Return a frame of so many rows without any value."""
    return _known_nulls(tuple(names), rows) if rows <= _FEW else _nulls(names, rows)


def _nulls(names: Sequence[str], rows: int) -> pl.DataFrame:
    return pl.DataFrame(dict.fromkeys(names, _NOTHING.new_from_index(0, rows)))


_known_nulls = lru_cache(maxsize=1_000)(_nulls)  # most changes are few and have no old row


def _strings(rows: Rows, slots: Slots) -> pl.Series:
    """Read all values as one series, one column behind the other."""
    views = _views(rows.wire, slots.starts.ravel(), slots.lengths.ravel())
    validity = np.packbits(slots.kinds.ravel() == _TEXT, bitorder="little")
    buffers = [pa.py_buffer(validity), pa.py_buffer(views), pa.py_buffer(rows.wire.content)]
    octets = pl.Series(pa.Array.from_buffers(pa.binary_view(), len(views), buffers))
    try:
        return octets.cast(pl.String)
    except pl.exceptions.PolarsError:
        raise rows.wire.refuse(_first_not_utf8(rows, slots), "a value is not UTF-8") from None


def _views(wire: Wire, starts: Positions, lengths: Positions) -> NDArray[np.uint32]:
    """Build Arrow's string views: length, then the first 12 octets, or the first 4, the buffer and the place in it."""
    short = np.minimum(lengths, _INLINE)
    views = np.empty((lengths.size, 4), np.uint32)
    views[:, 0] = lengths
    views[:, 1] = wire.little("<u4", starts) & _LOW_OCTETS[short]
    in_view = wire.little("<u8", starts + 4) & _HIGH_OCTETS[short]
    in_buffer = starts.astype(np.uint64) << np.uint64(32)
    views.view(np.uint64)[:, 1] = np.where(lengths <= _INLINE, in_view, in_buffer)
    return views


def _first_not_utf8(rows: Rows, slots: Slots) -> int:
    content = rows.wire.content
    for row, index in enumerate(rows.indices.tolist()):
        for start, length in zip(slots.starts[:, row].tolist(), slots.lengths[:, row].tolist(), strict=True):
            try:
                content[start : start + length].decode()
            except UnicodeDecodeError:
                return int(index)
    raise AssertionError("some value is not UTF-8")


def _name(relation: Relation) -> str:
    return f"{relation.schema}.{relation.name}"
