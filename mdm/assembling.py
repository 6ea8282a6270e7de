"""Assembling: the loads of sources are taken in chunk by chunk, and mastered together once they stand in the store.

Golden records of which there is no version yet get their first one by a shorter way, with the same outcome.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

import polars as pl
import psycopg

from golden_records import (
    assembly,
    catalogue,
    checks,
    conflicts,
    crossing,
    due,
    first,
    healing,
    identity,
    loaded,
    loaded_records,
    quarantine,
    redirects,
    source_records,
    staging,
    survivorship,
    unmatched,
    verdicts,
)
from golden_records.due import Cause
from mdm import mastering, parts
from mdm.batches import MappedBatch
from mdm.mastering import Mastered, Outcome
from mdm.stewardship import opening

_LOADED = Cause(relation="golden.source_record")
_PASS_BITS = 56
_POINT = "metering_point"


def load(connection: psycopg.Connection, batch: MappedBatch) -> Outcome:
    """Take one part of a snapshot in: journal, rules on records, identity, source records; mastered by `assemble`.

    Records that are marked with the golden ids of their keys (known_keys) are copied, the others are looked at.
    """
    none = batch.records.clear()
    if "key_id" not in none.columns or not redirects.hold_none(connection):
        return _load(connection, batch, plain=none, careful=batch.records)
    plain, careful = loaded_records.part(connection, batch.records, source_id=batch.source_id)
    try:
        with connection.transaction():  # a savepoint
            return _load(connection, batch, plain=plain, careful=careful)
    except psycopg.errors.UniqueViolation:  # a source has two rows under one key
        return _load(connection, batch, plain=none, careful=batch.records)


def _load(connection: psycopg.Connection, batch: MappedBatch, *, plain: pl.DataFrame, careful: pl.DataFrame) -> Outcome:
    """Put rules to those of the plain records that rules read, but copy all; the careful ones are staged before."""
    read = plain.filter(checks.read_by_rules())
    looked_at = careful if careful.height else read
    staged = parts.stage(connection, replace(batch, records=looked_at), are_keys_known=not careful.height)
    violations = staged.violations
    if careful.height:
        identity.resolve(connection)
        source_records.write_loaded(connection)
        loaded.add(connection)
        opening.follow(connection)
        apart = replace(batch, records=read, rejects=batch.rejects.clear())
        violations += parts.check_apart(connection, apart, block=staged.block)
    opening.follow(connection)
    if plain.height:
        loaded_records.copy(connection, plain, source_id=batch.source_id, block=staged.block)
    return Outcome(changes=batch.changes.height, violations=violations, touched_points=0)


def assemble(connection: psycopg.Connection, *, after: int, limit: int, now: datetime) -> int | None:
    """Master the next golden records that loads took in, of whatever source; return where to go on, None at the end.

    `after` and the result are opaque: begin with 0. Call it in a transaction of its own that ends with
    mastering.finish.
    """
    connection.execute("set local plan_cache_mode = force_generic_plan")  # batches are alike
    stage = after >> _PASS_BITS
    if loaded.cut(connection, stage=stage, limit=limit):
        return stage << _PASS_BITS
    taken = loaded.take(connection, stage=stage)
    if taken:
        master = partial(_master, golden_ids=taken, entities=loaded.PASSES[stage], now=now)
        mastering.master_stored(connection, taken, master, now=now, cause=_LOADED)
        for quarantine_id in healing.list_waiting(connection, taken):
            mastering.retry(connection, now=now, after=quarantine_id - 1, limit=1)
        return (stage << _PASS_BITS) | taken[-1]
    following = loaded.find_pass(connection)
    return None if following is None else following << _PASS_BITS


def _master(
    connection: psycopg.Connection, *, golden_ids: list[int], entities: Sequence[str], now: datetime
) -> Mastered:
    if first.are_new(connection, golden_ids):
        return _master_first(connection, entities, now)
    return mastering.master_staged(connection, is_decided=False)


def _master_first(connection: psycopg.Connection, entities: Sequence[str], now: datetime) -> Mastered:
    """Master golden records of which there is no version yet: it comes to what the general way makes of them.

    Appointments come before what follows from them, and meters before the points at which they are fitted.
    """
    groups = _groups(entities)
    violations = 0
    are_kept = _keep_contracts(connection, groups)
    while found := _choose_first(connection, groups, now, is_whole=not violations):  # what is held back is still stored
        if identity.lock_awaited(connection) and not (
            found := crossing.check_again(connection, groups, scopes=crossing.ALL - crossing.POINTS)
        ):
            break
        quarantine.hold_versions(connection)
        survivorship.clear(connection)
        violations += found
    with staging.pipelined(connection):
        write, are_alone = _begin_writing(connection, entities, groups, now)
        write(entities=[name for name in entities if name not in {"appointment", _POINT}])
        if _POINT in entities:
            violations += _judge_points(connection, now)
            write(entities=(_POINT,))
        conflicts.settle(connection, groups=groups)
        due.note(connection)
        unmatched.note(connection)
    checked = verdicts.CHECKED_WITH_CONTRACTS if are_kept else verdicts.CHECKED
    return Mastered(violations=violations, settled=None, checked=checked if are_alone and not violations else ())


def _keep_contracts(connection: psycopg.Connection, groups: set[str]) -> bool:
    """Lock the contracts that appointments name; tell whether none can change before this is committed.

    What waits to be healed is put through again at the end, under locks that are waited for: nobody is to wait for
    contracts then.
    """
    if "appointment" not in groups:
        return True
    return not healing.is_any_waiting(connection) and identity.lock_contracts(connection)


def _groups(entities: Collection[str]) -> set[str]:
    return {group.name for entity, group in catalogue.load().groups() if entity.name in entities}


def _choose_first(connection: psycopg.Connection, groups: set[str], now: datetime, *, is_whole: bool) -> int:
    """Choose what does not follow from appointments; return how many records break a rule by it."""
    if groups & {*survivorship.AT_POINT} and first.add_asides(connection):
        survivorship.choose(connection, groups=survivorship.RULE_GROUPS, by_appointment=False)
    with staging.pipelined(connection):
        chosen = sorted(groups - {*survivorship.AFTER_APPOINTMENT})
        first.choose(connection, groups=chosen, by_appointment=False, now=now)
        if "registration" in groups:
            survivorship.add_events(connection, crossing.STATE_GROUPS)
        return crossing.check(connection, groups, scopes=crossing.ALL - crossing.POINTS, is_whole=is_whole)


def _begin_writing(
    connection: psycopg.Connection, entities: Sequence[str], groups: set[str], now: datetime
) -> tuple[Callable[..., None], bool]:
    """Write appointments and choose what follows from them.

    Return how the rest is to be written, and whether nothing else follows from them.
    """
    first.assemble(connection, entities=[name for name in entities if name == "appointment"], now=now)
    survivorship.propagate_appointments(connection)
    following = sorted(groups & {*survivorship.AFTER_APPOINTMENT})
    first.choose(connection, groups=following, by_appointment=True, now=now)
    if survivorship.are_followed(connection):  # to points that are there already, as when a source is loaded later
        survivorship.choose(connection, groups=survivorship.AFTER_APPOINTMENT, by_appointment=True)
        return partial(assembly.assemble, connection), False
    return partial(first.assemble, connection, now=now), True


def _judge_points(connection: psycopg.Connection, now: datetime) -> int:
    """Hold back what points may not say of themselves, now that it is known what stands there; return how many."""
    groups = _groups({_POINT})
    following = groups & {*survivorship.AFTER_APPOINTMENT}
    violations, is_state_known = 0, True
    while found := crossing.check(connection, groups, scopes=crossing.POINTS, is_state_known=is_state_known):
        first.forget_points(connection)
        quarantine.hold_versions(connection)
        with staging.pipelined(connection):
            first.choose(connection, groups=sorted(groups - following), by_appointment=False, now=now)
            first.choose(connection, groups=sorted(following), by_appointment=True, now=now)
            survivorship.add_events(connection, crossing.STATE_GROUPS)
        violations, is_state_known = violations + found, False
    return violations
