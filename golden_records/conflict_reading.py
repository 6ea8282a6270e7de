"""Conflicts as a person reads them: a page of a filtered list, one with all that is known of it, its history included.

The functions return a query and its parameters, to be run on a session of either kind. Values that identify a person,
or are restricted, are withheld unless they are asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from psycopg.types.json import Jsonb

from golden_records import catalogue, conflicts, survivorship
from golden_records.catalogue import Classification, Item, ItemType
from rules import agreement, registry

_SEVERITY = registry.RULES[agreement.CODE].severity

WITHHELD = "***"


class State(StrEnum):
    """Where a conflict stands: to be settled, accepted until a date, or over."""

    OPEN = "open"
    ACCEPTED = "accepted"
    CLOSED = "closed"


class Outcome(StrEnum):
    """How a conflict ended by itself."""

    AGREED = "agreed"
    WITHDRAWN = "withdrawn"
    SURVIVED = "survived"


NOTES = {
    Outcome.AGREED: "The copy and the surviving value agree again.",
    Outcome.WITHDRAWN: "One of the two systems no longer says anything of it.",
    Outcome.SURVIVED: "The system whose copy differed is the one that is believed now.",
}

Query = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which conflicts are asked for; None does not choose. `owner` is a kind of owner or a participant's MPID."""

    state: State = State.OPEN
    entity: str | None = None
    item: str | None = None
    source: str | None = None
    owner: str | None = None
    severity: str | None = None
    is_critical: bool | None = None
    is_in_grace: bool | None = None
    opened_before: datetime | None = None
    golden_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A conflict with its two sides: the copy and the surviving value, each as of the change that it came from."""

    conflict_id: int
    version: int
    golden_id: int
    item_group: str
    item: str
    state: str
    is_in_grace: bool
    source: str
    change_id: int
    value: Any
    owner_source: str
    owner_change_id: int
    owner_value: Any
    is_fallback: bool
    owner: str
    owner_participant: str | None
    opened_at: datetime
    opened_by: str
    visible_from: datetime
    changed_at: datetime | None
    accepted_until: datetime | None
    closed_at: datetime | None
    outcome: str | None
    closed_in_grace: bool | None
    history: Sequence[Mapping[str, Any]]
    now: datetime

    @property
    def entity(self) -> str:
        """What the golden record is of."""
        return _entity_of(self.item_group)

    @property
    def is_critical(self) -> bool:
        """Whether the catalogue calls the item critical."""
        return _item(self.item_group, self.item).critical

    @property
    def is_sensitive(self) -> bool:
        """Whether its values may be shown to some alone."""
        return _item(self.item_group, self.item).classification is not Classification.PUBLIC

    @property
    def note(self) -> str | None:
        """How it ended, in a sentence."""
        return NOTES[Outcome(self.outcome)] if self.outcome else None

    def describe(self, *, reveal: bool) -> dict[str, Any]:
        """Return what a list tells of it."""
        ended = self.closed_at or self.now
        return {
            "conflict_id": self.conflict_id,
            "version": self.version,
            "state": self.state,
            "in_grace": self.is_in_grace,
            "entity": self.entity,
            "golden_id": self.golden_id,
            "item_group": self.item_group,
            "item": self.item,
            "rule": agreement.CODE,
            "severity": _SEVERITY,
            "critical": self.is_critical,
            "owner": self.owner,
            "owner_participant": self.owner_participant,
            "surviving": {
                "source": self.owner_source,
                "value": self.shown(self.owner_value, reveal=reveal),
                "change_id": self.owner_change_id,
                "is_fallback": self.is_fallback,
            },
            "copy": {
                "source": self.source,
                "value": self.shown(self.value, reveal=reveal),
                "change_id": self.change_id,
            },
            "opened_at": self.opened_at,
            "opened_by": self.opened_by,
            "age_seconds": max((ended - self.opened_at).total_seconds(), 0.0),
            "visible_from": self.visible_from,
            "changed_at": self.changed_at,
            "accepted_until": self.accepted_until,
            "closed_at": self.closed_at,
            "closed_in_grace": self.closed_in_grace,
            "note": self.note,
            "masked": self.is_sensitive and not reveal,
        }

    def shown(self, value: Any, *, reveal: bool) -> Any:
        """Return a value of the item, or what stands for it."""
        if reveal or value is None or not self.is_sensitive:
            return value
        return WITHHELD if _item(self.item_group, self.item).type is ItemType.TEXT else None


_SELECT = f"""
select k.conflict_id, k.version, k.golden_id, k.item_group, k.item,
       case when k.closed_at is not null then 'closed' when k.accepted_until > now() then 'accepted' else 'open' end
           as state,
       k.closed_at is null and k.visible_from > now() as is_in_grace, c.name as source, k.change_id, k.value,
       o.name as owner_source, k.owner_change_id, k.owner_value, k.is_fallback, k.owner, k.owner_participant,
       k.opened_at, k.opened_by, {conflicts.VISIBLE_FROM.format("k")} as visible_from, k.changed_at, k.accepted_until,
       k.closed_at, k.outcome, k.closed_in_grace, k.history, now() as now
