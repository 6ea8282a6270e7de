"""Conflicts: a copy that differs from the surviving value, with who is accountable for the item (law 4, rule 39).

Every copy in force is compared, by how the catalogue has the item compared. A copy that is silent about an item does
not differ: what is missing is another rule's concern, and whoever is silent leaves the word to the next in survivorship
too. The lines of an address are read as one text; where the texts differ, each line that does is a conflict.

A conflict stays one row until the copies agree again, whatever the values become meanwhile. It is visible, so that
somebody has to act, when the item's grace is over and nobody has accepted it.
"""

from collections.abc import Collection

import psycopg

from golden_records import catalogue, journal, survivorship
from golden_records.routines import Routine, frames, when
from rules import agreement
from rules.agreement import Comparison

VISIBLE_FROM = "greatest({0}.visible_from, {0}.accepted_until)"
"""When the conflict of an alias becomes somebody's to settle."""

_HISTORY = 20  # of the values that a conflict had, the last that stand on it; the journal has them all

_LINED = "address"
_CAUSE = journal.SOURCE_OF.format(change_id="s.cause_id")
_SIDE = f"""
case when s.by_source_id = {journal.HUB} or s.cause_id is null then 'hub' when {_CAUSE} = {{survivor}} then 'owner'
     when {_CAUSE} = {{copy}} then 'copy' else 'hub' end
"""

# What survived at the last event of each group in this part, with all copies, where any may differ or did before.
_SURVIVED = f"""
insert into stage_survived (golden_id, item_group, item_values, change_id, cause_id, spoken, candidates, by_source_id,
                            committed_at, copies, change_ids)
select golden_id, item_group, s.item_values, s.change_id, s.cause_id, s.spoken, s.candidates, t.source_id,
       t.committed_at, c.copies, c.change_ids
from (select golden_id, item_group, max(tx) as tx from stage_survivor where not is_aside group by 1, 2) e
join stage_survivor s using (golden_id, item_group, tx)
join stage_tx t using (tx)
left join {survivorship.COPIES} c using (golden_id, item_group, tx)
where not s.is_aside and (
    c.copies is not null or item_group = '{_LINED}'
    or {survivorship.DID_DIFFER})
"""

_COMPARE = """
insert into stage_conflict (golden_id, item_group, item, source_id, change_id, value, owner_source_id, owner_change_id,
                            owner_value, at, holders, opened_by, said)
select s.golden_id, s.item_group, i.item, {copy}, s.copy_id, s.copy -> i.item,
       {survivor}, w.change_id, s.item_values -> i.item, s.committed_at,
       array(select {holder} from unnest(s.copies, s.change_ids) c (copy, change_id)
             where c.copy ? i.item or i.comparison = '{line}' and c.copy ?| {lines} order by 1),
       {opened_by}, s.item_values
from (
    select s.*, c.copy, c.change_id as copy_id
    from stage_survived s
    cross join unnest(s.copies, s.change_ids) with ordinality c (copy, change_id, place)
    where s.copies is not null and c.place < cardinality(s.copies)
      and (not c.copy <@ s.item_values or s.item_group = '{lined}' and c.copy <> s.item_values)
    offset 0
) s
join golden.catalogue_item i on i.item_group = s.item_group and i.comparison <> '{none}'
cross join lateral (select coalesce((s.spoken ->> i.item)::bigint, s.change_id) as change_id offset 0) w
where {copy} <> {survivor} and case i.comparison when '{line}' then {line_differs} and {lines_differ} else {differs} end
"""

# Survivorship takes one record of each source; but a system holds the address of each of its points, and each of these
# copies may differ. Dated ones follow each other, so of those the one that is taken speaks alone.
_COMPARE_FURTHER = """
insert into stage_conflict (golden_id, item_group, item, source_id, change_id, value, owner_source_id, owner_change_id,
                            owner_value, at, holders, opened_by, said)
select distinct on (s.golden_id, i.item, r.source_id)
       s.golden_id, s.item_group, i.item, r.source_id, r.change_id, r.item_values -> i.item,
       {survivor}, s.change_id, s.item_values -> i.item, s.committed_at,
       array(select {holder} from unnest(s.copies, s.change_ids) c (copy, change_id)
             where c.copy ? i.item or i.comparison = '{line}' and c.copy ?| {lines} order by 1),
       {opened_by}, s.item_values
from stage_survived s
join (
    select golden_id, source_id, item_values, change_id from stage_existing x
    where item_group = '{lined}' and effective_from is null and not exists (
        select from stage_version v
        where v.source_id = x.source_id and v.source_key = x.source_key and v.item_group = x.item_group)
    union all
    select golden_id, source_id, item_values, change_id from stage_version
    where item_group = '{lined}' and effective_from is null and op = 'u' and until_tx is null
) r on r.golden_id = s.golden_id and r.change_id <> all (s.candidates) and r.item_values <> s.item_values
join golden.catalogue_item i on i.item_group = s.item_group and i.comparison <> '{none}'
where s.item_group = '{lined}' and r.source_id <> {survivor}
  and case i.comparison when '{line}' then {line_differs} and {lines_differ} else {differs} end
  and not exists (select from stage_conflict c
                  where c.golden_id = s.golden_id and c.item = i.item and c.source_id = r.source_id)
order by s.golden_id, i.item, r.source_id, r.change_id desc
"""

