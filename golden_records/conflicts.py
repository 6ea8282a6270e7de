"""Conflicts: a copy that differs from the value that survived, with who is accountable for the item (law 4).

Values are compared without regard to case and spaces. A conflict closes when the copy agrees again or is gone.
"""

from functools import cache

import psycopg

from golden_records import journal, staging

_COMPARE = """
insert into stage_conflict
select s.golden_id, s.item_group, i.item, {copy}, s.copy_id, s.copy -> i.item,
       {survivor}, w.change_id, s.item_values -> i.item, i.owner, t.committed_at
from (
    select s.golden_id, s.item_group, s.tx, s.item_values, s.change_id, s.spoken, c.copy, c.change_id as copy_id
    from (select golden_id, item_group, max(tx) as tx from stage_survivor where not is_aside group by 1, 2) e
    join stage_survivor s using (golden_id, item_group, tx)
    cross join unnest(s.copies, s.candidates) with ordinality c (copy, change_id, place)
    where s.copies is not null and c.place < cardinality(s.copies) and not c.copy <@ s.item_values
    offset 0
) s
join stage_tx t using (tx)
join golden.catalogue_item i on i.item_group = s.item_group and not i.is_dated
cross join lateral (select coalesce((s.spoken ->> i.item)::bigint, s.change_id) as change_id offset 0) w
where {copy} <> {survivor}
  and upper(replace(s.copy ->> i.item, ' ', '')) <> upper(replace(s.item_values ->> i.item, ' ', ''))
"""

_CLOSE = """
with closed as (
    update golden.conflict k set closed_at = e.at
    from (select s.golden_id, s.item_group, max(t.committed_at) as at
          from stage_survivor s join stage_tx t using (tx) where not s.is_aside group by 1, 2) e
    where k.closed_at is null and k.golden_id = e.golden_id and k.item_group = e.item_group and not exists (
        select from stage_conflict s
        where s.golden_id = k.golden_id and s.item = k.item and s.source_id = k.source_id)
    returning k.conflict_id
)
insert into stage_subject select 'conflict', conflict_id, false from closed
"""

_OPEN = """
with opened as (
    insert into golden.conflict (golden_id, item_group, item, source_id, change_id, value, owner_source_id,
                                 owner_change_id, owner_value, owner, opened_at)
    select * from stage_conflict order by golden_id, item, source_id
    on conflict (golden_id, item, source_id) where closed_at is null do update
    set change_id = excluded.change_id, value = excluded.value, owner_source_id = excluded.owner_source_id,
        owner_change_id = excluded.owner_change_id, owner_value = excluded.owner_value
    returning conflict_id
)
insert into stage_subject select 'conflict', conflict_id, true from opened
"""


def settle(connection: psycopg.Connection) -> None:
    """Open, renew and close the conflicts of what the staged events touched."""
    with staging.pipelined(connection):
        with staging.frames_only(connection):
            connection.execute(_compare())
        connection.execute(_CLOSE)
        connection.execute(_OPEN)


@cache
def _compare() -> str:
    return _COMPARE.format(
        copy=journal.SOURCE_OF.format(change_id="s.copy_id"),
        survivor=journal.SOURCE_OF.format(change_id="w.change_id"),
    )
