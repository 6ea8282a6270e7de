"""Approving: a proposed decision takes effect when another person approves it, if it still is about what was seen."""

from collections.abc import Sequence
from datetime import datetime

import psycopg

from mdm.deciding import applying, bulk, looking, undoing
from mdm.deciding.applying import Judged
from mdm.deciding.orders import Act, Outdated
from mdm.stewardship import decisions
from mdm.stewardship.decisions import Decision, Kind, Maker, State


def approve(connection: psycopg.Connection, decision_id: int, *, by: str, at: datetime) -> Decision:
    """Approve a decision, which takes effect; raises WrongState, OwnProposal, or Outdated where things have changed."""
    proposed = decisions.get(connection, decision_id, is_locked=True)
    decisions.approve(connection, proposed, by=by, at=at)
    maker = Maker(by=proposed.decided_by, reason=proposed.reason, at=at)
    if proposed.undoes is not None:
        _undo(connection, proposed, maker)
    else:
        _carry_out(connection, proposed, maker)
    return decisions.get(connection, decision_id)


def reject(connection: psycopg.Connection, decision_id: int, *, by: str, at: datetime, because: str) -> Decision:
    """Reject a proposed decision: nothing comes of it. Whoever proposed it may take it back so."""
    proposed = decisions.get(connection, decision_id, is_locked=True)
    decisions.reject(connection, proposed, by=by, at=at, because=because)
    return decisions.get(connection, decision_id)


def _undo(connection: psycopg.Connection, proposed: Decision, maker: Maker) -> None:
    undone = decisions.get(connection, proposed.undoes or 0, is_locked=True)
    decisions.expect(undone, State.APPLIED, "undone")
    undoing.carry_out(connection, undone, proposed.decision_id, maker)


def _carry_out(connection: psycopg.Connection, proposed: Decision, maker: Maker) -> None:
    kind = Kind(proposed.kind)
    parts = decisions.list_parts(connection, proposed.decision_id) or [proposed]
    matters = looking.again(connection, parts, deed=applying.deed_of(maker))
    for part, matter in zip(parts, matters, strict=True):
        applying.refuse_outdated(connection, part, matter, maker)
    if kind is Kind.MERGE and len(parts) > 1:
        _refuse_apart(connection, [*zip(matters, [part.payload for part in parts], strict=True)], proposed)
    acts = [
        Act(decision_id=part.decision_id, matter=matter, payload=part.payload)
        for part, matter in zip(parts, matters, strict=True)
    ]
    applying.carry_out(connection, kind, acts, maker, root=proposed.decision_id)


def _refuse_apart(connection: psycopg.Connection, decided: Sequence[Judged], proposed: Decision) -> None:
    """Raise Outdated where somebody has meanwhile taken for no match what these merges together would make one."""
    whole = [(matter, payload) for matter, payload in decided if payload["pair"]]
    if refusals := bulk.join(connection, whole)[1]:
        raise Outdated(f"{refusals[0].why} Reject decision {proposed.decision_id}, and decide on what there is now.")
