"""Standing verdicts: what the rules say of the golden records that a part touched, and of those that depend on them.

The rows are those that the audit reads, restricted to these records, so both always find the same. A violation opens
when a rule begins to speak against a record, and closes by itself, with a note, when it no longer does.
"""

from functools import cache

import psycopg

from golden_records import catalogue, scopes, staging, unjudged
from rules import registry
from rules.model import Scope, Severity

# A kind of judged record, and the scopes whose rules are asked then. Suppliers' periods and links are asked for where
# something was said of them: they depend on little else.
KINDS: dict[str, tuple[Scope, ...]] = {
    "point": (Scope.POINT, Scope.RECORD_AT_POINT),
    "supply": (Scope.SUPPLIER_PERIOD,),
    "link": (Scope.LINK,),
    "appointment": (Scope.APPOINTMENT, Scope.APPOINTMENT_AT_POINT),
    "meter": (Scope.METER, Scope.SERIAL, Scope.PROVIDER),
    "fitting": (Scope.METER_AT_POINT,),
    "address": (Scope.ADDRESS,),
}

# With points, the records of their appointments are asked about.
_ASKED = {**KINDS, "appointment": (*KINDS["appointment"], Scope.RECORD_AT_POINT)}

# Of a point that changed, what stands at it is judged anew where the change is one that its rules ask for.
_JUDGE = """
with changed as materialized (
    select entity, golden_id, bool_or(item_group in ('registration', 'connection')) as moves_meters,
           bool_or(item_group in ('registration', 'connection', 'segment', 'supplier', 'link')) as moves_appointments,
           bool_or(item_group in ('connection', 'direction', 'supplier', 'link')) as moves_links
    from stage_delta group by 1, 2
), staged as materialized (
    select item_group, golden_id from (
        select item_group, source_id, golden_id from stage_version where item_group in ('supplier', 'link', 'asset')
        union all select item_group, source_id, prior_golden_id from stage_version
        where prior_golden_id is distinct from golden_id and item_group in ('supplier', 'link', 'asset')
    ) s
    where golden_id is not null and (item_group = 'asset' or (source_id, item_group) in (
        select source_id, item_group from golden.source_rank where place = 0))
), point as materialized (
    select golden_id from touched_point
    union select golden_id from changed where entity = 'metering_point'
    union select golden_id from staged where item_group in ('supplier', 'link')
), partner as materialized (
    select p.golden_id, l.golden_id as partner_id
    from (select golden_id from changed where entity = 'metering_point' and moves_links
          union select golden_id from staged where item_group = 'link') p
    cross join lateral (select key from (select * from golden.crosswalk c where c.golden_id = p.golden_id offset 0) c
                        where c.entity = 'metering_point' and c.unlinked_at is null limit 1) k
    cross join lateral (
        select c.golden_id
        from (select linked_mpan from golden.metering_point g
              where g.golden_id = p.golden_id and g.linked_mpan is not null offset 0) g
        left join lateral (select golden_id from golden.crosswalk c where c.entity = 'metering_point'
                           and c.key = g.linked_mpan and c.unlinked_at is null offset 0) c on true
        union all select golden_id from golden.metering_point l where l.linked_mpan = k.key) l
), appointment as materialized (
    select golden_id from changed where entity = 'appointment'
    union select a.golden_id from (
        select golden_id from changed where entity = 'metering_point' and moves_appointments
        union select golden_id from staged where item_group in ('supplier', 'link')
        union select g.metering_point_id from changed c
        cross join lateral (select metering_point_id from golden.appointment g
                            where g.golden_id = c.golden_id offset 0) g where c.entity = 'appointment'
        union select point_id from stage_left where entity = 'appointment'
    ) p cross join lateral (select golden_id from golden.appointment a
                            where a.metering_point_id = p.golden_id offset 0) a
    union select a.golden_id from changed c
    cross join lateral (select golden_id from golden.appointment a where a.contract_id = c.golden_id offset 0) a
    where c.entity = 'contract'
), own_meter as materialized (
    select golden_id from changed where entity = 'meter'
    union select golden_id from staged where item_group = 'asset'
), fitting as (
    select golden_id from own_meter
    union select m.golden_id from (
        select golden_id from changed where entity = 'metering_point' and moves_meters
        union select point_id from stage_appointed
        union select golden_id from stage_removed
    ) p cross join lateral (select golden_id from golden.meter m where m.metering_point_id = p.golden_id offset 0) m
), meter as (
    select golden_id from own_meter
    union select o.golden_id from own_meter m
    cross join lateral (select upper(replace(meter_id, ' ', '')) as serial from golden.meter g
                        where g.golden_id = m.golden_id offset 0) g
    cross join lateral (select golden_id from golden.meter o
                        where upper(replace(o.meter_id, ' ', '')) = g.serial offset 0) o
)
select 'point' as kind, golden_id from point
union select 'supply', golden_id from staged where item_group = 'supplier'
union select 'link', golden_id from staged where item_group = 'link'
union select 'link', p.golden_id from partner p
union select 'link', p.partner_id from partner p where p.partner_id is not null
union select 'appointment', golden_id from appointment
union select 'meter', golden_id from meter
union select 'fitting', golden_id from fitting
union select 'address', golden_id from changed where entity = 'address'
"""

