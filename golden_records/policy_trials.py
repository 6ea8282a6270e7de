"""Trying a changed ranking of sources: which golden values would be others under it. Nothing is written.

Both rankings are put to what every source says at one moment, so what merely came due since is no difference.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from golden_records import catalogue, held, reference, rows, survivorship
from golden_records.catalogue import Group

EXAMPLES = 3
"""How many golden records are named for each kind of change."""

IDS_AT_ONCE = 100_000

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
           or coalesce(r.effective_from, '-infinity') <= now() and coalesce(r.effective_to, 'infinity') > now())
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

_DAY = "(now() at time zone 'Europe/London')::date"

_IS_APPOINTED = """
coalesce(s.participant_{ranking} is not null and exists (
    select from golden.appointment a
    where a.metering_point_id = case s.item_group when 'energisation' then s.golden_id
                                else (s.item_values ->> 'metering_point_id')::bigint end
      and a.service_mpid = s.participant_{ranking} and a.status <> 'proposed'
      and a.appointed_from <= {day} and (a.appointed_to is null or a.appointed_to >= {day})), false)
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

    def as_json(self, *, reveal: bool = False) -> dict[str, Any]:
        """Return the change as programs read it; what identifies a person is withheld unless it is asked for."""
        is_shown = reveal or held.is_public(self.item_group, self.item)
        return {
            "group": self.item_group,
            "item": self.item,
            "from": self.source_now,
            "to": self.source_then,
            "count": self.count,
            "examples": [
                example if is_shown else example | {"now": held.WITHHELD, "then": held.WITHHELD}
                for example in self.examples
            ],
        }


def run(connection: psycopg.Connection, groups: Sequence[Group], *, advance: Callable[[float], None]) -> list[Change]:
    """Return what these groups, with their changed rankings, would change now, the most frequent first.

    `advance` is told the share of the golden records that has been looked at.
    """
    last = _find_last_id(connection)
    found: list[Change] = []
    for after in range(0, last, IDS_AT_ONCE):
        found = _added(found, _try_ids(connection, groups, (after, after + IDS_AT_ONCE)))
        advance(min(1.0, (after + IDS_AT_ONCE) / last))
    return found


def _try_ids(connection: psycopg.Connection, groups: Sequence[Group], ids: tuple[int, int]) -> list[Change]:
    parameters = {
        "ranks": Jsonb(list(_ranks(connection, groups))),
        "groups": [group.name for group in groups],
        "undated": list(survivorship.UNDATED),
        "after": ids[0],
        "until": ids[1],
    }
    with connection.cursor(row_factory=class_row(Change)) as cursor:
        return cursor.execute(_query(), parameters).fetchall()


def _query() -> str:
    chosen = {
        ranking: [_FIRST.format(what=what, ranking=ranking) for what in ("s.item_values -> c.item", "s.source_id")]
        for ranking in ("now", "then")
    }
    return _CHANGED.format(
        is_appointed_now=_IS_APPOINTED.format(ranking="now", day=_DAY),
        is_appointed_then=_IS_APPOINTED.format(ranking="then", day=_DAY),
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


def _added(found: Iterable[Change], more: Iterable[Change]) -> list[Change]:
    """Put the findings of two ranges of ids together, the most frequent first."""
    whole = {change.key: change for change in found}
    for change in more:
        known = whole.get(change.key)
        whole[change.key] = change if known is None else _joined(known, change)
    return sorted(whole.values(), key=lambda change: (-change.count, change.key))


def _joined(one: Change, other: Change) -> Change:
    examples = [*one.examples, *other.examples][:EXAMPLES]
    return replace(one, count=one.count + other.count, examples=examples)


def _find_last_id(connection: psycopg.Connection) -> int:
    """Return the highest golden id there is, 0 where there is none."""
    found: int = rows.single(connection, "select coalesce(max(golden_id), 0) from golden.golden_record")
    return found
