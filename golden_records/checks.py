"""The inline checks of what a record says alone: the rules put to the staged records, before it is known who is who."""

from functools import cache

import polars as pl
import psycopg

from golden_records import asof, staging
from rules import registry
from rules.model import Scope, Severity

# The rules are put to each key once; which of them speaks is asked only of those that any speaks against. Days and
# areas are worked out for the few transactions and distributors of a part, not for each key.
_POINT_KEYS = """
with named as materialized (
    select source_id, case entity when 'metering_point' then key else point_key end as mpan,
           coalesce(max(day), (now() at time zone 'Europe/London')::date) as day
    from stage_record left join (
        select tx, (committed_at at time zone 'Europe/London')::date as day from stage_tx offset 0) t using (tx)
    where op = 'u' and (entity = 'metering_point' or point_key is not null) group by 1, 2
), known as materialized (
    select distributor, day from (select distinct substr(mpan, 1, 2) as distributor, day from named) n
    where exists (select from golden.distributor_area d where d.distributor = n.distributor
                  and d.valid_from <= n.day and coalesce(d.valid_to, 'infinity') >= n.day)
)
select r.source_id, r.change_no, r.source_key, r.item_group, b.rule, b.severity
from (
    select k.source_id, k.mpan, v.rule, v.severity
    from (
        select n.source_id, n.mpan, s.distributors as served_distributors,
               (substr(n.mpan, 1, 2), n.day) in (select distributor, day from known) as known_distributor
        from named n left join golden.source_system s on s.source_id = n.source_id and s.kind = 'SMRS'
        offset 0
    ) k
    cross join lateral (values {rules}) v (rule, severity, violated)
    where ({any_violated}) and v.violated
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


def read_by_rules() -> pl.Expr:
    """Tell whether a record is one that rules on records read (_ROWS), as an expression over its frame."""
    return pl.col("effective_to").is_not_null() | pl.col("item_group").is_in(_READ)


_READ = sorted({*asof.NAMING_PARTIES, "appointment", "asset"})

_RECORDS = """
select distinct r.source_id, r.change_no, r.source_key, r.item_group, v.rule, v.severity
from ({rows} offset 0) r cross join lateral (values {rules}) v (rule, severity, violated)
where v.violated
"""

INSERT = "insert into stage_violation (source_id, change_no, source_key, item_group, rule, severity)"


def check_records(connection: psycopg.Connection, *, are_keys_known: bool = False) -> None:
    """Put the rules that read one record alone to the staged records; those on keys not where all keys have passed."""
    with staging.pipelined(connection), staging.frames_only(connection):
        connection.execute("set local enable_sort = off")  # keys are hashed: how many they are is not known beforehand
        for query in _record_queries(registry.edition(), are_keys_known=are_keys_known):
            connection.execute(f"{INSERT} {query}")
        connection.execute("set local enable_sort = on")


@cache
def _record_queries(_edition: int, *, are_keys_known: bool) -> tuple[str, ...]:
    """Return the statements for the rules as they are configured."""
    keys = "" if are_keys_known else values(Scope.POINT_KEY)
    carried = [_RECORDS.format(rows=rows, rules=rules) for scope, rows in _ROWS.items() if (rules := values(scope))]
    return (
        *([_POINT_KEYS.format(rules=keys, any_violated=_any_violated(Scope.POINT_KEY))] if keys else []),
        *([" union all ".join(carried)] if carried else []),
    )


def _any_violated(scope: Scope) -> str:
    return " or ".join(f"({rule.condition})" for rule in registry.list_of_scope(scope))


def values(scope: Scope, *, severity: Severity = Severity.ERROR) -> str:
    """Write the rules of a scope, of one severity, as rows of rule, severity, violated; empty when there are none."""
    return ", ".join(
        f"({rule.code}, '{rule.severity}', {rule.condition})"
        for rule in registry.list_of_scope(scope)
        if rule.severity is severity
    )
