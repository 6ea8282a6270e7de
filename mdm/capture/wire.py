"""Messages of the replication stream, joined into one buffer: numpy reads a field of all of them at once.

A message here is the payload of a CopyData: 'w', the WAL position where it starts, the server's WAL end, its clock, and
after those 25 octets pgoutput's own message, whose first octet is its kind. Integers are big-endian.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mdm.capture.errors import DecodeError
from mdm.capture.lsn import Lsn

HEADER = 25
PADDING = bytes(16)  # a field read at the very end of the last message stays within the buffer
_START = struct.Struct(">cQ")
_WAL_DATA = ord("w")

Positions = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Wire:
    """Consecutive messages: `starts` and `ends` are where each lies in `octets`, `kinds` the kind of each.

    Positions passed to the field methods must lie within the messages; a field itself may run over a message's end,
    so whoever reads a field of varying place compares the place behind it with `ends`.
    """

    content: bytes
    octets: NDArray[np.uint8]
    starts: Positions
    ends: Positions
    kinds: NDArray[np.uint8]

    @classmethod
    def pack(cls, payloads: Sequence[bytes | memoryview]) -> Self:
        """Join the payloads of CopyData messages; each must be WAL data, so keepalives are taken out before."""
        sizes = np.fromiter(map(len, payloads), np.int64, len(payloads))
        return cls.cut(b"".join([*payloads, PADDING]), sizes)

    @classmethod
    def cut(cls, content: bytes, sizes: Positions) -> Self:
        """Lay messages of these sizes over a padded buffer, one behind the other."""
        ends = np.cumsum(sizes)
        starts = ends - sizes
        octets = np.frombuffer(content, np.uint8)
        short = np.flatnonzero(sizes <= HEADER)
        if short.size or (octets[starts] != _WAL_DATA).any():
            raise DecodeError("a message of the stream is cut off or is not WAL data")
        return cls(content, octets, starts, ends, octets[starts + HEADER])

    @classmethod
    def join(cls, wires: Sequence[Self]) -> Self:
        """Join wires into one, without copying when there is only one."""
        if len(wires) == 1:
            return wires[0]
        sizes = [wire.ends - wire.starts for wire in wires]
        content = b"".join([*(wire.contiguous() for wire in wires), PADDING])
        return cls.cut(content, np.concatenate(sizes) if sizes else np.empty(0, np.int64))

    def __len__(self) -> int:
        return self.starts.size

    def between(self, first: int, last: int) -> "Wire":
        """Return the messages from first to before last, on the same buffer."""
        return Wire(self.content, self.octets, self.starts[first:last], self.ends[first:last], self.kinds[first:last])

    def split(self, cuts: Iterable[int]) -> "list[Wire]":
        """Return the runs of messages that the cuts divide, empty ones left out."""
        return [self.between(first, last) for first, last in pairwise([0, *cuts, len(self)]) if last > first]

    def contiguous(self) -> memoryview:
        """Return the octets of all messages, which lie one behind the other."""
        if not len(self):
            return memoryview(b"")
        return memoryview(self.content)[int(self.starts[0]) : int(self.ends[-1])]

    @property
    def size(self) -> int:
        """The octets of all messages."""
        return len(self.contiguous())

    def message(self, index: int) -> bytes:
        """Return one message, from its kind on."""
        return self.content[int(self.starts[index]) + HEADER : int(self.ends[index])]

    def lsn(self, index: int) -> Lsn:
        """Return the WAL position of one message."""
        return Lsn(_START.unpack_from(self.content, int(self.starts[index]))[1])

    def lsns(self, indices: Positions) -> NDArray[np.int64]:
        """Return the WAL positions of messages."""
        return self.int64(self.starts[indices] + 1)

    def int16(self, positions: Positions) -> NDArray[np.int64]:
        """Read 16-bit integers."""
        return self._field(">i2")[positions].astype(np.int64)

    def int32(self, positions: Positions) -> NDArray[np.int64]:
        """Read signed 32-bit integers."""
        return self._field(">i4")[positions].astype(np.int64)

    def uint32(self, positions: Positions) -> NDArray[np.int64]:
        """Read unsigned 32-bit integers, such as object and transaction ids."""
        return self._field(">u4")[positions].astype(np.int64)

    def int64(self, positions: Positions) -> NDArray[np.int64]:
        """Read 64-bit integers, such as WAL positions and times."""
        return self._field(">i8")[positions].astype(np.int64)

    def little(self, kind: str, positions: Positions) -> NDArray[Any]:
        """Read octets in their order, as integers that hold the first octet lowest."""
        return self._field(kind)[positions]

    def _field(self, kind: str) -> NDArray[Any]:
        """View the buffer as one field of a kind at each position."""
        width = np.dtype(kind).itemsize
        return np.ndarray((len(self.content) - width + 1,), dtype=kind, buffer=self.content, strides=(1,))

    def refuse(self, index: int, problem: str) -> DecodeError:
        """Build the error for one message; `problem` names no value of it."""
        return DecodeError(problem, lsn=self.lsn(index), kind=chr(self.kinds[index]))
