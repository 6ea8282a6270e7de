"""The copies of items that sources hold, beside the value that survived: the rows of rule 39, out of the store."""

from golden_records import catalogue, journal, reference, survivorship
from golden_records.catalogue import Entity, Group, Item

# What a source says in force now of a group, item by item, if it is another one than the item's survivor came from.
_COPIES = """
select r.golden_id, r.source_id, r.source_key, r.item_group, i.item, i.owner_value, i.copy_value
from (
    select distinct on (golden_id, source_id) * from golden.source_record
    where item_group = '{group}' and {among} and {in_force}
    order by golden_id, source_id, effective_from desc nulls last, change_id desc
) r
join golden.{entity} g using (golden_id)
cross join lateral (values {items}) i (item, owner_value, copy_value, change_id)
where i.copy_value is not null and i.owner_value is not null and {survivor} <> r.source_id
"""

_IN_FORCE = "coalesce(effective_from, '-infinity') <= now() and coalesce(effective_to, 'infinity') > now()"


def stored(chosen: str | None = None) -> str:
    """Return the select of all copies: golden_id, source_id, source_key, item_group, item, owner_value, copy_value.

    `chosen` is a SQL subselect of golden ids; without it all are read.
    """
    return " union all ".join(
        _of(entity, group, items, chosen)
        for entity, group in catalogue.load().groups()
        if (items := [item for item in group.items if not reference.is_dated(entity, item)])
    )


def _of(entity: Entity, group: Group, items: list[Item], chosen: str | None) -> str:
    rows = (
        f"('{item.name}', g.{item.name}::text, r.item_values ->> '{item.name}', (g.lineage ->> '{item.name}')::bigint)"
        for item in items
    )
    return _COPIES.format(
        entity=entity.name,
        group=group.name,
        items=", ".join(rows),
        among="true" if chosen is None else f"golden_id in ({chosen})",
        in_force="true" if group.name in survivorship.UNDATED else _IN_FORCE,
        survivor=journal.SOURCE_OF.format(change_id="i.change_id"),
    )
