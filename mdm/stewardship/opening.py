"""Opening: tasks open, change and close with what they are about, in the transaction that masters it.

A task that a steward closed stays closed while its subject says the same, and is opened again when that changes. A
conflict has its task when its grace is over: most are gone by then, as the copies follow each other.
"""

from datetime import datetime

import psycopg

from golden_records import staging, subjects
from mdm.stewardship.terms import Terms

BY = "hub"
"""Who did it, where no person did."""

_DUE = """
s.visible_from + make_interval(secs => 86400 * current_setting(
    case s.severity when 'E' then 'mdm.due_days_error' else 'mdm.due_days_warning' end)::float8)
"""

_TOLD = "entity, golden_id, item_group, item, rule, source_id, owner, severity, facts"
_RENEWED = ", ".join(f"{column} = s.{column}" for column in _TOLD.split(", "))
_STORED = ", ".join(f"t.{column}" for column in _TOLD.split(", "))
_PRESENT = ", ".join(f"s.{column}" for column in _TOLD.split(", "))

# Whoever changes one of these tasks now is waited for, so that what follows sees what became of it.
_LOCK = """
select task_id from hub.task where task_id = any (array(
    select t.task_id from (select distinct kind, subject_id from stage_subject) s
    cross join lateral (select task_id from hub.task t
                        where t.kind = s.kind and t.subject_id = s.subject_id offset 0) t))
order by task_id for update
"""

# Each task is found by its subject, and changed by its id alone: whatever the planner believes of a table that grows.
_IS_KNOWN = "t.task_id = s.task_id and t.task_id = any (array(select task_id from known))"
_FOLLOW = f"""
with asked as materialized (
    select distinct kind, subject_id from stage_subject
), subject as materialized (
    {subjects.DESCRIPTION}
), known as materialized (
    select s.*, t.task_id, t.closed_at is not null as is_closed, t.closed_by = '{BY}' as is_by_itself,
           t.facts as seen_facts, ({_PRESENT}) is distinct from ({_STORED}) as is_changed
    from subject s
    left join lateral (
        select * from hub.task t where t.kind = s.kind and t.subject_id = s.subject_id offset 0) t on true
), closed as (
    update hub.task t
    set state = 'resolved', outcome = s.outcome, note = s.closing, closed_by = '{BY}', closed_at = clock_timestamp(),
        claimed_until = null, decision_id = null, version = t.version + 1
    from known s where {_IS_KNOWN} and not s.is_closed and not s.is_open
    returning t.task_id, t.version, 'resolved' as event, t.outcome, t.note
), changed as (
    update hub.task t set {_RENEWED}, due_at = {_DUE}, version = t.version + 1
    from known s where {_IS_KNOWN} and not s.is_closed and s.is_open and s.is_changed
    returning t.task_id, t.version, 'changed', null, null
), reopened as (
    update hub.task t
    set {_RENEWED}, due_at = {_DUE}, visible_from = s.visible_from, opened_at = s.opened_at, state = 'open',
        note = case when s.is_by_itself then 'it is back' else 'what it is about has changed' end,
        assignee = null, closed_at = null, closed_by = null, outcome = null, decision_id = null,
        version = t.version + 1
    from known s
    where {_IS_KNOWN} and s.is_closed and s.is_open and (s.is_by_itself or s.seen_facts <> s.facts)
    returning t.task_id, t.version, 'reopened', null, t.note
), opened as (
    insert into hub.task as t (kind, subject_id, {_TOLD}, state, due_at, visible_from, opened_at)
    select s.kind, s.subject_id, {_PRESENT}, 'open', {_DUE}, s.visible_from, s.opened_at
    from known s
    where s.task_id is null and s.is_open
      and (s.kind <> 'conflict' or s.visible_from <= coalesce(%(now)s::timestamptz, clock_timestamp()))
    order by s.kind, s.subject_id
    on conflict (kind, subject_id) do nothing
    returning t.task_id, t.version, 'opened', null, null
)
insert into hub.task_event (task_id, version, event, at, by, outcome, note)
select task_id, version, event, clock_timestamp(), '{BY}', outcome, note from (
    select * from closed union all select * from changed union all select * from reopened union all select * from opened
) e
"""  # noqa: S608 - made of constants


# Who closes one of these now has looked for its task already: it is passed over, and closed when it is looked at next.
_NOTE_GRACED = """
insert into stage_subject (kind, subject_id, is_open)
select 'conflict', conflict_id, true from (
    select conflict_id from golden.conflict k
    where closed_at is null and visible_from > %(after)s and visible_from <= %(now)s
      and (accepted_until is null or accepted_until <= %(now)s) and owner_source_id <> 0
      and not exists (select from hub.task t where t.kind = 'conflict' and t.subject_id = k.conflict_id offset 0)
    order by visible_from limit %(limit)s for no key update skip locked) k
"""


def tune(connection: psycopg.Connection, terms: Terms) -> None:
    """Tell a session when the tasks that it opens are due."""
    connection.execute(
        "select set_config('mdm.due_days_error', %s, false), set_config('mdm.due_days_warning', %s, false)",
        [str(terms.due_days_error), str(terms.due_days_warning)],
    )


def follow_graced(connection: psycopg.Connection, *, after: datetime, now: datetime, limit: int = 5_000) -> int:
    """Open the tasks of conflicts whose grace ended between two times and that have none; return how many, at most.

    The temporary tables are ready; whoever has them filled already has not called follow() yet.
    """
    noted = connection.execute(_NOTE_GRACED, {"after": after, "now": now, "limit": limit})
    if noted.rowcount:
        follow(connection, now=now)
    return noted.rowcount


def follow(connection: psycopg.Connection, *, now: datetime | None = None) -> None:
    """Open, change, reopen and close the tasks of the subjects that this part noted, if it noted any.

    `now`, where it is given, is the time by which the grace of a conflict is over.
    """
    if not subjects.octets_noted(connection):
        return
    with staging.pipelined(connection):
        connection.execute(_LOCK)
        connection.execute(_FOLLOW, {"now": now})
