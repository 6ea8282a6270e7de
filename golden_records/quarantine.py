"""Quarantine: what cannot be mastered waits with its position and reason, and can be put through again (law 6).

A record of severity E is taken out of the batch, so the last good golden value stays. An open row closes as
`superseded` when its source sends the record anew, `withdrawn` when the source deletes it, `mastered` when it was put
through again and passed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from golden_records import healing, journal, staging
from rules import registry


def _closed(op: str) -> str:
    """Write when and how a row closes that a later change of the same part, of this kind, renews or withdraws."""
    return (
        f"case when {op} is not null then clock_timestamp() end,"
        f" case when {op} = 'd' then 'withdrawn' when {op} is not null then 'superseded' end"
    )


_LOOK = """
select exists (select from golden.quarantine where closed_at is null and source_id = any (%(sources)s)) as is_held,
       exists (select from stage_reject) as is_rejected,
       exists (select from stage_record where op = 'u' and key is null) as is_keyless,
       exists (select from stage_violation where severity = 'E') as is_refused,
       (select count(*) from stage_violation) as violations
"""


def _noted(statement: str, *ctes: str) -> str:
    """Have what a statement opens or closes noted as a subject; the statement is the last of its CTEs."""
    return f"""
with {"".join(f"{cte}, " for cte in ctes)}written as ({statement} returning q.quarantine_id, q.closed_at)
insert into stage_subject (kind, subject_id, is_open) select 'quarantine', quarantine_id, closed_at is null from written
"""


_CLOSE_RENEWED = _noted(
    """
update golden.quarantine q
set closed_at = clock_timestamp(), outcome = case n.op when 'd' then 'withdrawn' else 'superseded' end
from found n
where q.quarantine_id = n.quarantine_id and q.quarantine_id = any (array(select quarantine_id from found))
""",
    """renewed as (
    select source_id, source_key, item_group, (array_agg(op order by change_no desc))[1] as op
    from stage_record where quarantine_id is null group by 1, 2, 3
)""",
    """found as materialized (
    select o.quarantine_id, n.op from renewed n cross join lateral (
        select quarantine_id from golden.quarantine o
        where o.closed_at is null and o.source_id = n.source_id and o.source_key = n.source_key
          and o.item_group = n.item_group offset 0) o
)""",
)

# A rejected change has no record, so what renews it is a later change of the same row, or what takes its key away; not
# one that leaves out, as unchanged, a value that was the reason.
_RENEWS = """
(later.op <> 'u' or not exists (
    select from jsonb_object_keys({payload}) as member (name)
    where not later.payload ? name
      and (not starts_with({reason}, 'column ') or strpos({reason}, 'column ' || name || ':') > 0)))
"""

_CLOSE_REJECTS = _noted(f"""
update golden.quarantine q
set closed_at = clock_timestamp(), outcome = case n.op when 'd' then 'withdrawn' else 'superseded' end
from (
    select o.quarantine_id, (array_agg(later.op order by later.change_id desc))[1] as op
    from (
        select change_id, source_id, source_key, op, payload from golden.journal
        where kept_under between %(first)s and %(last)s and source_id = any (%(sources)s)
        union all select change_id, source_id, source_key, op, null from stage_record where op = 'd'
    ) later
    cross join lateral (
        select quarantine_id, reason, change_id from golden.quarantine o
        where o.closed_at is null and o.source_id = later.source_id and o.source_key = later.source_key
          and o.item_group = '' offset 0) o
    left join golden.journal_change held on held.change_id = o.change_id
    where {_RENEWS.format(payload="held.payload", reason="o.reason")}
    group by 1
) n
where q.quarantine_id = n.quarantine_id
""")

_CLOSE_TRUNCATED = _noted("""
update golden.quarantine q set closed_at = clock_timestamp(), outcome = 'withdrawn'
from golden.journal_change t
where t.change_id between %(first)s and %(last)s and t.source_id = any (%(sources)s) and t.op = 't'
  and q.closed_at is null and q.source_id = t.source_id and starts_with(q.source_key, t.relation || '|')
