"""Source records: what each source says now about each golden record, and what a part of a batch does to that.

A staged source record becomes rows of stage_version: what the source says from transaction `tx` until `until_tx`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from golden_records import redirects, routines, rows, staging
from golden_records.routines import Routine, at_once, frames, when

_REFERENCES = """
left join stage_key p on p.entity = 'metering_point' and p.key = r.point_key
left join stage_key a on a.entity = 'address' and a.key = r.address_key and r.item_group = 'site'
left join stage_key c on c.entity = 'contract' and c.key = r.contract_key
"""

# What a source is silent about is left out, so that what it says can be laid over what another says. References stay
# those of its own, whatever is merged (redirects).
_VALUES = """
case when a.golden_id is null and c.golden_id is null and (p.golden_id is null or r.entity = 'metering_point')
     then jsonb_strip_nulls(r.item_values)
     else jsonb_strip_nulls(r.item_values) || jsonb_strip_nulls(jsonb_build_object(
         'address_id', coalesce(a.own_id, a.golden_id), 'contract_id', coalesce(c.own_id, c.golden_id),
         'metering_point_id', case when r.entity <> 'metering_point' then coalesce(p.own_id, p.golden_id) end)) end
"""

_FETCH = """
insert into stage_fetched
select distinct k.golden_id, r.item_group from stage_record r join stage_key k using (entity, key) where r.op = 'u'
"""

_EXISTING = """
insert into stage_existing
select r.golden_id, r.item_group, r.source_id, r.source_key, r.effective_from, r.effective_to, r.item_values,
       r.change_id, r.ctid
from (select golden_id, item_group from stage_fetched f {where} order by golden_id, item_group) f
join golden.source_record r using (golden_id, item_group)
"""

# Source records that are not under the golden record their key names now: new, deleted, or moved from another one. That
# one identity has locked already, unless the record was moved there meanwhile, or this is in a hurry.
_STRAYS = """
with stray as (
    select distinct s.source_id, s.source_key, s.item_group from stage_record s
    where not exists (select from stage_existing e where e.source_id = s.source_id and e.source_key = s.source_key
                      and e.item_group = s.item_group)
), left_behind as (
    insert into stage_fetched
    select distinct r.golden_id, r.item_group from stray s
    join golden.source_record r using (source_id, source_key, item_group)
    returning golden_id
)
select count(*) into _found from (
    select from golden.golden_record where golden_id in (select golden_id from left_behind)
    order by golden_id for no key update {wait}) locked
"""

_UNSEEN = """
where not exists (select from stage_existing e where e.golden_id = f.golden_id and e.item_group = f.item_group)
"""

_RESOLVE = f"""
insert into stage_version (golden_id, prior_golden_id, entity, item_group, source_id, source_key, seq,
                           tx, op, is_partial, effective_from, effective_to, item_values, change_id, point_id,
                           quarantine_id, stored_id, place, own_id)
select case when r.op = 'd' then null else k.golden_id end, prior.golden_id, r.entity, r.item_group,
       r.source_id, r.source_key, r.change_no, r.tx, r.op, r.is_partial, r.effective_from, r.effective_to,
       case when r.is_partial then r.item_values else '{{}}' end || {_VALUES}, r.change_id, p.golden_id,
       r.quarantine_id, prior.golden_id, prior.place, k.own_id
from stage_record r
left join stage_key k on k.entity = r.entity and k.key = r.key {_REFERENCES}
left join stage_existing prior
    on prior.source_id = r.source_id and prior.source_key = r.source_key and prior.item_group = r.item_group