_STAGE = f"insert into stage_judged (kind, golden_id) select kind, golden_id from ({_JUDGE}) judged"

Kinds = tuple[str, ...]

CHECKED: Kinds = ("supply", "fitting")
"""The kinds of which crossing.check() asks all that is asked of them, of new golden records."""

CHECKED_WITH_CONTRACTS: Kinds = (*CHECKED, "appointment")
"""The same where the contracts of appointments are locked."""

# A golden record that is put together of several records came past its rules in parts only.
_STAGE_UNCHECKED = f"""
{_STAGE}
where kind <> all (array[{{checked}}]::text[]) or golden_id not in (select golden_id from stage_delta)
   or golden_id in (select golden_id from stage_survivor where spoken is not null)
"""
_NOTE = unjudged.NOTE.format(judged=_JUDGE)

_INSERT = "insert into stage_verdict (rule, severity, golden_id, source_id, source_key, item_group)"

_JUDGED = """
select v.rule, v.severity, r.golden_id, r.source_id, r.source_key, r.item_group
from ({rows}) r cross join lateral (values {rules}) v (rule, severity, violated) where v.violated
"""

_CLOSE = """
with open as materialized (
    select j.golden_id, v.violation_id, v.rule, v.subject
    from (select distinct golden_id from stage_judged) j
    cross join lateral (select violation_id, rule, subject from golden.violation v
                        where v.golden_id = j.golden_id and v.closed_at is null offset 0) v
), healed as materialized (
    select o.violation_id from open o
    where exists (select from stage_judged j join (values {kinds}) k (kind, rule) using (kind)
                  where j.golden_id = o.golden_id and k.rule = o.rule)
      and not exists (select from stage_verdict s where s.rule = o.rule and s.golden_id = o.golden_id
                      and {subject} = o.subject)
), closed as (
    update golden.violation v set closed_at = clock_timestamp(), note = 'healed: the rule no longer speaks against it'
    where violation_id = any (array(select violation_id from healed))
    returning v.violation_id
)
insert into stage_subject (kind, subject_id, is_open) select 'violation', violation_id, false from closed
"""

_SUBJECT = "coalesce(s.source_id || '|' || s.item_group || '|' || s.source_key, '')"