from golden.conflict k
join golden.source_system c on c.source_id = k.source_id
join golden.source_system o on o.source_id = k.owner_source_id
"""

_STATES = {
    State.OPEN: "k.closed_at is null and (k.accepted_until is null or k.accepted_until <= now())",
    State.ACCEPTED: "k.closed_at is null and k.accepted_until > now()",
    State.CLOSED: "k.closed_at is not null",
}

_CONDITIONS = {
    "entity": "k.item_group = any (%(groups)s)",
    "item": "k.item = %(item)s",
    "source": "k.source_id = (select source_id from golden.source_system where name = %(source)s)",
    "owner": "(k.owner = %(owner)s or k.owner_participant = %(owner)s)",
    "severity": f"%(severity)s = '{_SEVERITY}'",
    "is_critical": "((k.item_group, k.item) in (select * from unnest(%(critical_groups)s::text[],"
    " %(critical_items)s::text[]))) = %(is_critical)s",
    "is_in_grace": "(k.visible_from > now()) = %(is_in_grace)s",
    "opened_before": "k.opened_at < %(opened_before)s",
    "golden_id": "k.golden_id = %(golden_id)s",
}


def list_page(chosen: Filter, *, after: int | None, limit: int) -> Query:
    """Ask for the next conflicts: open ones the oldest first, closed ones the newest first."""
    given = {name: getattr(chosen, name) for name in _CONDITIONS if getattr(chosen, name) is not None}
    is_closed = chosen.state is State.CLOSED
    conditions = [_STATES[chosen.state], *(_CONDITIONS[name] for name in given)]
    if not is_closed and chosen.golden_id is None:
        conditions.append("k.conflict_id > 0")  # so the index of the queue serves
    if after is not None:
        conditions.append(f"k.conflict_id {'<' if is_closed else '>'} %(after)s")
    order = "desc" if is_closed else "asc"
    critical = [
        (group.name, item.name) for _, group in catalogue.load().groups() for item in group.items if item.critical
    ]
    parameters = given | {
        "after": after,
        "limit": limit,
        "groups": [group.name for entity, group in catalogue.load().groups() if entity.name == chosen.entity],
        "critical_groups": [group for group, _ in critical],
        "critical_items": [item for _, item in critical],
    }
    return f"{_SELECT} where {' and '.join(conditions)} order by k.conflict_id {order} limit %(limit)s", parameters


def find(conflict_id: int) -> Query:
    """Ask for one conflict."""
    return f"{_SELECT} where k.conflict_id = %(conflict_id)s", {"conflict_id": conflict_id}


_SPOKEN = """
with said as (
    select distinct on (r.source_id) r.source_id, r.item_values, r.change_id
    from golden.source_record r
    where r.golden_id = %(golden_id)s and r.item_group = %(item_group)s
      and (r.item_group = any (%(undated)s) or coalesce(r.effective_from, '-infinity') <= now()
                                              and coalesce(r.effective_to, 'infinity') > now())
    order by r.source_id, r.effective_from desc nulls last, r.change_id desc
), side as (
    select %(owner_source)s as source, %(owner_value)s::jsonb as value, %(owner_change_id)s::bigint as change_id, 0 as n
    union all select %(source)s, %(value)s::jsonb, %(change_id)s::bigint, 1
    union all
    select s.name, said.item_values -> %(item)s, said.change_id, 2
    from said join golden.source_system s using (source_id)
    where %(is_open)s and said.item_values ? %(item)s and s.name <> all (array[%(owner_source)s, %(source)s])
)
select side.source, s.kind, s.participant, side.value, side.change_id, j.commit_lsn::text, j.ordinal, j.committed_at,
       j.relation
from side join golden.source_system s on s.name = side.source
left join lateral golden.journalled(side.change_id) j on true
order by side.n, side.source
"""

SPOKEN_COLUMNS = (
    *("source", "kind", "participant", "value"),
    *("change_id", "commit_lsn", "ordinal", "committed_at", "relation"),
)


def list_values(conflict: Conflict) -> Query:
    """Ask for the values by system (SPOKEN_COLUMNS): the surviving one, the copy that differs, then other copies."""
    return _SPOKEN, {
        "golden_id": conflict.golden_id,
        "item_group": conflict.item_group,
        "item": conflict.item,
        "undated": list(survivorship.UNDATED),
        "owner_source": conflict.owner_source,
        "owner_value": Jsonb(conflict.owner_value),
        "owner_change_id": conflict.owner_change_id,
        "source": conflict.source,
        "value": Jsonb(conflict.value),
        "change_id": conflict.change_id,
        "is_open": conflict.closed_at is None,
    }


def describe_fully(conflict: Conflict, values: Sequence[Sequence[Any]], *, reveal: bool) -> dict[str, Any]:
    """Return all that is told of a conflict; `values` are the rows of list_values()."""
    spoken = [dict(zip(SPOKEN_COLUMNS, row, strict=True)) for row in values]
    item = _item(conflict.item_group, conflict.item)
    return conflict.describe(reveal=reveal) | {
        "definition": item.definition,
        "comparison": item.comparison,
        "grace_seconds": item.grace.total_seconds(),
        "values": [each | {"value": conflict.shown(each["value"], reveal=reveal)} for each in spoken],
        "history": [
            dict(former) | {name: conflict.shown(former[name], reveal=reveal) for name in ("value", "owner_value")}
            for former in conflict.history
        ],
    }


@cache
def _items() -> Mapping[tuple[str, str], tuple[str, Item]]:
    return {
        (group.name, item.name): (entity.name, item)
        for entity, group in catalogue.load().groups()
        for item in group.items
    }


@cache
def _entity_of(item_group: str) -> str:
    return next(entity.name for entity, group in catalogue.load().groups() if group.name == item_group)


def _item(item_group: str, item: str) -> Item:
    return _items()[item_group, item][1]
