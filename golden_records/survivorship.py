"""Survivorship: which source's value survives for each item, at each transaction that touches it.

An event is (golden record, group of items, transaction). Its candidates are the source records in force then, the
one with the latest first day of each source; they are ranked by the group's survivorship. The owner wins (law 4);
where it is silent about an item, the next speaks, unless the group is atomic. Asides are events whose outcome only
the rules read.
"""

from collections.abc import Sequence

import psycopg

from golden_records import catalogue, rows, staging

RULE_ITEMS = ("market_segment", "connection_type", "created_date", "disconnection_date")
RULE_GROUPS = ("registration", "connection", "segment")
AFTER_APPOINTMENT = ("energisation", "asset", "provider")
AT_POINT = ("appointment", "asset", "provider")
UNDATED = ("contract", "asset", "appointment")  # the record itself is the period: it stands before and after it
FIRST_STAGED = tuple(group.name for _, group in catalogue.load().groups() if group.name not in AT_POINT)
FIRST = tuple(group for group in FIRST_STAGED if group not in AFTER_APPOINTMENT)

_EVENTS = """
insert into stage_event (golden_id, entity, item_group, tx, is_aside)
select golden_id, entity, item_group, tx, false from stage_version
where op = 'u' and item_group = any (%(groups)s)
union
select prior_golden_id, entity, item_group, tx, false from stage_version
where prior_golden_id is distinct from golden_id and prior_golden_id is not null and item_group = any (%(groups)s)
"""

_ASIDES = """
insert into stage_event (golden_id, entity, item_group, tx, is_aside)
select distinct v.point_id, 'metering_point', g.item_group, v.tx, true
from stage_version v cross join unnest(%(rule_groups)s::text[]) g (item_group)
where v.point_id is not null and v.item_group = any (%(groups)s) and not exists (
    select from stage_event e where e.golden_id = v.point_id and e.item_group = g.item_group and e.tx = v.tx)
"""

# A service that is relieved and appointed again in one transaction, as when the supplier changes, owns what it owned.
_APPOINTED = """
with changed as (
    select distinct golden_id, tx from stage_delta
    where entity = 'appointment'
      and item in ('service_mpid', 'appointed_from', 'appointed_to', 'status', 'metering_point_id')
    union  -- what no source changed has come due
    select e.golden_id, e.tx from stage_event e where e.entity = 'appointment' and not exists (
        select from stage_version v where v.golden_id = e.golden_id and v.tx = e.tx)
), said as (
    select i.golden_id, i.tx,
           max(i.value #>> '{}') filter (where i.item = 'metering_point_id')::bigint as point_id,
           max(i.value #>> '{}') filter (where i.item = 'service_mpid') as service,
           max(i.value #>> '{}') filter (where i.item = 'status') as status
    from stage_item i join changed using (golden_id, tx) where i.item_group = 'appointment' group by 1, 2
)
insert into stage_appointed
select point_id, tx from said where point_id is not null group by point_id, tx
having not (count(distinct service) = 1 and bool_or(status = 'active')
            and bool_or(status in ('lapsed', 'de-appointed')))
union
select (p.value #>> '{}')::bigint, d.tx from stage_prior p join stage_delta d using (golden_id, item)
where p.item = 'metering_point_id' and d.entity = 'appointment' and p.value is not null
"""

_PROPAGATE = """
insert into stage_event (golden_id, entity, item_group, tx, is_aside, is_following)
select golden_id, entity, item_group, tx, false, true from (
    select p.point_id as golden_id, 'metering_point' as entity, 'energisation' as item_group, p.tx
    from stage_appointed p
    where exists (select from golden.metering_point g where g.golden_id = p.point_id)
    union
    select m.golden_id, 'meter', g.item_group, p.tx
    from stage_appointed p
    cross join lateral (select golden_id from golden.meter m where m.metering_point_id = p.point_id offset 0) m
    cross join unnest(array['asset', 'provider']) g (item_group)
) follow
except select golden_id, entity, item_group, tx, false, true from stage_event
"""

# An appointment seldom changes who owns a meter: where the first in rank is who it was, nothing follows.
_UNMOVED = """
delete from stage_event e
using stage_candidate c
cross join lateral (select lineage from golden.{entity} g where g.golden_id = c.golden_id offset 0) g
where e.is_following and e.entity = '{entity}'
  and c.golden_id = e.golden_id and c.item_group = e.item_group and c.tx = e.tx and c.place = 1
  and c.change_id in (select value::bigint from jsonb_each_text(g.lineage) l
                      join golden.catalogue_item i on i.item = l.key and i.item_group = e.item_group)
"""

