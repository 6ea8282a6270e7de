"""The copies of items that sources hold, beside the value that survived: the rows of rule 39, out of the store."""

from golden_records import catalogue, journal, survivorship
from golden_records.catalogue import Entity

# What a source says in force now of a group, if it is another one than the item's survivor came from.
_COPIES = """
select r.golden_id, r.source_id, r.source_key, r.item_group, i.item,
       to_jsonb(g) ->> i.item as owner_value, r.item_values ->> i.item as copy_value
from (
    select distinct on (golden_id, item_group, source_id) * from golden.source_record
    where item_group in ({groups}) and {among}
      and (item_group in ({undated}) or coalesce(effective_from, '-infinity') <= now()
                                        and coalesce(effective_to, 'infinity') > now())
    order by golden_id, item_group, source_id, effective_from desc nulls last, change_id desc
) r
join golden.{entity} g using (golden_id)
join golden.catalogue_item i on i.item_group = r.item_group and not i.is_dated
where r.item_values ? i.item and to_jsonb(g) ->> i.item is not null
  and {survivor} <> r.source_id
"""


def stored(chosen: str | None = None) -> str:
    """Return the select of all copies: golden_id, source_id, source_key, item_group, item, owner_value, copy_value.

    `chosen` is a SQL subselect of golden ids; without it all are read.
    """
    return " union all ".join(_of(entity, chosen) for entity in catalogue.load().entities.values())


def _of(entity: Entity, chosen: str | None) -> str:
    return _COPIES.format(
        entity=entity.name,
        groups=", ".join(f"'{group.name}'" for group in entity.groups),
        undated=", ".join(f"'{group}'" for group in survivorship.UNDATED),
        among="true" if chosen is None else f"golden_id in ({chosen})",
        survivor=journal.SOURCE_OF.format(change_id="(g.lineage ->> i.item)::bigint"),
    )
