"""Assembly: from surviving values to versions and typed golden rows.

What changed is worked out item by item against the version before; a value that its source sends again unchanged is
no change. Versions are dense: one a golden record and source transaction (law 3).
"""

from collections.abc import Callable, Sequence

import psycopg

from golden_records import catalogue, journal, survivorship
from golden_records.catalogue import Entity, Group
from golden_records.routines import Routine, frames, when

# What a group of items says now against what it said before, in this part or in the golden record. Most of what follows
# in a part says the same again, and is not looked at item by item.
_DELTA = """
insert into stage_delta (golden_id, entity, tx, item_group, version, change_id, candidates, changed, lineage)
select w.golden_id, '{entity}', w.tx, w.item_group, g.version, coalesce(w.cause_id, w.change_id),
       case when w.candidates is not null then {reversed} end, d.changed, d.lineage
from (
    select * from (
        select *, row_number() over w as place, lag(item_values) over w as values_before,
               lag(change_id) over w as change_before, lag(spoken) over w as spoken_before
        from stage_survivor where not is_aside and entity = '{entity}'
        window w as (partition by golden_id, item_group order by tx)
    ) s
    where place = 1 or item_values is distinct from values_before or spoken is distinct from spoken_before
       or {source} is distinct from {source_before}
) w
join (select item_group, array_agg(item) as items from golden.catalogue_item group by 1) k using (item_group)
left join lateral (
    select version, lineage,
           case when w.place = 1 then jsonb_strip_nulls(case w.item_group {values} end) end as item_values
    from golden.{entity} g where g.golden_id = w.golden_id offset 0) g on true
cross join lateral (
    select jsonb_object_agg(item, value) as changed,
           jsonb_object_agg(item, case when value is not null then change_id end) as lineage
    from (
        select i.item, w.item_values -> i.item as value,
               coalesce((w.spoken ->> i.item)::bigint, w.change_id) as change_id,
               case when w.place > 1 then w.values_before -> i.item else g.item_values -> i.item end as value_before,
               case when w.place > 1 then coalesce((w.spoken_before ->> i.item)::bigint, w.change_before)
                    else (g.lineage ->> i.item)::bigint end as change_before
        from unnest(k.items) i (item)
        offset 0
    ) i
    where value is distinct from value_before or value is not null and {source} <> {source_before}
) d
where d.changed is not null
"""

_LEFT = """
insert into stage_left (entity, point_id, tx)
select d.entity, g.metering_point_id, d.tx from stage_delta d
cross join lateral (select metering_point_id from golden.{entity} g where g.golden_id = d.golden_id offset 0) g
where d.entity = '{entity}' and d.changed ? 'metering_point_id' and g.metering_point_id is not null
"""

_REMOVED = """
with leaving as materialized (
    select distinct prior_golden_id as golden_id from stage_version
    where prior_golden_id is not null and prior_golden_id is distinct from golden_id and entity = any (%(entities)s)
    except select golden_id from stage_version where op = 'u' and until_tx is null
), said as materialized (
    select l.golden_id, r.source_id, r.source_key, r.item_group
    from leaving l join golden.source_record r using (golden_id)
    where r.source_id <> 0  -- what a steward decided of it does not keep it
), kept as (
    select s.golden_id from said s left join stage_version v using (source_id, source_key, item_group)
    where v.source_id is null
)
insert into stage_removed
select golden_id from leaving where golden_id not in (select golden_id from kept)
"""