"""

_SPAN = """
with ordered as (
    select ctid as at, lead(tx) over w as until_tx, lag(golden_id) over w as before_id, lag(true) over w as has_before
    from stage_version
    window w as (partition by source_id, source_key, item_group order by seq)
)
update stage_version v
set until_tx = o.until_tx, prior_golden_id = case when o.has_before then o.before_id else v.prior_golden_id end
from ordered o where v.ctid = o.at and (o.until_tx is not null or o.has_before)
"""

_COMPLETE_PARTIAL = """
with recursive ordered as (
    select ctid as at, v.*, row_number() over (partition by source_id, source_key, item_group order by seq) as step
    from stage_version v
), completed as (
    select o.at, o.source_id, o.source_key, o.item_group, o.step,
           case when o.is_partial then coalesce(r.item_values, '{}') || o.item_values else o.item_values end as complete
    from ordered o
    left join golden.source_record r
        on r.source_id = o.source_id and r.source_key = o.source_key and r.item_group = o.item_group
    where o.step = 1
    union all
    select o.at, o.source_id, o.source_key, o.item_group, o.step,
           case when o.is_partial then coalesce(c.complete, '{}') || o.item_values else o.item_values end
    from completed c
    join ordered o on o.source_id = c.source_id and o.source_key = c.source_key and o.item_group = c.item_group
        and o.step = c.step + 1
)
update stage_version v set item_values = jsonb_strip_nulls(c.complete)
from completed c where c.at = v.ctid and v.is_partial
"""


def _fetch(name: str, strays: str) -> Routine:
    existing, unseen = _EXISTING.format(where=""), _EXISTING.format(where=_UNSEEN)
    return Routine(name=name, statements=(_FETCH, existing, strays, when("_found > 0", [unseen])))


FETCH = _fetch("fetch_existing", _STRAYS.format(wait=""))
FETCH_HURRIED = _fetch("fetch_hurried", at_once(_STRAYS.format(wait="nowait")))
RESOLVE = Routine(name="resolve_records", statements=frames(_RESOLVE, _SPAN))
SPAN = Routine(
    name="span_versions",
    statements=frames("update stage_version set until_tx = null where until_tx is not null", _SPAN),
)


def fetch(connection: psycopg.Connection, *, is_hurried: bool = False) -> None:
    """Fetch what the sources said of the golden records so far.

    In a hurry, what a moved record left is not locked yet: SerializationFailure where it is being mastered.
    """
    (FETCH_HURRIED if is_hurried else FETCH).call(connection)


def refetch(connection: psycopg.Connection) -> None:
    """Fetch it anew, when more records have been staged."""
    connection.execute("truncate stage_fetched, stage_existing")
    fetch(connection)


def resolve(connection: psycopg.Connection) -> None:
    """Turn staged records into stage_version, with golden ids in place of keys; fetch() comes before it.

    Each is bounded as span() does.
    """
    RESOLVE.call(connection)


def complete(connection: psycopg.Connection) -> None:
    """Give unchanged TOAST values, which the source did not send again, the value they had before."""
    connection.execute(_COMPLETE_PARTIAL)


def span(connection: psycopg.Connection) -> None:
    """Bound each stage_version by the next one of the same source record, and note the golden record it leaves."""
    SPAN.call(connection)


_DELETE = """
delete from golden.source_record r using stage_version v
where v.until_tx is null and r.ctid = v.place and v.stored_id is distinct from v.golden_id
"""
_UPDATE = """
update golden.source_record r
set effective_from = v.effective_from, effective_to = v.effective_to, item_values = v.item_values,
    change_id = v.change_id, own_id = v.own_id
from stage_version v
where v.until_tx is null and v.op = 'u' and r.ctid = v.place and v.stored_id = v.golden_id
"""
_INSERT = """
insert into golden.source_record (golden_id, item_group, source_id, source_key, effective_from, effective_to,
                                  item_values, change_id, own_id)
