"""Evidence: what each system says of what is to be settled, and where it says so, as a steward reads it.

A value that identifies a person, or is restricted, is withheld unless it is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from golden_records import held
from golden_records.rows import Question
from golden_records.subjects import Kind
from rules import registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one system says: `survives` where the golden record says it, too.

    `source_key`, `commit_lsn` and `ordinal` say where the change stands in its source, `change_id` where in the
    journal.
    """

    source: str
    survives: bool
    item_group: str
    items: Mapping[str, Any]
    source_key: str | None
    commit_lsn: str | None
    ordinal: int | None
    committed_at: datetime | None
    change_id: int

    def shown(self, *, reveal: bool) -> dict[str, Any]:
        """Return it for a person: of the key no MPAN, of the items no value that identifies, unless asked for."""
        table, _, key = (self.source_key or "").partition("|")
        return {
            "source": self.source,
            "survives": self.survives,
            "items": held.shown(self.item_group, self.items, reveal=reveal),
            "table": table or None,
            "key": (key if reveal else held.without_mpan(key)) or None,
            "commit_lsn": self.commit_lsn,
            "ordinal": self.ordinal,
            "committed_at": self.committed_at,
            "change_id": self.change_id,
        }


_POSITION = "j.source_key, j.commit_lsn::text, j.ordinal, j.committed_at"

_CONFLICT = f"""
select s.name as source, p.survives, k.item_group, jsonb_build_object(k.item, p.value) as items, {_POSITION},
       p.change_id
from golden.conflict k
cross join lateral (values (true, k.owner_source_id, k.owner_change_id, k.owner_value),
                           (false, k.source_id, k.change_id, k.value)) p (survives, source_id, change_id, value)
join golden.source_system s on s.source_id = p.source_id
left join lateral golden.journalled(p.change_id) j on true
where k.conflict_id = %(subject)s order by p.survives desc
"""

_ITEMS = ", ".join(
    f"({rule.code}, array[{', '.join(repr(item) for item in rule.items)}]::text[])" for rule in registry.RULES.values()
)
_VIOLATION = f"""
select s.name as source, true as survives, v.item_group,
       coalesce((select jsonb_object_agg(i.item, r.item_values -> i.item)
                 from unnest(e.items) i (item) where r.item_values ? i.item), '{{}}') as items, {_POSITION}, v.change_id
from golden.violation v
join golden.source_system s on s.source_id = v.source_id
left join (values {_ITEMS}) e (code, items) on e.code = v.rule
left join golden.source_record r
    on r.source_id = v.source_id and r.source_key = v.source_key and r.item_group = v.item_group
left join lateral golden.journalled(v.change_id) j on true
where v.violation_id = %(subject)s
"""

_QUARANTINE = """
select s.name as source, false as survives, q.item_group, coalesce(q.record -> 'item_values', '{}') as items,
       q.source_key, q.commit_lsn::text, q.ordinal, j.committed_at, q.change_id
from golden.quarantine q
join golden.source_system s on s.source_id = q.source_id
left join lateral golden.journalled(q.change_id) j on true
where q.quarantine_id = %(subject)s
"""

# What stands, what the owner said when it was overridden, and what it says now, where that is another value.
_OVERRIDE = f"""
select s.name as source, p.survives, o.item_group, p.items, {_POSITION}, p.change_id
from golden.override o
left join golden.source_record r on r.source_id = 0 and r.source_key = 'override|' || o.override_id
cross join lateral (values (1, true, r.change_id, o.value), (2, false, o.owner_change_id, o.owner_value),
                           (3, false, o.hidden_change_id, o.hidden_value)) p (place, survives, change_id, items)
cross join lateral golden.journalled(p.change_id) j
join golden.source_system s on s.source_id = j.source_id
where o.override_id = %(subject)s and (p.place < 3 or o.hidden_value <> o.owner_value) order by p.place
"""

_QUERIES = {
    Kind.CONFLICT: _CONFLICT,
    Kind.VIOLATION: _VIOLATION,
    Kind.QUARANTINE: _QUARANTINE,
    Kind.OVERRIDE: _OVERRIDE,
}


def question(kind: Kind, subject_id: int) -> Question[Said] | None:
    """Ask what the systems say of a subject, the survivor first; None for a kind of which nothing is told here."""
    query = _QUERIES.get(kind)
    return None if query is None else Question(text=query, parameters={"subject": subject_id}, row=Said)
