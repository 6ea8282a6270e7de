"""A transaction that the source streams while it is in progress: kept until its end, then decoded in parts or dropped.

Definitions of tables that came with it hold for it alone until it commits, as the source itself counts them.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from mdm.capture import transactions
from mdm.capture.backlog import Backlog, Limits
from mdm.capture.frames import Batch
from mdm.capture.pgoutput import Definitions
from mdm.capture.spool import Spool
from mdm.capture.transactions import Transaction


@dataclass(slots=True)
class Streamed:
    """A transaction in progress: its changes, and its sub-transactions that were rolled back.

    `announced` tells for each table at which arrival the transaction last defined it.
    """

    spool: Spool
    rolled_back: set[int] = field(default_factory=set)
    announced: dict[int, int] = field(default_factory=dict)


class Replay:
    """Decodes a committed transaction from its spool, part by part; memory holds one part, however large it is.

    When it is `done`, `lasting` is the definitions that count for the transactions behind it as well.
    """

    def __init__(self, streamed: Streamed, transaction: Transaction, limits: Limits, lasting: Collection[int]) -> None:
        self.done = False
        self._spool = streamed.spool
        self._blocks = streamed.spool.blocks()
        self._rolled_back = frozenset(streamed.rolled_back)
        self._transaction = transaction
        self._limits = limits
        self._lasting = lasting
        self._backlog = Backlog()
        self._definitions = Definitions()

    def take(self) -> Batch:
        """Return the next part; the last one is complete."""
        self._fill()
        wire = self._backlog.joined()
        wire = self._backlog.take(len(wire) if self.done else self._limits.fitting(wire))
        batch, self._transaction = transactions.streamed(
            wire, self._definitions, self._transaction, rolled_back=self._rolled_back, complete=self.done
        )
        return batch

    def lasting(self) -> Definitions:
        """Return the definitions that the source counts as sent from this commit on."""
        known = self._definitions.by_oid
        return Definitions({oid: known[oid] for oid in self._lasting if oid in known})

    def close(self) -> None:
        """Give the spool's disk space back."""
        self._spool.close()

    def _fill(self) -> None:
        while not self._backlog.exceeds(self._limits):
            block = next(self._blocks, None)
            if block is None:
                self.done = True
                return
            self._backlog.add(block)
