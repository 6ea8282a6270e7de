"""The kinds of decision, each in one place: what is judged before it stands, what it does, and how that is taken back.

JUDGES: what a decision comes to, or why it cannot be. DEEDS: carries decisions out, many at once; gives each one's
effect. INVERSES: takes a part of an effect back and gives the effect of that, so that an undo can itself be undone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from golden_records import acceptances, entering, journal, overrides
from golden_records.overrides import Why
from golden_records.targets import Seen
from mdm.deciding import identity
from mdm.deciding.orders import Act, Matter, Outdated, Refused, Terms
from mdm.stewardship import corrections
from mdm.stewardship.decisions import Kind, Maker
from mdm.stewardship.tasks import Outcome

Judged = dict[str, Any]
Effect = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where decisions take effect: one change of the hub, by whom and when."""

    connection: psycopg.Connection
    change_id: int
    maker: Maker


def judge_take(_connection: psycopg.Connection, matter: Matter, terms: Terms, at: datetime) -> Judged:
    """Take what a source says of the item, or of the whole of an atomic group."""
    seen = matter.whole()
    if terms.source is None:
        raise Refused("Say whose value is to be taken: the name of a source system.")
    if not seen.said:
        raise Refused(f"{terms.source} says nothing of this. Take another source's value, or enter one.")
    _refuse_keys(seen)
    _refuse_dates(terms, at)
    return {"value": dict(seen.said)}


def judge_enter(connection: psycopg.Connection, matter: Matter, terms: Terms, at: datetime) -> Judged:
    """Enter a value that the catalogue allows and that no rule of severity E speaks against."""
    seen = matter.whole()
    _refuse_dates(terms, at)
    if not terms.values:
        raise Refused("Say which value is to stand: values, by the names of their items.")
    given, faults = entering.check(seen.target, terms.values)
    if not seen.target.item and not faults:
        given = {**seen.value, **given}
    value = {name: each for name, each in given.items() if each is not None}
    if not value and not faults:
        faults = dict.fromkeys(terms.values, "it is empty, and an override cannot take a value away")
    if faults:
        raise Refused("; ".join(f"{name}: {fault}" for name, fault in sorted(faults.items())) + ". Correct the value.")
    broken = [rule for rule in entering.list_violated(connection, seen.target, value) if entering.is_refused(rule)]
    if broken:
        told = "; ".join(f"rule {rule.code}: {rule.title}. {rule.explanation}" for rule in broken)
        raise Refused(f"The value cannot stand. {told}")
    return {"value": value, "entered": dict(terms.values)}


def judge_accept(connection: psycopg.Connection, matter: Matter, terms: Terms, at: datetime) -> Judged:
    """Accept the difference until a date."""
    seen = matter.whole()
    if terms.until is None:
        raise Refused("Say until when the difference is accepted.")
    _refuse_dates(terms, at)
    items = [item.name for item in seen.target.items]
    found = acceptances.list_conflicts(
        connection, seen.target.golden_id, seen.target.item_group, items=items, source_id=None
    )
    accepted = [each for each in found if matter.conflict_id in {None, each}]
    if not accepted:
        raise Refused("No copy differs here, so there is nothing to accept.")
    return {"conflicts": accepted}


def judge_ask(_connection: psycopg.Connection, matter: Matter, terms: Terms, _at: datetime) -> Judged:
    """Ask the owner to correct its value: to the one given, to a source's, or to the one that stands."""
    seen = matter.whole()
    if terms.values:
        given, faults = entering.check(seen.target, terms.values)
        if faults:
            raise Refused("; ".join(f"{name}: {fault}" for name, fault in sorted(faults.items())))
        value = {name: each for name, each in given.items() if each is not None}
    else:
        value = dict((seen.said if terms.source else seen.value) or {})
    if seen.owner_source_id is None or seen.owner_source_id == journal.HUB:
        raise Refused("No system holds a value of this that its owner could correct.")
    if not value or value == seen.owner_value:
        raise Refused("Say which value the owner is asked for: one that it does not say already.")
    return {"value": value, "owner_source_id": seen.owner_source_id}


def judge_dismiss(_connection: psycopg.Connection, matter: Matter, _terms: Terms, _at: datetime) -> Judged:
    """Settle a task without doing anything."""
    if not matter.task_ids:
        raise Refused("A task is dismissed. Say which.")
    return {}


def judge_retire(_connection: psycopg.Connection, matter: Matter, _terms: Terms, _at: datetime) -> Judged:
    """End an override, so that the owner's value stands again."""
    if not matter.whole().is_overridden:
        raise Refused("No override stands here.")
    return {"value": None}


def judge_review(_connection: psycopg.Connection, matter: Matter, terms: Terms, at: datetime) -> Judged:
    """Let an override stand on what the owner says now, until the next review."""
    seen = matter.whole()
    if not seen.is_overridden:
        raise Refused("No override stands here.")
    _refuse_dates(terms, at)
    return {"override_id": seen.override_id}


_LONGEST = timedelta(days=36_525)


