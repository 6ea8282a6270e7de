"""Messages that wait to be decoded, and how many of them one batch may hold."""

from dataclasses import dataclass, field

import numpy as np

from mdm.capture import pgoutput
from mdm.capture.messages import Kind
from mdm.capture.wire import Wire

_CHANGES = np.isin(np.arange(256), (*pgoutput.ROW_KINDS, Kind.TRUNCATE))
_CLOSING = np.isin(np.arange(256), (Kind.COMMIT, Kind.MESSAGE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one batch may hold: messages that change something, and octets of the stream; one is always let in.

    Behind `enough` changes no further transaction begins. Up to `few` changes of a table come row by row (FewChanges).
    """

    rows: int = 20_000
    octets: int = 16 << 20
    enough: int = 20_000
    few: int = 0

    def fitting(self, wire: Wire) -> int:
        """Count the messages from the first on that fit into one batch."""
        return self._fitting(wire, self.rows)

    def comfortable(self, wire: Wire) -> int:
        """Count the messages from the first on that are enough for one batch."""
        return self._fitting(wire, min(self.enough, self.rows))

    def _fitting(self, wire: Wire, rows: int) -> int:
        by_rows = np.searchsorted(np.cumsum(_CHANGES[wire.kinds]), rows, side="right")
        by_octets = np.searchsorted(wire.ends - wire.starts[:1], self.octets, side="right")
        return min(len(wire), max(1, int(min(by_rows, by_octets))))


@dataclass(slots=True)
class Backlog:
    """Messages in order; `may_close` tells whether a transaction may have come to its end in them."""

    wires: list[Wire] = field(default_factory=list)
    rows: int = 0
    octets: int = 0
    may_close: bool = False

    def add(self, wire: Wire) -> None:
        """Append messages."""
        self.wires.append(wire)
        self.rows += int(np.count_nonzero(_CHANGES[wire.kinds]))
        self.octets += wire.size
        self.may_close |= bool(_CLOSING[wire.kinds].any())

    def exceeds(self, limits: Limits) -> bool:
        """Tell whether there is more than fits into one batch."""
        return self.rows > limits.rows or self.octets > limits.octets

    def joined(self) -> Wire:
        """Return all messages as one wire."""
        self.wires = [Wire.join(self.wires)]
        return self.wires[0]

    def take(self, messages: int) -> Wire:
        """Remove so many messages from the front and return them."""
        wire = self.joined()
        self.wires, self.rows, self.octets, self.may_close = [], 0, 0, False
        if messages < len(wire):
            self.add(wire.between(messages, len(wire)))
        return wire.between(0, messages)
