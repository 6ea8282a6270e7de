"""Mastering around what PostgreSQL refuses: a change that no statement takes is held back, and the rest passes (law 6).

Mapping and the rules hold back what they know to be wrong. This is for what nobody has thought of: without it, one such
row would end its worker again and again. All happens in the caller's transaction, so that the source's transactions
stay whole (law 2); each attempt that fails is rolled back to where it began, and the order stays (law 3).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import polars as pl
import psycopg
import structlog

from golden_records import versions
from mdm import mastering
from mdm.batches import MappedBatch
from mdm.capture import mapping
from mdm.db import Connection
from mdm.mastering import Outcome

_log = structlog.get_logger(__name__)

REFUSED = (psycopg.errors.DataError, psycopg.errors.ProgramLimitExceeded)
"""A value out of its type's range, or too long for a page or an index: never a fault of the servers."""

Take = Callable[[Connection, MappedBatch], Outcome]
"""mastering.apply, assembling.load, or go_on."""


def go_on(hub: Connection, part: MappedBatch) -> Outcome:
    """Apply a part whose source transaction was begun by earlier ones: it adds to the versions that those made."""
    outcome = mastering.apply(hub, part)
    versions.fold(hub)
    return outcome


def master(hub: Connection, part: MappedBatch, take: Take) -> int:
    """Master a part in the caller's transaction, without what PostgreSQL refuses; return how many changes it has.

    What is refused is journalled and quarantined. The rest is mastered in one piece, as if the refused were not there.
    """
    try:
        with hub.transaction():  # a savepoint
            return take(hub, part).changes
    except REFUSED as refused:
        if part.changes.height == 1:
            return _hold(hub, part, refused, take)
    try:
        with hub.transaction():
            return take(hub, _without(part, _find(hub, part, take))).changes
    except REFUSED:
        return _master_halves(hub, part, take)


def _master_halves(hub: Connection, part: MappedBatch, take: Take) -> int:
    changes = 0
    for half in _halves(part):
        changes += master(hub, half, take)
        take = go_on if take is mastering.apply else take
    return changes


def _find(hub: Connection, part: MappedBatch, take: Take) -> pl.DataFrame:
    """Try the halves of a part, and theirs, down to single changes; return those refused, and leave nothing behind."""
    found: list[tuple[int, str]] = []

    def seek(whole: MappedBatch, first: int) -> None:
        for piece in _halves(whole):
            try:
                with hub.transaction():
                    take(hub, piece)
            except REFUSED as refused:
                if piece.changes.height > 1:
                    seek(piece, first)
                else:
                    found.append((first, _reason(refused)))
            first += piece.changes.height

    with hub.transaction(force_rollback=True):
        seek(part, 1)
    return _rejects(found)


def _halves(part: MappedBatch) -> Iterator[MappedBatch]:
    return mapping.split(part, rows=(part.changes.height + 1) // 2)


def _hold(hub: Connection, change: MappedBatch, refused: psycopg.Error, take: Take) -> int:
    """Hold a single change back: with its payload, or without where that is what no journal takes."""
    reason = _reason(refused)
    try:
        with hub.transaction():
            return take(hub, _without(change, _rejects([(1, reason)]))).changes
    except REFUSED:
        bare = replace(change, changes=change.changes.with_columns(payload=pl.lit(None, dtype=pl.String)))
        return take(hub, _without(bare, _rejects([(1, f"{reason}, payload included")]))).changes


def _rejects(found: list[tuple[int, str]]) -> pl.DataFrame:
    return pl.DataFrame(found, schema=mapping.REJECT_SCHEMA, orient="row")


def _without(part: MappedBatch, refused: pl.DataFrame) -> MappedBatch:
    """Return a part without the records of some changes, to be quarantined as ones that could not be typed."""
    for change in part.changes.join(refused, on="change_no").join(part.transactions, on="tx").iter_rows(named=True):
        place = {name: change[name] for name in ("relation", "commit_lsn", "ordinal")}
        _log.warning("change.refused", source_id=part.source_id, **place, reason=change["reason"])
    return replace(
        part,
        records=part.records.filter(~pl.col("change_no").is_in(refused["change_no"].implode())),
        rejects=pl.concat([part.rejects, refused]),
    )


def _reason(refused: psycopg.Error) -> str:
    """Name the error alone: PostgreSQL's own words may quote a value."""
    return f"refused by PostgreSQL: {type(refused).__name__} (SQLSTATE {refused.sqlstate})"
