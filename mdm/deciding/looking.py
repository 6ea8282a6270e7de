"""Looking: which matter an order is about, locked as its maker saw it.

Locks go in the order of everybody who masters: golden records, then tasks.
"""

from collections.abc import Sequence
from datetime import datetime

import psycopg

from golden_records import identity, match_states, overridden, overrides, redirects, reference, rows, targets
from golden_records.subjects import Kind as Subject
from golden_records.targets import Seen, Target
from mdm import merging
from mdm.deciding.orders import About, Matter, Outdated, OverrideUnknown, Refused
from mdm.stewardship import queue, tasks
from mdm.stewardship.decisions import Decision, Kind
from mdm.stewardship.queue import Filter
from mdm.stewardship.tasks import Deed, Task

IDENTITY = frozenset({Kind.MERGE, Kind.SPLIT, Kind.NOT_A_MATCH})
"""Kinds that decide which golden record is which."""

MOST = 100_000
"""Tasks that one bulk decision may be about."""


def at_one(connection: psycopg.Connection, about: About, *, deed: Deed, source: str | None) -> Matter:
    """Return the matter of one order; raises Refused, Outdated, or what tasks.hold raises."""
    if about.task_id is not None:
        return _task(connection, about, deed, source)
    redirects.hold(connection)
    target = _override(connection, about) if about.override_id is not None else _item(connection, about)
    identity.lock_ids(connection, [target.golden_id])
    seen = _look(connection, [target], source, deed.at)[0]
    if (
        seen is not None
        and seen.override_id is not None
        and (seen.override_id, seen.override_version)
        != (
            about.override_id,
            about.version,
        )
    ):
        raise Outdated(
            f"Override {seen.override_id} stands here, at version {seen.override_version}. Look at it, then decide on "
            "that version of it."
        )
    return Matter(target=target, seen=seen)


def at_many(
    connection: psycopg.Connection, chosen: Filter, *, deed: Deed, source: str | None, most: int = MOST
) -> list[Matter]:
    """Return the matters of all tasks of a filter that nobody else has: one for each item, with all tasks about it."""
    redirects.hold(connection)
    ids = queue.select_ids(connection, chosen, limit=most, by=deed.by, now=deed.at)
    return _matters(connection, ids, deed, source)


def at_matches(connection: psycopg.Connection, chosen: Filter, *, deed: Deed, most: int = MOST) -> list[Matter]:
    """Return the matters of all tasks of a filter that nobody else has, for a decision on identity: their matches."""
    merging.take_turn(connection)
    ids = queue.select_ids(connection, chosen, limit=most, by=deed.by, now=deed.at)
    locked = queue.lock_ids(connection, ids, by=deed.by, now=deed.at)
    found = rows.ask(connection, tasks.question(locked, now=deed.at))
    subjects = {task.task_id: task.subject_id for task in found if task.kind == Subject.MATCH}
    known = match_states.list_by_id(connection, [*subjects.values()])
    return [Matter(task_ids=[task.task_id], match=known.get(subjects.get(task.task_id, 0))) for task in found]


def again(connection: psycopg.Connection, decided: Sequence[Decision], *, deed: Deed) -> list[Matter]:
    """Return the matters of proposed decisions as they are now, in their order; raises Outdated.

    All of them took the same source, if any.
    """
    if "match_id" in decided[0].payload or decided[0].kind in IDENTITY:
        return _identities_again(connection, decided, deed)
    redirects.hold(connection)
    wanted = [_target_of(decision) for decision in decided]
    identity.lock_ids(connection, sorted({target.golden_id for target in wanted if target is not None}))
    _locked(connection, [each for decision in decided for each in decision.payload.get("tasks", [])], deed)
    seen = iter(
        _look(connection, [each for each in wanted if each is not None], decided[0].payload.get("source"), deed.at)
    )
    return [
        Matter(task_ids=decision.payload.get("tasks", []), target=target, seen=None if target is None else next(seen))
        for decision, target in zip(decided, wanted, strict=True)
    ]


def at_identity(connection: psycopg.Connection, about: About, *, deed: Deed) -> Matter:
    """Return the matter of an order on identity: when nobody masters, as a merge waits for, and before other locks."""
    merging.take_turn(connection)
    task_ids: list[int] = []
    match_id, version = about.match_id, about.version
    if about.task_id is not None:
        task = tasks.hold(connection, about.task_id, version=_seen(about), deed=deed)
        match_id, version = (task.subject_id if task.kind == Subject.MATCH else None), None
        task_ids = [task.task_id]
    if match_id is None:
        return Matter(task_ids=task_ids, golden_id=about.golden_id)
    match = match_states.find(connection, match_id)
    if match is None:
        raise Refused("There is no match of that id. 'mdm match list' shows what there is.")
    if version is not None and version != match.version:
        raise Outdated(f"Match {match_id} has changed: it is at version {match.version}. Look at it again.")
    return Matter(task_ids=task_ids, match=match)


