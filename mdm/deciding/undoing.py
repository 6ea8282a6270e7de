"""Undoing: a decision is taken back by another, once; what is undone can be undone in its turn."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg

from golden_records import identity as keys
from golden_records import overrides
from golden_records.due import Cause
from mdm import mastering, merging, parts
from mdm.deciding import applying, identity, kinds
from mdm.deciding.kinds import Effect, Frame
from mdm.stewardship import decisions, opening, queue, tasks
from mdm.stewardship.decisions import Decision, Draft, Kind, Maker, State
from mdm.stewardship.tasks import Outcome


def undo(connection: psycopg.Connection, decision_id: int, maker: Maker) -> Decision:
    """Undo a decision, a bulk one with all its parts; raises WrongState, or Outdated where a later one stands on it.

    What wanted approval wants it to be undone, too.
    """
    undone = decisions.get(connection, decision_id, is_locked=True)
    decisions.expect(undone, State.APPLIED, "undone")
    wants = "what it undoes wanted approval" if undone.wants_approval else None
    (undo_id,) = decisions.reserve(connection, 1)
    draft = Draft(
        decision_id=undo_id,
        kind=Kind.UNDO,
        payload={"undoes": decision_id},
        undoes=decision_id,
        task_id=undone.task_id,
        golden_id=undone.golden_id,
        item_group=undone.item_group,
        item=undone.item,
    )
    decisions.refuse_second_undo(connection, undone)
    decisions.add(connection, [draft], replace(maker, wants_approval=wants))
    if wants is None:
        carry_out(connection, undone, undo_id, maker)
    return decisions.get(connection, undo_id)


def carry_out(connection: psycopg.Connection, undone: Decision, undo_id: int, maker: Maker) -> None:
    """Take a decision's effect back, and note what that did."""
    taken_back = [part for part in decisions.list_parts(connection, undone.decision_id) if part.state == State.APPLIED]
    taken_back = taken_back or [undone]
    effect = merged([part.effect or {} for part in taken_back])
    if identity.is_in(effect):
        merging.take_turn(connection)
    parts.prepare(connection)
    golden_ids = overrides.list_golden_ids(connection, kinds.list_overrides(effect))
    keys.lock_ids(connection, golden_ids)
    kinds.refuse_blocked(connection, undone.decision_id, effect)
    frame = Frame(connection=connection, change_id=0, maker=maker)
    inverse = _invert(frame, effect) | _close(connection, effect, undo_id, maker)
    opening.follow(connection)
    change_id = _master(connection, golden_ids, undo_id, inverse, maker)
    applying.follow_overrides(connection, [inverse])
    inverse |= _reopen(connection, effect, undo_id, maker)
    decisions.settle(connection, [(undo_id, inverse, change_id)])
    decisions.mark_undone(connection, undone, undone_by=undo_id)
    mastering.finish(connection)


def merged(effects: Sequence[Mapping[str, Any]]) -> Effect:
    """Return the effects of several decisions as one."""
    whole: Effect = {}
    for effect in effects:
        for name, part in effect.items():
            match part:
                case {"tasks": more}:
                    kept = whole.setdefault(name, {**part, "tasks": []})
                    kept["tasks"] = [*kept["tasks"], *more]
                case dict():
                    whole.setdefault(name, {}).update(part)
                case _:
                    whole.setdefault(name, []).extend(part)
    return whole


def _invert(frame: Frame, effect: Effect) -> Effect:
    inverse: Effect = {}
    for name, take_back in kinds.INVERSES.items():
        if effect.get(name):
            inverse |= take_back(frame, effect[name])
    return inverse


def _close(connection: psycopg.Connection, effect: Effect, undo_id: int, maker: Maker) -> Effect:
    """Close again, when an undo is undone, the tasks that it had opened: those that nobody else has."""
    told = effect.get("reopened")
    if not told:
        return {}
    locked = queue.lock_ids(connection, told["tasks"], by=maker.by, now=maker.at)
    outcome = Outcome(told["outcome"])
    tasks.close(connection, locked, deed=applying.deed_of(maker), outcome=outcome, decision_id=undo_id)
    return {"closed": {"tasks": locked, "outcome": outcome.value}}


def _reopen(connection: psycopg.Connection, effect: Effect, undo_id: int, maker: Maker) -> Effect:
    """Open the tasks again that the decision closed: those whose subjects stand."""
    told = effect.get("closed")
    if not told:
        return {}
    opened = tasks.reopen(connection, told["tasks"], deed=applying.deed_of(maker), decision_id=undo_id)
    return {"reopened": {"tasks": opened, "outcome": told["outcome"]}}


def _master(
    connection: psycopg.Connection, golden_ids: Sequence[int], undo_id: int, inverse: Effect, maker: Maker
) -> int:
    """Master what is concerned anew, in spans; the first change says what was done, for a replay."""
    told = {"kind": Kind.UNDO.value, "by": maker.by, **inverse}
    parts = [golden_ids[start : start + applying.AT_ONCE] for start in range(0, len(golden_ids), applying.AT_ONCE)]
    changes = [
        mastering.master_again(
            connection,
            part,
            now=maker.at,
            cause=Cause(relation="hub.decision", source_key=str(undo_id), payload=told if number == 0 else None),
        )
        for number, part in enumerate(parts or [[]])
    ]
    return changes[0]
