"""First versions: golden records that an initial load took in, and of which there was no version before.

The same outcome as by `survivorship` and `assembly`, which a test holds this to. There is one transaction and nothing
before it, so that what a golden record says is worked out at once, not from what has changed since.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache

import psycopg

from golden_records import catalogue, journal, rows, staging, survivorship
from golden_records.catalogue import Entity

# The copies stand as in survivorship: in one order, the survivor last. Of a source's records in force one is a copy;
# what caused the event is the last of all that were said. It is sorted once, for all of this.
_SURVIVORS = """
with {appointed} said as (
    select v.golden_id, v.point_id, v.entity, v.item_group, v.source_id, v.item_values, v.change_id, v.effective_from,
           k.participant, -k.place as rank, -v.source_id as by_source,
           v.item_group = any (%(undated)s) or coalesce(v.effective_from, '-infinity') <= %(now)s
                                               and coalesce(v.effective_to, 'infinity') > %(now)s as is_in_force
    from stage_version v left join golden.source_rank k using (source_id, item_group)
    where v.item_group = any (%(groups)s)
), ranked as (
    select v.*{last},
           is_in_force and rank is not null and row_number() over (
               partition by golden_id, item_group, rank, by_source
               order by is_in_force desc, effective_from desc nulls last, change_id desc) = 1 as is_copy
    from said v
), copies as (
    select golden_id, min(entity) as entity, item_group, 0 as tx, count(*) filter (where is_copy) as copies,
           array_agg(item_values order by {order}) filter (where is_copy) as values,
           array_agg(change_id order by {order}) filter (where is_copy) as change_ids,
           golden.merge(item_values order by {order}) filter (where is_copy) as merged,
           max(change_id) as cause_id, false as is_decided
    from ranked group by golden_id, item_group having bool_or(is_copy)
), {differing}
insert into stage_survivor (golden_id, entity, item_group, tx, is_aside, cause_id, item_values, change_id,
                            candidates, spoken)
select s.golden_id, s.entity, s.item_group, 0, false, s.cause_id, s.survivor, s.change_ids[s.copies],
       case when s.copies > 1 then s.change_ids end,
       {spoken}
from survived s
"""

# What follows the appointed service is asked once for each point, not for each copy.
_APPOINTED = """appointed as materialized (
    select distinct p.point_id, a.service_mpid
    from (select distinct case item_group when 'energisation' then golden_id else point_id end as point_id
          from stage_version where item_group = any (%(groups)s)) p
    cross join lateral (
        select g.service_mpid from golden.appointment g
        where g.metering_point_id = p.point_id and g.service_mpid is not null and g.status <> 'proposed'
          and g.appointed_from <= (%(now)s::timestamptz at time zone 'Europe/London')::date
          and (g.appointed_to is null
               or g.appointed_to >= (%(now)s::timestamptz at time zone 'Europe/London')::date)
        offset 0) a
),"""
_LAST = """,
           case when v.participant is not null
                 and (case v.item_group when 'energisation' then v.golden_id else v.point_id end, v.participant)
                     in (select point_id, service_mpid from appointed)
                then 1 else 0 end as last"""
_BY_RANK = "rank, by_source"


def _survivors(*, appointed: str = "", last: str = "", order: str = _BY_RANK) -> str:
    return _SURVIVORS.format(
        appointed=appointed,
        last=last,
        order=order,
        differing=survivorship.DIFFERING.format(did_differ="false"),  # what has no version yet has no conflict
        spoken=survivorship.SPOKEN,
    )


_CHOOSE = _survivors()
_CHOOSE_BY_APPOINTMENT = _survivors(appointed=_APPOINTED, last=_LAST, order=f"last, {_BY_RANK}")

# A point is staged with what stands at it, unless several points have it, or its list is older than that.
_ASIDES = """
insert into stage_event (golden_id, entity, item_group, tx, is_aside)
select p.point_id, 'metering_point', g.item_group, 0, true
from (select distinct point_id from stage_version where point_id is not null
      except select golden_id from stage_version where entity = 'metering_point') p
cross join unnest(%(groups)s::text[]) g (item_group)
where not exists (select from golden.metering_point m where m.golden_id = p.point_id)
"""

_LINEAGE = "jsonb_object_agg(i.item, coalesce((s.spoken ->> i.item)::bigint, s.change_id))"
_MADE = f"""
    select s.golden_id, max(s.cause_id) as change_id, jsonb_object_agg(i.item, s.item_values -> i.item) as changed,
           {_LINEAGE} as lineage
    from said s join golden.catalogue_item i using (item_group)
    where s.item_values ? i.item group by s.golden_id
