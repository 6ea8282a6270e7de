"""Is the golden store whole in itself? Dense versions, typed rows that follow from them, one record a thing."""

from collections.abc import Iterator

from mdm import db

_ENTITIES = ("metering_point", "meter", "address", "contract", "appointment")

_CHECKS = {
    "versions are not dense from 1": """
        select golden_id::text from golden.golden_version group by golden_id
        having min(version) <> 1 or max(version) <> count(*)
        """,
    "source transaction with more than one version of a golden record": """
        select golden_id::text from golden.golden_version where source_id <> 0
        group by golden_id, source_id, commit_lsn having count(*) > 1
        """,
    "key that is live twice": """
        select entity || ' ' || key from golden.crosswalk where unlinked_at is null
        group by entity, key having count(*) > 1
        """,
    "crosswalk without its golden record": """
        select c.crosswalk_id::text from golden.crosswalk c
        where not exists (select from golden.golden_record g where g.golden_id = c.golden_id and g.entity = c.entity)
        """,
    "golden record without a key": """
        select g.golden_id::text from golden.golden_record g
        where not exists (select from golden.crosswalk c where c.golden_id = g.golden_id and c.unlinked_at is null)
        """,
    "metering point twice": "select mpan from golden.metering_point where mpan is not null group by 1"
    " having count(*) > 1",
    "meter twice": "select upper(replace(meter_id, ' ', '')) from golden.meter group by upper(replace(meter_id,"
    " ' ', '')), upper(coalesce(make, '')) having count(*) > 1",
    "address twice": "select uprn from golden.address where uprn is not null group by 1 having count(*) > 1",
    "contract twice": "select reference from golden.contract group by supplier_mpid, reference having count(*) > 1",
    "appointment twice": "select mpan from golden.appointment group by mpan, role, appointed_from having count(*) > 1",
    "source record of a golden record that is gone": """
        select r.source_key from golden.source_record r
        where not exists (select from golden.golden_record g where g.golden_id = r.golden_id)
        """,
    "source key said of two golden records at once": """
        select source_key from golden.source_record group by source_id, source_key, item_group having count(*) > 1
        """,
    "change id that is no change": """
        select r.source_key from golden.source_record r
        where not exists (select from golden.journal j where j.change_id = r.change_id)
        """,
    "journal entries of a transaction that are not dense": """
        select commit_lsn::text from golden.journal where source_id <> 0 and op <> 'r'
        group by source_id, commit_lsn having count(distinct ordinal) <> count(*)
        """,
    "load that is not done": "select relation from hub.table_load where state <> 'done'",
    "chunk that is not done": "select relation from hub.snapshot_chunk where done_at is null",
    "source row that was loaded twice": """
        select source_key from golden.journal where op = 'r'
        group by source_id, commit_lsn, source_key having count(*) > 1
        """,
}

# What a golden record is now, told by its versions: of each item the value of the last version that changed it.
_REPLAY = """
with told as (
    select distinct on (v.golden_id, c.key) v.golden_id, c.key as item, c.value
    from golden.golden_version v cross join lateral jsonb_each(v.changed) c
    where v.entity = '{entity}' order by v.golden_id, c.key, v.version desc
), folded as (
    select golden_id, jsonb_object_agg(item, value) filter (where value <> 'null') as items from told group by 1
), last as (
    select golden_id, max(version) as version, (array_agg(op order by version desc))[1] as op
    from golden.golden_version where entity = '{entity}' group by 1
)
select coalesce(g.golden_id, l.golden_id)::text
from last l left join folded f using (golden_id)
full join golden.{entity} g on g.golden_id = l.golden_id
where (l.op = 'd') is distinct from (g.golden_id is null)
   or g.golden_id is not null and (g.version <> l.version or coalesce(f.items, '{{}}') <>
        jsonb_strip_nulls(to_jsonb(g) - array['golden_id', 'version', 'lineage', 'updated_at']))
"""


def differences(hub: db.Connection) -> Iterator[str]:
    """Return what is wrong, each with some of the places."""
    checks = _CHECKS | {f"{entity} that its versions do not explain": _replay(entity) for entity in _ENTITIES}
    for name, query in checks.items():
        rows = hub.execute(query.encode()).fetchall()
        if rows:
            yield f"{name}: {len(rows)}, such as {', '.join(str(row[0]) for row in rows[:3])}"


def _replay(entity: str) -> str:
    return _REPLAY.format(entity=entity)
