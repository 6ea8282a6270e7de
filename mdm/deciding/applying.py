"""Applying: decisions are judged, written down, and carried out through mastering; proposed where they want approval.

Whatever a decision does is one transaction, the caller's: it is there wholly or not at all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg

from golden_records import journal, overrides
from golden_records.due import Cause
from mdm import mastering, parts
from mdm.deciding import kinds, looking, orders
from mdm.deciding.kinds import Effect, Frame
from mdm.deciding.orders import Act, Matter, Order, Outdated
from mdm.stewardship import decisions, opening, tasks
from mdm.stewardship.approvals import Policy
from mdm.stewardship.decisions import Decision, Draft, Kind, Maker
from mdm.stewardship.tasks import Deed, Outcome

AT_ONCE = 2_000
"""Decisions that take effect in one part of a transaction."""

Judged = tuple[Matter, Mapping[str, Any]]
"""A matter, and the payload of the decision on it."""


def decide(connection: psycopg.Connection, order: Order, maker: Maker, policy: Policy) -> Decision:
    """Decide on one matter; raises Refused, Outdated, or what tasks.hold raises."""
    if order.kind in looking.IDENTITY:
        matter = looking.at_identity(connection, order.about, deed=deed_of(maker))
    else:
        matter = looking.at_one(connection, order.about, deed=deed_of(maker), source=order.terms.source)
    judged = kinds.judge(connection, order.kind, matter, order.terms, maker.at)
    decided = [(matter, orders.payload(order.terms, matter, judged))]
    root = write(connection, order.kind, decided, wanting(policy, order.kind, decided, maker))
    return decisions.get(connection, root)


def wanting(policy: Policy, kind: Kind, decided: Sequence[Judged], maker: Maker) -> Maker:
    """Return the maker with the reason why another has to approve, if another has to."""
    targets = (matter.target for matter, _ in decided if kind in kinds.SETS_VALUES)
    classified = (item.classification for target in targets if target for item in target.items)
    count = sum(max(len(matter.task_ids), 1) for matter, _ in decided)
    return replace(maker, wants_approval=policy.wanted(kind, classified=classified, tasks=count))


def write(
    connection: psycopg.Connection,
    kind: Kind,
    decided: Sequence[Judged],
    maker: Maker,
    *,
    bulk: Mapping[str, Any] | None = None,
) -> int:
    """Write decisions down, and carry them out unless they want approval; return the id of the first.

    With the payload of a bulk decision that is the first, and the others are its parts.
    """
    ids = decisions.reserve(connection, len(decided) + (bulk is not None))
    root, own = ids[0], ids if bulk is None else ids[1:]
    parent = None if bulk is None else root
    drafts = [_draft(each, kind, matter, payload, parent) for each, (matter, payload) in zip(own, decided, strict=True)]
    heads = [] if bulk is None else [Draft(decision_id=root, kind=kind, payload=bulk)]
    decisions.add(connection, [*heads, *drafts], maker)
    if maker.wants_approval is None:
        acts = [
            Act(decision_id=each, matter=matter, payload=payload)
            for each, (matter, payload) in zip(own, decided, strict=True)
        ]
        carry_out(connection, kind, acts, maker, root=root)
    return root


def carry_out(connection: psycopg.Connection, kind: Kind, acts: Sequence[Act], maker: Maker, *, root: int) -> None:
    """Let decisions take effect: their tasks close, and what they do to values goes through mastering."""
    outcome = kinds.OUTCOMES.get(kind, Outcome.DECIDED)
    task_ids = sorted(each for act in acts for each in act.matter.task_ids)
    tasks.close(connection, task_ids, deed=deed_of(maker), outcome=outcome, decision_id=root)
    for part in _parts(acts):
        _carry_out(connection, kind, part, maker, root=root)
    mastering.finish(connection)


def _carry_out(connection: psycopg.Connection, kind: Kind, acts: Sequence[Act], maker: Maker, *, root: int) -> None:
    block = journal.next_block(connection)
    frame = Frame(connection=connection, change_id=journal.change_id(block, journal.HUB), maker=maker)
    parts.prepare(connection)
    effects = kinds.DEEDS[kind](frame, acts)
    opening.follow(connection)  # the tasks of matches that are settled, before the next part begins
    is_of_values = kind in kinds.SETS_VALUES
    golden_ids = {act.matter.target.golden_id for act in acts if is_of_values and act.matter.target is not None}
    mastering.master_again(
        connection, sorted(golden_ids), now=maker.at, cause=_cause(kind, acts, effects, maker, root), block=block
    )
    follow_overrides(connection, effects)
    outcome = kinds.OUTCOMES.get(kind, Outcome.DECIDED)
    told = [
        (act.decision_id, {**effect, **_closed(act.matter.task_ids, outcome)}, frame.change_id)
        for act, effect in zip(acts, effects, strict=True)
    ]
    decisions.settle(connection, told)


def follow_overrides(connection: psycopg.Connection, effects: Sequence[Effect]) -> None:
    """Close the tasks about overrides that no longer stand, or that were looked at anew."""
    touched = [int(each) for effect in effects for each in effect.get("retired", {})]
    touched += [each["override_id"] for effect in effects for each in effect.get("reviewed", [])]
    if touched:
        overrides.note_touched(connection, touched)
        opening.follow(connection)


def _closed(task_ids: Sequence[int], outcome: Outcome) -> Effect:
    return {"closed": {"tasks": list(task_ids), "outcome": outcome.value}} if task_ids else {}


def _cause(kind: Kind, acts: Sequence[Act], effects: Sequence[Effect], maker: Maker, root: int) -> Cause:
    """Say in the journal what a replay needs."""
    told = [
        {
            "decision_id": act.decision_id,
            "golden_id": act.matter.target and act.matter.target.golden_id,
            "item_group": act.matter.target and act.matter.target.item_group,
            "item": act.matter.target and act.matter.target.item,
            **{name: each for name, each in act.payload.items() if name not in {"seen", "tasks", "entered"}},
            **effect,
        }
        for act, effect in zip(acts, effects, strict=True)
    ]
    payload = {"kind": kind.value, "by": maker.by, "decisions": told}
    return Cause(relation="hub.decision", source_key=str(root), payload=payload)


def deed_of(maker: Maker) -> Deed:
    """Return what a decision's maker does to its tasks."""
    return Deed(by=maker.by, at=maker.at, note=maker.reason)


