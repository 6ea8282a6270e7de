"""Record links: source records that a steward took for another thing than their keys say, in the store.

A link gives the record a key of its own, by which its later changes are mastered (identity.resolve). The other records
of its row that refer to the same thing follow it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

from golden_records import redirects


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordName:
    """A row of a source, as golden.source_record names it."""

    source_id: int
    source_key: str


def count_records(connection: psycopg.Connection, golden_id: int, records: Sequence[RecordName]) -> tuple[int, int]:
    """Return how many of these rows stand under a golden record, and how many others do."""
    row = connection.execute(
        """
        select count(*) filter (where is_named), count(*) filter (where not is_named) from (
            select distinct r.source_id, r.source_key, n.source_id is not null as is_named
            from golden.source_record r
            left join unnest(%(source_ids)s::int[], %(source_keys)s::text[]) n (source_id, source_key)
                using (source_id, source_key)
            where r.golden_id = %(golden_id)s) r
        """,
        _named(records) | {"golden_id": golden_id},
    ).fetchone()
    return row or (0, 0)


_LINK = """
with named as (
    select distinct r.source_id, r.source_key, g.entity, coalesce(r.own_id, r.golden_id) as from_id
    from golden.source_record r join golden.golden_record g using (golden_id)
    join unnest(%(source_ids)s::int[], %(source_keys)s::text[]) n (source_id, source_key) using (source_id, source_key)
    where r.golden_id = %(from)s
), ended as (
    update golden.record_link l set unlinked_at = %(now)s from named n
    where l.source_id = n.source_id and l.source_key = n.source_key and l.entity = n.entity and l.unlinked_at is null
), keyed as (
    insert into golden.crosswalk (entity, key, golden_id, origin, linked_at)
    select entity, 'LINK:' || %(to)s, %(to)s, 'MANUAL', %(now)s from golden.golden_record where golden_id = %(to)s
)
select source_id, source_key, entity, from_id from named order by source_id, source_key
"""

_INSERT = """
insert into golden.record_link (source_id, source_key, entity, golden_id, key, from_id, decision_id, linked_at)
select source_id, source_key, entity, %s, 'LINK:' || %s, from_id, %s, %s
from unnest(%s::int[], %s::text[], %s::text[], %s::bigint[]) n (source_id, source_key, entity, from_id)
"""


def link(
    connection: psycopg.Connection,
    records: Sequence[RecordName],
    *,
    from_id: int,
    to_id: int,
    at: tuple[datetime, int | None],
) -> None:
    """Link the rows that stand under a golden record to another; `at` is when, and by which decision."""
    now, decision_id = at
    named = connection.execute(_LINK, _named(records) | {"from": from_id, "to": to_id, "now": now}).fetchall()
    columns = [[row[place] for row in named] for place in range(4)]
    connection.execute(_INSERT, [to_id, to_id, decision_id, now, *columns])
    _bring_over(connection, to_id)


_UNLINK = f"""
with ended as (
    update golden.record_link l set unlinked_at = %(now)s
    where l.golden_id = %(golden_id)s and l.unlinked_at is null
    returning *
), closed as (
    update golden.crosswalk c set unlinked_at = %(now)s
    where c.golden_id = %(golden_id)s and c.unlinked_at is null and c.key in (select key from ended)
), target as (
    select e.*, coalesce(c.own_id, c.golden_id, e.from_id) as to_id
    from ended e left join golden.crosswalk c on c.entity = e.entity and c.key = e.said_key and c.unlinked_at is null
), moved as (
    update golden.source_record r set own_id = t.to_id
    from target t join golden.golden_record g on g.entity = t.entity
    where r.source_id = t.source_id and r.source_key = t.source_key and r.golden_id = %(golden_id)s
      and g.golden_id = r.golden_id
), referring as (
    update golden.source_record r set item_values = r.item_values || jsonb_build_object('address_id', t.to_id)
    from target t where t.entity = 'address' and r.source_id = t.source_id and r.source_key = t.source_key
      and r.golden_id <> %(golden_id)s and r.item_values ? 'address_id'
    returning r.golden_id
), relinked as (
    insert into golden.record_link (source_id, source_key, entity, golden_id, key, from_id, said_key, linked_at)
    select b.source_id, b.source_key, b.entity, b.golden_id, b.key, b.from_id, b.said_key, %(now)s
    from ended e join golden.record_link b
        on b.source_id = e.source_id and b.source_key = e.source_key and b.entity = e.entity
        and b.golden_id = e.from_id and b.unlinked_at = e.linked_at
)
select distinct {redirects.end_of("golden_id")} from (
    select to_id as golden_id from target union all select golden_id from referring) affected
"""


def unlink(connection: psycopg.Connection, golden_id: int, *, now: datetime) -> list[int]:
    """End the links to a golden record: its rows go back to whose they were; return the golden records affected."""
    affected = connection.execute(_UNLINK, {"golden_id": golden_id, "now": now}).fetchall()
    return [row[0] for row in affected]


_BRING_OVER = """
with moved as (
    update golden.source_record r set own_id = l.golden_id
    from golden.record_link l, golden.golden_record g
    where l.golden_id = %(golden_id)s and l.unlinked_at is null
      and r.source_id = l.source_id and r.source_key = l.source_key and g.golden_id = r.golden_id
      and g.entity = l.entity
)
update golden.source_record r set item_values = r.item_values || jsonb_build_object('address_id', l.golden_id)
from golden.record_link l
where l.golden_id = %(golden_id)s and l.unlinked_at is null and l.entity = 'address'
  and r.source_id = l.source_id and r.source_key = l.source_key and r.item_values ? 'address_id'
"""


def _bring_over(connection: psycopg.Connection, golden_id: int) -> None:
    connection.execute(_BRING_OVER, {"golden_id": golden_id})


def list_rows_owners(connection: psycopg.Connection, records: Sequence[RecordName]) -> list[int]:
    """Return the golden records of which these rows say anything, those that they refer to aside."""
    found = connection.execute(
        """
        select distinct r.golden_id from golden.source_record r
        join unnest(%(source_ids)s::int[], %(source_keys)s::text[]) n (source_id, source_key)
            using (source_id, source_key)
        """,
        _named(records),
    )
    return [row[0] for row in found.fetchall()]


def _named(records: Sequence[RecordName]) -> dict[str, object]:
    return {
        "source_ids": [record.source_id for record in records],
        "source_keys": [record.source_key for record in records],
    }