def _seen(about: About) -> int:
    if about.version is None:
        raise Refused("Say which version of the task was seen, so that nobody's decision is overwritten.")
    return about.version


def _identities_again(connection: psycopg.Connection, decided: Sequence[Decision], deed: Deed) -> list[Matter]:
    merging.take_turn(connection)
    _locked(connection, [each for decision in decided for each in decision.payload.get("tasks", [])], deed)
    match_ids = [decision.payload.get("match_id", 0) for decision in decided]
    known = match_states.list_by_id(connection, match_ids)
    return [
        Matter(task_ids=decision.payload.get("tasks", []), match=known.get(match_id), golden_id=decision.golden_id)
        for decision, match_id in zip(decided, match_ids, strict=True)
    ]


def _locked(connection: psycopg.Connection, task_ids: Sequence[int], deed: Deed) -> Sequence[int]:
    """Return tasks, locked; raises Outdated where some are closed or another's by now."""
    locked = set(queue.lock_ids(connection, sorted(task_ids), by=deed.by, now=deed.at))
    if gone := sorted(set(task_ids) - locked):
        told = ", ".join(map(str, gone[:5]))
        raise Outdated(f"{len(gone):,} of the tasks are closed or another's by now ({told}). Reject the decision.")
    return task_ids


def _task(connection: psycopg.Connection, about: About, deed: Deed, source: str | None) -> Matter:
    redirects.hold(connection)
    task = tasks.get(connection, about.task_id or 0, now=deed.at)
    if task.golden_id is not None:
        identity.lock_ids(connection, [task.golden_id])
    tasks.hold(connection, task.task_id, version=_seen(about), deed=deed)
    target = target_of(task)
    seen = None if target is None else _look(connection, [target], source, deed.at)[0]
    return Matter(task_ids=[task.task_id], target=target, seen=seen, conflict_id=_conflict_of(task))


def _matters(connection: psycopg.Connection, ids: Sequence[int], deed: Deed, source: str | None) -> list[Matter]:
    found = rows.ask(connection, tasks.question(ids, now=deed.at))
    identity.lock_ids(connection, sorted({task.golden_id for task in found if task.golden_id is not None}))
    locked = set(queue.lock_ids(connection, ids, by=deed.by, now=deed.at))
    by_target: dict[Target, list[Task]] = {}
    bare: list[Task] = []
    for task in found:
        target = target_of(task)
        if task.task_id in locked:
            (bare if target is None else by_target.setdefault(target, [])).append(task)
    seen = _look(connection, [*by_target], source, deed.at)
    valued = [
        Matter(task_ids=[task.task_id for task in about], target=target, seen=said)
        for (target, about), said in zip(by_target.items(), seen, strict=True)
    ]
    return [*valued, *(Matter(task_ids=[task.task_id]) for task in bare)]


def version_of(connection: psycopg.Connection, override_id: int) -> int:
    """Return the version at which an override is now; raises OverrideUnknown."""
    found = rows.ask(connection, overridden.question(override_id))
    if not found:
        raise _unknown(override_id)
    return found[0].version


def target_of(task: Task) -> Target | None:
    """Return what value a task is about; None where it is about a record."""
    if task.golden_id is None or task.entity is None or task.item_group is None:
        return None
    found = targets.find(task.golden_id, task.entity, task.item or task.item_group)
    return found if found is not None and found.item_group == task.item_group else None


def _conflict_of(task: Task) -> int | None:
    return task.subject_id if task.kind == Subject.CONFLICT else None


def _target_of(decision: Decision) -> Target | None:
    if decision.golden_id is None or decision.item_group is None:
        return None
    return Target(golden_id=decision.golden_id, item_group=decision.item_group, item=decision.item or "")


def _override(connection: psycopg.Connection, about: About) -> Target:
    found = overrides.find_target(connection, about.override_id or 0)
    if found is None:
        raise _unknown(about.override_id or 0)
    return found


def _unknown(override_id: int) -> OverrideUnknown:
    return OverrideUnknown(f"There is no override {override_id}. 'mdm override list' shows what there is.")


def _item(connection: psycopg.Connection, about: About) -> Target:
    entity = None if about.golden_id is None else targets.find_entity(connection, about.golden_id)
    if about.golden_id is None or entity is None or about.item is None:
        raise Refused("Say what is decided on: a task, an override, or a golden record and its item.")
    target = targets.find(about.golden_id, entity, about.item)
    if target is None:
        raise Refused(f"A {entity.replace('_', ' ')} has no item of that name. The catalogue lists those it has.")
    return target


def _look(
    connection: psycopg.Connection, wanted: Sequence[Target], source: str | None, at: datetime
) -> list[Seen | None]:
    source_id = None
    if source is not None:
        source_id = reference.find_source(connection, source)
        if source_id is None:
            raise Refused("There is no source system of that name. 'mdm source list' shows them.")
    return targets.look(connection, wanted, now=at, source_id=source_id)
