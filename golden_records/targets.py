"""Targets: what a decision on values is about, and what is said of it now, for many at once.

A target is one item of a golden record, or an atomic group of items, which is decided on as a whole (item empty).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import psycopg

from golden_records import catalogue, journal
from golden_records.catalogue import Entity, Group, Item
from golden_records.survivorship import UNDATED


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One item of a golden record; empty for a whole atomic group."""

    golden_id: int
    item_group: str
    item: str

    @property
    def entity(self) -> Entity:
        """The kind of golden record."""
        return _place(self.item_group)[0]

    @property
    def group(self) -> Group:
        """The group of items."""
        return _place(self.item_group)[1]

    @property
    def items(self) -> tuple[Item, ...]:
        """The items that are decided on together."""
        return self.group.items if not self.item else tuple(each for each in self.group.items if each.name == self.item)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is said of a target: the golden value and its change, a source's, and the override that stands on it.

    Values are item -> value, without what is silent. `owner_source_id` is whose value survives below the override.
    """

    target: Target
    version: int
    value: Mapping[str, Any]
    change_id: int | None
    said: Mapping[str, Any] | None
    said_change_id: int | None
    override_id: int | None
    override_version: int | None
    owner_value: Mapping[str, Any]
    owner_source_id: int | None

    @property
    def is_overridden(self) -> bool:
        """Whether a steward's value stands."""
        return self.override_id is not None


@cache
def _places() -> dict[str, tuple[Entity, Group]]:
    return {group.name: (entity, group) for entity, group in catalogue.load().groups()}


def _place(item_group: str) -> tuple[Entity, Group]:
    return _places()[item_group]


def find(golden_id: int, entity: str, item: str) -> Target | None:
    """Return the target of an item of an entity, for an atomic group the whole; None where the catalogue has none."""
    for group in catalogue.load().entity(entity).groups:
        if any(each.name == item for each in group.items) or (group.atomic and item == group.name):
            return Target(golden_id=golden_id, item_group=group.name, item="" if group.atomic else item)
    return None


def find_entity(connection: psycopg.Connection, golden_id: int) -> str | None:
    """Return of which entity a golden record is; None where there is none of this id."""
    row = connection.execute("select entity from golden.golden_record where golden_id = %s", [golden_id]).fetchone()
    return None if row is None else str(row[0])


_SAID = "jsonb_object_agg(n, {0} -> n) from unnest(k.items) n where {0} -> n <> 'null'"

_OWNERS = "case when o.override_id is null then held.change_id else o.owner_change_id end"

_LOOK = f"""
select t.place, g.version, coalesce(held.value, '{{{{}}}}') as value, held.change_id, said.value, said.change_id,
       o.override_id, o.version, coalesce(case when o.override_id is null then held.value else o.owner_value end,
                                          '{{{{}}}}'),
       {journal.SOURCE_OF.format(change_id=_OWNERS)}
from unnest(%(places)s::int[], %(golden_ids)s::bigint[], %(groups)s::text[], %(items)s::text[])
    t (place, golden_id, item_group, item)
join golden.{{entity}} g using (golden_id)
cross join lateral (select array_agg(i.item) as items from golden.catalogue_item i
                    where i.item_group = t.item_group and (t.item = '' or i.item = t.item)) k
cross join lateral (
    select (select {_SAID.format("to_jsonb(g)")}) as value,
           (select max((g.lineage ->> n)::bigint) from unnest(k.items) n) as change_id) held
left join lateral (  -- the last one that stands; there are several where golden records were merged
    select o.override_id, o.version, o.owner_value, o.owner_change_id
    from golden.source_record r join golden.override o on o.override_id = substr(r.source_key, 10)::bigint
    where r.golden_id = t.golden_id and r.item_group = t.item_group and r.source_id = {journal.HUB}
        and o.item = t.item and o.retired_at is null
    order by o.override_id desc limit 1
) o on true
left join lateral (
    select (select {_SAID.format("r.item_values")}) as value, r.change_id
    from golden.source_record r
    where r.golden_id = t.golden_id and r.item_group = t.item_group and r.source_id = %(source)s
        and (t.item_group = any (%(undated)s) or coalesce(r.effective_from, '-infinity') <= %(now)s
             and coalesce(r.effective_to, 'infinity') > %(now)s)
    order by r.effective_from desc nulls last, r.change_id desc limit 1
) said on true
"""

_TOLD = tuple(Seen.__slots__)[1:]


def look(
    connection: psycopg.Connection, wanted: Sequence[Target], *, now: datetime, source_id: int | None = None
) -> list[Seen | None]:
    """Return what is said of each target, also by the source; None where its golden record is not there.

    The source's value is its latest that is in force now.
    """
    found: dict[int, Seen] = {}
    for entity in {target.entity.name for target in wanted}:
        numbered = [(place, target) for place, target in enumerate(wanted) if target.entity.name == entity]
        parameters = {
            "places": [place for place, _ in numbered],
            "golden_ids": [target.golden_id for _, target in numbered],
            "groups": [target.item_group for _, target in numbered],
            "items": [target.item for _, target in numbered],
            "source": source_id,
            "undated": list(UNDATED),
            "now": now,
        }
        for place, *told in connection.execute(_LOOK.format(entity=entity), parameters):
            found[place] = Seen(target=wanted[place], **dict(zip(_TOLD, told, strict=True)))
    return [found.get(place) for place in range(len(wanted))]
