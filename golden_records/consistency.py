"""The measure of consistency: on how many of the golden records that two systems both hold an item of they agree.

On how many they differ is counted from the open conflicts, at the moment of asking; how many both hold is counted now
and then by refresh(), and each figure says when. Two copies are measured against each other as the owner is against
each. The lines of an address are one item here, `lines`.

The time until all copies agree is that from a change by the owner until its last copy follows. A copy that the hub saw
before its owner's change counts by its own commit. An owner's change of a value that a copy holds leaves a conflict,
however short, so none is missed; a first value, which no copy held before, is no change to be followed.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg

from golden_records import catalogue, conflicts, survivorship
from golden_records.conflict_reading import Query
from rules import agreement
from rules.agreement import Comparison

LINES = "lines"
WINDOW = timedelta(hours=24)
MOST_CLOSED = 20_000
"""Times are of what agreed within the window, the newest so many at most; the answer says from when on."""

_REFRESH_LOCK = 0x6D646D63
_UNIT = f"case i.comparison when '{Comparison.LINE}' then '{LINES}' else i.item end"

# What is carried is counted by who carries what: of that there are few combinations, however many golden records.
_HELD = f"""
with speaking as (
    select distinct on (r.golden_id, r.item_group, r.source_id) r.golden_id, r.item_group, r.source_id, r.item_values
    from golden.source_record r
    where r.item_group = any (%(groups)s)
      and (r.item_group = any (%(undated)s) or coalesce(r.effective_from, '-infinity') <= %(now)s
                                               and coalesce(r.effective_to, 'infinity') > %(now)s)
    order by r.golden_id, r.item_group, r.source_id, r.effective_from desc nulls last, r.change_id desc
), carried as (
    select item_group, array_agg(source_id order by source_id) as sources, array_agg(items order by source_id) as items
    from (select golden_id, item_group, source_id, array(select jsonb_object_keys(item_values))::text as items
          from speaking) s
    group by golden_id, item_group having count(*) > 1
), counted as (
    select item_group, sources, items, count(*) as held from carried group by 1, 2, 3
), unit as (
    select c.item_group, {_UNIT} as item, s.source_id, c.sources, c.items as carried, max(c.held) as held
    from counted c cross join unnest(c.sources, c.items) s (source_id, items)
    join golden.catalogue_item i on i.item_group = c.item_group and i.item = any (s.items::text[])
    where i.comparison <> '{Comparison.NONE}' group by 1, 2, 3, 4, 5
)
insert into golden.consistency (item_group, item, source_id, other_source_id, held, refreshed_at)
select item_group, item, a.source_id, b.source_id, sum(a.held), %(now)s
from unit a join unit b using (item_group, item, sources, carried)
where a.source_id < b.source_id group by 1, 2, 3, 4
"""


def _said(source_id: str) -> str:
    """Return what a system's copy says: looked at of two that both differ from the owner; else there is no need."""
    form = agreement.form_by("i.comparison", "k.value #>> '{}'")
    return f"""
        (select string_agg(k.item || '=' || coalesce({form}, ''), E'\\x1f' order by k.item)
         from golden.conflict k join golden.catalogue_item i using (item_group, item)
         where k.closed_at is null and k.golden_id = a.golden_id and k.source_id = {source_id}
           and (k.item = a.item or a.item = '{LINES}' and i.comparison = '{Comparison.LINE}'))
        """


_PAIRS = f"""
with differing as materialized (
    select k.golden_id, k.item_group, {_UNIT} as item, k.source_id, max(k.holders) as holders
    from golden.conflict k join golden.catalogue_item i using (item_group, item)
    where k.closed_at is null group by 1, 2, 3, 4
), pair as (
    select a.golden_id, a.item_group, a.item, least(a.source_id, h.source_id) as source_id,
           greatest(a.source_id, h.source_id) as other_source_id
    from differing a cross join unnest(a.holders) h (source_id)
    left join differing b on b.golden_id = a.golden_id and b.item = a.item and b.source_id = h.source_id
    where h.source_id <> a.source_id
      and case when b.source_id is null then true when a.source_id > b.source_id then false
               else {_said("a.source_id")} <> {_said("b.source_id")} end
)
"""

