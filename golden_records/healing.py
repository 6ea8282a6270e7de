"""Healing: a held record is put through again when something comes that its rule may have waited for.

That is a change of its point, of what stands there, or of the contract or the linked point that it names: in a later
part, or later in the part that it came with itself.
"""

from collections.abc import Sequence

import psycopg

from golden_records import rows, staging
from rules import registry

_GROUPS = (
    *("registration", "connection", "metered", "direction", "segment", "supplier", "link", "profile", "consent"),
    *("appointment", "asset", "provider", "contract"),
)

# Whoever renews a held record locks it first, and is not waited for: what it brings takes the place of what was held.
# Of what is deleted no key is told.
_STAGE = """
with told as (
    select case entity when 'metering_point' then key else point_key end as point_key,
           case when entity in ('contract', 'metering_point') then entity || '|' || key end as other_key, tx
    from stage_record where op = 'u' and quarantine_id is null and item_group = any (%(groups)s)
    union all
    select case p.entity when 'metering_point' then c.key end, p.entity || '|' || c.key, p.tx
    from (
        select s.tx, case when r.item_group in ('appointment', 'asset', 'provider') then 'metering_point'
                          else s.entity end as entity,
               case when r.item_group in ('appointment', 'asset', 'provider')
                    then (r.item_values ->> 'metering_point_id')::bigint else r.golden_id end as golden_id
        from stage_record s
        cross join lateral (
            select golden_id, item_group, item_values from golden.source_record r
            where r.source_id = s.source_id and r.source_key = s.source_key and r.item_group = s.item_group offset 0) r
        where s.op = 'd' and s.item_group = any (%(groups)s)
    ) p
    join golden.crosswalk c on c.golden_id = p.golden_id and c.entity = p.entity and c.unlinked_at is null
), changed as materialized (
    select point_key, other_key, max(tx) as tx from told
    where exists (select from golden.quarantine where closed_at is null and rule = any (%(rules)s))
    group by 1, 2
), waiting as (
    select quarantine_id, max(tx) as tx from (
        select q.quarantine_id, p.tx from changed p join golden.quarantine q on q.point_key = p.point_key
        where q.closed_at is null and q.rule = any (%(rules)s)
        union all
        select q.quarantine_id, p.tx from changed p join golden.quarantine q on q.other_key = p.other_key
        where q.closed_at is null and q.other_key is not null and q.rules && %(others)s::int[]
    ) found group by 1
), healed as (
    insert into stage_record
    select (jsonb_populate_record(null::stage_record, q.record || jsonb_build_object(
        'source_id', q.source_id, 'change_no', 1000000 + q.quarantine_id, 'tx', w.tx, 'change_id', q.change_id,
        'quarantine_id', q.quarantine_id))).*
    from waiting w join golden.quarantine q using (quarantine_id)
    where q.closed_at is null and q.record is not null and not exists (
        select from stage_record r
        where r.source_id = q.source_id and r.source_key = q.source_key and r.item_group = q.item_group)
    for no key update of q skip locked
    returning quarantine_id
), noted as (
    insert into stage_retry select quarantine_id from healed except select quarantine_id from stage_retry
)
select count(*) from healed
"""

# A version that is held is tried again at the next transaction of the part that may heal it, unless its source renews
# it itself; its number tells it from what was held.
_STAGE_LATER = """
with tried as (
    insert into stage_version
    select (jsonb_populate_record(v, jsonb_build_object(
        'tx', n.tx, 'seq', v.seq + 1000000000000, 'quarantine_id', q.quarantine_id))).*
    from (select distinct source_id, change_no as seq, source_key, item_group from stage_violation
          where severity = 'E') b
    join stage_version v using (source_id, seq, source_key, item_group)
    join golden.quarantine q on q.closed_at is null and q.source_id = v.source_id and q.source_key = v.source_key
        and q.item_group = v.item_group
    cross join lateral (
        select min(c.tx) as tx from stage_version c
        where c.tx > v.tx and c.item_group = any (%(groups)s)
          and (c.source_id, c.source_key, c.item_group) <> (v.source_id, v.source_key, v.item_group)
          and (coalesce(v.point_id, v.golden_id) in (c.point_id, c.golden_id, c.prior_golden_id)
               or (v.item_values ->> 'contract_id')::bigint = c.golden_id)) n
    where n.tx is not null and not exists (
        select from stage_version l where l.source_id = v.source_id and l.source_key = v.source_key
           and l.item_group = v.item_group and l.seq > v.seq)
    returning quarantine_id
)
insert into stage_retry select quarantine_id from tried except select quarantine_id from stage_retry
"""


REFERENCE_RULES = (2, 15, 19, 27)
"""The rules of which reference data may heal a held record: participants, operators and distributors' areas."""


def cross_rules() -> list[int]:
    """Return the rules of which another record may heal a held one."""
    return [rule.code for rule in registry.RULES.values() if rule.scope.crosses_records]


def _other_rules() -> list[int]:
    """Return the rules that a contract or a linked point may heal."""
    reading = ("contract_is_known", "linked_")
    return [code for code, rule in registry.RULES.items() if any(name in rule.violated for name in reading)]


def stage(connection: psycopg.Connection) -> psycopg.Cursor:
    """Put the quarantined records that this part may heal through again, at the transaction that may do so.

    Call it when the points are locked, too: whoever held a record back because of them has committed by then. The
    result says how many, when it is fetched.
    """
    return connection.execute(_STAGE, {"groups": list(_GROUPS), "rules": cross_rules(), "others": _other_rules()})


def stage_later(connection: psycopg.Connection) -> None:
    """Stage the versions that are held now anew, at what comes later in the part; call it before they are dropped."""
    with staging.frames_only(connection):
        connection.execute(_STAGE_LATER, {"groups": list(_GROUPS)})


def is_any_waiting(connection: psycopg.Connection) -> bool:
    """Tell whether anything is held back that another record may heal."""
    query = "select exists (select from golden.quarantine where closed_at is null and rule = any (%s))"
    return bool(rows.single(connection, query, [cross_rules()]))


def list_waiting(connection: psycopg.Connection, golden_ids: Sequence[int]) -> list[int]:
    """Return what is held back and may be healed by a change of any of these golden records."""
    if not is_any_waiting(connection):
        return []
    found = connection.execute(
        """
        select q.quarantine_id from golden.crosswalk c
        join golden.quarantine q on c.entity = 'metering_point' and q.point_key = c.key
            or q.other_key = c.entity || '|' || c.key
        where c.golden_id = any (%s) and c.unlinked_at is null and q.closed_at is null and q.rule = any (%s)
        group by q.quarantine_id order by q.quarantine_id
        """,
        [list(golden_ids), cross_rules()],
    )
    return [row[0] for row in found.fetchall()]
