"""Assembly: from surviving values to versions and typed golden rows.

What changed is worked out item by item against the version before; a value that its source sends again unchanged is
no change. Versions are dense: one a golden record and source transaction (law 3).
"""

from collections.abc import Sequence

import psycopg

from golden_records import catalogue, journal, staging
from golden_records.catalogue import Entity

_PRIOR = """
insert into stage_prior (golden_id, item, version, value, change_id)
select g.golden_id, i.item, g.version, nullif(case i.item {values} end, 'null'), (g.lineage ->> i.item)::bigint
from (select distinct golden_id from stage_item where entity = '{entity}' and not is_aside) k
cross join lateral (select * from golden.{entity} g where g.golden_id = k.golden_id offset 0) g
join (select distinct golden_id, item from stage_item where entity = '{entity}' and not is_aside) i
    on i.golden_id = k.golden_id
"""

_DELTA = """
insert into stage_delta (golden_id, entity, tx, item, value, change_id)
select golden_id, entity, tx, item, value, change_id from (
    select i.*, p.golden_id is not null as is_known, p.value as prior_value, p.change_id as prior_change,
           row_number() over w as place, lag(i.value) over w as value_before, lag(i.change_id) over w as change_before
    from (select golden_id, entity, tx, item, nullif(value, 'null') as value, change_id
          from stage_item where entity = any (%(entities)s) and not is_aside) i
    left join stage_prior p using (golden_id, item)
    window w as (partition by i.golden_id, i.item order by i.tx)
) d
where case
    when place > 1 then value is distinct from value_before
        or value is not null and {source} is distinct from {source_before}
    when is_known then value is distinct from prior_value
        or value is not null and {source} is distinct from {source_prior}
    else value is not null end
"""

_REMOVED = """
with leaving as materialized (
    select distinct prior_golden_id as golden_id from stage_version
    where prior_golden_id is not null and prior_golden_id is distinct from golden_id and entity = any (%(entities)s)
    except select golden_id from stage_version where op = 'u' and until_tx is null
), said as materialized (
    select l.golden_id, r.source_id, r.source_key, r.item_group
    from leaving l join golden.source_record r using (golden_id)
), kept as (
    select s.golden_id from said s left join stage_version v using (source_id, source_key, item_group)
    where v.source_id is null
)
insert into stage_removed
select golden_id from leaving where golden_id not in (select golden_id from kept)
"""

_VERSIONS = """
insert into golden.golden_version (golden_id, version, entity, op, source_id, change_id, commit_lsn, committed_at,
                                   recorded_at, changed, lineage, candidates, policy_id)
select d.golden_id,
       coalesce(g.version, (select max(version) from golden.golden_version v where v.golden_id = d.golden_id), 0)
           + row_number() over (partition by d.golden_id order by d.tx),
       d.entity,
       case when d.tx = d.last_tx and d.golden_id in (select golden_id from stage_removed) then 'd'
            when g.golden_id is null and row_number() over (partition by d.golden_id order by d.tx) = 1 then 'c'
            else 'u' end,
       %(source)s, coalesce(v.change_id, d.change_id), t.commit_lsn, t.committed_at, clock_timestamp(),
       d.changed, d.lineage, c.candidates, (select max(policy_id) from golden.policy)
from (
    select golden_id, entity, tx, max(change_id) as change_id, jsonb_object_agg(item, value) as changed,
           coalesce(jsonb_object_agg(item, change_id) filter (where value is not null), '{}') as lineage,
           max(tx) over (partition by golden_id) as last_tx
    from stage_delta where entity = any (%(entities)s) group by golden_id, entity, tx
) d
join stage_tx t using (tx)
left join (select distinct golden_id, version from stage_prior) g using (golden_id)
left join (select golden_id, tx, max(change_id) as change_id
           from (select golden_id, tx, change_id from stage_version
                 union all select prior_golden_id, tx, change_id from stage_version) touched group by 1, 2) v
    on v.golden_id = d.golden_id and v.tx = d.tx
left join (select golden_id, tx, jsonb_object_agg(item_group, change_ids) as candidates
           from (select golden_id, tx, item_group, jsonb_agg(change_id order by place) as change_ids
                 from stage_candidate
                 join (select golden_id, tx, item_group from stage_candidate where place = 2) contested
                     using (golden_id, tx, item_group)
                 group by 1, 2, 3) several group by 1, 2) c
    on c.golden_id = d.golden_id and c.tx = d.tx
order by d.golden_id, d.tx
"""

_FINAL = """
insert into stage_final (golden_id, entity, is_new, versions, updated_at, changed, lineage)
select d.golden_id, d.entity, p.golden_id is null, d.versions, t.committed_at, d.changed, d.lineage
from (
    select golden_id, entity, count(distinct tx) as versions, max(tx) as tx,
           jsonb_object_agg(item, value order by tx) as changed,
           jsonb_object_agg(item, case when value is not null then change_id end order by tx) as lineage
    from stage_delta where entity = any (%(entities)s) group by golden_id, entity
) d
join stage_tx t using (tx)
left join (select distinct golden_id from stage_prior) p using (golden_id)
where d.golden_id not in (select golden_id from stage_removed)
"""

_UPDATE = """
update golden.{entity} g
set ({columns}) = (select {columns} from jsonb_populate_record(g, f.changed)),
    version = g.version + f.versions, updated_at = f.updated_at, lineage = g.lineage || f.lineage
from stage_final f where f.entity = '{entity}' and not f.is_new and g.golden_id = f.golden_id
"""

_INSERT = """
insert into golden.{entity} (golden_id, version, {columns}, lineage, updated_at)
select f.golden_id,
       coalesce((select max(version) from golden.golden_version v where v.golden_id = f.golden_id), f.versions),
       {from_columns}, jsonb_strip_nulls(f.lineage), f.updated_at
from stage_final f cross join lateral jsonb_populate_record(null::golden.{entity}, f.changed) r
where f.entity = '{entity}' and f.is_new
order by f.golden_id
"""


def assemble(connection: psycopg.Connection, *, source_id: int, entities: Sequence[str]) -> None:
    """Write versions and typed rows of the golden records of these entities that the staged items change."""
    named = [catalogue.load().entity(name) for name in entities]
    parameters = {"entities": list(entities), "source": source_id}
    connection.execute(_REMOVED, parameters)
    with staging.frames_only(connection):
        for entity in named:
            connection.execute(_prior_query(entity))
        connection.execute(_delta_query(), parameters)
        connection.execute(_VERSIONS, parameters)
        connection.execute(_FINAL, parameters)
    for entity in named:
        _write(connection, entity)


def _prior_query(entity: Entity) -> str:
    values = " ".join(f"when '{item.name}' then to_jsonb(g.{item.name})" for item in entity.items)
    return _PRIOR.format(entity=entity.name, values=values)


def _delta_query() -> str:
    return _DELTA.format(
        source=journal.SOURCE_OF.format(change_id="change_id"),
        source_before=journal.SOURCE_OF.format(change_id="change_before"),
        source_prior=journal.SOURCE_OF.format(change_id="prior_change"),
    )


def _write(connection: psycopg.Connection, entity: Entity) -> None:
    names = [item.name for item in entity.items]
    columns = ", ".join(names)
    from_columns = ", ".join(f"r.{name}" for name in names)
    for statement in (_UPDATE, _INSERT):
        connection.execute(statement.format(entity=entity.name, columns=columns, from_columns=from_columns))
    connection.execute(f"delete from golden.{entity.name} where golden_id in (select golden_id from stage_removed)")
