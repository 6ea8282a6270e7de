"""Accepted differences: a conflict that nobody works on until a date, or until one of its two values is another.

The conflict stands, and is counted. On the day mastering looks at its golden record again and ends the acceptance; what
the conflict then says is new, so that whoever keeps tasks opens one.
"""

from collections.abc import Sequence
from datetime import datetime

import psycopg

_ACCEPT = """
with accepted as (
    insert into golden.acceptance (conflict_id, value, owner_value, accepted_until, decision_id)
    select conflict_id, value, owner_value, %(until)s, %(decision)s
    from golden.conflict where conflict_id = any (%(conflicts)s) and closed_at is null
    returning conflict_id
)
insert into golden.due (due_at, golden_id, item_group)
select distinct %(until)s, golden_id, item_group from golden.conflict join accepted using (conflict_id)
on conflict do nothing
"""

_END = """
with ended as (
    update golden.acceptance a set ended_at = %(at)s
    where a.conflict_id = any (%(conflicts)s) and a.ended_at is null returning conflict_id
)
select conflict_id from ended
"""

_END_DUE = """
with ended as (
    update golden.acceptance a set ended_at = t.committed_at
    from stage_tx t, golden.conflict k
    where a.ended_at is null and a.accepted_until <= t.committed_at and k.conflict_id = a.conflict_id
      and exists (select from stage_due d where d.golden_id = k.golden_id and d.item_group = k.item_group)
    returning a.conflict_id
)
insert into stage_subject (kind, subject_id, is_open) select 'conflict', conflict_id, true from ended
"""

_CONFLICTS = """
select conflict_id from golden.conflict
where golden_id = %(golden_id)s and item_group = %(group)s and closed_at is null and item = any (%(items)s)
    and (%(source)s::int is null or source_id = %(source)s)
order by conflict_id
"""


def list_conflicts(
    connection: psycopg.Connection, golden_id: int, item_group: str, *, items: Sequence[str], source_id: int | None
) -> list[int]:
    """Return the conflicts that stand on these items of a golden record: all, or those with one source."""
    asked = {"golden_id": golden_id, "group": item_group, "items": list(items), "source": source_id}
    return [row[0] for row in connection.execute(_CONFLICTS, asked)]


def accept(connection: psycopg.Connection, conflict_ids: Sequence[int], *, until: datetime, decision_id: int) -> None:
    """Accept conflicts as they stand until a date, in place of an earlier one."""
    connection.execute(_END, {"conflicts": list(conflict_ids), "at": until})
    asked = {"conflicts": list(conflict_ids), "until": until, "decision": decision_id}
    connection.execute(_ACCEPT, asked)


def end(connection: psycopg.Connection, conflict_ids: Sequence[int], *, at: datetime) -> list[int]:
    """End the acceptance of conflicts before its day; return those that were accepted still."""
    return [row[0] for row in connection.execute(_END, {"conflicts": list(conflict_ids), "at": at})]


def end_due(connection: psycopg.Connection) -> None:
    """End those whose day has come among what is due in this part, and note their conflicts."""
    connection.execute(_END_DUE)
