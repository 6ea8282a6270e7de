"""Merging, splitting and separating golden records, inside the caller's transaction: law 9 is kept here.

A merge retires a golden record into another, and a split undoes that alone: overrides and later changes go back to
whose they are. A separation takes source records for another thing than their keys say. Each waits until no worker is
in the middle of a transaction and keeps others from beginning one; `mastering.finish` comes at the end, by the caller.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

from golden_records import healing, match_states, merging, record_links
from golden_records.due import Cause
from golden_records.merging import Known
from golden_records.record_links import RecordName
from mdm import mastering
from mdm.errors import MdmError

_ATTEMPTS = 20
_DECISION = "hub.decision"

Expected = Mapping[int, int]
"""Golden id -> the version that whoever decides has seen; those that are not named are not compared."""


class IdentityRefused(MdmError):
    """What was asked of golden records' identity cannot be; the message says why and what to do."""


class IdentityStale(IdentityRefused):
    """A golden record has changed since whoever decides looked at it. Look again, then decide again."""


class HubOccupied(MdmError):
    """A worker is in the middle of a transaction that takes long. Try again when it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """One merge: the golden record that retires, and the one that stands for both."""

    survivor: int
    retired: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """By which decision, and when."""

    now: datetime
    decision_id: int | None = None

    def cause(self, action: str, **told: object) -> Cause:
        """Return what the journal is told, enough to do it again."""
        key = None if self.decision_id is None else f"{_DECISION}|{self.decision_id}"
        return Cause(relation=_DECISION, source_key=key, payload={"action": action, **told})


def merge(
    connection: psycopg.Connection,
    merges: Sequence[Merge],
    *,
    decided: Decided,
    expected: Expected | None = None,
    is_forced: bool = False,
) -> int:
    """Merge each pair; return the change id in the journal. Metering points have to be forced: an MPAN is one point.

    Raises IdentityRefused, IdentityStale, HubOccupied; nothing is changed then.
    """
    take_turn(connection)
    known = _get_known(connection, [golden_id for one in merges for golden_id in (one.survivor, one.retired)])
    _refuse_unsound(merges)
    for one in merges:
        _refuse_unlike(known[one.survivor], known[one.retired], is_forced=is_forced)
    _refuse_stale(known, expected)
    pairs = {one.retired: one.survivor for one in merges}
    affected = {*pairs, *pairs.values(), *merging.list_referring(connection, [*pairs])}
    merging.redirect(connection, pairs, now=decided.now, decision_id=decided.decision_id)
    change_id = _move(connection, affected, decided, decided.cause("merge", pairs=[*map(list, pairs.items())]))
    match_states.note_merged(connection, [*pairs.items()], now=decided.now)
    return change_id


def split(
    connection: psycopg.Connection, golden_ids: Sequence[int], *, decided: Decided, expected: Expected | None = None
) -> int:
    """Let golden records that were merged away stand alone again, as if they never had been; return the change id.

    What was merged into one of them before stays with it. Raises as merge() does.
    """
    take_turn(connection)
    known = _get_known(connection, golden_ids)
    for one in known.values():
        if one.into_id is None:
            raise IdentityRefused(
                f"Golden record {one.golden_id} is not merged into another, so there is nothing to split. Separate "
                "source records from it instead, if it is two things."
            )
    ends = merging.list_ends(connection, golden_ids)
    _refuse_stale(known | _get_known(connection, ends), expected)
    affected = {*golden_ids, *ends, *merging.list_referring_own(connection, ends, golden_ids)}
    merging.undo_redirect(connection, golden_ids, now=decided.now)
    change_id = _move(connection, affected, decided, decided.cause("split", golden_ids=[*golden_ids]))
    match_states.note_split(connection, golden_ids, now=decided.now)
    return change_id


def separate(
    connection: psycopg.Connection,
    records: Sequence[RecordName],
    *,
    golden_id: int,
    decided: Decided,
    expected: Expected | None = None,
) -> int:
    """Take source records out of a golden record into a new one, whose id is returned.

    Their later changes, whatever keys they say, and loads of their table follow. Raises as merge() does.
    """
    take_turn(connection)
    known = _get_known(connection, [golden_id])
    _refuse_retired(known[golden_id])
    _refuse_stale(known, expected)
    named, others = record_links.count_records(connection, golden_id, records)
    if named < len({*records}):
        raise IdentityRefused(
            f"Of the source records named, {len({*records}) - named} do not stand under golden record {golden_id}. "
            "Look at it again, and name those that do."
        )
    if not others:
        raise IdentityRefused(
            f"Nothing would be left of golden record {golden_id}. Name fewer of its source records, or leave it."
        )
    new_id = merging.found_anew(connection, known[golden_id].entity, now=decided.now)
    record_links.link(connection, records, from_id=golden_id, to_id=new_id, at=(decided.now, decided.decision_id))
    affected = {golden_id, new_id, *record_links.list_rows_owners(connection, records)}
    told = [[record.source_id, record.source_key] for record in records]
    _move(connection, affected, decided, decided.cause("separate", golden_id=golden_id, new_id=new_id, records=told))
    return new_id


def rejoin(connection: psycopg.Connection, golden_id: int, *, decided: Decided) -> int:
    """Undo a separation: the source records go back, and the id that they had redirects; return the change id."""
    take_turn(connection)
    known = _get_known(connection, [golden_id])[golden_id]
    _refuse_retired(known)
    if merging.is_survivor(connection, golden_id):
        raise IdentityRefused(f"Others are merged into golden record {golden_id}. Split them off first.")
    back_to = record_links.unlink(connection, golden_id, now=decided.now)
    if not back_to:
        raise IdentityRefused(f"Golden record {golden_id} was not separated from another. There is nothing to undo.")
    into_id = next(end for end in back_to if merging.entity_of(connection, end) == known.entity)
    merging.redirect(connection, {golden_id: into_id}, now=decided.now, decision_id=decided.decision_id)
    return _move(connection, {golden_id, *back_to}, decided, decided.cause("rejoin", golden_id=golden_id))


def take_turn(connection: psycopg.Connection) -> None:
    """Be alone, without keeping all workers waiting behind one that has long to go."""
    if not any(merging.lock(connection) for _ in range(_ATTEMPTS)):
        raise HubOccupied(
            "The hub is in the middle of a large transaction of a source. Nothing was changed: try again in a minute."
        )


def _move(connection: psycopg.Connection, affected: set[int], decided: Decided, cause: Cause) -> int:
    affected.update(merging.list_following(connection, sorted(affected)))
    merging.move_keys(connection, sorted(affected), now=decided.now)
    change_id = mastering.master_moved(connection, sorted(affected), now=decided.now, cause=cause)
    for quarantine_id in healing.list_waiting(connection, sorted(affected)):
        mastering.retry(connection, now=decided.now, after=quarantine_id - 1, limit=1)
    return change_id


def _get_known(connection: psycopg.Connection, golden_ids: Sequence[int]) -> dict[int, Known]:
    known = merging.list_known(connection, golden_ids)
    for golden_id in golden_ids:
        if golden_id not in known:
            raise IdentityRefused(f"There is no golden record {golden_id}. Look for the right id.")
    return known


def _refuse_unsound(merges: Sequence[Merge]) -> None:
    retired = [one.retired for one in merges]
    if len({*retired}) < len(retired):
        raise IdentityRefused("A golden record is named twice to be merged away. Name it once.")
    if both := {*retired} & {one.survivor for one in merges}:
        raise IdentityRefused(
            f"Golden record {min(both)} is both to survive and to be merged away. Merge into the last of a chain."
        )


def _refuse_unlike(survivor: Known, retired: Known, *, is_forced: bool) -> None:
    _refuse_retired(survivor)
    _refuse_retired(retired)
    if survivor.entity != retired.entity:
        raise IdentityRefused(
            f"Golden record {survivor.golden_id} is a {_noun(survivor)} and {retired.golden_id} a {_noun(retired)}. "
            "Only two of one kind can be merged."
        )
    if survivor.entity == "metering_point" and not is_forced:
        raise IdentityRefused(
            f"Metering points {survivor.golden_id} and {retired.golden_id} have different MPANs, so by the "
            "industry's own key they are two. Force it only where one MPAN stands for the other."
        )


def _refuse_retired(known: Known) -> None:
    if known.into_id is not None:
        raise IdentityRefused(
            f"Golden record {known.golden_id} is merged into {known.into_id} already. Take that one, or split it first."
        )


def _refuse_stale(known: Mapping[int, Known], expected: Expected | None) -> None:
    for golden_id, version in (expected or {}).items():
        if golden_id in known and known[golden_id].version != version:
            raise IdentityStale(
                f"Golden record {golden_id} has changed since: it is no longer at version {version}. Look at it again, "
                "then decide again."
            )


def _noun(known: Known) -> str:
    return known.entity.replace("_", " ")