# Where a golden record is judged, the source record named is the one whose value the rule speaks of.
_OPEN = """
with opened as (
    insert into golden.violation (rule, severity, golden_id, subject, source_id, source_key, item_group, change_id,
                                  opened_at)
    select s.rule, s.severity, s.golden_id, {subject}, coalesce(s.source_id, j.source_id),
           coalesce(s.source_key, j.source_key), coalesce(s.item_group, l.item_group),
           coalesce(r.change_id, l.change_id), clock_timestamp()
    from stage_verdict s
    left join lateral (
        select w.change_id, i.item_group
        from (values {items}) i (rule, place, item, item_group)
        cross join lateral (
            select (lineage ->> i.item)::bigint as change_id from (
                select lineage from golden.metering_point where golden_id = s.golden_id
                union all select lineage from golden.meter where golden_id = s.golden_id
                union all select lineage from golden.address where golden_id = s.golden_id
                union all select lineage from golden.appointment where golden_id = s.golden_id) g offset 0) w
        where i.rule = s.rule and s.source_id is null and w.change_id is not null order by i.place limit 1) l on true
    left join lateral golden.journalled(l.change_id) j on true
    left join golden.source_record r on r.source_id = s.source_id and r.source_key = s.source_key
        and r.item_group = s.item_group
    left join lateral (select violation_id from golden.violation v where v.closed_at is null
                       and v.golden_id = s.golden_id and v.rule = s.rule and v.subject = {subject} offset 0) v on true
    where v.violation_id is null
    order by s.golden_id, s.rule
    on conflict (golden_id, rule, subject) where closed_at is null do nothing
    returning violation_id
)
insert into stage_subject (kind, subject_id, is_open) select 'violation', violation_id, true from opened
"""

_AS_OF = "(select (max(committed_at) at time zone 'Europe/London')::date from stage_tx)"


def settle(connection: psycopg.Connection, *, checked: Kinds = ()) -> None:
    """Open and close the violations of what this part touched; what it wrote stands in the store by now.

    Kinds are `checked` where all that it wrote is new golden records, and crossing.check() has found nothing wrong with
    all that is known of them: what no other record can have made wrong meanwhile is not asked again.
    """
    with staging.pipelined(connection):
        connection.execute(unjudged.HOLD_OFF)
        connection.execute(_stage_unchecked(registry.edition(), checked) if checked else _STAGE)
        _settle(connection)


def note(connection: psycopg.Connection) -> None:
    """Note what this part touched, for another transaction to open and close its violations."""
    connection.execute(_NOTE)


def settle_noted(connection: psycopg.Connection, *, limit: int) -> bool:
    """Open and close the violations of what was noted, so many notes; tell whether there were any.

    Raises LockNotAvailable as unjudged.take() does.
    """
    if not unjudged.take(connection, limit=limit):
        return False
    with staging.pipelined(connection):
        _settle(connection)
    return True


@cache
def _stage_unchecked(_edition: int, kinds: Kinds) -> str:
    """Return what stages all but that of which crossing.check() leaves nothing to be found, by rules of severity E."""
    checked = (
        kind
        for kind in kinds
        if all(rule.severity is Severity.ERROR for scope in _ASKED[kind] for rule in registry.list_of_scope(scope))
    )
    return _STAGE_UNCHECKED.format(checked=", ".join(f"'{kind}'" for kind in checked))


def _settle(connection: psycopg.Connection) -> None:
    for statement in statements(registry.edition()):
        connection.execute(statement)


@cache
def statements(_edition: int) -> tuple[str, ...]:
    """Return what opens and closes the violations of what is judged, for the rules as they are configured."""
    judged = [
        _JUDGED.format(rows=scopes.stored(scope, chosen=_chosen(kind), day=_AS_OF), rules=rules)
        for kind, asked in KINDS.items()
        for scope in asked
        if (rules := _values(scope))
    ]
    kinds = ", ".join(
        f"('{kind}', {rule.code})"
        for kind, asked in _ASKED.items()
        for rule in registry.configured()
        if rule.scope in asked
    )
    return (
        f"{_INSERT} {' union all '.join(judged)}",
        _CLOSE.format(kinds=kinds, subject=_SUBJECT),
        _OPEN.format(items=_items(), subject=_SUBJECT),
    )


def _chosen(kind: str) -> str:
    kinds = "'point', 'appointment'" if kind == "point" else f"'{kind}'"
    return f"select golden_id from stage_judged where kind in ({kinds})"


def _values(scope: Scope) -> str:
    return ", ".join(f"({rule.code}, '{rule.severity}', {rule.condition})" for rule in registry.list_of_scope(scope))


def _items() -> str:
    """Write each rule's items with their groups, in order."""
    return ", ".join(
        f"({rule.code}, {place}, '{item}', '{group.name}')"
        for rule in registry.configured()
        for place, item in enumerate(rule.items)
        for entity, group in catalogue.load().groups()
        if entity.name == rule.entity and item in {each.name for each in group.items}
    )
