"""All that is mastered and all that is held back, as rows to put rules to, and what the inline checks say of the same.

A row's `record` names it: "golden 17", or "quarantine 3" for what is held back, which is judged as it would be if it
were mastered now. Behind a bar stand the source and its key where the row is one record of several.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from golden_records import catalogue, copies, scopes
from rules import registry
from rules.model import Rule, Scope

HELD = "audited_held"
SAMPLE = "audited_sample"

# What is held back because of a rule, in the form of a source record, under the golden record that its key names.
_HELD = f"""
create temp table {HELD} on commit drop as
select q.quarantine_id, q.rules, q.record ->> 'entity' as entity, q.record ->> 'key' as key,
       coalesce(q.record ->> 'point_key', case q.record ->> 'entity' when 'metering_point' then q.record ->> 'key' end)
           as point_key,
       coalesce(k.golden_id, -q.quarantine_id) as golden_id, q.item_group, q.source_id, q.source_key,
       (q.record ->> 'effective_from')::timestamptz as effective_from,
       (q.record ->> 'effective_to')::timestamptz as effective_to,
       (q.record -> 'item_values') || jsonb_strip_nulls(jsonb_build_object(
           'metering_point_id', case when q.record ->> 'entity' <> 'metering_point' then p.golden_id end,
           'address_id', case q.item_group when 'site' then a.golden_id end, 'contract_id', c.golden_id))
           as item_values,
       q.change_id
from (select quarantine_id, coalesce(rules, array[rule]) as rules, record, item_group, source_id, source_key, change_id
      from golden.quarantine where closed_at is null and rule is not null and record is not null) q
left join golden.crosswalk k on k.entity = q.record ->> 'entity' and k.key = q.record ->> 'key'
    and k.unlinked_at is null
left join golden.crosswalk p on p.entity = 'metering_point' and p.key = q.record ->> 'point_key'
    and p.unlinked_at is null
left join golden.crosswalk a on a.entity = 'address' and a.key = q.record ->> 'address_key' and a.unlinked_at is null
left join golden.crosswalk c on c.entity = 'contract' and c.key = q.record ->> 'contract_key'
    and c.unlinked_at is null
"""

_RECORD = "golden_id, item_group, source_id, source_key, effective_from, effective_to, item_values, change_id"

# The golden record as it would be with what is held back laid over it: by itself, and with all else that is held back
# of the same record, as two values that came together may only together be wrong.
_AS_MASTERED = f"""
(select (jsonb_populate_record(w, h.laid || jsonb_build_object('golden_id', h.golden_id) || jsonb_build_object(
            'lineage', coalesce(w.lineage, '{{{{}}}}') || (select coalesce(jsonb_object_agg(i, h.change_id), '{{{{}}}}')
                                                      from jsonb_object_keys(h.laid) i)))).*,
        h.source_id as held_source, h.source_key as held_key, h.item_group as held_group
 from (select *, item_values as laid from {HELD}
       union all
       select h.*, o.item_values || h.item_values from {HELD} h cross join lateral (
           select golden.merge(o.item_values order by o.quarantine_id) as item_values, count(*) as count
           from {HELD} o where o.entity = h.entity and o.key = h.key) o where o.count > 1) h
 left join golden.{{entity}} w on w.golden_id = h.golden_id
 where h.entity = '{{entity}}' and h.rules && {{rules}}) g
"""

_KEYS_HELD = f"""
select h.golden_id, h.source_id, h.source_key, h.item_group, h.point_key as mpan,
       exists (select from golden.distributor_area d where d.distributor = substr(h.point_key, 1, 2)
               and d.valid_from <= {scopes.TODAY} and coalesce(d.valid_to, 'infinity') >= {scopes.TODAY})
           as known_distributor,
       s.distributors as served_distributors
from {HELD} h left join golden.source_system s on s.source_id = h.source_id and s.kind = 'SMRS'
where h.rules && {{rules}}
"""

_NO_RECORD = "null::smallint as source_id, null::text as source_key, null::text as item_group"
_HELD_RECORD = "g.held_source as source_id, g.held_key as source_key, g.held_group as item_group"

_ROWS_STORED = """
select {record} as record, r.golden_id, null::bigint as quarantine_id, null::int[] as held_rules, {columns}
from ({rows}) r
"""
_ROWS_HELD = f"""
select 'quarantine ' || h.quarantine_id as record, h.golden_id, h.quarantine_id, h.rules as held_rules, {{columns}}
from ({{rows}}) r join {HELD} h using (source_id, source_key, item_group)
"""

SUBJECT = "coalesce({row}.source_id || '|' || {row}.item_group || '|' || {row}.source_key, '')"
"""Which source record a violation is of, where the rule speaks of one."""

_INLINE = {
    "violation": """
        select concat('golden ', r.golden_id, '|', r.subject) as record from golden.violation r
        where r.closed_at is null and r.rule = {code} and {among}
    """,
    "conflict": """
        select {record} as record from golden.conflict r where r.closed_at is null and {among}
    """,
    "quarantine": """
        select 'quarantine ' || quarantine_id from golden.quarantine
        where closed_at is null and record is not null and {code} = any (coalesce(rules, array[rule]))
    """,
}

# What either of the two found, and which. Of what is mastered and yet to be judged, neither is wrong.
_COMPARE = """
with audit as (
    select distinct record from {table} where {condition}
), inline as ({inline}), unjudged as (
    select 'golden ' || unnest(golden_ids) as record from golden.unjudged where {is_judged}
)
select (select count(*) from inline), count(*) filter (where is_one),
       coalesce((array_agg(split_part(record, '|', 1) order by is_one desc, record))[:{sample}], '{{}}')
