"""Subjects: what a part opened, changed or closed that a person may have to settle; whoever keeps tasks reads them.

One row a conflict, violation, quarantined record, possible match or override, in the part that touched it.
"""

from enum import StrEnum

import psycopg

from golden_records import journal
from golden_records.conflicts import VISIBLE_FROM
from rules import registry


class Kind(StrEnum):
    """What kind of thing is to be settled; each has its own table and ids."""

    CONFLICT = "conflict"
    VIOLATION = "violation"
    QUARANTINE = "quarantine"
    MATCH = "match"
    OVERRIDE = "override"


COLUMNS = (
    "kind",
    "subject_id",
    "entity",
    "golden_id",
    "item_group",
    "item",
    "rule",
    "source_id",
    "owner",
    "severity",
    "opened_at",
    "visible_from",
    "is_open",
    "facts",
    "outcome",
    "closing",
)
"""What is told of a subject. `visible_from`: when its grace ends. `facts`: a digest of what it says, which changes when
that does. `outcome` and `closing`: as what a task closes when the subject is no longer open, and why."""

CONFLICT_RULE = 39

_RULES = ", ".join(
    f"({rule.code}, '{rule.severity}', '{rule.owner}', '{rule.items[0] if rule.items else ''}')"
    for rule in registry.RULES.values()
)
_RULE = f"left join (values {_RULES}) r (code, severity, owner, item) on r.code"

# What differs from a steward's value is settled by it: the override has its own review, and is a subject itself.
_CONFLICT = f"""
select 'conflict', k.conflict_id, i.entity, k.golden_id, k.item_group, k.item, {CONFLICT_RULE}, k.source_id::int,
       k.owner, 'W', k.opened_at, {VISIBLE_FROM.format("k")}, k.closed_at is null and k.owner_source_id <> 0,
       hashtextextended(coalesce(k.value::text, '') || '|' || coalesce(k.owner_value::text, '') || coalesce(
            (select '|' || max(e.acceptance_id) from golden.acceptance e
             where e.conflict_id = k.conflict_id and e.ended_at is not null), ''), 0),
       case k.outcome when 'withdrawn' then 'withdrawn' else 'healed' end,
       case when k.closed_at is null then 'healed: a steward''s value stands'
            when k.outcome = 'withdrawn' then 'withdrawn: the copy is gone'
            when k.outcome = 'survived' then 'healed: the copy is what survives now'
                      else 'healed: the copies agree again' end
from asked a
join golden.conflict k on k.conflict_id = a.subject_id
left join golden.catalogue_item i on i.item_group = k.item_group and i.item = k.item
where a.kind = 'conflict'
"""

_VIOLATION = f"""
select 'violation', v.violation_id, g.entity, v.golden_id, v.item_group, nullif(r.item, ''), v.rule, v.source_id::int,
       coalesce(r.owner, 'registration'), v.severity, v.opened_at, v.opened_at, v.closed_at is null,
       hashtextextended(v.rule || '|' || v.subject, 0),
       'healed', coalesce(v.note, 'healed: the rule no longer speaks against it')
from asked a
join golden.violation v on v.violation_id = a.subject_id
join golden.golden_record g on g.golden_id = v.golden_id
{_RULE} = v.rule
where a.kind = 'violation'
"""

# A row whose values could not be typed breaks no rule: whoever keeps the source answers for it.
_QUARANTINE = f"""
select 'quarantine', q.quarantine_id, coalesce(q.record ->> 'entity', g.entity), x.golden_id,
       nullif(q.item_group, ''), nullif(r.item, ''), q.rule, q.source_id::int,
       coalesce(r.owner, g.owner, case s.kind when 'SMRS' then 'registration' when 'MDS' then 'data service'
                                  else 'metering service' end),
       'E', q.quarantined_at, q.quarantined_at, q.closed_at is null, q.change_id,
       case q.outcome when 'withdrawn' then 'withdrawn' else 'healed' end,
       case q.outcome when 'withdrawn' then 'withdrawn: the source deleted the record'
                      when 'superseded' then 'healed: the source sent the record anew'
                      else 'healed: the record was put through again and passed' end
from asked a
join golden.quarantine q on q.quarantine_id = a.subject_id
join golden.source_system s on s.source_id = q.source_id
{_RULE} = q.rule
left join lateral (select entity, owner from golden.catalogue_item i where i.item_group = q.item_group limit 1) g
    on true
left join lateral (
    select c.golden_id from golden.crosswalk c
    where c.entity = q.record ->> 'entity' and c.key = q.record ->> 'key' and c.unlinked_at is null limit 1) x on true
where a.kind = 'quarantine'
"""

# The owner says another value by now, or the day of the review has come.
_OVERRIDE = f"""
select 'override', o.override_id, o.entity, o.golden_id, o.item_group, nullif(o.item, ''), null,
       {journal.SOURCE_OF.format(change_id="coalesce(o.owner_change_id, o.hidden_change_id)")}, g.owner, 'W',
       coalesce(o.changed_at, o.due_since, o.made_at), coalesce(o.changed_at, o.due_since, o.made_at),
       o.retired_at is null and coalesce(o.changed_at, o.due_since) is not null,
       hashtextextended(coalesce(o.owner_value::text, '') || '|' || coalesce(o.due_since::text, ''), 0),
       'healed', case when o.retired_at is null then 'healed: the override hides nothing that is not known'
                      else 'healed: the override is retired, ' || o.retired_why end
from asked a
join golden.override o on o.override_id = a.subject_id
cross join lateral (select owner from golden.catalogue_item i where i.item_group = o.item_group limit 1) g
where a.kind = 'override'
"""

_MATCH = """
select 'match', m.match_id, m.entity, m.left_id, null, null, null::int, null::int, g.owner, 'W', m.found_at, m.found_at,
       m.state = 'open', hashtextextended(m.facts, 0), 'healed', 'healed: the match is ' || replace(m.state, '_', ' ')
from asked a
join golden.match m on m.match_id = a.subject_id
cross join lateral (select owner from golden.catalogue_item i where i.entity = m.entity order by item_group limit 1) g
where a.kind = 'match'
"""

# A kind that is added gives its query here: the columns above, of what the relation `asked` (kind, subject_id) names.
_QUERIES = {
    Kind.CONFLICT: _CONFLICT,
    Kind.VIOLATION: _VIOLATION,
    Kind.QUARANTINE: _QUARANTINE,
    Kind.OVERRIDE: _OVERRIDE,
    Kind.MATCH: _MATCH,
}

DESCRIPTION = f"select * from ({' union all '.join(_QUERIES.values())}) described ({', '.join(COLUMNS)})"
"""Describes the subjects that a relation `asked` (kind, subject_id) before it names, each once."""


def octets_noted(connection: psycopg.Connection) -> int:
    """Return how large the list of what was noted is: 0 where nothing was, as in most parts."""
    row = connection.execute("select pg_relation_size(to_regclass('pg_temp.stage_subject'))").fetchone()
    return row[0] or 0 if row else 0