_BY_ITEM = f"""
{_PAIRS}, counted as (
    select item_group, item, source_id, other_source_id, count(*) as differing from pair group by 1, 2, 3, 4
)
select i.entity, item_group, item, a.name, a.kind, b.name, b.kind, coalesce(h.held, 0), coalesce(c.differing, 0),
       h.refreshed_at
from golden.consistency h full join counted c using (item_group, item, source_id, other_source_id)
join (select item_group, min(entity) as entity from golden.catalogue_item group by 1) i using (item_group)
join golden.source_system a on a.source_id = h.source_id or h.source_id is null and a.source_id = c.source_id
join golden.source_system b
    on b.source_id = h.other_source_id or h.source_id is null and b.source_id = c.other_source_id
where (%(item)s::text is null or item = %(item)s) and (%(entity)s::text is null or i.entity = %(entity)s)
  and (%(sources)s::text[] is null or a.name = any (%(sources)s) or b.name = any (%(sources)s))
order by i.entity, item_group, item, a.name, b.name
"""

# The address of a point is the same in two systems when both refer to one golden address and say the same of it.
_ADDRESS = f"""
{_PAIRS}, holds as (
    select golden_id, source_id from golden.source_record where item_group = 'site' and golden_id = any (array(
        select golden_id from pair where item_group = 'site'
        union select p.golden_id from pair x join golden.metering_point p on p.address_id = x.golden_id
        where x.item_group = 'address'))
), at_point as (
    select golden_id, source_id, other_source_id from pair where item_group = 'site'
    union
    select p.golden_id, x.source_id, x.other_source_id
    from pair x join golden.metering_point p on p.address_id = x.golden_id
    where x.item_group = 'address'
      and exists (select from holds h where h.golden_id = p.golden_id and h.source_id = x.source_id)
      and exists (select from holds h where h.golden_id = p.golden_id and h.source_id = x.other_source_id)
), counted as (
    select source_id, other_source_id, 0 as held, count(*) as differing, null::timestamptz as refreshed_at
    from at_point group by 1, 2
    union all
    select source_id, other_source_id, held, 0, refreshed_at from golden.consistency
    where item_group = 'site' and item = 'address_id'
)
select least(a.place, b.place) as one, greatest(a.place, b.place) as other,
       sum(c.held)::bigint, sum(c.differing)::bigint, min(c.refreshed_at)
from counted c
join (select source_id, array_position(%(kinds)s::text[], kind) as place from golden.source_system) a
    on a.source_id = c.source_id
join (select source_id, array_position(%(kinds)s::text[], kind) as place from golden.source_system) b
    on b.source_id = c.other_source_id
where a.place <> b.place group by 1, 2 order by 1, 2
"""

KINDS = ["SMRS", "MSA", "MSS", "MDS", "UMSO"]
"""In which order kinds of system are paired."""

_TIMES = f"""
with closed as (
    select k.* from golden.conflict k where k.closed_at >= %(since)s order by k.closed_at desc limit %(most)s
), followed as (
    select i.entity, k.item_group, {_UNIT} as item, k.golden_id, k.closed_at,
           case k.opened_by when 'owner' then k.opened_at else k.closed_at end as owner_at,
           extract(epoch from case k.opened_by when 'owner' then k.closed_at - k.opened_at
                              else k.opened_at - k.closed_at end)::float8 as seconds
    from closed k join golden.catalogue_item i using (item_group, item)
    where k.outcome = 'agreed' and 'owner' in (k.opened_by, k.closed_by)
), waiting as (
    select i.entity, k.item_group, {_UNIT} as item, k.golden_id, k.opened_at as owner_at
    from golden.conflict k join golden.catalogue_item i using (item_group, item)
    where k.closed_at is null and k.opened_by = 'owner' group by 1, 2, 3, 4, 5
), changed as (
    select entity, item_group, item, golden_id, owner_at, greatest(max(seconds), 0) as seconds
    from followed group by 1, 2, 3, 4, 5
), complete as (
    select c.* from changed c where not exists (
        select from golden.conflict k
        where k.closed_at is null and k.golden_id = c.golden_id and k.item_group = c.item_group
          and k.opened_by = 'owner' and k.opened_at = c.owner_at
          and (k.item = c.item or c.item = '{LINES}' and k.item = any (array[{", ".join(map(repr, conflicts.LINES))}]))
        offset 0)
), told as (
    select coalesce(entity, '') as entity, coalesce(item_group, '') as item_group, coalesce(item, '') as item,
           count(*) as changes,
           percentile_disc(array[0.5, 0.95, 0.99]) within group (order by seconds) as seconds
    from complete group by grouping sets ((entity, item_group, item), ())
), counted as (
    select coalesce(entity, '') as entity, coalesce(item_group, '') as item_group, coalesce(item, '') as item,
           count(*) as waiting, min(owner_at) as waiting_since
    from waiting group by grouping sets ((entity, item_group, item), ())
)
select nullif(entity, ''), nullif(item_group, ''), nullif(item, ''), coalesce(t.changes, 0), t.seconds,
       coalesce(w.waiting, 0), w.waiting_since,
       case when (select count(*) from closed) < %(most)s then %(since)s else (select min(closed_at) from closed) end
from told t full join counted w using (entity, item_group, item)
order by entity, item_group, item
"""