""")

_STAGE_OPEN = """
insert into stage_record
select (jsonb_populate_record(null::stage_record, q.record || jsonb_build_object(
    'source_id', q.source_id, 'change_no', 1000000 + q.quarantine_id, 'tx', 0, 'change_id', q.change_id,
    'quarantine_id', q.quarantine_id))).*
from golden.quarantine q
where q.closed_at is null and q.record is not null and q.quarantine_id > %(after)s
  and (%(rules)s::int[] is null or q.rules && %(rules)s::int[])
order by q.quarantine_id limit %(limit)s
for no key update of q skip locked
"""

_NOTE_RETRIES = """
insert into stage_retry
select quarantine_id from stage_record where quarantine_id is not null except select quarantine_id from stage_retry
"""

# What comes later in this part may renew it already; a truncate of its table, last of all, withdraws it.
_ADD_REJECTS = _noted(
    f"""
insert into golden.quarantine as q (source_id, source_key, item_group, change_id, commit_lsn, ordinal, reason,
                               quarantined_at, closed_at, outcome)
select distinct on (r.source_key) r.source_id, r.source_key, '', r.change_id, r.commit_lsn, r.ordinal, r.reason,
       clock_timestamp(), {_closed("case when t.relation is null then n.op else 'd' end")}
from rejected r
left join renewal n using (change_id)
left join (select source_id, relation, max(change_id) as change_id from later where op = 't' group by 1, 2) t
    on t.source_id = r.source_id and t.relation = r.relation and t.change_id > r.change_id
where r.source_key is not null
order by r.source_key, r.change_id desc
on conflict (source_id, source_key, item_group) where closed_at is null do nothing
""",
    f"""rejected as materialized (
    select j.*, r.reason
    from (select change_id, string_agg(distinct reason, '; ' order by reason) as reason
          from stage_reject group by 1) r join golden.journal_change j using (change_id)
), later as materialized (
    select change_id, source_id, relation, source_key, op, payload from golden.journal_change
    where change_id > (select min(change_id) from rejected)
    union all select change_id, source_id, null, source_key, op, null from stage_record where op = 'd'
), renewal as (
    select r.change_id, (array_agg(later.op order by later.change_id desc))[1] as op
    from rejected r join later
        on later.source_id = r.source_id and later.source_key = r.source_key and later.change_id > r.change_id
        and {_RENEWS.format(payload="r.payload", reason="r.reason")}
    group by 1
)""",
)

# The codes are named in one array, so that whoever reads a held record sees all that speaks against it.
_ADD = _noted(
    """
insert into golden.quarantine as q (source_id, source_key, item_group, change_id, commit_lsn, ordinal, rule, rules,
                                    reason, record, point_key, other_key, quarantined_at, closed_at, outcome)
select distinct on (r.source_id, r.source_key, r.item_group)
       r.source_id, r.source_key, r.item_group, j.change_id, j.commit_lsn, j.ordinal, v.rules[1], v.rules,
       coalesce(n.title, 'The record has no key'), r.record,
       coalesce(r.record ->> 'point_key', case r.record ->> 'entity' when 'metering_point' then r.record ->> 'key' end),
       coalesce('contract|' || (r.record ->> 'contract_key'),
                'metering_point|' || (r.record -> 'item_values' ->> 'linked_mpan')),
       clock_timestamp(), {closed}
from broken v
join held r on r.source_id = v.source_id and r.source_key = v.source_key and r.item_group = v.item_group
    and r.seq = v.change_no
cross join lateral (
    select change_id, commit_lsn, ordinal from golden.journalled(r.change_id) offset 0) j
left join latest l on l.source_id = r.source_id and l.source_key = r.source_key and l.item_group = r.item_group
    and l.seq > r.seq