"""
# Where all items are of one group, what is said of it is all that there is: a record says nothing but items.
_MADE_OF_ONE = f"""
    select s.golden_id, s.cause_id as change_id, s.item_values as changed,
           (select {_LINEAGE} from jsonb_object_keys(s.item_values) i (item)) as lineage
    from said s where s.item_values <> '{{}}'
"""
_VERSIONS = """
with said as materialized (
    select golden_id, item_group, item_values, spoken, change_id, candidates, coalesce(cause_id, change_id) as cause_id
    from stage_survivor where entity = '{entity}' and not is_aside
), told as (
    select s.golden_id, jsonb_object_agg(s.item_group, {reversed}) as candidates
    from said s
    join (select item_group, array_agg(item) as items from golden.catalogue_item group by 1) l using (item_group)
    where s.candidates is not null and s.item_values ?| l.items
    group by s.golden_id
), made as materialized ({made}), written as (
    insert into golden.golden_version (golden_id, version, entity, op, source_id, change_id, commit_lsn, committed_at,
                                       recorded_at, changed, lineage, candidates, policy_id)
    select m.golden_id, 1, '{entity}', 'c', %(hub)s, m.change_id, (select commit_lsn from stage_tx), %(now)s,
           clock_timestamp(), m.changed, m.lineage, t.candidates, (select max(policy_id) from golden.policy)
    from made m left join told t using (golden_id)
    order by m.golden_id
), noted as (
    insert into stage_delta (golden_id, entity, tx, change_id, changed)
    select golden_id, '{entity}', 0, change_id,
           case when '{entity}' in ('appointment', 'metering_point') then changed end from made
)
insert into golden.{entity} (golden_id, version, {columns}, lineage, updated_at)
select m.golden_id, 1, {from_columns}, m.lineage, %(now)s
from made m cross join lateral jsonb_populate_record(null::golden.{entity}, m.changed) r
order by m.golden_id
"""


def are_new(connection: psycopg.Connection, golden_ids: Sequence[int]) -> bool:
    """Tell whether there is no version of any of these golden records."""
    query = "select not exists (select from golden.golden_version where golden_id = any (%s::bigint[]))"
    return bool(rows.single(connection, query, [rows.bigints(golden_ids)]))


def add_asides(connection: psycopg.Connection) -> bool:
    """Have the state of points that neither are golden records nor staged worked out; tell whether there are any."""
    return connection.execute(_ASIDES, {"groups": list(survivorship.RULE_GROUPS)}).rowcount > 0


def forget_points(connection: psycopg.Connection) -> None:
    """Forget what was chosen of the staged points, and their states."""
    with staging.pipelined(connection):
        for table in ("stage_survivor", "stage_copy"):
            connection.execute(
                f"delete from {table} where golden_id in (select golden_id from stage_version"
                " where entity = 'metering_point')"
            )
        connection.execute("truncate stage_event, stage_said, stage_state")


def choose(connection: psycopg.Connection, *, groups: Sequence[str], by_appointment: bool, now: datetime) -> None:
    """Rank the staged copies of these groups and write what survives to stage_survivor."""
    parameters = {
        "groups": list(groups),
        "now": now,
        "undated": list(survivorship.UNDATED),
        "atomic": list(survivorship.ATOMIC),
    }
    with staging.frames_only(connection):
        connection.execute(_CHOOSE_BY_APPOINTMENT if by_appointment else _CHOOSE, parameters)


def assemble(connection: psycopg.Connection, *, entities: Sequence[str], now: datetime) -> None:
    """Write first versions and typed rows of the golden records of these entities, and note them as changed."""
    with staging.frames_only(connection):
        for name in entities:
            connection.execute(_versions_query(catalogue.load().entity(name)), {"now": now, "hub": journal.HUB})


@cache
def _versions_query(entity: Entity) -> str:
    names = [item.name for item in entity.items]
    return _VERSIONS.format(
        entity=entity.name,
        made=_MADE if len(entity.groups) > 1 else _MADE_OF_ONE,
        reversed=survivorship.REVERSED.format("s.candidates"),
        columns=", ".join(names),
        from_columns=", ".join(f"r.{name}" for name in names),
    )
