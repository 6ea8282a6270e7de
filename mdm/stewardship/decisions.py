"""Decisions: what stewards decided and why, in the order in which they did; what each did and how it is taken back.

A decision enters each of its states once, and whoever proposed one does not approve it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
import psycopg
from psycopg.rows import class_row

from golden_records.rows import Question
from mdm.errors import MdmError


class Kind(StrEnum):
    """What can be decided."""

    TAKE = "take"
    ENTER = "enter"
    ACCEPT = "accept"
    ASK = "ask"
    DISMISS = "dismiss"
    RETIRE = "retire"
    REVIEW = "review"
    MERGE = "merge"
    SPLIT = "split"
    NOT_A_MATCH = "not_a_match"
    UNDO = "undo"


class State(StrEnum):
    """Where a decision stands: proposed by one, applied or rejected by another; applied at once by most; undone."""

    PROPOSED = "proposed"
    APPLIED = "applied"
    REJECTED = "rejected"
    UNDONE = "undone"


class DecisionUnknown(MdmError):
    """There is no decision of that id."""

    exit_code = 2


class WrongState(MdmError):
    """The decision is not in the state in which this could be done to it."""


class OwnProposal(MdmError):
    """Whoever proposed a decision wants to approve it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision as it stands; `payload` is what is carried out, `effect` what it did, by ids."""

    decision_id: int
    kind: Kind
    state: State
    parent_id: int | None
    task_id: int | None
    golden_id: int | None
    item_group: str | None
    item: str | None
    decided_by: str
    reason: str
    decided_at: datetime
    wants_approval: str | None
    approved_by: str | None
    approved_at: datetime | None
    rejected_by: str | None
    rejected_at: datetime | None
    rejected_because: str | None
    undoes: int | None
    undone_by: int | None
    payload: Mapping[str, Any]
    effect: Mapping[str, Any] | None
    change_id: int | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A decision that is to be written down, under an id reserved for it."""

    decision_id: int
    kind: Kind
    payload: Mapping[str, Any]
    parent_id: int | None = None
    task_id: int | None = None
    golden_id: int | None = None
    item_group: str | None = None
    item: str | None = None
    undoes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Who decides, when and why; `wants_approval` says why another has to approve."""

    by: str
    reason: str
    at: datetime
    wants_approval: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which decisions: each that is set must hold. Parts of bulk decisions are listed by their parent alone."""

    state: State | None = None
    kind: Kind | None = None
    decided_by: str | None = None
    golden_id: int | None = None
    task_id: int | None = None
    parent_id: int | None = None


COLUMNS = ", ".join(Decision.__slots__)

_SELECT = f"select {COLUMNS} from hub.decision"  # noqa: S608 - made of constants

_RESERVE = """
select nextval(pg_get_serial_sequence('hub.decision', 'decision_id')) from generate_series(1, %s)
"""

_ADD = """
insert into hub.decision (decision_id, kind, state, parent_id, task_id, golden_id, item_group, item, decided_by, reason,
                          decided_at, wants_approval, undoes, payload)
overriding system value
select decision_id, kind, case when %(wants)s::text is null then 'applied' else 'proposed' end, parent_id, task_id,
       golden_id, item_group, item, %(by)s, %(reason)s, %(at)s, %(wants)s, undoes, payload
from jsonb_to_recordset(%(drafts)s::jsonb) d (
    decision_id bigint, kind text, parent_id bigint, task_id bigint, golden_id bigint, item_group text, item text,
    undoes bigint, payload jsonb)
"""

_SETTLE = """
update hub.decision d set effect = e.effect, change_id = e.change_id
from jsonb_to_recordset(%s::jsonb) e (decision_id bigint, effect jsonb, change_id bigint)
where d.decision_id = e.decision_id
"""


def reserve(connection: psycopg.Connection, count: int) -> list[int]:
    """Reserve ids for so many decisions, ascending."""
    return sorted(row[0] for row in connection.execute(_RESERVE, [count]))


def add(connection: psycopg.Connection, drafts: Sequence[Draft], maker: Maker) -> None:
    """Write decisions down: as proposed where they want approval, else as applied."""
    told = {"by": maker.by, "reason": maker.reason, "at": maker.at, "wants": maker.wants_approval}
    connection.execute(_ADD, told | {"drafts": orjson.dumps([asdict(draft) for draft in drafts]).decode()})


def settle(connection: psycopg.Connection, effects: Sequence[tuple[int, Mapping[str, Any], int | None]]) -> None:
    """Keep what decisions did: the id of each, its effect, and the hub's change in the journal."""
    told = [{"decision_id": each, "effect": effect, "change_id": change} for each, effect, change in effects]
    connection.execute(_SETTLE, [orjson.dumps(told).decode()])


