"""The copies of items that sources hold, beside the value that survived: the rows of rule 39, out of the store.

Both values stand in the form in which they are compared (rules.agreement). The lines of an address are told only where
the two addresses differ when each is read as one text.
"""

from golden_records import catalogue, journal, redirects, survivorship
from golden_records.catalogue import Entity, Group, Item
from rules import agreement
from rules.agreement import Comparison

# What a source says in force now of a group, item by item, if it is another one than the item's survivor came from. A
# source holds an address once for each of its points: its dated copies follow each other, the others all stand.
_COPIES = """
select r.golden_id, r.source_id, r.source_key, r.item_group, i.item, i.owner_value, i.copy_value
from (
    select s.golden_id, s.source_id, s.source_key, s.item_group, {followed} as item_values
    from (
        select *, row_number() over (partition by golden_id, source_id
                                     order by effective_from desc nulls last, change_id desc) as place
        from golden.source_record where item_group = '{group}' and source_id <> {hub} and {among} and {in_force}
    ) s where s.place = 1 or {is_standing}
    offset 0
) r
join golden.{entity} g using (golden_id)
cross join lateral (values {items}) i (item, owner_value, copy_value, change_id)
where i.copy_value is not null and i.owner_value is not null and {survivor} <> r.source_id
"""

_IN_FORCE = "coalesce(effective_from, '-infinity') <= now() and coalesce(effective_to, 'infinity') > now()"

# All items of an atomic group come from one source record.
_OF_GROUP = "(select l.value::bigint from jsonb_each_text(g.lineage) l limit 1)"


def stored(chosen: str | None = None) -> str:
    """Return the select of all copies: golden_id, source_id, source_key, item_group, item, owner_value, copy_value.

    `chosen` is a SQL subselect of golden ids; without it all are read.
    """
    return " union all ".join(
        _of(entity, group, items, chosen)
        for entity, group in catalogue.load().groups()
        if (items := [item for item in group.items if item.comparison is not Comparison.NONE])
    )


def _of(entity: Entity, group: Group, items: list[Item], chosen: str | None) -> str:
    lines = [item for item in items if item.comparison is Comparison.LINE]
    return _COPIES.format(
        entity=entity.name,
        group=group.name,
        items=", ".join(_row(item, lines=lines) for item in items),
        among="true" if chosen is None else f"golden_id in ({chosen})",
        in_force="true" if group.name in survivorship.UNDATED else _IN_FORCE,
        is_standing="s.effective_from is null" if lines else "false",
        followed=redirects.followed("s.item_values", "s.item_group"),
        survivor=journal.SOURCE_OF.format(change_id="i.change_id"),
        hub=journal.HUB,
    )


def _row(item: Item, *, lines: list[Item]) -> str:
    owner, copy = (agreement.form(item.comparison, said) for said in _said(item))
    if item.comparison is not Comparison.LINE:
        return f"('{item.name}', {owner}, {copy}, (g.lineage ->> '{item.name}')::bigint)"
    owners, copied = zip(*map(_said, lines), strict=True)
    differ = agreement.lines_differ(owners, copied)
    values = ", ".join(f"case when {differ} then coalesce({said}, '') end" for said in (owner, copy))
    return f"('{item.name}', {values}, {_OF_GROUP})"


def _said(item: Item) -> tuple[str, str]:
    """Write what the golden record and the copy say of an item."""
    return f"g.{item.name}::text", f"r.item_values ->> '{item.name}'"
