"""Telling: decisions, overrides and correction requests as a person or a program reads them.

A value that identifies a person, or is restricted, is withheld unless it is asked for (law 11).
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from golden_records import held
from golden_records.match_states import Match
from golden_records.overridden import Override
from mdm.deciding.applying import Judged
from mdm.deciding.bulk import Refusal, Trial
from mdm.deciding.orders import Matter
from mdm.deciding.trying import Attempt
from mdm.stewardship.corrections import Correction
from mdm.stewardship.decisions import Decision, State

_VALUES = ("value", "entered")
_KEPT_FROM_VIEW = ("seen", "owner_source_id")


def of_decision(decision: Decision, *, reveal: bool) -> dict[str, Any]:
    """Return what is told of a decision: what it says, and what it did by the ids of that."""
    told = asdict(decision)
    terms, effect = told.pop("payload"), told.pop("effect") or {}
    for name in _VALUES:
        if terms.get(name) is not None:
            terms[name] = held.shown(decision.item_group or "", terms[name], reveal=reveal)
    reviewed = [each["override_id"] for each in effect.get("reviewed", [])]
    return _texts(told, "reason", "rejected_because", reveal=reveal) | {
        "terms": {name: value for name, value in terms.items() if name not in _KEPT_FROM_VIEW},
        "effect": effect | ({"reviewed": reviewed} if reviewed else {}),
    }


def of_override(override: Override, *, reveal: bool) -> dict[str, Any]:
    """Return what is told of an override."""
    told = asdict(override)
    for name in ("value", "hidden_value", "owner_value"):
        told[name] = None if told[name] is None else held.shown(override.item_group, told[name], reveal=reveal)
    return _texts(told, "reason", reveal=reveal) | {"hides_changed": override.changed_at is not None}


def of_correction(correction: Correction, *, reveal: bool) -> dict[str, Any]:
    """Return what is told of a correction request, or of an entry of an owner's view."""
    told = asdict(correction)
    for name in ("held_value", "asked_value"):
        told[name] = None if told[name] is None else held.shown(correction.item_group, told[name], reveal=reveal)
    return _texts(told, "reason", "reply", reveal=reveal)


def of_trial(trial: Trial, *, reveal: bool) -> dict[str, Any]:
    """Return what is told of what a bulk decision would do."""
    return {
        "tasks": trial.tasks,
        "items": trial.items,
        "refused": trial.refused,
        "wants_approval": trial.wants_approval,
        "examples": [_example(each, reveal=reveal) for each in trial.examples],
        "refusals": [_refusal(each) for each in trial.refusals],
    }


def of_attempt(attempt: Attempt) -> dict[str, Any]:
    """Return what is told of what a decision on identity would do."""
    terms = attempt.decision.payload
    return {
        "kind": attempt.decision.kind,
        "match_id": terms.get("match_id"),
        "pair": terms.get("pair"),
        "changed": dict(attempt.changed),
        "tasks": terms.get("tasks", []),
        "wants_approval": attempt.wants_approval,
    }


def attempt_lines(told: Mapping[str, Any]) -> str:
    """Return what a decision on identity would do, in lines."""
    survivor, other = told["pair"] or (None, None)
    done = {
        "merge": f"Golden record {other} would be merged into {survivor}.",
        "split": f"Golden record {other} would stand alone again, apart from {survivor}.",
        "not_a_match": f"Match {told['match_id']} would not be proposed again, unless the facts change.",
    }
    counts = [f"{count:,} {entity.replace('_', ' ')}" for entity, count in told["changed"].items()]
    changed = [f"Golden records that change: {', '.join(counts)}."] if counts else []
    wants = [f"It would wait for approval: {told['wants_approval']}."] if told["wants_approval"] else []
    return "\n".join([done[told["kind"]], *changed, *wants, "Nothing was done: leave --dry-run out to do it."])