left join jsonb_to_recordset(%(titles)s::jsonb) n (code int, title text) on n.code = v.rules[1]
where r.quarantine_id is null
order by r.source_id, r.source_key, r.item_group, r.seq desc
on conflict (source_id, source_key, item_group) where closed_at is null do nothing
""",
    "held as not materialized ({records})",
    """broken as materialized (
    select source_id, change_no, source_key, item_group,
           array_agg(distinct rule order by rule) filter (where rule is not null) as rules
    from stage_violation where severity = 'E' group by 1, 2, 3, 4
)""",
    """latest as materialized (
    select source_id, source_key, item_group, max(seq) as seq, (array_agg(op order by seq desc))[1] as op
    from held
    where quarantine_id is null
      and (source_id, source_key, item_group) in (select source_id, source_key, item_group from broken)
    group by 1, 2, 3
)""",
)

# What is put through again may fail for other reasons than before.
_RENEW = """
update golden.quarantine q set rule = v.rules[1], rules = v.rules, reason = coalesce(n.title, q.reason)
from (
    select r.quarantine_id, array_agg(distinct v.rule order by v.rule) as rules
    from stage_violation v
    join ({records}) r on r.source_id = v.source_id and r.source_key = v.source_key
        and r.item_group = v.item_group and r.seq = v.change_no
    where v.severity = 'E' and r.quarantine_id is not null and v.rule is not null group by 1
) v
left join jsonb_to_recordset(%(titles)s::jsonb) n (code int, title text) on n.code = v.rules[1]
where q.quarantine_id = v.quarantine_id
"""

_DOUBT_KEYLESS = """
insert into stage_violation
select source_id, change_no, source_key, item_group, null, 'E' from stage_record where op = 'u' and key is null
"""

_STAGED = """
select s.source_id, s.source_key, s.item_group, s.op, s.change_no as seq, s.change_id, to_jsonb(s) as record,
       s.quarantine_id
from stage_record s
"""
_VERSIONED = "select source_id, source_key, item_group, op, seq, change_id, record, quarantine_id from stage_version"


# A version that was staged from the store has no staged record; it is described from what is known of it.
_RECALL = """
update stage_version s set record = to_jsonb(r)
from stage_record r join stage_violation v
    on v.source_id = r.source_id and v.change_no = r.change_no and v.source_key = r.source_key
    and v.item_group = r.item_group
where r.op = 'u' and s.source_id = r.source_id and s.seq = r.change_no and s.source_key = r.source_key
  and s.item_group = r.item_group
"""

_DESCRIBE = """
update stage_version s
set record = jsonb_build_object(
    'op', 'u', 'entity', s.entity, 'item_group', s.item_group, 'source_key', s.source_key, 'is_partial', false,
    'effective_from', s.effective_from, 'effective_to', s.effective_to, 'item_values', s.item_values,
    'key', (select c.key from golden.crosswalk c where c.golden_id = s.golden_id and c.unlinked_at is null
              and c.own_id is not distinct from s.own_id order by c.crosswalk_id limit 1),
    'point_key', (select c.key from golden.crosswalk c
                  where c.golden_id = s.point_id and c.unlinked_at is null
                  order by coalesce(c.own_id, c.golden_id) = (s.item_values ->> 'metering_point_id')::bigint desc,
                           c.crosswalk_id limit 1),
    'contract_key', (select c.key from golden.crosswalk c
                     where coalesce(c.own_id, c.golden_id) = (s.item_values ->> 'contract_id')::bigint
                       and c.unlinked_at is null limit 1))