def refuse_outdated(connection: psycopg.Connection, decision: Decision, matter: Matter, maker: Maker) -> None:
    """Raise Outdated where a proposed decision is no longer about what its maker saw."""
    said, kind = decision.payload, Kind(decision.kind)
    is_same = said["seen"] == orders.digest(matter)
    if is_same and kind in kinds.SETS_VALUES:
        is_same = kinds.judge(connection, kind, matter, orders.terms_of(said), maker.at).get("value") == said["value"]
    if not is_same:
        raise Outdated(
            f"What decision {decision.decision_id} is about has changed since it was proposed. Reject it, and decide "
            "on what there is now."
        )


def _draft(decision_id: int, kind: Kind, matter: Matter, payload: Mapping[str, Any], parent: int | None) -> Draft:
    target = matter.target
    return Draft(
        decision_id=decision_id,
        kind=kind,
        payload=payload,
        parent_id=parent,
        task_id=matter.task_ids[0] if matter.task_ids else None,
        golden_id=target.golden_id if target else matter.golden_id,
        item_group=target.item_group if target else None,
        item=target.item if target else None,
    )


def _parts(acts: Sequence[Act]) -> Iterator[Sequence[Act]]:
    for start in range(0, len(acts), AT_ONCE):
        yield acts[start : start + AT_ONCE]