def summary(decision: Decision) -> str:
    """Return a decision in one line, without values."""
    about = f"{decision.item or decision.item_group or '-'}"
    state = f"undone by {decision.undone_by}" if decision.state == State.UNDONE else str(decision.state)
    made = f"{decision.decided_at:%Y-%m-%d %H:%M}"
    return f"{decision.decision_id:>8}  {decision.kind:10} {state:18} {about:24.24} {made}  {decision.decided_by:.20}"


def override_line(override: Override) -> str:
    """Return an override in one line, without values."""
    about = override.item or override.item_group
    state = override.retired_why or ("hides a change" if override.changed_at else "due" if override.due_since else "-")
    ends = f"{override.expires_at:%Y-%m-%d}" if override.expires_at else "-"
    return (
        f"{override.override_id:>8}  {override.entity:14} {override.golden_id:>10}  {about:24.24} {state:14}  "
        f"ends {ends:10}  {override.author:.20}"
    )


def correction_line(correction: Correction) -> str:
    """Return a correction request in one line, without values."""
    about = correction.item or correction.item_group
    asked = f"{correction.asked_at:%Y-%m-%d %H:%M}"
    return f"{correction.reference:13} {correction.recipient:6} {correction.state:10} {about:24.24} {asked}"


def trial_lines(told: Mapping[str, Any]) -> str:
    """Return what a bulk decision would do, in lines."""
    head = f"{told['tasks']:,} tasks about {told['items']:,} items; {told['refused']:,} items cannot be decided on so."
    wants = [f"It would wait for approval: {told['wants_approval']}."] if told["wants_approval"] else []
    examples = [
        f"  task {each['tasks'][0]}: {_plain(each['is'])} -> {_plain(each['becomes'])}" for each in told["examples"]
    ]
    refusals = [f"  task {each['tasks'][0]}: {each['why']}" for each in told["refusals"]]
    return "\n".join([head, *wants, *examples, *refusals, "Nothing was done: leave --dry-run out to do it."])


def lines(told: Mapping[str, Any]) -> str:
    """Return what is told of one thing, a line for each that there is to tell."""
    return "\n".join(
        f"{name.replace('_', ' '):16} {_plain(value)}" for name, value in told.items() if value not in _BARE
    )


_BARE: tuple[Any, ...] = (None, "", {}, [])


def _plain(value: Any) -> str:
    match value:
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S} UTC"
        case dict():
            return ", ".join(f"{name}: {'-' if each is None else each}" for name, each in value.items())
        case _:
            return str(value)


def _example(judged: Judged, *, reveal: bool) -> dict[str, Any]:
    matter, payload = judged
    if matter.match is not None:
        return _match_example(matter.match, matter, payload)
    group = matter.target.item_group if matter.target else ""
    seen = {} if matter.seen is None else held.shown(group, matter.seen.value, reveal=reveal)
    becomes = payload.get("value")
    return _matter(matter) | {
        "is": seen,
        "becomes": None if becomes is None else held.shown(group, becomes, reveal=reveal),
    }


def _match_example(match: Match, matter: Matter, payload: Mapping[str, Any]) -> dict[str, Any]:
    into = payload.get("into")
    return _matter(matter) | {
        "match_id": match.match_id,
        "is": {match.entity: f"{match.left_id} and {match.right_id}"},
        "becomes": None if into is None else {match.entity: into},
    }


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return _matter(refusal.matter) | {"why": refusal.why}


def _matter(matter: Matter) -> dict[str, Any]:
    target = matter.target
    return {
        "tasks": list(matter.task_ids),
        "golden_id": target.golden_id if target else None,
        "item_group": target.item_group if target else None,
        "item": target.item if target else None,
    }


def _texts(told: dict[str, Any], *names: str, reveal: bool) -> dict[str, Any]:
    """Withhold an MPAN that somebody wrote into a text."""
    hidden = {name: held.without_mpan(told[name]) for name in names if told[name] is not None and not reveal}
    return told | hidden
