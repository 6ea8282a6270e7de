"""Survivorship: which source's value survives for each item, at each transaction that touches it.

An event is (golden record, group of items, transaction). Its candidates are the source records in force then, the
one with the latest first day of each source; they are ranked by the group's survivorship. The owner wins (law 4);
where it is silent about an item, the next speaks, unless the group is atomic. Asides are events whose outcome only
the rules read.
"""

from collections.abc import Sequence

import psycopg

from golden_records import catalogue, redirects, rows, staging
from golden_records.routines import Routine, frames

RULE_GROUPS = ("registration", "connection", "segment")
AFTER_APPOINTMENT = ("energisation", "asset", "provider")
AT_POINT = ("appointment", "asset", "provider")
UNDATED = ("contract", "asset", "appointment")  # the record itself is the period: it stands before and after it
ATOMIC = tuple(group.name for _, group in catalogue.load().groups() if group.atomic)
FIRST_STAGED = tuple(group.name for _, group in catalogue.load().groups() if group.name not in AT_POINT)
FIRST = tuple(group for group in FIRST_STAGED if group not in AFTER_APPOINTMENT)

_EVENTS = f"""
insert into stage_event (golden_id, entity, item_group, tx, change_id, is_aside)
select golden_id, entity, item_group, tx, max(change_id), false from (
    select golden_id, entity, item_group, tx, change_id from stage_version
    where op = 'u' and item_group = any (%(groups)s)
    union all
    select prior_golden_id, entity, item_group, tx, change_id from stage_version
    where prior_golden_id is distinct from golden_id and prior_golden_id is not null and item_group = any (%(groups)s)
) said where {staging.DOUBTED.format("golden_id")} group by golden_id, entity, item_group, tx
"""

# Appointments and meters may come before their points.
_ASIDES = f"""
insert into stage_event (golden_id, entity, item_group, tx, is_aside)
select p.point_id, 'metering_point', g.item_group, p.tx, true
from (select distinct point_id, tx from stage_version
      where point_id is not null and item_group = any (%(groups)s)) p
cross join unnest(%(rule_groups)s::text[]) g (item_group)
where {staging.DOUBTED.format("p.point_id")}
    and not exists (select from golden.metering_point m where m.golden_id = p.point_id)
    and not exists (select from stage_event e
                    where e.golden_id = p.point_id and e.item_group = g.item_group and e.tx = p.tx)
"""

# A service that is relieved and appointed again in one transaction, as when the supplier changes, owns what it owned.
_APPOINTED = """
with changed as (
    select golden_id, tx from stage_delta
    where entity = 'appointment'
      and changed ?| array['service_mpid', 'appointed_from', 'appointed_to', 'status', 'metering_point_id']
    union  -- what no source changed has come due
    select e.golden_id, e.tx from stage_event e where e.entity = 'appointment' and not exists (
        select from stage_version v where v.golden_id = e.golden_id and v.tx = e.tx)
), said as (
    select tx, (s.item_values ->> 'metering_point_id')::bigint as point_id, s.item_values ->> 'service_mpid' as service,
           s.item_values ->> 'status' as status
    from stage_survivor s join changed using (golden_id, tx) where s.item_group = 'appointment'
)
insert into stage_appointed
select point_id, tx from said where point_id is not null group by point_id, tx
having not (count(distinct service) = 1 and bool_or(status = 'active')
            and bool_or(status in ('lapsed', 'de-appointed')))
union
select point_id, tx from stage_left where entity = 'appointment'
"""

_PROPAGATE = """
insert into stage_event (golden_id, entity, item_group, tx, is_aside)
select golden_id, entity, item_group, tx, false from (
    select p.point_id as golden_id, 'metering_point' as entity, 'energisation' as item_group, p.tx
    from stage_appointed p
    where exists (select from golden.metering_point g where g.golden_id = p.point_id)
    union
    select m.golden_id, 'meter', g.item_group, p.tx
    from stage_appointed p
    cross join lateral (select golden_id from golden.meter m where m.metering_point_id = p.point_id offset 0) m
    cross join unnest(array['asset', 'provider']) g (item_group)
) follow
except select golden_id, entity, item_group, tx, false from stage_event
"""

# The hub's own records, which hold what stewards decided, each stand beside the others and keep to their dates.
OWN = "case when source_id = 0 then substr(source_key, 10)::bigint end"