from (select coalesce(a.record, i.record) as record,
             (a.record is null or i.record is null)
                 and split_part(coalesce(a.record, i.record), '|', 1) not in (select record from unjudged) as is_one
      from audit a full join inline i on i.record = a.record) found
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How many the inline checks found, how many only one of the two did, and some of those found, these first."""

    inline: int
    differing: int
    sample: Sequence[str]


def prepare(connection: psycopg.Connection, *, sample: int | None) -> None:
    """Make the temporary tables of what is held back, and of the golden records chosen at random for a sample.

    A sample is of so many golden records of each entity, and of nothing that is held back.
    """
    connection.execute(_HELD)
    connection.execute(f"create temp table {SAMPLE} (golden_id bigint primary key) on commit drop")
    if sample is not None:
        connection.execute(f"truncate {HELD}")
        for entity in catalogue.load().entities:
            connection.execute(
                f"insert into {SAMPLE} select golden_id from golden.{entity} order by random() limit %s", [sample]
            )
    connection.execute(f"analyze {HELD}, {SAMPLE}")


def rows(scope: Scope, *, is_sample: bool) -> str:
    """Return the select of all rows of a scope, stored and held back; KeyError where the store has no such rows."""
    chosen = f"select golden_id from {SAMPLE}" if is_sample else None
    columns = ", ".join(f"r.{name}" for name in scope.columns)
    if scope is Scope.COPY:
        return _ROWS_STORED.format(record=_identity(scope), columns=columns, rows=copies.stored(chosen))
    stored = scopes.stored(scope, chosen=chosen)
    return " union all ".join(
        [
            _ROWS_STORED.format(record=_identity(scope), columns=columns, rows=stored),
            _ROWS_HELD.format(columns=columns, rows=_held(scope)),
        ]
    )


def compare(connection: psycopg.Connection, rule: Rule, table: str, *, is_sample: bool, sample: int) -> Comparison:
    """Compare what a rule speaks against in a table of rows() with what stands of it as conflict, violation or held."""
    query = _COMPARE.format(
        table=table,
        condition=condition(rule),
        inline=_inline(rule, is_sample=is_sample),
        is_judged=rule.scope is not Scope.COPY,
        sample=sample,
    )
    row = connection.execute(query).fetchone()
    return Comparison(inline=row[0], differing=row[1], sample=row[2]) if row else _NOTHING


_NOTHING = Comparison(inline=0, differing=0, sample=())


def condition(rule: Rule) -> str:
    """Return a rule's condition over rows(): of what is held back only because of other rules it says nothing."""
    return f"({rule.condition}) and (held_rules is null or {rule.code} = any (held_rules))"


def _inline(rule: Rule, *, is_sample: bool) -> str:
    kinds = ["conflict"] if rule.scope is Scope.COPY else ["violation"]
    if not is_sample and rule.scope is not Scope.COPY:
        kinds.append("quarantine")
    among = f"r.golden_id in (select golden_id from {SAMPLE})" if is_sample else "true"
    return " union ".join(
        _INLINE[kind].format(record=_identity(rule.scope), code=rule.code, among=among) for kind in kinds
    )


def _identity(scope: Scope) -> str:
    """Write what tells a row of `r` from others: most are one golden record, some one source record or item of it."""
    if scope is Scope.COPY:
        return "concat('golden ', r.golden_id, '|', r.source_id, '|', r.item)"
    return f"concat('golden ', r.golden_id, '|', {SUBJECT.format(row='r')})"


def _held(scope: Scope) -> str:
    """Return the select of what is held back because of rules of a scope, as that scope's rows."""
    codes = [str(rule.code) for rule in registry.configured() if rule.scope is scope]
    rules = f"array[{', '.join(codes)}]::int[]"
    if scope is Scope.POINT_KEY:
        return _KEYS_HELD.format(rules=rules)
    stored = scopes.stored(scope)
    if scope.is_of_records:
        return stored.replace("golden.source_record r", f"(select {_RECORD} from {HELD} where rules && {rules}) r")
    with_held = f"(select {_RECORD} from golden.source_record union all select {_RECORD} from {HELD})"
    if scope is Scope.METER_AT_POINT:
        stored = stored.replace("golden.source_record", with_held)
    as_mastered = _AS_MASTERED.format(entity=scope.entity, rules=rules)
    return (
        stored.replace(_NO_RECORD, _HELD_RECORD)
        .replace(f"golden.{scope.entity} g ", f"{as_mastered} ")
        .replace(f"golden.{scope.entity} g\n", f"{as_mastered}\n")
    )


_NAMES = """
select k.source_key, coalesce('quarantine ' || min(q.quarantine_id), 'golden ' || min(r.golden_id), 'not captured')
from unnest(%(keys)s::text[]) k (source_key)
left join golden.source_system s on s.name = %(source)s
left join golden.source_record r on r.source_id = s.source_id and r.source_key = k.source_key
left join golden.quarantine q on q.source_id = s.source_id and q.source_key = k.source_key and q.closed_at is null
group by k.source_key order by k.source_key
"""


def list_names(connection: psycopg.Connection, *, source: str, source_keys: Sequence[str]) -> list[str]:
    """Return what the hub calls these records of a source: a golden record, or what is held back; never their keys."""
    rows = connection.execute(_NAMES, {"source": source, "keys": list(source_keys)}).fetchall()
    return list(dict.fromkeys(name for _, name in rows))