# How it ended is told by what the last event of this part leaves of the copy. The open ones are looked up record by
# record, and closed by a list of their ids: how many there are is not known to the planner, and it would rather go
# through all conflicts than look up those that it expects.
_END = """
insert into stage_ended (conflict_id, closed_at, closed_by, outcome)
select k.conflict_id, s.committed_at, {closed_by},
       case when {survivor} = k.source_id then 'survived'
            when exists (select from unnest(s.copies, s.change_ids) c (copy, change_id)
                         where {copy} = k.source_id and ((c.copy ? k.item) = (s.item_values ? k.item)
                                                         or k.item = any ({lines}))) then 'agreed'
            else 'withdrawn' end
from stage_survived s
cross join lateral (select conflict_id, item, source_id from golden.conflict o
                    where o.closed_at is null and o.golden_id = s.golden_id and o.item_group = s.item_group
                    offset 0) k
left join stage_conflict c on c.golden_id = s.golden_id and c.item = k.item and c.source_id = k.source_id
where c.golden_id is null
"""
_CLOSE = """
with closed as (
    update golden.conflict k
    set closed_at = e.closed_at, closed_in_grace = e.closed_at < k.visible_from, version = k.version + 1,
        closed_by = e.closed_by, outcome = e.outcome
    from stage_ended e
    where k.conflict_id = e.conflict_id and k.conflict_id = any (array(select conflict_id from stage_ended))
    returning k.conflict_id
)
insert into stage_subject (kind, subject_id, is_open) select 'conflict', conflict_id, false from closed
"""

# The accountable party is found where there is a conflict: the metering service appointed on the day, the supplier of
# the contract or the point, else whose registration speaks.
_OPEN = """
with named as (
    select c.*, i.owner, i.grace, p.participant,
           case when 'appointed' = any (i.held_by) then v.participant is distinct from p.participant
                else v.kind <> all (i.held_by) end as is_fallback
    from stage_conflict c
    join golden.catalogue_item i using (item_group, item)
    join golden.source_system v on v.source_id = c.owner_source_id
    cross join lateral (select case i.owner
        when 'metering service' then (
            select a.service_mpid from golden.appointment a
            where a.metering_point_id = case c.item_group when 'energisation' then c.golden_id
                                        else (c.said ->> 'metering_point_id')::bigint end
              and a.status <> 'proposed' and a.appointed_from <= (c.at at time zone 'Europe/London')::date
              and coalesce(a.appointed_to, 'infinity') >= (c.at at time zone 'Europe/London')::date
            order by a.golden_id desc limit 1)
        when 'supplier' then coalesce(
            c.said ->> 'supplier_mpid',
            (select p.supplier_mpid from golden.metering_point p where p.golden_id = c.golden_id))
        when 'DCC' then null
        else (select min(r.participant) from golden.source_system r where r.source_id = any (c.holders)
              and r.kind = 'SMRS') end as participant
        offset 0) p
), opened as (
    insert into golden.conflict as k (
        golden_id, item_group, item, source_id, change_id, value, owner_source_id, owner_change_id, owner_value, owner,
        owner_participant, is_fallback, holders, opened_by, opened_at, visible_from)
    select golden_id, item_group, item, source_id, change_id, value, owner_source_id, owner_change_id, owner_value,
           owner, participant, is_fallback, holders, opened_by, at,
           at + case when %(is_decided)s then interval '0' else grace end
    from named order by golden_id, item, source_id
    on conflict (golden_id, item, source_id) where closed_at is null do update
    set version = k.version + 1, value = excluded.value, owner_value = excluded.owner_value, owner = excluded.owner,
        owner_source_id = excluded.owner_source_id, owner_participant = excluded.owner_participant,
        is_fallback = excluded.is_fallback, holders = excluded.holders,
        change_id = case when k.value is distinct from excluded.value then excluded.change_id else k.change_id end,
        owner_change_id = case when (k.owner_value, k.owner_source_id)
                                    is distinct from (excluded.owner_value, excluded.owner_source_id)
                               then excluded.owner_change_id else k.owner_change_id end,
        accepted_until = case when {changed} then null else k.accepted_until end,
        changed_at = case when {changed} then excluded.opened_at else k.changed_at end,
        history = case when {changed} then {history} else k.history end
    where {changed}
       or (k.owner_source_id, k.owner, k.owner_participant, k.is_fallback, k.holders) is distinct from
          (excluded.owner_source_id, excluded.owner, excluded.owner_participant, excluded.is_fallback, excluded.holders)
    returning conflict_id
)
insert into stage_subject (kind, subject_id, is_open) select 'conflict', conflict_id, true from opened
"""