def _refuse_dates(terms: Terms, at: datetime) -> None:
    for name in ("until", "expires_at", "review_at"):
        said = getattr(terms, name)
        if said is not None and not at < said < at + _LONGEST:
            raise Refused(f"{name} is a date that is still to come, within a hundred years.")


def _refuse_keys(seen: Seen) -> None:
    if entering.KEYS & {item.name for item in seen.target.items if seen.target.item}:
        raise Refused("This is the key of the golden record: another key is another golden record.")


def do_values(frame: Frame, acts: Sequence[Act]) -> list[Effect]:
    """Let values stand: none where the owner says the same, or where the override is just ended."""
    seen = {act.decision_id: act.matter.whole() for act in acts}
    values = {act.decision_id: act.payload["value"] for act in acts}
    standing = {each: said.override_id for each, said in seen.items() if said.override_id is not None}
    wanted = {each for each, value in values.items() if value is not None and value != seen[each].owner_value}
    retired: dict[int, int] = {}
    for why, chosen in ((Why.REPLACED, standing.keys() & wanted), (Why.ENDED, standing.keys() - wanted)):
        ids = [standing[each] for each in chosen]
        retired |= overrides.retire(frame.connection, ids, why=why, at=frame.maker.at) if ids else {}
    drafts = [_draft(frame, act) for act in acts if act.decision_id in wanted]
    made = overrides.make(frame.connection, drafts, change_id=frame.change_id, made_at=frame.maker.at)
    return [
        _effect(act.decision_id, made, {standing[act.decision_id]: retired} if act.decision_id in standing else {})
        for act in acts
    ]


def _effect(decision_id: int, made: Mapping[int, int], replaced: Mapping[int, Mapping[int, int]]) -> Effect:
    effect: Effect = {"made": [made[decision_id]]} if decision_id in made else {}
    for override_id, retired in replaced.items():
        effect["retired"] = {str(override_id): retired[override_id]}
    return effect


def _draft(frame: Frame, act: Act) -> overrides.Draft:
    target = act.matter.whole().target
    dates = {name: act.payload.get(name) for name in ("expires_at", "review_at")}
    return overrides.Draft(
        golden_id=target.golden_id,
        entity=target.entity.name,
        item_group=target.item_group,
        item=target.item,
        value=act.payload["value"],
        author=frame.maker.by,
        reason=frame.maker.reason,
        decision_id=act.decision_id,
        **{name: None if said is None else datetime.fromisoformat(said) for name, said in dates.items()},
    )


def do_accept(frame: Frame, acts: Sequence[Act]) -> list[Effect]:
    """Accept differences until their dates."""
    effects = []
    for act in acts:
        until = datetime.fromisoformat(act.payload["until"])
        acceptances.accept(frame.connection, act.payload["conflicts"], until=until, decision_id=act.decision_id)
        told = {"conflicts": act.payload["conflicts"], "until": act.payload["until"], "decision_id": act.decision_id}
        effects.append({"accepted": [told]})
    return effects


def do_ask(frame: Frame, acts: Sequence[Act]) -> list[Effect]:
    """Send correction requests to the owners' systems."""
    drafts = [
        corrections.Draft(
            decision_id=act.decision_id,
            source_id=act.payload["owner_source_id"],
            golden_id=seen.target.golden_id,
            entity=seen.target.entity.name,
            item_group=seen.target.item_group,
            item=seen.target.item,
            held_value=seen.owner_value,
            asked_value=act.payload["value"],
        )
        for act in acts
        for seen in [act.matter.whole()]
    ]
    made = corrections.make(frame.connection, drafts, at=frame.maker.at)
    return [{"asked": [made[act.decision_id]]} for act in acts]


def do_nothing(_frame: Frame, acts: Sequence[Act]) -> list[Effect]:
    """Leave all as it is, but for the tasks."""
    return [{} for _ in acts]


def do_review(frame: Frame, acts: Sequence[Act]) -> list[Effect]:
    """Let overrides stand until their next reviews."""
    effects = []
    for act in acts:
        said = act.payload.get("review_at")
        review_at = None if said is None else datetime.fromisoformat(said)
        before = overrides.review(frame.connection, [act.payload["override_id"]], review_at=review_at)
        effects.append({"reviewed": before})
    return effects


Judge = Callable[[psycopg.Connection, Matter, Terms, datetime], Judged]
Deed = Callable[[Frame, Sequence[Act]], list[Effect]]

JUDGES: Mapping[Kind, Judge] = {
    Kind.TAKE: judge_take,
    Kind.ENTER: judge_enter,
    Kind.ACCEPT: judge_accept,
    Kind.ASK: judge_ask,
    Kind.DISMISS: judge_dismiss,
    Kind.RETIRE: judge_retire,
    Kind.REVIEW: judge_review,
    Kind.MERGE: identity.judge_merge,
    Kind.SPLIT: identity.judge_split,
    Kind.NOT_A_MATCH: identity.judge_not_a_match,
}

