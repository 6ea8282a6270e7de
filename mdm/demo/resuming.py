"""A writer whose batches survive a kill: each is noted before it is written, and gone on with by the next run."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest

from mdm.demo import logbook
from mdm.demo.ledger import Fault
from mdm.demo.logbook import KEEPER
from mdm.demo.market import Dsns, Source
from mdm.demo.noted_batches import Places
from mdm.demo.writing import Transaction, Writer


class ResumingWriter(Writer):
    """Writes each transaction of the workload once, whatever ends the process; it finishes what an earlier one began.

    Of several processes only one may write at a time.
    """

    def __init__(self, dsns: Dsns) -> None:
        super().__init__(dsns)
        self._list_faults: Callable[[], Sequence[Fault]] = tuple
        self._noted_faults = 0
        self._batch = logbook.get_batch(self.connection(KEEPER))
        self._written = Counter({Source(name): rows for name, rows in self._batch.written.items()})
        self._finish()

    def follow(self, list_faults: Callable[[], Sequence[Fault]]) -> None:
        """Note the faults of this ledger with the batches that plant them."""
        self._list_faults = list_faults

    def write(self, happenings: Iterable[Sequence[Transaction]]) -> dict[Source, int]:
        """Commit each happening's transactions one after the other, happenings side by side; return rows changed."""
        places = _by_place(happenings)
        if not places:
            return {}
        self._note(places)
        return self._write(places, already=dict.fromkeys(Source, 0))

    def close_book(self) -> None:
        """Note how much was written, at the end of a run; nothing is left to be gone on with."""
        self._note([])

    def _note(self, places: Places) -> None:
        faults = self._list_faults()
        written = {source.value: rows for source, rows in self._written.items()}
        self._batch = replace(self._batch, number=self._batch.number + 1, places=places, written=written)
        logbook.note_batch(self.connection(KEEPER), self._batch, faults[self._noted_faults :])
        self._noted_faults = len(faults)

    def _finish(self) -> None:
        """Write what is missing of the batch that the last run left behind."""
        number = self._batch.number
        already = {source: logbook.count_committed(self.connection(source), number) for source in Source}
        if any(already.values()):
            # How many rows the transactions changed that were committed is not known any more.
            self._batch = replace(self._batch, is_whole=False)
        self._write(self._batch.places, already=already)

    def _write(self, places: Places, *, already: dict[Source, int]) -> dict[Source, int]:
        """Write a batch place by place, so that each source commits its transactions in the order that was noted."""
        changed: Counter[Source] = Counter()
        numbers: Counter[Source] = Counter()
        for place in places:
            remaining: list[list[Transaction]] = []
            for transaction in place:
                source = transaction.source
                numbers[source] += 1
                if numbers[source] > already[source]:
                    counted = logbook.counting(transaction, batch=self._batch.number, number=numbers[source])
                    remaining.append([counted])
            changed.update(super().write(remaining))
        self._written.update(changed)
        return dict(changed)


def _by_place(happenings: Iterable[Sequence[Transaction]]) -> Places:
    places = zip_longest(*happenings)
    return [[transaction for transaction in place if transaction is not None] for place in places]
