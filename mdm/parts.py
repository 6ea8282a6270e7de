"""Parts: what is mastered at once is journalled and staged first, and what fails on its own is held back.

A part is of one source's batch, or of what waits of several sources (mdm.capture.inbox), which is journalled before.
"""

from collections.abc import Collection, Sequence
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
    identity.LOCK_HURRIED,
    identity.RESOLVE,
    source_records.FETCH,
    source_records.FETCH_HURRIED,
    source_records.RESOLVE,
    source_records.SPAN,
    source_records.WRITE,
    survivorship.CHOOSE,
    survivorship.CHOOSE_BY_APPOINTMENT,
    survivorship.PROPAGATE,
)


class Part(Protocol):
    """Changes of one source or several that are journalled under the numbers of a block, none of them a truncate.

    `changes` and `transactions` count them; `is_partial` when values are left out that did not change; `is_staged` once
    they are staged.
    """

    @property
    def block(self) -> int: ...  # noqa: D102
    @property
    def changes(self) -> int: ...  # noqa: D102
    @property
    def transactions(self) -> int: ...  # noqa: D102
    @property
    def is_partial(self) -> bool: ...  # noqa: D102
    @property
    def is_staged(self) -> bool: ...  # noqa: D102
    @property
    def source_ids(self) -> Collection[int]: ...  # noqa: D102

    def stage(self, connection: psycopg.Connection) -> None:
        """Stage them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What was journalled and staged of one part, or of several at once."""

    changes: int
    block: int
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


def stage(connection: psycopg.Connection, batch: MappedBatch, *, are_keys_known: bool = False) -> Staged:
    """Journal and stage a part and hold back what fails on its own; known keys have passed the rules on keys."""
    block = begin(connection)
    source = {"source_id": batch.source_id, "block": block}
    is_whole = _fill(connection, batch, block)
    journal.record(connection, batch.changes, batch.transactions, is_whole=is_whole, **source)
    truncates = batch.changes["op"] == "t"
    if truncates.any():
        for change in _marked(batch.changes.filter(truncates), **source).iter_rows(named=True):
            source_records.stage_truncated(connection, change)
    return Staged(
        changes=batch.changes.height,
        block=block,
        is_partial=bool(batch.records["is_partial"].any()),
        violations=_check(
            connection, [batch.source_id], block=block, changes=batch.changes.height, are_keys_known=are_keys_known
        ),
    )


def check_apart(connection: psycopg.Connection, batch: MappedBatch, *, block: int) -> int:
    """Stage records with known keys of a part that stage() has journalled, and hold back what fails on its own.

    Returns the count of violations. What the part renews or withdraws is closed already.
    """
    prepare(connection)
    _fill(connection, batch, block)
    with staging.pipelined(connection):
        checks.check_records(connection, are_keys_known=True)
        found = quarantine.look(connection, [batch.source_id])
        quarantine.hold_records(connection, found)
        return found.violations


def _fill(connection: psycopg.Connection, batch: MappedBatch, block: int) -> bool:
    source = {"source_id": batch.source_id, "block": block}
    return staging.fill(
        connection,
        transactions=_of_source(batch.transactions, batch.source_id),
        records=_marked(batch.records, **source),
        rejects=_marked(batch.rejects, **source),
    )


def stage_transactions(connection: psycopg.Connection, batch: MappedBatch) -> None:
    """Stage the transactions of a batch alone."""
    staging.fill_transactions(connection, _of_source(batch.transactions, batch.source_id))


def stage_ahead(connection: psycopg.Connection, part: Part) -> None:
    """Stage a part that is journalled already, and find what fails on its own: no lock is waited for."""
    part.stage(connection)
    checks.check_records(connection)


def stage_journalled(connection: psycopg.Connection, part: Part) -> Staged:
    """Stage a part that is journalled already, if it is not staged yet, and hold back what fails on its own."""
    if not part.is_staged:
        stage_ahead(connection, part)
    violations = _hold(connection, sorted(part.source_ids), block=part.block, changes=part.changes)
    return Staged(changes=part.changes, block=part.block, is_partial=part.is_partial, violations=violations)


def _check(
    connection: psycopg.Connection, source_ids: Sequence[int], *, block: int, changes: int, are_keys_known: bool
) -> int:
    """Hold back what fails on its own; return the count of violations."""
    with staging.pipelined(connection):
        checks.check_records(connection, are_keys_known=are_keys_known)
        return _hold(connection, source_ids, block=block, changes=changes)


def _hold(connection: psycopg.Connection, source_ids: Sequence[int], *, block: int, changes: int) -> int:
    """Hold back what was found to fail on its own; return the count of violations."""
    with staging.pipelined(connection):
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