def get(connection: psycopg.Connection, decision_id: int, *, is_locked: bool = False) -> Decision:
    """Return a decision, locked if so wanted; raises DecisionUnknown."""
    with connection.cursor(row_factory=class_row(Decision)) as cursor:
        query = f"{_SELECT} where decision_id = %s{' for update' if is_locked else ''}"
        found = cursor.execute(query, [decision_id]).fetchone()
    if found is None:
        raise DecisionUnknown(
            f"There is no decision {decision_id}. 'mdm decision list' and GET /v1/decisions show what there is."
        )
    return found


def list_parts(connection: psycopg.Connection, parent_id: int) -> list[Decision]:
    """Return the decisions that a bulk decision is made of, in the order in which they were made."""
    with connection.cursor(row_factory=class_row(Decision)) as cursor:
        return cursor.execute(f"{_SELECT} where parent_id = %s order by decision_id", [parent_id]).fetchall()


def expect(decision: Decision, state: State, done: str) -> None:
    """Raise WrongState unless the decision is in this state; `done` says what cannot be done to it."""
    if decision.state is not state and decision.state != state:
        undone = f" by decision {decision.undone_by}" if decision.undone_by else ""
        raise WrongState(
            f"Decision {decision.decision_id} is {decision.state}{undone}: only one that is {state} can be {done}."
        )


def refuse_second_undo(connection: psycopg.Connection, decision: Decision) -> None:
    """Raise WrongState where it is proposed already to undo a decision."""
    query = "select decision_id from hub.decision where undoes = %s and state <> 'rejected'"
    row = connection.execute(query, [decision.decision_id]).fetchone()
    if row is not None:
        raise WrongState(
            f"Decision {row[0]} proposes already to undo decision {decision.decision_id}. Approve or reject that one."
        )


def approve(connection: psycopg.Connection, decision: Decision, *, by: str, at: datetime) -> None:
    """Let a proposed decision, and what it is made of, be applied; raises WrongState, or OwnProposal."""
    expect(decision, State.PROPOSED, "approved")
    if by == decision.decided_by:
        raise OwnProposal(
            f"{by} proposed decision {decision.decision_id}, so another has to approve it. 'mdm decision reject' takes "
            "it back."
        )
    connection.execute(
        "update hub.decision set state = 'applied', approved_by = %(by)s, approved_at = %(at)s, version = version + 1"
        " where (decision_id = %(id)s or parent_id = %(id)s) and state = 'proposed'",
        {"id": decision.decision_id, "by": by, "at": at},
    )


def reject(connection: psycopg.Connection, decision: Decision, *, by: str, at: datetime, because: str) -> None:
    """Reject a proposed decision and what it is made of; whoever proposed it may do so too. Raises WrongState."""
    expect(decision, State.PROPOSED, "rejected")
    connection.execute(
        "update hub.decision set state = 'rejected', rejected_by = %(by)s, rejected_at = %(at)s,"
        " rejected_because = %(because)s, version = version + 1"
        " where (decision_id = %(id)s or parent_id = %(id)s) and state = 'proposed'",
        {"id": decision.decision_id, "by": by, "at": at, "because": because},
    )


def mark_undone(connection: psycopg.Connection, decision: Decision, *, undone_by: int) -> None:
    """Mark a decision, and those of its parts that are not undone yet, as undone by another."""
    connection.execute(
        "update hub.decision set state = 'undone', undone_by = %(by)s, version = version + 1"
        " where (decision_id = %(id)s or parent_id = %(id)s) and state = 'applied'",
        {"id": decision.decision_id, "by": undone_by},
    )


def question_of(decision_id: int) -> Question[Decision]:
    """Ask for one decision."""
    return Question(text=f"{_SELECT} where decision_id = %(id)s", parameters={"id": decision_id}, row=Decision)


def question(chosen: Filter, *, limit: int, before: int | None = None) -> Question[Decision]:
    """Ask for decisions, the newest first, those older than one of this id."""
    conditions = ["true"] if chosen.parent_id is not None else ["parent_id is null"]
    asked = {name: getattr(chosen, name) for name in Filter.__slots__ if getattr(chosen, name) is not None}
    conditions += [f"{name} = %({name})s" for name in asked]
    conditions += ["decision_id < %(before)s"] if before is not None else []
    return Question(
        text=f"{_SELECT} where {' and '.join(conditions)} order by decision_id desc limit %(limit)s",
        parameters=asked | {"limit": limit, "before": before},
        row=Decision,
    )