DEEDS: Mapping[Kind, Deed] = {
    Kind.TAKE: do_values,
    Kind.ENTER: do_values,
    Kind.ACCEPT: do_accept,
    Kind.ASK: do_ask,
    Kind.DISMISS: do_nothing,
    Kind.RETIRE: do_values,
    Kind.REVIEW: do_review,
    Kind.MERGE: lambda frame, acts: identity.do_merge(frame.connection, acts, frame.maker.at),
    Kind.SPLIT: lambda frame, acts: identity.do_split(frame.connection, acts, frame.maker.at),
    Kind.NOT_A_MATCH: lambda frame, acts: identity.do_not_a_match(frame.connection, acts, frame.maker.at),
}

OUTCOMES: Mapping[Kind, Outcome] = {Kind.ACCEPT: Outcome.ACCEPTED, Kind.DISMISS: Outcome.DISMISSED}
"""As what a kind closes its tasks; the others, as decided."""

SETS_VALUES = frozenset({Kind.TAKE, Kind.ENTER, Kind.RETIRE})
"""Kinds that change golden values, so that golden records are mastered anew."""


def judge(connection: psycopg.Connection, kind: Kind, matter: Matter, terms: Terms, at: datetime) -> Judged:
    """Return what a decision comes to; raises Refused, or Outdated."""
    if kind not in JUDGES:
        raise Refused(f"{kind} is decided elsewhere. Here it is {', '.join(JUDGES)}.")
    return JUDGES[kind](connection, matter, terms, at)


def unmake(frame: Frame, made: Sequence[int]) -> Effect:
    """Take overrides back."""
    retired = overrides.retire(frame.connection, made, why=Why.UNDONE, at=frame.maker.at)
    return {"retired": {str(each): change for each, change in retired.items()}}


def remake(frame: Frame, retired: Mapping[str, int]) -> Effect:
    """Let overrides stand again."""
    said = {int(each): change for each, change in retired.items()}
    return {"made": overrides.revive(frame.connection, said, at=frame.maker.at)}


def unaccept(frame: Frame, accepted: Sequence[Mapping[str, Any]]) -> Effect:
    """Accept differences no longer."""
    for each in accepted:
        acceptances.end(frame.connection, each["conflicts"], at=frame.maker.at)
    return {"unaccepted": list(accepted)}


def reaccept(frame: Frame, unaccepted: Sequence[Mapping[str, Any]]) -> Effect:
    """Accept differences again, those whose day has not come."""
    again = [each for each in unaccepted if datetime.fromisoformat(each["until"]) > frame.maker.at]
    for each in again:
        acceptances.accept(
            frame.connection,
            each["conflicts"],
            until=datetime.fromisoformat(each["until"]),
            decision_id=each["decision_id"],
        )
    return {"accepted": again}


def unask(frame: Frame, asked: Sequence[int]) -> Effect:
    """Withdraw correction requests."""
    return {"withdrawn": corrections.withdraw(frame.connection, asked, at=frame.maker.at)}


def reask(frame: Frame, withdrawn: Sequence[int]) -> Effect:
    """Ask again."""
    return {"asked": corrections.reopen(frame.connection, withdrawn, at=frame.maker.at)}


def unreview(frame: Frame, reviewed: Sequence[Mapping[str, Any]]) -> Effect:
    """Give overrides back what a review changed."""
    return {"reviewed": overrides.restore(frame.connection, reviewed)}


INVERSES: Mapping[str, Callable[[Frame, Any], Effect]] = {
    "made": unmake,
    "retired": remake,
    "accepted": unaccept,
    "unaccepted": reaccept,
    "asked": unask,
    "withdrawn": reask,
    "reviewed": unreview,
    "merged": lambda frame, pairs: identity.unmerge(frame.connection, pairs, frame.maker.at),
    "split": lambda frame, pairs: identity.remerge(frame.connection, pairs, frame.maker.at),
    "unmatched": lambda frame, match_ids: identity.rematch(frame.connection, match_ids, frame.maker.at),
    "matched": lambda frame, match_ids: identity.unmatch(frame.connection, match_ids, frame.maker.at),
}
"""In this order: what was made goes before what it had replaced comes back."""


def list_overrides(effect: Mapping[str, Any]) -> list[int]:
    """Return the overrides that an effect is about."""
    reviewed = [each["override_id"] for each in effect.get("reviewed", [])]
    return [*effect.get("made", []), *(int(each) for each in effect.get("retired", {})), *reviewed]


def refuse_blocked(connection: psycopg.Connection, decision_id: int, effect: Mapping[str, Any]) -> None:
    """Raise Outdated where a later decision stands on what an effect made."""
    made, retired = effect.get("made", []), [int(each) for each in effect.get("retired", {})]
    blocking = overrides.list_blocking(connection, made=made, retired=retired)
    if blocking:
        told = ", ".join(f"decision {each}" for each in blocking[:5] if each) or "an override was ended"
        raise Outdated(f"What decision {decision_id} did has been decided on again since ({told}). Undo that first.")