# Where no source's change is behind a version, the hub's own is: a date that has come.
_VERSIONS = """
with made as materialized (
    select golden_id, entity, tx, max(version) as version, max(change_id) as change_id,
           golden.merge(changed) as changed, golden.merge(lineage) as lineage,
           jsonb_object_agg(item_group, candidates) filter (where candidates is not null) as candidates
    from stage_delta where entity = any (%(entities)s) group by golden_id, entity, tx
), written as (
    insert into golden.golden_version (golden_id, version, entity, op, source_id, change_id, commit_lsn, committed_at,
                                       recorded_at, changed, lineage, candidates, policy_id)
    select d.golden_id,
           coalesce(d.version, (select max(version) from golden.golden_version v where v.golden_id = d.golden_id), 0)
               + d.place,
           d.entity,
           case when d.tx = d.last_tx and d.golden_id in (select golden_id from stage_removed) then 'd'
                when d.version is null and d.place = 1 then 'c'
                else 'u' end,
           t.source_id,
           coalesce(d.change_id, (select max(j.change_id) from golden.journal_change j
                                  where j.source_id = %(hub)s and j.commit_lsn = t.commit_lsn)),
           t.commit_lsn, t.committed_at, clock_timestamp(), d.changed, jsonb_strip_nulls(d.lineage), d.candidates,
           (select max(policy_id) from golden.policy)
    from (select *, row_number() over (partition by golden_id order by tx) as place,
                 max(tx) over (partition by golden_id) as last_tx from made) d
    join stage_tx t using (tx)
    order by d.golden_id, d.tx
)
insert into stage_final (golden_id, entity, is_new, versions, updated_at, changed, lineage)
select d.golden_id, d.entity, d.is_new, d.versions, t.committed_at, g.changed, g.lineage
from (
    select golden_id, entity, bool_and(version is null) as is_new, count(*) as versions, max(tx) as tx
    from made group by golden_id, entity
) d
join (
    select golden_id, golden.merge(changed order by tx) as changed, golden.merge(lineage order by tx) as lineage
    from stage_delta where entity = any (%(entities)s) group by golden_id, item_group
) g using (golden_id)
join stage_tx t using (tx)
where d.golden_id not in (select golden_id from stage_removed)
"""

# Staged group by group, so that a row fits its page: all groups of a golden record together may be longer.
_FINAL = """(
    select golden_id, min(versions) as versions, min(updated_at) as updated_at, golden.merge(changed) as changed,
           golden.merge(lineage) as lineage
    from stage_final where entity = '{entity}' and {is_new} group by golden_id) f
"""

_UPDATE = """
update golden.{entity} g
set ({columns}) = (select {columns} from jsonb_populate_record(g, f.changed)),
    version = g.version + f.versions, updated_at = f.updated_at,
    lineage = jsonb_strip_nulls(g.lineage || f.lineage)
from {known}
where g.golden_id = f.golden_id
"""

_INSERT = """
insert into golden.{entity} (golden_id, version, {columns}, lineage, updated_at)
select f.golden_id,
       coalesce((select max(version) from golden.golden_version v where v.golden_id = f.golden_id), f.versions),
       {from_columns}, jsonb_strip_nulls(f.lineage), f.updated_at
from {new}
cross join lateral jsonb_populate_record(null::golden.{entity}, f.changed) r
order by f.golden_id
"""


def assemble(connection: psycopg.Connection, *, entities: Sequence[str]) -> None:
    """Write versions and typed rows of the golden records of these entities that the staged survivors change."""
    ASSEMBLE.call(connection, list(entities), journal.HUB)


def _find_changes(entity: Entity) -> list[str]:
    is_at_point = any(item.name == "metering_point_id" for item in entity.items)
    return [_delta_query(entity), *([_LEFT.format(entity=entity.name)] if is_at_point else [])]


def _delta_query(entity: Entity) -> str:
    values = " ".join(f"when '{group.name}' then jsonb_build_object({_members(group)})" for group in entity.groups)
    return _DELTA.format(
        entity=entity.name,
        values=values,
        reversed=survivorship.REVERSED.format("w.candidates"),
        source=journal.SOURCE_OF.format(change_id="change_id"),
        source_before=journal.SOURCE_OF.format(change_id="change_before"),
    )


def _members(group: Group) -> str:
    return ", ".join(f"'{item.name}', g.{item.name}" for item in group.items)


def _write(entity: Entity) -> list[str]:
    names = [item.name for item in entity.items]
    columns = ", ".join(names)
    from_columns = ", ".join(f"r.{name}" for name in names)
    known, new = (_FINAL.format(entity=entity.name, is_new=is_new) for is_new in ("not is_new", "is_new"))
    return [
        _UPDATE.format(entity=entity.name, columns=columns, known=known),
        _INSERT.format(entity=entity.name, columns=columns, from_columns=from_columns, new=new),
        f"delete from golden.{entity.name} where golden_id in (select golden_id from stage_removed)",
    ]


def _each(statements: Callable[[Entity], list[str]]) -> list[str]:
    """Return the statements for each entity, to be run where it is among those that are assembled."""
    return [
        when(f"'{entity.name}' = any (_entities)", statements(entity)) for entity in catalogue.load().entities.values()
    ]


ASSEMBLE = Routine(
    name="assemble",
    statements=(_REMOVED, *frames(*_each(_find_changes), _VERSIONS), *_each(_write)),
    parameters=("entities text[]", "hub int"),
)
