"""Trying a changed ranking of sources: which golden values would be others under it. Nothing is written.

Both rankings are put to what every source says at one moment, so what merely came due since is no difference.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from golden_records import catalogue, reference, survivorship
from golden_records.catalogue import Group

EXAMPLES = 3
"""How many golden records are named for each kind of change."""

# A ranking matters only where several sources speak, and differently.
_CHANGED = """
with rank as materialized (
    select * from jsonb_to_recordset(%(ranks)s::jsonb) k (
        source_id smallint, item_group text, place_now int, place_then int, participant_now text, participant_then text)
), spoken as materialized (
    select distinct on (r.golden_id, r.item_group, r.source_id)
           r.golden_id, r.item_group, r.source_id, r.item_values, k.place_now, k.place_then, k.participant_now,
           k.participant_then
    from golden.source_record r join rank k using (source_id, item_group)
    where r.golden_id > %(after)s and r.golden_id <= %(until)s and r.item_group = any (%(groups)s)
      and (r.item_group = any (%(undated)s)
           or coalesce(r.effective_from, '-infinity') <= %(now)s and coalesce(r.effective_to, 'infinity') > %(now)s)
    order by r.golden_id, r.item_group, r.source_id, r.effective_from desc nulls last, r.change_id desc
), disputed as (
    select golden_id, item_group from spoken group by golden_id, item_group
    having min(item_values::text) <> max(item_values::text)
), ranked as (
    select s.*, {is_appointed_now} as is_appointed_now, {is_appointed_then} as is_appointed_then
    from disputed join spoken s using (golden_id, item_group)
), chosen as (
    select s.golden_id, s.item_group, c.item, {now[0]} as value_now, {then[0]} as value_then,
           {now[1]} as source_now, {then[1]} as source_then
    from ranked s join golden.catalogue_item c using (item_group)
    group by s.golden_id, s.item_group, c.item
)
select c.item_group, c.item, n.name as source_now, t.name as source_then, count(*) as count,
       (array_agg(jsonb_build_object('golden_id', c.golden_id, 'now', c.value_now, 'then', c.value_then)
                  order by c.golden_id))[:{examples}] as examples
from chosen c
left join golden.source_system n on n.source_id = c.source_now
left join golden.source_system t on t.source_id = c.source_then
where c.value_now is distinct from c.value_then
group by c.item_group, c.item, n.name, t.name
"""

_IS_APPOINTED = """
coalesce(s.participant_{ranking} is not null and exists (
    select from golden.appointment a
    where a.metering_point_id = case s.item_group when 'energisation' then s.golden_id
                                else (s.item_values ->> 'metering_point_id')::bigint end
      and a.service_mpid = s.participant_{ranking} and a.status <> 'proposed'
      and a.appointed_from <= %(day)s and (a.appointed_to is null or a.appointed_to >= %(day)s)), false)
"""

# All items of an atomic group come from one source, the one that is silent about an item included.
_FIRST = """
(array_agg({what} order by s.is_appointed_{ranking} desc, s.place_{ranking}, s.source_id)
    filter (where c.is_atomic or s.item_values ? c.item))[1]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """So many golden values of an item would come from another source, and be others.

    `examples` are golden ids with the value now and then.
    """

    item_group: str
    item: str
    source_now: str | None
    source_then: str | None
    count: int
    examples: Sequence[dict[str, Any]]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What is changed, from which source to which."""
        return self.item_group, self.item, self.source_now or "", self.source_then or ""


def try_ids(
    connection: psycopg.Connection, groups: Sequence[Group], *, ids: tuple[int, int], now: datetime, day: str
) -> list[Change]:
    """Return what these groups, with their changed rankings, would change in golden records with ids in (after, until].

    `day` is the local calendar day of `now`, by which services are appointed.
    """
    parameters = {
        "ranks": Jsonb(list(_ranks(connection, groups))),
        "groups": [group.name for group in groups],
        "undated": list(survivorship.UNDATED),
        "after": ids[0],
        "until": ids[1],
        "now": now,
        "day": day,
    }
    with connection.cursor(row_factory=class_row(Change)) as cursor:
        return cursor.execute(_query(), parameters).fetchall()


def _query() -> str:
    chosen = {
        ranking: [_FIRST.format(what=what, ranking=ranking) for what in ("s.item_values -> c.item", "s.source_id")]
        for ranking in ("now", "then")
    }
    return _CHANGED.format(
        is_appointed_now=_IS_APPOINTED.format(ranking="now"),
        is_appointed_then=_IS_APPOINTED.format(ranking="then"),
        examples=EXAMPLES,
        **chosen,
    )


def _ranks(connection: psycopg.Connection, groups: Sequence[Group]) -> Iterable[dict[str, Any]]:
    present = {group.name: group for _, group in catalogue.load().groups()}
    systems = connection.execute("select source_id, kind, participant from golden.source_system").fetchall()
    for changed in groups:
        group = present[changed.name]
        for source_id, kind, participant in systems:
            yield {
                "source_id": source_id,
                "item_group": group.name,
                "place_now": reference.place(group, kind),
                "place_then": reference.place(changed, kind),
                "participant_now": participant if group.follows_appointment else None,
                "participant_then": participant if changed.follows_appointment else None,
            }


def add_up(parts: Iterable[Change]) -> list[Change]:
    """Put the findings of several ranges of ids together, the most frequent first."""
    whole: dict[tuple[str, str, str, str], Change] = {}
    for part in parts:
        known = whole.get(part.key)
        whole[part.key] = part if known is None else _joined(known, part)
    return sorted(whole.values(), key=lambda change: (-change.count, change.key))


def _joined(one: Change, other: Change) -> Change:
    return Change(
        item_group=one.item_group,
        item=one.item,
        source_now=one.source_now,
        source_then=one.source_then,
        count=one.count + other.count,
        examples=[*one.examples, *other.examples][:EXAMPLES],
    )


def find_last_id(connection: psycopg.Connection) -> int:
    """Return the highest golden id there is, 0 where there is none."""
    row = connection.execute("select coalesce(max(golden_id), 0) from golden.golden_record").fetchone()
    return int(row[0]) if row else 0