from stage_violation v
where s.record is null and v.source_id = s.source_id and v.change_no = s.seq and v.source_key = s.source_key
  and v.item_group = s.item_group
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is held back or doubted of a source, and what is to be of this part, once its records are checked."""

    is_held: bool
    is_rejected: bool
    is_keyless: bool
    is_refused: bool
    violations: int


def look(connection: psycopg.Connection, source_ids: Sequence[int]) -> Found:
    """Look whether there is anything to do here: most parts are in order, and so is all that was before."""
    with connection.cursor(row_factory=class_row(Found)) as cursor:
        return cursor.execute(_LOOK, {"sources": list(source_ids)}).fetchone() or _NOTHING


_NOTHING = Found(is_held=False, is_rejected=False, is_keyless=False, is_refused=False, violations=0)


def close_renewed(
    connection: psycopg.Connection, found: Found, source_ids: Sequence[int], *, block: int, changes: int
) -> None:
    """Close what the sources send anew or withdraw in this part; whatever still fails is opened again.

    `changes` is the greatest count of a source's changes in it.
    """
    if found.is_held:
        bounds = {
            "sources": list(source_ids),
            "first": journal.change_id(block, 0),
            "last": journal.change_id(block + changes + 1, 0),
        }
        connection.execute(_CLOSE_RENEWED)
        connection.execute(_CLOSE_REJECTS, bounds)
        connection.execute(_CLOSE_TRUNCATED, bounds)


def stage_open(connection: psycopg.Connection, *, after: int, limit: int, rules: Sequence[int] | None = None) -> int:
    """Put the next open rows, of these rules where they are given, through again as transaction 0; return how many."""
    parameters = {"after": after, "limit": limit, "rules": None if rules is None else list(rules)}
    staged = connection.execute(_STAGE_OPEN, parameters).rowcount
    connection.execute(_NOTE_RETRIES)
    return staged


def hold_records(connection: psycopg.Connection, found: Found) -> None:
    """Quarantine rejected changes and the staged records that violate a rule of severity E."""
    if found.is_rejected:
        connection.execute(_ADD_REJECTS)
    if found.is_keyless:
        connection.execute(_DOUBT_KEYLESS)
    if not (found.is_keyless or found.is_refused):
        return
    _hold(connection, _STAGED)
    drop_violating(connection)


def drop_violating(connection: psycopg.Connection) -> None:
    """Take the staged records that violate a rule of severity E out of the part."""
    connection.execute(
        "delete from stage_record r using stage_violation v where v.severity = 'E' and r.source_id = v.source_id"
        " and r.change_no = v.change_no and r.source_key = v.source_key and r.item_group = v.item_group"
    )


def hold_versions(connection: psycopg.Connection) -> None:
    """Quarantine the staged versions that violate a rule of severity E at their point."""
    with staging.frames_only(connection):
        connection.execute(_RECALL)
    connection.execute(_DESCRIBE)
    _hold(connection, _VERSIONED)
    healing.stage_later(connection)
    connection.execute(
        "delete from stage_version r using stage_violation v where v.severity = 'E' and r.source_id = v.source_id"
        " and r.seq = v.change_no and r.source_key = v.source_key and r.item_group = v.item_group"
    )


def _hold(connection: psycopg.Connection, records: str) -> None:
    titles = [{"code": rule.code, "title": rule.title} for rule in registry.RULES.values()]
    with staging.frames_only(connection):
        connection.execute(_ADD.format(records=records, closed=_closed("l.op")), {"titles": Jsonb(titles)})
    connection.execute(_RENEW.format(records=records), {"titles": Jsonb(titles)})


_FINISH = _noted(
    """
update golden.quarantine q
set attempts = q.attempts + 1,
    closed_at = case when v.quarantine_id is null then null else clock_timestamp() end,
    outcome = case when v.quarantine_id is null then null else 'mastered' end,
    note = case when v.quarantine_id is null then q.note else 'healed: it agrees with what is known by now' end
from (select distinct quarantine_id from stage_retry) s
left join (select distinct quarantine_id from stage_version) v using (quarantine_id)
where q.quarantine_id = s.quarantine_id and q.closed_at is null
  and q.quarantine_id = any (array(select quarantine_id from stage_retry))
"""
)


def finish_retries(connection: psycopg.Connection) -> None:
    """Close the retried rows that passed and count another attempt for those that did not."""
    connection.execute(_FINISH)
