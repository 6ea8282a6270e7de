"""Correction requests: what an owner is asked to correct in its own system, what it replies, and what came of it.

Each owner has a view of its own: every change of a request's state is an entry, numbered densely. Whoever adds one
locks the owner's head until the commit, so no reader passes over an entry that committed late (law 3).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
import psycopg
from psycopg.rows import class_row

from golden_records import journal, survivorship
from golden_records.rows import Question
from mdm.errors import MdmError


class State(StrEnum):
    """Where a request stands: the owner accepts or rejects it, its system's value corrects it, a steward withdraws."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"


class CorrectionUnknown(MdmError):
    """There is no correction request of that reference that the asker may see."""

    exit_code = 2


class CorrectionClosed(MdmError):
    """The request is closed, or has changed since it was seen."""


class ReferenceUsed(MdmError):
    """The sender has used its reference before (rule 38, MSG1006)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A request as it stands; values are item -> value. `sequence` is its last entry in the owner's view."""

    reference: str
    recipient: str
    source: str
    golden_id: int
    entity: str
    item_group: str
    item: str
    held_value: Mapping[str, Any] | None
    asked_value: Mapping[str, Any]
    state: State
    reason: str
    decision_id: int
    task_id: int | None
    asked_at: datetime
    reply: str | None
    sender_reference: str | None
    replied_at: datetime | None
    closed_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Correction):
    """An entry of an owner's view: the request as it stands now, and the state that it entered then."""

    sequence: int
    entered: State
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A request to be made; `source_id` is the owner's system."""

    decision_id: int
    source_id: int
    golden_id: int
    entity: str
    item_group: str
    item: str
    held_value: Mapping[str, Any]
    asked_value: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an owner says to a request; its own reference is never used twice."""

    state: State
    sender_reference: str
    text: str | None = None


_ENTER = """
, head as (
    insert into hub.correction_head as h (recipient, last_seq)
    select recipient, count(*) from {changed} group by recipient order by recipient
    on conflict (recipient) do update set last_seq = h.last_seq + excluded.last_seq
    returning recipient, last_seq
), entered as (
    insert into hub.correction_entry (recipient, seq, correction_id, state, at, sender_reference)
    select recipient, last_seq - count(*) over (partition by recipient)
               + row_number() over (partition by recipient order by correction_id),
           correction_id, state, {at}, {sender}
    from {changed} join head using (recipient)
)
"""

_MAKE = f"""
with made as (
    insert into hub.correction (reference, recipient, source_id, golden_id, entity, item_group, item, held_value,
                                asked_value, state, decision_id, asked_at)
    select 'CR-' || lpad(decision_id::text, 9, '0'), coalesce(s.participant, s.name), source_id, golden_id, entity,
           item_group, item, held_value, asked_value, 'open', decision_id, %(at)s
    from jsonb_to_recordset(%(drafts)s::jsonb) d (
        decision_id bigint, source_id int, golden_id bigint, entity text, item_group text, item text, held_value jsonb,
        asked_value jsonb)
    join golden.source_system s using (source_id)
    order by decision_id
    returning correction_id, decision_id, recipient, state
) {_ENTER.format(changed="made", at="%(at)s", sender="null")}
select decision_id, correction_id from made
"""  # noqa: S608 - made of constants

_CHANGE = f"""
with changed as (
    update hub.correction
    set state = %(state)s, closed_at = %(closed_at)s, version = version + 1
    where correction_id = any (%(ids)s) and state <> 'corrected' and state <> %(state)s
    returning correction_id, recipient, state
) {_ENTER.format(changed="changed", at="%(at)s", sender="null")}
select correction_id from changed
"""  # noqa: S608 - made of constants

_REPLY = f"""
with changed as (
    update hub.correction
    set state = %(state)s, reply = %(text)s, sender_reference = %(sender)s, replied_at = %(at)s, version = version + 1,
        closed_at = case when %(state)s = 'rejected' then %(at)s end
    where reference = %(reference)s and recipient = %(recipient)s and closed_at is null
    returning correction_id, recipient, state, version
) {_ENTER.format(changed="changed", at="%(at)s", sender="%(sender)s")}
select version from changed
"""  # noqa: S608 - made of constants

_SELECT = """
select c.reference, c.recipient, s.name as source, c.golden_id, c.entity, c.item_group, c.item, c.held_value,
       c.asked_value, c.state, d.reason, c.decision_id, d.task_id, c.asked_at, c.reply, c.sender_reference,
       c.replied_at, c.closed_at, c.version{more}
from hub.correction c join golden.source_system s using (source_id) join hub.decision d using (decision_id)
"""

_VIEW = f"""
{_SELECT.format(more=", e.seq as sequence, e.state as entered, e.at")}
join hub.correction_entry e using (correction_id)
where e.recipient = %(recipient)s and e.seq > %(after)s order by e.seq limit %(limit)s
"""

_LIST = f"""
{_SELECT.format(more="")}
where (%(state)s::text is null or c.state = %(state)s) and (%(recipient)s::text is null or c.recipient = %(recipient)s)
    and (%(before)s::bigint is null or c.decision_id < %(before)s)