# The copies of an event stand in one order, the survivor last, so that each can be laid over those before it. They are
# kept aside where one differs from what survived or did so before: there is, or was, a conflict, or a steward's value.
# The last never differs from what it was laid over, and of two or three the others are named: to unnest takes longer.
DIFFERING = """survived as materialized (
    select *, case when item_group = any (%(atomic)s) then values[copies] else merged end as survivor from copies
), differing as (
    insert into stage_copy (golden_id, item_group, tx, copy, change_id, place)
    select s.golden_id, s.item_group, s.tx, c.copy, c.change_id, c.place
    from survived s cross join unnest(s.values, s.change_ids) with ordinality c (copy, change_id, place)
    where s.copies > 1 and (
        s.item_group = any (%(atomic)s) or s.is_decided
        or case s.copies when 2 then not s.values[1] <@ s.survivor
                when 3 then not (s.values[1] <@ s.survivor and s.values[2] <@ s.survivor)
                else exists (select from unnest(s.values) v (copy) where not v.copy <@ s.survivor) end
        or {did_differ})
)"""

DID_DIFFER = """exists (
    select from golden.conflict k
    where k.closed_at is null and k.golden_id = s.golden_id and k.item_group = s.item_group offset 0)"""
"""Whether a copy of the group `s` differed before: a conflict stands open."""

# The candidates of most groups are two or three; a query for each would take longer than all else there.
REVERSED = """
case cardinality({0}) when 1 then {0} when 2 then array[{0}[2], {0}[1]] when 3 then array[{0}[3], {0}[2], {0}[1]]
    else array(select c.change_id from unnest({0}) with ordinality c (change_id, place) order by c.place desc) end
"""
"""The candidates of an event as they are kept, the survivor first."""

COPIES = """(
    select golden_id, item_group, tx, array_agg(copy order by place) as copies,
           array_agg(change_id order by place) as change_ids
    from stage_copy group by 1, 2, 3)"""
"""The copies that are kept aside, by event; the survivor's last."""

# Where the first is silent about an item, the next in rank that is not speaks; `spoken` tells of which change.
SPOKEN = """case when s.survivor <> s.values[s.copies] then (
           select jsonb_object_agg(i.item, (
               select c.change_id from unnest(s.values, s.change_ids) with ordinality c (copy, change_id, place)
               where c.copy ? i.item order by c.place desc limit 1))
           from jsonb_object_keys(s.survivor) i (item) where not s.values[s.copies] ? i.item) end"""

_SURVIVORS = """
with pending as (
    select e.*, t.committed_at, (t.committed_at at time zone 'Europe/London')::date as day
    from stage_event e join stage_tx t using (tx) where e.item_group = any (%(groups)s) and {doubted}
), span as (
    select golden_id, item_group, source_id, {own} as own, tx as from_tx, until_tx, effective_from, effective_to,
           item_values, change_id
    from stage_version v where op = 'u' and item_group = any (%(groups)s) and {said}
    union all
    select r.golden_id, r.item_group, r.source_id, {own}, -1, s.first_tx, r.effective_from, r.effective_to,
           r.item_values, r.change_id
    from stage_existing r
    left join (select place, min(tx) as first_tx from stage_version where item_group = any (%(groups)s) group by 1) s
        using (place)
    where r.item_group = any (%(groups)s) and {stood}
), in_force as (
    select distinct on (e.golden_id, e.item_group, e.tx, k.place, s.source_id, s.own)
           e.golden_id, e.item_group, e.tx, e.day, s.source_id, s.own, {followed} as item_values, s.change_id,
           k.place,
           k.participant
    from pending e
    join span s on s.golden_id = e.golden_id and s.item_group = e.item_group
        and s.from_tx <= e.tx and (s.until_tx is null or s.until_tx > e.tx)
        and (e.item_group = any (%(undated)s) and s.own is null
             or coalesce(s.effective_from, '-infinity') <= e.committed_at
                and coalesce(s.effective_to, 'infinity') > e.committed_at)
    join golden.source_rank k on k.source_id = s.source_id and k.item_group = s.item_group
    order by e.golden_id, e.item_group, e.tx, k.place desc, s.source_id desc, s.own, s.effective_from desc nulls last,
             s.change_id desc
){ranked}, copies as (
    select golden_id, item_group, tx, count(*) as copies,
           array_agg(item_values order by {order}) as values, array_agg(change_id order by {order}) as change_ids,
           golden.merge(item_values order by {order}) as merged, bool_or(source_id = 0) as is_decided
    from {source} group by golden_id, item_group, tx
), {differing}
insert into stage_survivor (golden_id, entity, item_group, tx, is_aside, cause_id, item_values, change_id,
                            candidates, spoken)
select e.golden_id, e.entity, e.item_group, e.tx, e.is_aside, e.change_id, s.survivor, s.change_ids[s.copies],
       case when s.copies > 1 then s.change_ids end,
       {spoken}
from pending e left join survived s using (golden_id, item_group, tx)
"""

