"""Parts: what is mastered at once is journalled and staged first, and what fails on its own is held back.

A part is of one source's batch, or of what waits of several sources (mdm.capture.inbox).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl
import psycopg

from golden_records import (
    assembly,
    checks,
    conflicts,
    identity,
    journal,
    quarantine,
    source_records,
    staging,
    survivorship,
)
from mdm.batches import MappedBatch
from mdm.distribution import projection

_ROUTINES = (
    assembly.ASSEMBLE,
    conflicts.SETTLE,
    identity.LOCK,
    identity.RESOLVE,
    source_records.FETCH,
    source_records.RESOLVE,
    source_records.SPAN,
    source_records.WRITE,
    survivorship.CHOOSE,
    survivorship.CHOOSE_BY_APPOINTMENT,
    survivorship.PROPAGATE,
)


class Part(Protocol):
    """Changes of one source or several that wait to be mastered, none of them a truncate.

    `changes` and `transactions` count them; `is_partial` when values are left out that did not change.
    """

    @property
    def changes(self) -> int: ...  # noqa: D102
    @property
    def transactions(self) -> int: ...  # noqa: D102
    @property
    def is_partial(self) -> bool: ...  # noqa: D102
    @property
    def source_ids(self) -> Collection[int]: ...  # noqa: D102

    def stage(self, connection: psycopg.Connection, *, block: int, changes: int, transactions: int) -> None:
        """Journal and stage them under the numbers of a block, behind so many changes and transactions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What was journalled and staged of one part, or of several at once."""

    changes: int
    is_partial: bool
    violations: int


def begin(connection: psycopg.Connection) -> int:
    """Make the temporary tables ready; return the first number of the changes that are mastered in them."""
    with staging.pipelined(connection):
        reserved = journal.reserve_block(connection)
        prepare(connection)
        return journal.first_of(reserved)


def prepare(connection: psycopg.Connection) -> None:
    """Make the temporary tables ready for a part."""
    if staging.begin(connection):
        for routine in _ROUTINES:
            routine.create(connection)
        projection.prepare(connection)


def stage(connection: psycopg.Connection, batch: MappedBatch) -> Staged:
    """Journal and stage a part and hold back what fails on its own."""
    block = begin(connection)
    source = {"source_id": batch.source_id, "block": block}
    journal.record(connection, batch.changes, batch.transactions, **source)
    staging.fill(
        connection,
        transactions=_of_source(batch.transactions, batch.source_id),
        records=_marked(batch.records, **source),
        rejects=_marked(batch.rejects, **source),
    )
    truncates = batch.changes["op"] == "t"
    if truncates.any():
        for change in _marked(batch.changes.filter(truncates), **source).iter_rows(named=True):
            source_records.stage_truncated(connection, change)
    return Staged(
        changes=batch.changes.height,
        is_partial=bool(batch.records["is_partial"].any()),
        violations=_check(connection, [batch.source_id], block=block, changes=batch.changes.height),
    )


def stage_all(connection: psycopg.Connection, parts: Iterable[Part]) -> Staged:
    """Journal and stage parts as they come, and hold back what fails on its own."""
    block = begin(connection)
    changes, transactions, is_partial, sources = 0, 0, False, set[int]()
    for part in parts:
        part.stage(connection, block=block, changes=changes, transactions=transactions)
        changes, transactions = changes + part.changes, transactions + part.transactions
        is_partial = is_partial or part.is_partial
        sources.update(part.source_ids)
    violations = _check(connection, sorted(sources), block=block, changes=changes)
    return Staged(changes=changes, is_partial=is_partial, violations=violations)


def _check(connection: psycopg.Connection, source_ids: Sequence[int], *, block: int, changes: int) -> int:
    """Hold back what fails on its own; return the count of violations."""
    with staging.pipelined(connection):
        checks.check_records(connection)
        found = quarantine.look(connection, source_ids)
        quarantine.close_renewed(connection, found, source_ids, block=block, changes=changes)
        quarantine.hold_records(connection, found)
    return found.violations


def _of_source(frame: pl.DataFrame, source_id: int) -> pl.DataFrame:
    return frame.hstack([pl.Series("source_id", [source_id]).new_from_index(0, frame.height)])


def _marked(frame: pl.DataFrame, *, source_id: int, block: int) -> pl.DataFrame:
    """Give the rows of a part their source and the ids of their changes."""
    changes = journal.change_ids(frame["change_no"], block=block, source_id=source_id)
    return _of_source(frame, source_id).hstack([changes])
