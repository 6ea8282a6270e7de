"""Mastering: the one write path. Whatever changes a golden record comes through here, inside the caller's transaction.

The way of a part of a batch: journal, rules on records, identity, survivorship, rules at points, versions and typed
rows, conflicts, source records, projection of the views. `finish` numbers the feeds last, right before the commit.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import psycopg

from golden_records import (
    acceptances,
    assembly,
    catalogue,
    checks,
    conflicts,
    crossing,
    doubting,
    due,
    healing,
    identity,
    journal,
    merging,
    overrides,
    quarantine,
    source_records,
    staging,
    survivorship,
    touched,
    unmatched,
    verdicts,
)
from golden_records.due import Cause
from mdm import parts
from mdm.batches import MappedBatch
from mdm.distribution import contracts, feed, projection
from mdm.parts import Part, Staged
from mdm.stewardship import corrections, opening
from mdm.stewardship.terms import USUAL, Terms

_BULK_ENTITIES = ("address", "contract", "metering_point", "meter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one part did: changes journalled, records that violate a rule, points whose views were looked at."""

    changes: int
    violations: int
    touched_points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mastered:
    """What came of choosing and writing: records that violate a rule, and what overrides are to be looked at.

    `checked` is as verdicts.settle() has it.
    """

    violations: int
    settled: psycopg.Cursor | None
    checked: verdicts.Kinds = ()


def tune(connection: psycopg.Connection, *, terms: Terms = USUAL) -> None:
    """Set the session up for mastering: plans for small sets against large, indexed, cached tables."""
    contracts.load()  # now, and not while the first batch holds the lock of projection
    connection.execute(
        "set random_page_cost = 1.1; set effective_cache_size = '8GB'; set work_mem = '64MB'; set jit = off;"
        "set enable_mergejoin = off; set enable_seqscan = off;"
        "set timezone = 'UTC'; set plan_cache_mode = force_custom_plan"
    )
    opening.tune(connection, terms)
    connection.prepare_threshold, connection.prepared_max = 2, 500  # all statements of mastering stay prepared


def apply(connection: psycopg.Connection, batch: MappedBatch) -> Outcome:
    """Master one part of a batch; may be called several times in one transaction, `finish` once at its end."""
    if batch.changes.height > staging.FEW:
        return _master_part(connection, parts.stage(connection, batch))
    with staging.pipelined(connection) if _is_sent_at_once(batch) else nullcontext():
        connection.execute("set local plan_cache_mode = force_generic_plan")
        return _master_part(connection, parts.stage(connection, batch))


def _is_sent_at_once(batch: MappedBatch) -> bool:
    frames = (batch.transactions, batch.changes, batch.records, batch.rejects)
    return max(frame.height for frame in frames) <= staging.FEW


def apply_journalled(connection: psycopg.Connection, part: Part, *, is_hurried: bool) -> Outcome:
    """Master what is journalled of several sources as one, to be judged after the commit; see judge().

    Of few rows, nothing is waited for. In a hurry, what a moved record left is not waited for either: where it is being
    mastered, SerializationFailure is raised.
    """
    are_few = max(part.changes, part.transactions) <= staging.FEW
    with staging.pipelined(connection) if are_few else nullcontext():
        if are_few:
            connection.execute("set local plan_cache_mode = force_generic_plan")
        staged = parts.stage_journalled(connection, part)
        return _master_part(connection, staged, is_judged=False, is_hurried=is_hurried)


def judge(connection: psycopg.Connection, *, notes: int) -> bool:
    """Judge what was mastered and is yet to be judged, so many notes of it; tell whether there were any.

    Raises LockNotAvailable where others are in the way: what was noted stays noted.
    """
    parts.prepare(connection)
    are_noted = verdicts.settle_noted(connection, limit=notes)
    if are_noted:
        opening.follow(connection)
    return are_noted


def _master_part(
    connection: psycopg.Connection, staged: Staged, *, is_judged: bool = True, is_hurried: bool = False
) -> Outcome:
    """Send the steps as far as each can be sent without knowing what came of those before it."""
    violations = staged.violations
    with staging.pipelined(connection):
        _resolve(connection, is_hurried=is_hurried)
        if staged.is_partial:
            source_records.complete(connection)
        survivorship.add_events(connection, survivorship.FIRST_STAGED)
        mastered = _master(connection)
        violations += mastered.violations
        written = source_records.write(connection)
        quarantine.finish_retries(connection)
        touching = _pass_on(connection, is_judged=is_judged)
        staging.wait(connection)
    written.verify()
    _yield_to_owners(connection, mastered.settled)
    return Outcome(changes=staged.changes, violations=violations, touched_points=touching.rowcount)