_CANDIDATES = """
with pending as (
    select e.*, t.committed_at from stage_event e join stage_tx t using (tx) where e.item_group = any (%(groups)s)
), span as (
    select golden_id, item_group, source_id, tx as from_tx, until_tx, effective_from, effective_to,
           item_values, change_id
    from stage_version where op = 'u' and item_group = any (%(groups)s)
    union all
    select r.golden_id, r.item_group, r.source_id, -1, s.first_tx, r.effective_from, r.effective_to,
           r.item_values, r.change_id
    from (select distinct golden_id, item_group from pending) e
    join stage_existing r using (golden_id, item_group)
    left join (select source_id, source_key, item_group, min(tx) as first_tx from stage_version group by 1, 2, 3) s
        on s.source_id = r.source_id and s.source_key = r.source_key and s.item_group = r.item_group
), in_force as (
    select distinct on (e.golden_id, e.item_group, e.tx, s.source_id)
           e.golden_id, e.item_group, e.tx, e.committed_at, s.source_id, s.item_values, s.change_id
    from pending e
    join span s on s.golden_id = e.golden_id and s.item_group = e.item_group
        and s.from_tx <= e.tx and (s.until_tx is null or s.until_tx > e.tx)
        and (e.item_group = any (%(undated)s)
             or coalesce(s.effective_from, '-infinity') <= e.committed_at
                and coalesce(s.effective_to, 'infinity') > e.committed_at)
    order by e.golden_id, e.item_group, e.tx, s.source_id, s.effective_from desc nulls last, s.change_id desc
)
insert into stage_candidate (golden_id, item_group, tx, source_id, place, item_values, change_id)
select f.golden_id, f.item_group, f.tx, f.source_id,
       row_number() over (partition by f.golden_id, f.item_group, f.tx order by {place}, k.place, f.source_id),
       f.item_values, f.change_id
from in_force f join golden.source_rank k on k.source_id = f.source_id and k.item_group = f.item_group
"""

_FETCH = """
with missing as (
    insert into stage_fetched
    select distinct golden_id, item_group from stage_event where item_group = any (%(groups)s)
    except select golden_id, item_group from stage_fetched
    returning golden_id, item_group
)
insert into stage_existing
select r.golden_id, r.item_group, r.source_id, r.source_key, r.effective_from, r.effective_to, r.item_values,
       r.change_id, r.ctid
from (select * from missing order by golden_id, item_group) m join golden.source_record r using (golden_id, item_group)
"""

_IS_APPOINTED = """
case when k.participant is not null and exists (
    select from golden.appointment a
    where a.metering_point_id = case f.item_group when 'energisation' then f.golden_id
                                else (f.item_values ->> 'metering_point_id')::bigint end
      and a.service_mpid = k.participant and a.status <> 'proposed'
      and a.appointed_from <= (f.committed_at at time zone 'Europe/London')::date
      and coalesce(a.appointed_to, 'infinity') >= (f.committed_at at time zone 'Europe/London')::date
) then 0 else 1 end
"""

_ITEMS = """
insert into stage_item (golden_id, entity, item_group, tx, item, value, change_id, is_aside)
select e.golden_id, e.entity, e.item_group, e.tx, i.item, nullif(c.item_values -> i.item, 'null'), c.change_id,
       e.is_aside
from stage_event e
left join stage_candidate c
    on c.golden_id = e.golden_id and c.item_group = e.item_group and c.tx = e.tx and c.place = 1
join golden.catalogue_item i on i.item_group = e.item_group
where e.item_group = any (%(groups)s) and (not e.is_aside or i.item = any (%(rule_items)s))
"""

# Where the first is silent about an item, the next in rank that is not speaks.
_FALL_BACK = """
with spoken as (
    select distinct on (i.golden_id, i.tx, i.item) i.ctid as at, c.item_values -> i.item as value, c.change_id
    from stage_item i
    join golden.catalogue_item k on k.item_group = i.item_group and k.item = i.item and not k.is_atomic
    join stage_candidate c on c.golden_id = i.golden_id and c.item_group = i.item_group and c.tx = i.tx and c.place > 1
    where i.value is null and i.item_group = any (%(groups)s) and nullif(c.item_values -> i.item, 'null') is not null
    order by i.golden_id, i.tx, i.item, c.place
)
update stage_item i set value = s.value, change_id = s.change_id from spoken s where i.ctid = s.at
"""


def add_events(connection: psycopg.Connection, groups: Sequence[str]) -> None:
    """Note which golden records the staged versions of these groups touch, and when."""
    connection.execute(_EVENTS, {"groups": list(groups)})


def add_asides(connection: psycopg.Connection, groups: Sequence[str]) -> None:
    """Have the state of the points that records of these groups speak of worked out too, for the rules."""
    connection.execute(_ASIDES, {"groups": list(groups), "rule_groups": list(RULE_GROUPS)})


def propagate_appointments(connection: psycopg.Connection) -> None:
    """Look again at what the appointed service owns where an appointment changed: energisation and meters."""
    connection.execute(_APPOINTED)
    connection.execute(_PROPAGATE)


def choose(connection: psycopg.Connection, *, groups: Sequence[str], by_appointment: bool) -> None:
    """Rank the candidates of the noted events of these groups and write the surviving values to stage_item."""
    connection.execute(_FETCH, {"groups": list(groups)})
    place = _IS_APPOINTED if by_appointment else "0"
    parameters = {"groups": list(groups), "undated": list(UNDATED), "rule_items": list(RULE_ITEMS)}
    with staging.frames_only(connection):
        connection.execute(_CANDIDATES.format(place=place), parameters)
        if by_appointment and rows.single(connection, "select exists (select from stage_event where is_following)"):
            for entity in ("metering_point", "meter"):
                connection.execute(_UNMOVED.format(entity=entity))
        connection.execute(_ITEMS, parameters)
        if rows.single(connection, "select exists (select from stage_candidate where place > 1)"):
            connection.execute(_FALL_BACK, parameters)
