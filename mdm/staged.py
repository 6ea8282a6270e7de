"""What is journalled and staged of one part of mastering: batches of one source or several, at once or as they come."""

from dataclasses import dataclass, field

import psycopg

from golden_records import checks, journal, quarantine, source_records, staging
from mdm.batches import JoinedBatch


@dataclass(slots=True)
class Staged:
    """A part under way: `add` the batches, then `check` them once. `block` is the first number of its changes.

    `changes` counts what was added; `most` and `transactions` are where the numbers of what comes next begin.
    """

    connection: psycopg.Connection
    block: int
    changes: int = 0
    most: int = 0
    transactions: int = 0
    is_partial: bool = False
    _source_ids: set[int] = field(default_factory=set)

    def add(self, batch: JoinedBatch) -> None:
        """Journal and stage changes, behind those that were added before."""
        batch = batch.behind(changes=self.most, transactions=self.transactions)
        changes, records, rejects = (
            frame.hstack([journal.change_ids(frame["change_no"], frame["source_id"], block=self.block)])
            for frame in (batch.changes, batch.records, batch.rejects)
        )
        self.changes += changes.height
        self.most += batch.most_changes
        self.transactions += batch.most_transactions
        self.is_partial = self.is_partial or bool(records["is_partial"].any())
        self._source_ids.update(batch.source_ids)
        journal.record(self.connection, changes, batch.transactions, most=self.most)
        staging.fill(self.connection, transactions=batch.transactions, records=records, rejects=rejects)
        truncates = changes["op"] == "t"
        if truncates.any():
            for change in changes.filter(truncates).iter_rows(named=True):
                source_records.stage_truncated(self.connection, change)

    def check(self) -> int:
        """Hold back what fails on its own; return the count of violations."""
        sources = sorted(self._source_ids)
        with staging.pipelined(self.connection):
            checks.check_records(self.connection)
            found = quarantine.look(self.connection, sources)
            quarantine.close_renewed(self.connection, found, sources, block=self.block, changes=self.most)
            quarantine.hold_records(self.connection, found)
        return found.violations
