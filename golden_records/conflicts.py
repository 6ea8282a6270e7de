"""Conflicts: a copy that differs from the value that survived, with who is accountable for the item (law 4).

Values are compared without regard to case and spaces. A conflict closes when the copy agrees again or is gone.
"""

import psycopg

from golden_records import journal, rows, staging

_COMPARE = """
insert into stage_conflict
select w.golden_id, w.item_group, w.item, c.source_id, c.change_id, c.item_values -> w.item,
       {winner}, w.change_id, w.value, i.owner, t.committed_at
from (select golden_id, item_group, max(tx) as tx from stage_event where not is_aside group by 1, 2) e
join stage_candidate c on c.golden_id = e.golden_id and c.item_group = e.item_group and c.tx = e.tx and c.place > 1
join stage_item w on w.golden_id = e.golden_id and w.item_group = e.item_group and w.tx = e.tx
    and not w.is_aside and c.source_id <> {winner}
join golden.catalogue_item i on i.item_group = w.item_group and i.item = w.item
join stage_tx t on t.tx = w.tx
where not i.is_dated and nullif(w.value, 'null') is not null and nullif(c.item_values -> w.item, 'null') is not null
  and upper(replace(c.item_values ->> w.item, ' ', '')) <> upper(replace(w.value #>> '{}', ' ', ''))
"""

_CLOSE = """
update golden.conflict k set closed_at = e.at
from (select e.golden_id, e.item_group, max(t.committed_at) as at
      from stage_event e join stage_tx t using (tx) where not e.is_aside group by 1, 2) e
where k.closed_at is null and k.golden_id = e.golden_id and k.item_group = e.item_group and not exists (
    select from stage_conflict s
    where s.golden_id = k.golden_id and s.item = k.item and s.source_id = k.source_id)
"""

_OPEN = """
insert into golden.conflict (golden_id, item_group, item, source_id, change_id, value, owner_source_id,
                             owner_change_id, owner_value, owner, opened_at)
select * from stage_conflict order by golden_id, item, source_id
on conflict (golden_id, item, source_id) where closed_at is null do update
set change_id = excluded.change_id, value = excluded.value, owner_source_id = excluded.owner_source_id,
    owner_change_id = excluded.owner_change_id, owner_value = excluded.owner_value
"""


def settle(connection: psycopg.Connection) -> None:
    """Open, renew and close the conflicts of what the staged events touched."""
    if rows.single(connection, "select exists (select from stage_candidate where place > 1)"):
        _compare(connection)
    connection.execute(_CLOSE)
    connection.execute(_OPEN)


def _compare(connection: psycopg.Connection) -> None:
    with staging.frames_only(connection):
        connection.execute(_COMPARE.replace("{winner}", journal.SOURCE_OF.format(change_id="w.change_id")))
