"""The inline checks: the rules of each scope put to the staged records, one statement a scope."""

from functools import cache

import psycopg

from golden_records import staging
from rules import registry
from rules.model import Scope

_POINT_KEYS = """
select r.source_id, r.change_no, r.source_key, r.item_group, b.rule, b.severity
from (
    select k.source_id, k.mpan, v.rule, v.severity
    from (
        select k.source_id, k.mpan, s.distributors as served_distributors,
               exists (select from golden.distributor_area d where d.distributor = substr(k.mpan, 1, 2)
                       and d.valid_from <= k.day and coalesce(d.valid_to, 'infinity') >= k.day) as known_distributor
        from (
            select source_id, case entity when 'metering_point' then key else point_key end as mpan,
                   (coalesce(max(committed_at), now()) at time zone 'Europe/London')::date as day
            from stage_record left join stage_tx using (tx)
            where op = 'u' and (entity = 'metering_point' or point_key is not null) group by 1, 2
        ) k left join golden.source_system s on s.source_id = k.source_id and s.kind = 'SMRS'
        offset 0
    ) k
    cross join lateral (values {rules}) v (rule, severity, violated)
    where v.violated
    offset 0
) b
join stage_record r on r.source_id = b.source_id and r.op = 'u'
    and case r.entity when 'metering_point' then r.key else r.point_key end = b.mpan
"""

_RECORDS = """
select r.source_id, r.change_no, r.source_key, r.item_group, v.rule, v.severity
from (select s.*, {columns} from stage_record s where op = 'u' and item_group = '{item_group}') r
cross join lateral (values {rules}) v (rule, severity, items, violated)
where v.violated and r.item_values ?& v.items
"""

# A point is what this part makes of it at the transaction, else what its golden record says. What a steward decided,
# which says but a few items, is checked when it is decided.
_AT_POINT = """
with said as (
    select golden_id, item_group, tx as from_tx, item_values,
           lead(tx) over (partition by golden_id, item_group order by tx) as until_tx
    from stage_survivor where item_group in ('registration', 'connection', 'segment')
)
select r.source_id, r.seq, r.source_key, r.item_group, v.rule, v.severity
from (
    select s.source_id, s.seq, s.source_key, s.item_group, {columns}
    from stage_version s
    left join lateral (select market_segment, connection_type, created_date, disconnection_date
                       from golden.metering_point p where p.golden_id = s.point_id offset 0) g on true
    {said}
    where s.op = 'u' and s.item_group = '{item_group}' and s.source_id <> 0
) r
cross join lateral (values {rules}) v (rule, severity, violated)
where v.violated
"""

_SAID = """
left join said {0} on {0}.item_group = '{0}' and {0}.golden_id = s.point_id and {0}.from_tx <= s.tx
    and ({0}.until_tx is null or {0}.until_tx > s.tx)
"""

_INSERT = "insert into stage_violation (source_id, change_no, source_key, item_group, rule, severity)"

_POINT_COLUMNS = {
    "market_segment": "segment",
    "connection_type": "connection",
    "created_date": "registration",
    "disconnection_date": "registration",
}


def check_records(connection: psycopg.Connection) -> None:
    """Put the rules that read one record alone to the staged records."""
    with staging.pipelined(connection):
        connection.execute("set local enable_sort = off")  # keys are hashed: how many they are is not known beforehand
        for query in _record_queries():
            connection.execute(f"{_INSERT} {query}")
        connection.execute("set local enable_sort = on")


@cache
def _record_queries() -> tuple[str, ...]:
    carried = tuple(
        _RECORDS.format(columns=_columns(scope), item_group=item_group, rules=_carried(scope))
        for scope, item_group in ((Scope.ADDRESS, "address"), (Scope.APPOINTMENT, "appointment"))
    )
    return (_POINT_KEYS.format(rules=_values(Scope.POINT_KEY)), *carried)


def check_at_points(connection: psycopg.Connection) -> int:
    """Put the rules on appointments and meters to the staged versions and the state of their points then."""
    with staging.frames_only(connection):
        checked = [connection.execute(f"{_INSERT} {query}") for query in _at_point_queries()]
    staging.wait(connection)
    return sum(cursor.rowcount for cursor in checked)


@cache
def _at_point_queries() -> tuple[str, ...]:
    said = "".join(_SAID.format(group) for group in sorted({*_POINT_COLUMNS.values()}))
    return tuple(
        _AT_POINT.format(columns=_columns(scope), said=said, item_group=item_group, rules=_values(scope))
        for scope, item_group in ((Scope.APPOINTMENT_AT_POINT, "appointment"), (Scope.METER_AT_POINT, "asset"))
    )


def _values(scope: Scope) -> str:
    return ", ".join(f"({rule.code}, '{rule.severity}', {rule.violated})" for rule in registry.list_of_scope(scope))


def _carried(scope: Scope) -> str:
    """Name the items too: a copy that does not carry an item cannot be wrong about it."""
    return ", ".join(
        f"({rule.code}, '{rule.severity}', array[{', '.join(repr(item) for item in rule.items)}], {rule.violated})"
        for rule in registry.list_of_scope(scope)
    )


def _columns(scope: Scope) -> str:
    return ", ".join(f"{_column(name)} as {name}" for name in scope.columns)


def _column(name: str) -> str:
    cast = "::date" if name.endswith("_date") else ""
    if group := _POINT_COLUMNS.get(name):
        return f"case when {group}.golden_id is null then g.{name} else ({group}.item_values ->> '{name}'){cast} end"
    return f"(s.item_values ->> '{name}'){cast}"
