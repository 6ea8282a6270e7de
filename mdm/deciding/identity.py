"""Decisions on identity: two golden records are one thing, or are two again, or never were one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg

from golden_records import match_states
from golden_records import merging as stored
from golden_records.match_states import MatchKind, MatchState
from mdm import merging
from mdm.deciding import joining
from mdm.deciding.orders import Act, Matter, Outdated, Refused, Terms
from mdm.merging import Decided, Merge

Effect = dict[str, Any]


def judge_merge(_connection: psycopg.Connection, matter: Matter, terms: Terms, _at: datetime) -> dict[str, Any]:
    """Merge the two of a match into one of them, or a golden record into another."""
    told: dict[str, Any] = {}
    if matter.match is not None:
        match = _open(matter)
        if match.kind == MatchKind.CROSSED:
            raise Refused("The meters of these two are crossed; they are not one thing. Nothing is to be merged.")
        told, retired = {"match_id": match.match_id}, max(match.left_id, match.right_id)
        into = min(match.left_id, match.right_id)
        if terms.into == retired:
            into, retired = retired, into
        elif terms.into not in {None, into}:
            raise Refused(f"Say which of {into} and {retired} stands for both.")
    elif matter.golden_id is not None and terms.into is not None:
        into, retired = terms.into, matter.golden_id
    else:
        _refuse_other_task(matter)
        raise Refused("Say what is merged: a match, or a golden record and the one that it is merged into.")
    return told | {"pair": [into, retired], "into": into, "is_forced": terms.is_forced}


def judge_split(connection: psycopg.Connection, matter: Matter, _terms: Terms, _at: datetime) -> dict[str, Any]:
    """Let a golden record that was merged away stand alone again."""
    if matter.golden_id is None:
        raise Refused("Say which golden record is to stand alone again.")
    known = stored.list_known(connection, [matter.golden_id]).get(matter.golden_id)
    if known is None or known.into_id is None:
        raise Refused(f"Golden record {matter.golden_id} is not merged into another, so there is nothing to split.")
    return {"pair": [known.into_id, matter.golden_id]}


def judge_not_a_match(_connection: psycopg.Connection, matter: Matter, _terms: Terms, _at: datetime) -> dict[str, Any]:
    """Take the two of a match for two things, until what is compared of them changes."""
    return {"match_id": _open(matter).match_id}


def do_merge(connection: psycopg.Connection, acts: Sequence[Act], at: datetime) -> list[Effect]:
    """Merge; a pair that others of the same decision join already has its match settled, and no more."""
    for is_forced in (False, True):
        some = [act for act in acts if act.payload["is_forced"] is is_forced]
        pairs = [act.payload["pair"] for act in some if act.payload["pair"]]
        if some:
            _merge(connection, pairs, Decided(now=at, decision_id=some[0].decision_id), is_forced=is_forced)
    match_ids = [act.payload["match_id"] for act in acts if "match_id" in act.payload]
    match_states.note_decided(connection, match_ids, now=at)
    return [{"merged": [act.payload["pair"]] if act.payload["pair"] else []} for act in acts]


def do_split(connection: psycopg.Connection, acts: Sequence[Act], at: datetime) -> list[Effect]:
    """Split."""
    retired = [act.payload["pair"][1] for act in acts]
    merging.split(connection, retired, decided=Decided(now=at, decision_id=acts[0].decision_id))
    return [{"split": [act.payload["pair"]]} for act in acts]


def do_not_a_match(connection: psycopg.Connection, acts: Sequence[Act], at: datetime) -> list[Effect]:
    """Take for no match."""
    for act in acts:
        _set(connection, act.payload["match_id"], MatchState.NOT_A_MATCH, at)
    return [{"unmatched": [act.payload["match_id"]]} for act in acts]


def unmerge(connection: psycopg.Connection, pairs: Sequence[Sequence[int]], at: datetime) -> Effect:
    """Split what was merged."""
    merging.split(connection, [retired for _, retired in pairs], decided=Decided(now=at))
    return {"split": list(pairs)}


def remerge(connection: psycopg.Connection, pairs: Sequence[Sequence[int]], at: datetime) -> Effect:
    """Merge what was split, as it was merged before: what was forced then need not be again."""
    _merge(connection, pairs, Decided(now=at), is_forced=True)
    return {"merged": list(pairs)}


def rematch(connection: psycopg.Connection, match_ids: Sequence[int], at: datetime) -> Effect:
    """Propose again what was taken for no match."""
    for match_id in match_ids:
        _set(connection, match_id, MatchState.OPEN, at)
    return {"matched": list(match_ids)}


def unmatch(connection: psycopg.Connection, match_ids: Sequence[int], at: datetime) -> Effect:
    """Take for no match again."""
    for match_id in match_ids:
        _set(connection, match_id, MatchState.NOT_A_MATCH, at)
    return {"unmatched": list(match_ids)}


def is_in(effect: Mapping[str, Any]) -> bool:
    """Tell whether an effect is one on identity."""
    return not effect.keys().isdisjoint({"merged", "split", "matched", "unmatched"})


def _merge(
    connection: psycopg.Connection, pairs: Sequence[Sequence[int]], decided: Decided, *, is_forced: bool
) -> None:
    """Merge pairs that may hang together."""
    for some in joining.rounds([Merge(survivor=survivor, retired=retired) for survivor, retired in pairs]):
        merging.merge(connection, some, decided=decided, is_forced=is_forced)


def _refuse_other_task(matter: Matter) -> None:
    if matter.task_ids and matter.match is None:
        raise Refused("This task is about no match: tasks of the kind match are decided so.")


def _open(matter: Matter) -> match_states.Match:
    _refuse_other_task(matter)
    if matter.match is None:
        raise Refused("Say which match is decided on.")
    if matter.match.state != MatchState.OPEN:
        raise Outdated(f"Match {matter.match.match_id} is {matter.match.state} by now. Look at it again.")
    return matter.match


def _set(connection: psycopg.Connection, match_id: int, state: MatchState, at: datetime) -> None:
    match = match_states.find(connection, match_id)
    if match is None or not match_states.set_state(connection, match_id, state, version=match.version, now=at):
        raise Outdated(f"Match {match_id} has changed meanwhile. Look at it again.")