def _pass_on(connection: psycopg.Connection, *, is_judged: bool = True, checked: verdicts.Kinds = ()) -> psycopg.Cursor:
    """Judge what this part touched, or note it to be judged, and tell views and tasks.

    How many points it touched, the result's count says. For `checked` see verdicts.settle().
    """
    touching = touched.collect(connection)
    if is_judged:
        verdicts.settle(connection, checked=checked)
    else:
        verdicts.note(connection)
    projection.note(connection)
    opening.follow(connection)
    return touching


def finish(connection: psycopg.Connection) -> None:
    """Give what this transaction adds to the feeds its numbers. Call it once, right before the commit."""
    feed.publish(connection)


def _resolve(connection: psycopg.Connection, *, is_hurried: bool = False) -> None:
    """Find who is who, lock it, and what each source says of it from when until when.

    What a change may heal is looked for again under the lock: others may have held something back meanwhile.
    """
    with staging.pipelined(connection):
        healing.stage(connection)
        identity.resolve(connection)
        identity.lock(connection, is_hurried=is_hurried)
        healed = healing.stage(connection)
        source_records.fetch(connection, is_hurried=is_hurried)
        if healed.fetchone() != (0,):
            identity.resolve(connection)
            identity.lock_more(connection)
            source_records.refetch(connection)
        source_records.resolve(connection)


def _master(
    connection: psycopg.Connection, *, is_hubs: bool = False, is_checked: bool = True, is_decided: bool = False
) -> Mastered:
    """Choose survivors and write versions for the noted events; appointments before what follows from them.

    Steps of which nothing can come are passed over: most batches are small, and speak of few groups. `is_hubs` says
    that it is a transaction of the hub's own.
    """
    awaited = corrections.look(connection)
    violations, is_doubted = 0, False
    # What stands already keeps standing, whatever a decision masters anew: the verdicts speak of it.
    while found := _choose(connection, is_checked=is_checked and not is_decided):
        doubting.begin(connection)
        is_doubted = True
        if identity.lock_awaited(connection):
            if not (found := _check_again(connection)):
                break
            doubting.begin(connection)  # it may be another record by now
        quarantine.hold_versions(connection)
        source_records.span(connection)
        survivorship.restart(connection)
        violations += found
    if is_doubted:
        doubting.end(connection)
    groups = survivorship.list_groups(connection)
    with staging.pipelined(connection):
        if "appointment" in groups:
            assembly.assemble(connection, entities=("appointment",))
            survivorship.propagate_appointments(connection)
        if groups & {"appointment", *survivorship.AFTER_APPOINTMENT}:
            survivorship.choose(connection, groups=survivorship.AFTER_APPOINTMENT, by_appointment=True)
        assembly.assemble(connection, entities=_bulk_entities(groups))
        conflicts.settle(connection, groups=groups, is_decided=is_decided)
        due.note(connection)
        if groups & {"address", "asset", "appointment"}:
            unmatched.note(connection)
        # What follows from appointments is fetched only now; of the hub's own transactions nothing was before.
        is_overridden = is_hubs or not groups.isdisjoint({survivorship.OVERRIDDEN, "appointment"})
        settled = overrides.settle(connection) if is_overridden and is_checked else None
        if awaited.fetchone() == (True,):
            corrections.close_corrected(connection)
    return Mastered(violations=violations, settled=settled)


def _choose(connection: psycopg.Connection, *, is_checked: bool) -> int:
    """Choose what survives but for meters and what services own; return how many records break a rule by it."""
    groups = survivorship.list_groups(connection)
    at_point = groups & {*survivorship.AT_POINT}
    with staging.pipelined(connection):
        if at_point:
            survivorship.add_asides(connection)
        if at_point or groups & {*survivorship.FIRST}:
            survivorship.choose(connection, groups=survivorship.FIRST, by_appointment=False)
        if at_point:
            survivorship.add_events(connection, survivorship.AT_POINT)
        if "appointment" in groups:
            survivorship.choose(connection, groups=("appointment",), by_appointment=False)
        return crossing.check(connection, groups) if is_checked else 0


def _check_again(connection: psycopg.Connection) -> int:
    return crossing.check_again(connection, survivorship.list_groups(connection))


def _yield_to_owners(connection: psycopg.Connection, settled: psycopg.Cursor | None) -> None:
    """Master anew what equals its owner's value by now, as of the transaction that showed it: the owner's, then."""
    equal = overrides.list_equal(settled) if settled else []
    if not equal:
        return
    golden_ids = sorted({each.golden_id for each in equal})
    cause = Cause(relation="golden.override", payload={"golden_ids": golden_ids})
    now = max(each.committed_at for each in equal)
    master_stored(connection, golden_ids, _master_decided, now=now, cause=cause)


