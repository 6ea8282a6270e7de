"""Opening: tasks open, change and close with what they are about, in the transaction that masters it.

A task that a steward closed stays closed while its subject says the same, and is opened again when that changes.
"""

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
select t.task_id from hub.task t join (select distinct kind, subject_id from stage_subject) s using (kind, subject_id)
order by t.task_id for update of t
"""

# The parts of one statement see the tables as they were before it, so each task is taken by one of them at the most.
_FOLLOW = f"""
with asked as materialized (
    select distinct kind, subject_id from stage_subject
), subject as materialized (
    {subjects.DESCRIPTION}
), closed as (
    update hub.task t
    set state = 'resolved', outcome = s.outcome, note = s.closing, closed_by = '{BY}', closed_at = clock_timestamp(),
        claimed_until = null, decision_id = null, version = t.version + 1
    from subject s
    where t.kind = s.kind and t.subject_id = s.subject_id and t.closed_at is null and not s.is_open
    returning t.task_id, t.version, 'resolved' as event, t.outcome, t.note
), changed as (
    update hub.task t set {_RENEWED}, due_at = {_DUE}, version = t.version + 1
    from subject s
    where t.kind = s.kind and t.subject_id = s.subject_id and t.closed_at is null and s.is_open
      and ({_STORED}) is distinct from ({_PRESENT})
    returning t.task_id, t.version, 'changed', null, null
), reopened as (
    update hub.task t
    set {_RENEWED}, due_at = {_DUE}, visible_from = s.visible_from, opened_at = s.opened_at, state = 'open',
        note = case when t.closed_by = '{BY}' then 'it is back' else 'what it is about has changed' end,
        assignee = null, closed_at = null, closed_by = null, outcome = null, decision_id = null,
        version = t.version + 1
    from subject s
    where t.kind = s.kind and t.subject_id = s.subject_id and t.closed_at is not null and s.is_open
      and (t.closed_by = '{BY}' or t.facts <> s.facts)
    returning t.task_id, t.version, 'reopened', null, t.note
), opened as (
    insert into hub.task as t (kind, subject_id, {_TOLD}, state, due_at, visible_from, opened_at)
    select s.kind, s.subject_id, {_PRESENT}, 'open', {_DUE}, s.visible_from, s.opened_at
    from subject s where s.is_open
    order by s.kind, s.subject_id
    on conflict (kind, subject_id) do nothing
    returning t.task_id, t.version, 'opened', null, null
)
insert into hub.task_event (task_id, version, event, at, by, outcome, note)
select task_id, version, event, clock_timestamp(), '{BY}', outcome, note from (
    select * from closed union all select * from changed union all select * from reopened union all select * from opened
) e
"""  # noqa: S608 - made of constants


def tune(connection: psycopg.Connection, terms: Terms) -> None:
    """Tell a session when the tasks that it opens are due."""
    connection.execute(
        "select set_config('mdm.due_days_error', %s, false), set_config('mdm.due_days_warning', %s, false)",
        [str(terms.due_days_error), str(terms.due_days_warning)],
    )


def follow(connection: psycopg.Connection) -> None:
    """Open, change, reopen and close the tasks of the subjects that this part noted, if it noted any."""
    if not subjects.octets_noted(connection):
        return
    with staging.pipelined(connection):
        connection.execute(_LOCK)
        connection.execute(_FOLLOW)