GROUPS = tuple(group.name for _, group in catalogue.load().groups())


def refresh(connection: psycopg.Connection, *, now: datetime, groups: Sequence[str] = GROUPS) -> bool:
    """Count anew what every two systems both hold, in the caller's transaction; False where another does so just now.

    It reads all source records of the groups: at a million metering points all take minutes.
    """
    locked = connection.execute("select pg_try_advisory_xact_lock(%s)", [_REFRESH_LOCK]).fetchone()
    if locked != (True,):
        return False
    connection.execute("delete from golden.consistency where item_group = any (%s)", [list(groups)])
    connection.execute(_HELD, {"now": now, "undated": list(survivorship.UNDATED), "groups": list(groups)})
    return True


def find_refreshed(connection: psycopg.Connection) -> datetime | None:
    """Return when it was last counted what both hold, None when never."""
    row = connection.execute("select min(refreshed_at) from golden.consistency").fetchone()
    found: datetime | None = row[0] if row else None
    return found


def by_item(*, item: str | None = None, entity: str | None = None, sources: Sequence[str] | None = None) -> Query:
    """Ask for each item and pair of systems: entity, group, item, name and kind of both, held, differing, as of."""
    return _BY_ITEM, {"item": item, "entity": entity, "sources": None if sources is None else list(sources)}


def of_address() -> Query:
    """Ask for the points' address by pair of kinds: two places in KINDS from 1, held, differing, held as of."""
    return _ADDRESS, {"kinds": KINDS}


def times(*, now: datetime) -> Query:
    """Ask how long it took until all copies agreed, of all items (nulls) and by item.

    Entity, group, item, owner's changes that were followed, seconds (p50, p95, p99), changes that still wait, since
    when, and from when on it is told of.
    """
    return _TIMES, {"since": now - WINDOW, "most": MOST_CLOSED}


def share(held: int, differing: int) -> float | None:
    """Return the share that agrees, None where nothing is held; what was held is counted earlier than what differs."""
    return None if not held else max(held - differing, 0) / held


def describe(pairs: list[Any], address: list[Any], timed: list[Any], *, now: datetime) -> dict[str, Any]:
    """Return the measure as it is told, from the rows of by_item(), of_address() and times()."""
    told = [_time(row) for row in timed]
    refreshed = [row[9] for row in pairs if row[9] is not None]
    return {
        "as_of": now,
        "held_as_of": min(refreshed, default=None),
        "address": [_address(row) for row in address],
        "items": [_pair(row) for row in pairs],
        "times": [each for each in told if each["item"]],
        "time_of_all": next((each for each in told if not each["item"]), None),
    }


def _pair(row: tuple[Any, ...]) -> dict[str, Any]:
    entity, item_group, item, source, kind, other, other_kind, held, differing, _ = row
    return {
        "entity": entity,
        "item_group": item_group,
        "item": item,
        "systems": [source, other],
        "kinds": [kind, other_kind],
        "held": held,
        "differing": differing,
        "share": share(held, differing),
    }


def _address(row: tuple[Any, ...]) -> dict[str, Any]:
    one, other, held, differing, _ = row
    return {
        "kinds": [KINDS[one - 1], KINDS[other - 1]],
        "held": held,
        "differing": differing,
        "share": share(held, differing),
    }


def _time(row: tuple[Any, ...]) -> dict[str, Any]:
    entity, item_group, item, changes, seconds, waiting, waiting_since, since = row
    p50, p95, p99 = seconds or (None, None, None)
    return {
        "entity": entity,
        "item_group": item_group,
        "item": item,
        "changes": changes,
        "p50_seconds": p50,
        "p95_seconds": p95,
        "p99_seconds": p99,
        "waiting": waiting,
        "waiting_since": waiting_since,
        "since": since,
    }