def _bulk_entities(groups: set[str]) -> list[str]:
    """Return the entities but appointments that a part speaks of, or that follow from its appointments."""
    touched_entities = {entity.name for entity, group in catalogue.load().groups() if group.name in groups}
    followed = {"metering_point", "meter"} if "appointment" in groups else set()
    return [entity for entity in _BULK_ENTITIES if entity in touched_entities | followed]


def master_again(
    connection: psycopg.Connection, golden_ids: Sequence[int], *, now: datetime, cause: Cause, block: int | None = None
) -> int:
    """Master golden records anew from what all sources say of them, because of a decision; return its change id.

    The caller has written what the decision changes in the store, if it names the change under a `block` reserved by
    journal.next_block. `finish` comes at the end of the transaction.
    """
    block = master_stored(connection, sorted(golden_ids), _master_decided, now=now, cause=cause, block=block)
    return journal.change_id(block, journal.HUB)


def master_moved(connection: psycopg.Connection, golden_ids: Sequence[int], *, now: datetime, cause: Cause) -> int:
    """Put what sources say of these under where it leads since a merge or split, and master them; return the change id.

    What had passed the rules is not held back because of a decision on identity, and no override retired, so that a
    split brings it back.
    """
    block = parts.begin(connection)
    due.stage_hub_transaction(connection, now=now, block=block, cause=cause)
    merging.stage_moved(connection, sorted(golden_ids))
    survivorship.add_events(connection, survivorship.FIRST_STAGED)
    _master(connection, is_hubs=True, is_checked=False, is_decided=True)
    _pass_on(connection)
    return journal.change_id(block, journal.HUB)


def master_stored(
    connection: psycopg.Connection,
    golden_ids: list[int],
    master: Callable[[psycopg.Connection], Mastered],
    *,
    now: datetime,
    cause: Cause,
    block: int | None = None,
) -> int:
    """Stage what the store says of golden records and master it in the way given; return the block of its change."""
    block = journal.next_block(connection) if block is None else block
    parts.prepare(connection)
    due.stage_hub_transaction(connection, now=now, block=block, cause=cause)
    identity.lock_ids(connection, golden_ids)
    source_records.stage_stored(connection, golden_ids)
    mastered = master(connection)
    if mastered.violations:
        source_records.drop_quarantined(connection)
    _pass_on(connection, checked=mastered.checked)
    _yield_to_owners(connection, mastered.settled)
    return block


def master_staged(connection: psycopg.Connection, *, is_decided: bool) -> Mastered:
    """Master what is staged of the store, in the general way."""
    source_records.note_staged(connection)
    survivorship.add_events(connection, survivorship.FIRST_STAGED)
    return _master(connection, is_hubs=True, is_decided=is_decided)


_master_decided = partial(master_staged, is_decided=True)


def come_due(connection: psycopg.Connection, *, now: datetime, limit: int = 5_000) -> int:
    """Look again at what was dated ahead and is due by now; return how many groups were looked at."""
    block = parts.begin(connection)
    taken = due.stage(connection, now=now, block=block, limit=limit)
    if taken:
        identity.lock_events(connection)
        due.finish(connection)
        mastered = _master(connection, is_hubs=True)
        acceptances.end_due(connection)
        _pass_on(connection)
        _yield_to_owners(connection, mastered.settled)
    return taken


def open_graced(connection: psycopg.Connection, *, after: datetime, now: datetime, limit: int = 5_000) -> int:
    """Open the tasks of conflicts whose grace ended between two times; return how many, at most the limit."""
    parts.prepare(connection)
    return opening.follow_graced(connection, after=after, now=now, limit=limit)


def retry(
    connection: psycopg.Connection,
    *,
    now: datetime,
    after: int = 0,
    limit: int = 5_000,
    rules: Sequence[int] | None = None,
) -> int:
    """Put open quarantined records, those of some rules where they are given, through again; return how many."""
    block = parts.begin(connection)
    due.stage_hub_transaction(connection, now=now, block=block, cause=Cause(relation="golden.quarantine"))
    staged = quarantine.stage_open(connection, after=after, limit=limit, rules=rules)
    if staged:
        checks.check_records(connection)
        quarantine.hold_records(connection, quarantine.look(connection, [journal.HUB]))
        _resolve(connection)
        survivorship.add_events(connection, survivorship.FIRST_STAGED)
        mastered = _master(connection, is_hubs=True)
        source_records.write(connection).verify()
        quarantine.finish_retries(connection)
        _pass_on(connection)
        _yield_to_owners(connection, mastered.settled)
    return staged