_CHANGED = "(k.value, k.owner_value) is distinct from (excluded.value, excluded.owner_value)"
_WITH_FORMER = f"""
case when jsonb_array_length(k.history) < {_HISTORY} then k.history else k.history - 0 end || jsonb_build_object(
    'value', k.value, 'change_id', k.change_id, 'owner_value', k.owner_value, 'owner_change_id', k.owner_change_id,
    'until', excluded.opened_at)
"""

# What the supplier is accountable for stands in other groups of the point than the supplier does.
_FOLLOW_SUPPLIER = """
with led as materialized (
    select o.conflict_id, s.supplier
    from (select distinct on (golden_id) golden_id, item_values ->> 'supplier_mpid' as supplier from stage_survivor
          where item_group = 'supplier' and not is_aside order by golden_id, tx desc) s
    cross join lateral (select conflict_id from golden.conflict o
                        where o.closed_at is null and o.golden_id = s.golden_id and o.owner = 'supplier'
                          and o.owner_participant is distinct from s.supplier
                        offset 0) o
)
update golden.conflict k set owner_participant = l.supplier, version = version + 1
from led l where k.conflict_id = l.conflict_id and k.conflict_id = any (array(select conflict_id from led))
"""


def settle(connection: psycopg.Connection, *, groups: Collection[str], is_decided: bool = False) -> None:
    """Open, renew and close the conflicts of what the staged events touched; `groups` are theirs.

    What a steward's decision makes differ is visible at once: no copy is about to follow.
    """
    SETTLE.call(connection, _LINED in groups, "supplier" in groups, is_decided)


LINES = tuple(item.name for item in catalogue.load().entity("address").items if item.comparison is Comparison.LINE)
"""The lines of an address, which are compared as one text."""

_LINES = f"array[{', '.join(map(repr, LINES))}]"


def _compare() -> str:
    survivor, copy = (journal.SOURCE_OF.format(change_id=name) for name in ("w.change_id", "s.copy_id"))
    return _comparing(_COMPARE, survivor=survivor, copy=copy, copied="s.copy")


def _compare_further() -> str:
    survivor = journal.SOURCE_OF.format(change_id="s.change_id")
    return _comparing(_COMPARE_FURTHER, survivor=survivor, copy="r.source_id", copied="r.item_values")


def _comparing(statement: str, *, survivor: str, copy: str, copied: str) -> str:
    """Complete a comparison: SQL for the sources of both sides, and where the copy's values stand."""
    sides = [[f"{said} ->> '{line}'" for line in LINES] for said in ("s.item_values", copied)]
    items = ("s.item_values ->> i.item", f"{copied} ->> i.item")
    return statement.format(
        copy=copy,
        survivor=survivor,
        holder=journal.SOURCE_OF.format(change_id="c.change_id"),
        opened_by=_SIDE.format(survivor=survivor, copy=copy),
        lined=_LINED,
        lines=_LINES,
        line=Comparison.LINE,
        none=Comparison.NONE,
        line_differs=agreement.line_differs(*items),
        lines_differ=agreement.lines_differ(*sides),
        differs=agreement.differ_by("i.comparison", *items),
    )


def _end() -> str:
    spoken = "coalesce((s.spoken ->> k.item)::bigint, s.change_id)"
    survivor = journal.SOURCE_OF.format(change_id=spoken)
    return _END.format(
        survivor=survivor,
        copy=journal.SOURCE_OF.format(change_id="c.change_id"),
        closed_by=_SIDE.format(survivor=survivor, copy="k.source_id"),
        lines=_LINES,
    )


SETTLE = Routine(
    name="settle_conflicts",
    parameters=("is_lined boolean", "is_supplied boolean", "is_decided boolean"),
    statements=(
        *frames(_SURVIVED, _compare(), when("_is_lined", [_compare_further()]), _end()),
        _CLOSE,
        _OPEN.format(changed=_CHANGED, history=_WITH_FORMER),
        when("_is_supplied", [_FOLLOW_SUPPLIER]),
    ),
)