OVERRIDDEN = "overridden"
_GROUPS = f"""
select item_group from stage_event union select item_group from stage_version
union select '{OVERRIDDEN}' from stage_existing where source_id = 0
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

# Only where it is asked for: what passes through a step of its own is sorted once more.
_BY_APPOINTMENT = """, ranked as (
    select f.*, {last} as last from in_force f offset 0
)"""
_IS_APPOINTED = """
case when f.own is not null then 2 when f.participant is not null and exists (
    select from golden.appointment a
    where a.metering_point_id = case f.item_group when 'energisation' then f.golden_id
                                else (f.item_values ->> 'metering_point_id')::bigint end
      and a.service_mpid = f.participant and a.status <> 'proposed'
      and a.appointed_from <= f.day and (a.appointed_to is null or a.appointed_to >= f.day)
) then 1 else 0 end"""
_BY_RANK = "place desc, source_id desc, own"  # as the candidates in force are sorted, so that they are sorted once

_FOLLOWED = redirects.followed("s.item_values", "s.item_group")


def add_events(connection: psycopg.Connection, groups: Sequence[str]) -> None:
    """Note which golden records the staged versions of these groups touch, and when."""
    connection.execute(_EVENTS, {"groups": list(groups)})


def restart(connection: psycopg.Connection) -> None:
    """Forget what was chosen where anything is held back, and note the events of what is still staged there."""
    with staging.pipelined(connection), staging.frames_only(connection):
        for table in ("stage_event", "stage_survivor", "stage_copy"):
            connection.execute(f"delete from {table} where golden_id in (select golden_id from stage_doubted)")
        connection.execute("truncate stage_said, stage_state")
        add_events(connection, FIRST_STAGED)


def clear(connection: psycopg.Connection) -> None:
    """Forget the events and what was chosen of them."""
    connection.execute("truncate stage_event, stage_survivor, stage_copy, stage_said, stage_state")


def add_asides(connection: psycopg.Connection) -> None:
    """Have the state of points that are no golden records yet worked out too, for the rules on what stands there."""
    connection.execute(_ASIDES, {"groups": list(AT_POINT), "rule_groups": list(RULE_GROUPS)})


def list_groups(connection: psycopg.Connection) -> set[str]:
    """Return the groups of items of which this part says anything, and OVERRIDDEN where a steward's value is there."""
    return {group for (group,) in connection.execute(_GROUPS)}


def are_followed(connection: psycopg.Connection) -> bool:
    """Tell whether anything follows from appointments to what is not staged itself."""
    query = "select exists (select from stage_event where item_group = any (%s) and not is_aside)"
    return bool(rows.single(connection, query, [list(AFTER_APPOINTMENT)]))


def propagate_appointments(connection: psycopg.Connection) -> None:
    """Look again at what the appointed service owns where an appointment changed: energisation and meters."""
    PROPAGATE.call(connection)


def choose(connection: psycopg.Connection, *, groups: Sequence[str], by_appointment: bool) -> None:
    """Rank the copies of the noted events of these groups and write what survives to stage_survivor."""
    routine = CHOOSE_BY_APPOINTMENT if by_appointment else CHOOSE
    routine.call(connection, list(groups), list(UNDATED), list(ATOMIC))


def _choose(name: str, *, ranked: str = "", order: str) -> Routine:
    query = _SURVIVORS.format(
        ranked=ranked,
        source="ranked" if ranked else "in_force",
        order=order,
        own=OWN,
        followed=_FOLLOWED,
        differing=DIFFERING.format(did_differ=DID_DIFFER),
        spoken=SPOKEN,
        doubted=staging.DOUBTED.format("e.golden_id"),
        said=staging.DOUBTED.format("v.golden_id"),
        stood=staging.DOUBTED.format("r.golden_id"),
    )
    parameters = ("groups text[]", "undated text[]", "atomic text[]")
    return Routine(name=name, statements=(_FETCH, *frames(query)), parameters=parameters)


CHOOSE = _choose("choose", order=_BY_RANK)
CHOOSE_BY_APPOINTMENT = _choose(
    "choose_by_appointment", ranked=_BY_APPOINTMENT.format(last=_IS_APPOINTED), order=f"last, {_BY_RANK}"
)
PROPAGATE = Routine(name="propagate_appointments", statements=(*frames(_APPOINTED), _PROPAGATE))