select golden_id, item_group, source_id, source_key, effective_from, effective_to, item_values, change_id, own_id
from stage_version where until_tx is null and op = 'u' and stored_id is distinct from golden_id
order by golden_id, item_group
"""
_MOVED = """
get diagnostics _more = row_count;
select count(*) - _more into _found
from stage_version where until_tx is null and op = 'u' and stored_id = golden_id
"""

WRITE = Routine(name="write_source_records", statements=(_DELETE, _UPDATE, _MOVED, _INSERT))


@dataclass(frozen=True, slots=True)
class Written:
    """What write() has sent, to be verified in the end."""

    called: psycopg.Cursor

    def verify(self) -> None:
        """Rows are found by their place; raise SerializationFailure in the rare case that another worker moved one."""
        if routines.found(self.called):
            raise psycopg.errors.SerializationFailure("a source record was moved meanwhile: the part is tried again")


def write(connection: psycopg.Connection) -> Written:
    """Make golden.source_record hold what the sources say after this part; verify the result once it is waited for."""
    return Written(WRITE.call(connection))


_INSERT_LOADED = f"""
insert into golden.source_record (golden_id, item_group, source_id, source_key, effective_from,
                                  effective_to, item_values, change_id, own_id)
select k.golden_id, r.item_group, r.source_id, r.source_key, r.effective_from, r.effective_to, {_VALUES}, r.change_id,
       k.own_id
from stage_record r join stage_key k on k.entity = r.entity and k.key = r.key {_REFERENCES}
order by k.golden_id, r.item_group, r.change_no
"""


def write_loaded(connection: psycopg.Connection) -> None:
    """Write the staged records of a first load, of which nothing stands in golden.source_record yet.

    Of two rows that a source has under one key, the first stands; they are looked for only where there are such.
    """
    try:
        with connection.transaction(), staging.frames_only(connection):  # a savepoint
            connection.execute(_INSERT_LOADED)
    except psycopg.errors.UniqueViolation:
        with staging.frames_only(connection):
            connection.execute(f"{_INSERT_LOADED} on conflict do nothing")


def stage_truncated(connection: psycopg.Connection, change: Mapping[str, Any]) -> None:
    """Stage the deletion of every source record of the table that this change (op t) truncates."""
    connection.execute(
        """
        insert into stage_record (source_id, change_id, change_no, tx, op, entity, item_group, source_key, is_partial,
                                  item_values)
        select %(source_id)s, %(change_id)s, %(change_no)s, %(tx)s, 'd', said.entity, said.item_group, said.source_key,
               false, '{}'
        from (
            select g.entity, r.item_group, r.source_key
            from golden.source_record r join golden.golden_record g using (golden_id) where r.source_id = %(source_id)s
            union
            select entity, item_group, source_key from stage_record
            where op = 'u' and source_id = %(source_id)s and change_no < %(change_no)s
        ) said
        where starts_with(said.source_key, %(relation)s || '|')
        """,
        change,
    )


# Each is found by the index: what is known of tables that are being filled misleads the planner to read them whole.
_FROM_STORE = f"""
insert into stage_version (golden_id, prior_golden_id, entity, item_group, source_id, source_key, seq, tx, op,
                           effective_from, effective_to, item_values, change_id, point_id, own_id)
select r.golden_id, r.golden_id, g.entity, r.item_group, r.source_id, r.source_key, r.change_id, 0, 'u',
       r.effective_from, r.effective_to, r.item_values, r.change_id,
       case when g.entity in ('meter', 'appointment') then {redirects.POINT} end, r.own_id
from golden.golden_record g
cross join lateral (select * from golden.source_record s where s.golden_id = g.golden_id offset 0) r
where g.golden_id = any (%(golden_ids)s::bigint[])
"""


def stage_stored(connection: psycopg.Connection, golden_ids: list[int]) -> None:
    """Stage what all sources say of these golden records, as transaction 0, to master them anew."""
    connection.execute(_FROM_STORE, {"golden_ids": rows.bigints(golden_ids)})


def note_staged(connection: psycopg.Connection) -> None:
    """Note that all that is stored of the staged golden records is staged."""
    connection.execute("insert into stage_fetched select distinct golden_id, item_group from stage_version")


def drop_quarantined(connection: psycopg.Connection) -> None:
    """Take what a rule holds back out of the stored source records."""
    connection.execute(
        """
        delete from golden.source_record r using stage_violation v
        where v.severity = 'E' and r.source_id = v.source_id and r.source_key = v.source_key
          and r.item_group = v.item_group
        """
    )