order by c.decision_id desc limit %(limit)s
"""

_PLAIN = "upper(replace({}::text, ' ', ''))"  # as conflicts compare values

_NOW = "(select max(committed_at) from stage_tx)"

# What the owner's system says in this part is among the candidates of what it touched.
_CORRECTED = f"""
with said as (
    select c.correction_id
    from hub.correction c
    join stage_survivor s on s.golden_id = c.golden_id and s.item_group = c.item_group and not s.is_aside
    left join {survivorship.COPIES} a
        on a.golden_id = s.golden_id and a.item_group = s.item_group and a.tx = s.tx
    cross join unnest(coalesce(a.copies, array[s.item_values]), coalesce(a.change_ids, array[s.change_id]))
        k (copy, change_id)
    where c.closed_at is null and {journal.SOURCE_OF.format(change_id="k.change_id")} = c.source_id
      and s.tx = (select max(tx) from stage_survivor l
                  where l.golden_id = s.golden_id and l.item_group = s.item_group and not l.is_aside)
      and {_PLAIN.format("case c.item when '' then k.copy else jsonb_build_object(c.item, k.copy -> c.item) end")}
          = {_PLAIN.format("c.asked_value")}
), changed as (
    update hub.correction c set state = 'corrected', closed_at = {_NOW}, version = version + 1
    from said where c.correction_id = said.correction_id
    returning c.correction_id, c.recipient, c.state
) {_ENTER.format(changed="changed", at=_NOW, sender="null")}
select correction_id from changed
"""  # noqa: S608 - made of constants

# A refused reply is not kept, so that a reference that stands twice has come past the check.
_MESSAGES = """
select c.reference || ' entry ' || m.seq as record, c.golden_id, c.source_id, c.item_group, m.sender, m.reference,
       m.times_used
from (select recipient as sender, seq, correction_id, sender_reference as reference,
             count(*) over (partition by recipient, sender_reference)::int as times_used
      from hub.correction_entry where sender_reference is not null) m
join hub.correction c using (correction_id) where {among}
"""

_AWAITED = "select exists (select from hub.correction where closed_at is null)"


def make(connection: psycopg.Connection, drafts: Sequence[Draft], *, at: datetime) -> dict[int, int]:
    """Ask the owners; return the ids of the requests by those of their decisions."""
    told = orjson.dumps([asdict(draft) for draft in drafts]).decode()
    return dict(connection.execute(_MAKE, {"drafts": told, "at": at}).fetchall())


def withdraw(connection: psycopg.Connection, correction_ids: Sequence[int], *, at: datetime) -> list[int]:
    """Take requests back that are not corrected; return which were."""
    told = {"ids": list(correction_ids), "state": State.WITHDRAWN.value, "at": at, "closed_at": at}
    return [row[0] for row in connection.execute(_CHANGE, told)]


def reopen(connection: psycopg.Connection, correction_ids: Sequence[int], *, at: datetime) -> list[int]:
    """Ask again what was withdrawn; return which were."""
    told = {"ids": list(correction_ids), "state": State.OPEN.value, "at": at, "closed_at": None}
    return [row[0] for row in connection.execute(_CHANGE, told)]


def reply(connection: psycopg.Connection, found: Correction, said: Reply, *, at: datetime) -> int:
    """Note what the owner replies to an open request; return its new version.

    Raises CorrectionClosed, or ReferenceUsed where the owner's reference was used before.
    """
    told = {
        "reference": found.reference,
        "recipient": found.recipient,
        "state": said.state.value,
        "text": said.text,
        "sender": said.sender_reference,
        "at": at,
    }
    try:
        with connection.transaction():  # a savepoint
            row = connection.execute(_REPLY, told).fetchone()
    except psycopg.errors.UniqueViolation:
        raise ReferenceUsed(
            f"{found.recipient} has used this sender reference before (MSG1006). Send the reply under a new one."
        ) from None
    if row is None:
        raise CorrectionClosed(f"{found.reference} is closed: it is {found.state}. There is nothing to reply to.")
    return int(row[0])


def get(connection: psycopg.Connection, reference: str, *, recipient: str | None = None) -> Correction:
    """Return a request by its reference, of this owner alone if one is given; raises CorrectionUnknown."""
    with connection.cursor(row_factory=class_row(Correction)) as cursor:
        query = _SELECT.format(more="") + "where c.reference = %s and (%s::text is null or c.recipient = %s)"
        found = cursor.execute(query, [reference, recipient, recipient]).fetchone()
    if found is None:
        raise CorrectionUnknown("There is no correction request of this reference. 'mdm correction list' shows them.")
    return found


def question(
    *, limit: int, state: State | None = None, recipient: str | None = None, before: int | None = None
) -> Question[Correction]:
    """Ask for requests, the newest first, those made by earlier decisions than one."""
    told = {"state": state, "recipient": recipient, "limit": limit, "before": before}
    return Question(text=_LIST, parameters=told, row=Correction)


def view(recipient: str, *, after: int, limit: int) -> Question[Entry]:
    """Ask for the entries of an owner's view after a sequence number, in their order."""
    return Question(text=_VIEW, parameters={"recipient": recipient, "after": after, "limit": limit}, row=Entry)


def messages(chosen: str | None = None) -> str:
    """Return the select of the replies kept, as rows of the scope of messages (golden_records.scopes), with `record`.

    `chosen` is a SQL subselect of golden ids; without it all are read.
    """
    return _MESSAGES.format(among="true" if chosen is None else f"c.golden_id in ({chosen})")


def look(connection: psycopg.Connection) -> psycopg.Cursor:
    """Look whether any request waits, without waiting for the answer: fetch it when it is needed."""
    return connection.execute(_AWAITED)


def close_corrected(connection: psycopg.Connection) -> list[int]:
    """Close the requests whose owners' systems say in this part what was asked for; return which were."""
    return [row[0] for row in connection.execute(_CORRECTED)]
