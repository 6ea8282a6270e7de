"""The inline checks of what a record says alone: the rules put to the staged records, before it is known who is who."""

from functools import cache

import psycopg

from golden_records import asof, staging
from rules import registry
from rules.model import Scope, Severity

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

_ROWS = {
    Scope.PERIOD: "select s.* from stage_record s where op = 'u' and effective_to is not null",
    Scope.PARTY: f"""
        select n.*, {asof.IS_AMONG_PARTICIPANTS} as is_participant
        from ({asof.parties("stage_record", "r.source_id, r.change_no, r.source_key, r.item_group", "r.op = 'u'")}) n
        {asof.PARTICIPANTS}""",
    # A copy that does not carry an item cannot be wrong about it.
    Scope.APPOINTMENT: """
        select s.*, item_values ->> 'contract_reference' as contract_reference from stage_record s
        where op = 'u' and item_group = 'appointment' and item_values ? 'contract_reference'""",
    Scope.METER: """
        select s.*, item_values ->> 'meter_type' as meter_type, item_values ->> 'esme_id' as esme_id,
               item_values ->> 'location' as location
        from stage_record s where op = 'u' and item_group = 'asset'""",
}

_RECORDS = """
select distinct r.source_id, r.change_no, r.source_key, r.item_group, v.rule, v.severity
from ({rows} offset 0) r cross join lateral (values {rules}) v (rule, severity, violated)
where v.violated
"""

INSERT = "insert into stage_violation (source_id, change_no, source_key, item_group, rule, severity)"


def check_records(connection: psycopg.Connection) -> None:
    """Put the rules that read one record alone to the staged records."""
    with staging.pipelined(connection), staging.frames_only(connection):
        connection.execute("set local enable_sort = off")  # keys are hashed: how many they are is not known beforehand
        for query in _record_queries(registry.edition()):
            connection.execute(f"{INSERT} {query}")
        connection.execute("set local enable_sort = on")


@cache
def _record_queries(_edition: int) -> tuple[str, ...]:
    """Return the statements for the rules as they are configured."""
    keys = values(Scope.POINT_KEY)
    carried = [_RECORDS.format(rows=rows, rules=rules) for scope, rows in _ROWS.items() if (rules := values(scope))]
    return (*([_POINT_KEYS.format(rules=keys)] if keys else []), *([" union all ".join(carried)] if carried else []))


def values(scope: Scope, *, severity: Severity = Severity.ERROR) -> str:
    """Write the rules of a scope, of one severity, as rows of rule, severity, violated; empty when there are none."""
    return ", ".join(
        f"({rule.code}, '{rule.severity}', {rule.condition})"
        for rule in registry.list_of_scope(scope)
        if rule.severity is severity
    )
