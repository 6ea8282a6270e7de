"""Merges, splits and separations in the store: which golden record stands for which, and what moves when that changes.

A source record and a key have a golden record of their own for ever. Where it stands alone they are under it; where
it is merged, under the end of its redirects, with their own id beside. So whatever is merged and split, and in which
order, they end where they would be if only what stands now had ever been decided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.types.json import Jsonb

from golden_records import catalogue, redirects, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a golden id: its version is None while no source says anything of it."""

    golden_id: int
    entity: str
    version: int | None
    into_id: int | None


def lock(connection: psycopg.Connection, *, patience: float = 0.5) -> bool:
    """Be alone: wait so many seconds for all who master to commit, and keep others from beginning; tell whether.

    Who masters has read golden.redirect, and holds that lock until the end.
    """
    try:
        with connection.transaction():  # a savepoint
            connection.execute(f"set local lock_timeout = {int(patience * 1000)}")
            connection.execute("lock table golden.redirect in access exclusive mode")
            connection.execute("set local lock_timeout = default")
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def list_known(connection: psycopg.Connection, golden_ids: Sequence[int]) -> dict[int, Known]:
    """Return what is known of these golden ids; those that were never given are left out."""
    versions = " ".join(
        f"when '{name}' then (select version from golden.{name} t where t.golden_id = g.golden_id)"
        for name in catalogue.load().entities
    )
    found = connection.execute(
        f"""
        select g.golden_id, g.entity, case g.entity {versions} end, d.into_id
        from golden.golden_record g
        left join golden.redirect d on d.golden_id = g.golden_id and d.undone_at is null
        where g.golden_id = any (%s)
        """,
        [list(golden_ids)],
    )
    return {
        golden_id: Known(golden_id=golden_id, entity=entity, version=version, into_id=into_id)
        for golden_id, entity, version, into_id in found.fetchall()
    }


def list_ends(connection: psycopg.Connection, golden_ids: Sequence[int]) -> list[int]:
    """Return the golden records that stand for these now."""
    return sorted({*redirects.list_ends(connection, golden_ids).values()})


def is_survivor(connection: psycopg.Connection, golden_id: int) -> bool:
    """Tell whether others are merged into a golden record."""
    query = "select exists (select from golden.redirect where into_id = %s and undone_at is null)"
    return bool(rows.single(connection, query, [golden_id]))


def entity_of(connection: psycopg.Connection, golden_id: int) -> str:
    """Return of which entity a golden record is."""
    return str(rows.single(connection, "select entity from golden.golden_record where golden_id = %s", [golden_id]))


_RENEW_ENDS = """
with recursive led as (
    select root as golden_id, root as end_id from unnest(%(roots)s::bigint[]) root
    union all
    select d.golden_id, l.end_id from led l join golden.redirect d on d.into_id = l.golden_id and d.undone_at is null
)
update golden.redirect d set end_id = l.end_id
from led l where d.golden_id = l.golden_id and d.undone_at is null and d.end_id <> l.end_id
"""


def redirect(
    connection: psycopg.Connection, merges: Mapping[int, int], *, now: datetime, decision_id: int | None
) -> None:
    """Lead each golden record, with all that is merged into it, to another that stands alone."""
    connection.execute(
        """
        insert into golden.redirect (golden_id, into_id, end_id, decision_id, redirected_at)
        select golden_id, into_id, into_id, %(decision)s, %(now)s
        from unnest(%(retired)s::bigint[], %(survivors)s::bigint[]) m (golden_id, into_id)
        order by golden_id
        """,
        {"retired": [*merges], "survivors": [*merges.values()], "decision": decision_id, "now": now},
    )
    connection.execute(_RENEW_ENDS, {"roots": sorted({*merges.values()})})


def undo_redirect(connection: psycopg.Connection, golden_ids: Sequence[int], *, now: datetime) -> None:
    """Let these golden records stand alone again, with all that was merged into them."""
    connection.execute(
        "update golden.redirect set undone_at = %s where golden_id = any (%s) and undone_at is null",
        [now, list(golden_ids)],
    )
    connection.execute(_RENEW_ENDS, {"roots": list(golden_ids)})


_OWN = "coalesce({0}.own_id, {0}.golden_id)"
_END = redirects.end_of(_OWN)

# A key that comes back to its own golden record is linked as it was before; one that was claimed meanwhile, by itself.
_MOVE_KEYS = f"""
with moved as (
    update golden.crosswalk c set unlinked_at = %(now)s
    from (select c.crosswalk_id, {_OWN.format("c")} as own_id, {_END.format("c")} as end_id
          from golden.crosswalk c where c.golden_id = any (%(golden_ids)s) and c.unlinked_at is null offset 0) m
    where c.crosswalk_id = m.crosswalk_id and m.end_id <> c.golden_id
    returning c.crosswalk_id, c.entity, c.key, m.own_id, m.end_id
), inserted as (
    select entity, key, end_id, nullif(own_id, end_id) as own_id,
           case when own_id <> end_id then 'MANUAL'
                else coalesce((select b.origin from golden.crosswalk b
                               where b.golden_id = m.end_id and b.entity = m.entity and b.key = m.key
                                 and b.own_id is null order by b.crosswalk_id desc limit 1), 'AUTO') end as origin
    from moved m order by crosswalk_id
)
select entity, key, end_id, own_id, origin from inserted
"""


def move_keys(connection: psycopg.Connection, golden_ids: Sequence[int], *, now: datetime) -> None:
    """Link the keys of these golden records to where they lead now; the links that end keep their row."""
    moved = connection.execute(_MOVE_KEYS, {"golden_ids": list(golden_ids), "now": now}).fetchall()
    connection.execute(
        """
        insert into golden.crosswalk (entity, key, golden_id, own_id, origin, linked_at)
        select m.entity, m.key, m.golden_id, m.own_id, m.origin, %s
        from unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::text[])
            m (entity, key, golden_id, own_id, origin)
        """,
        [now, *([row[place] for row in moved] for place in range(5))],
    )


_STAGE = f"""
insert into stage_version (golden_id, prior_golden_id, entity, item_group, source_id, source_key, seq, tx, op,
                           effective_from, effective_to, item_values, change_id, point_id, own_id, place)
select r.end_id, r.golden_id, g.entity, r.item_group, r.source_id, r.source_key, r.change_id, 0, 'u',
       r.effective_from, r.effective_to, r.item_values, r.change_id,
       case when g.entity in ('meter', 'appointment')
            then {redirects.POINT} end,
       nullif({_OWN.format("r")}, r.end_id), r.at
from golden.golden_record g
join (select r.*, r.ctid as at, {_END.format("r")} as end_id from golden.source_record r
      where r.golden_id = any (%(golden_ids)s) offset 0) r using (golden_id)
"""

_MOVE = """
update golden.source_record r set golden_id = v.golden_id, own_id = v.own_id
from stage_version v where r.ctid = v.place and (v.prior_golden_id <> v.golden_id or r.own_id is distinct from v.own_id)
"""


def stage_moved(connection: psycopg.Connection, golden_ids: list[int]) -> None:
    """Put what the sources say of these golden records under where they lead now, and stage it as transaction 0."""
    connection.execute(_STAGE, {"golden_ids": golden_ids})
    connection.execute(_MOVE)
    connection.execute("update stage_version set place = null")
    connection.execute(
        """
        insert into stage_fetched
        select golden_id, item_group from stage_version union select prior_golden_id, item_group from stage_version
        """
    )


_REFERRING = """
select golden_id from golden.metering_point where address_id = any (%(ends)s)
union select golden_id from golden.meter where metering_point_id = any (%(ends)s)
union select golden_id from golden.appointment where metering_point_id = any (%(ends)s)
union select golden_id from golden.appointment where contract_id = any (%(ends)s)
union select golden_id from golden.conflict
      where closed_at is null and item = any (%(items)s) and value = any (%(values)s)
"""


def list_referring(connection: psycopg.Connection, golden_ids: Sequence[int]) -> list[int]:
    """Return the golden records that refer to these, whether by what survived or by a copy that differs from it."""
    found = connection.execute(_REFERRING, _targets(golden_ids))
    return [row[0] for row in found.fetchall()]


_REFERRING_OWN = f"""
with recursive led as (
    select root as golden_id from unnest(%(own)s::bigint[]) root
    union all
    select d.golden_id from led l join golden.redirect d on d.into_id = l.golden_id and d.undone_at is null
), referring as materialized ({_REFERRING})
select distinct golden_id from referring
join golden.source_record r using (golden_id)
where r.item_group = any (%(groups)s) and ({{own}})
"""


def list_referring_own(connection: psycopg.Connection, ends: Sequence[int], own_ids: Sequence[int]) -> list[int]:
    """Return those that refer to `ends` and of which a copy means `own_ids`, or what is merged into these."""
    own = " or ".join(
        f"(r.item_values ->> '{name}')::bigint in (select golden_id from led)" for name in redirects.REFERENCES
    )
    found = connection.execute(
        _REFERRING_OWN.format(own=own), _targets(ends) | {"own": list(own_ids), "groups": redirects.REFERRING}
    )
    return [row[0] for row in found.fetchall()]


_FOLLOWING = f"""
select distinct k.golden_id from golden.source_record r
join golden.conflict k on k.closed_at is null and k.item = 'metering_point_id'
    and k.value = to_jsonb({redirects.POINT})
where r.golden_id = any (%s) and r.item_group = 'appointment'
"""


def list_following(connection: psycopg.Connection, golden_ids: Sequence[int]) -> list[int]:
    """Return the meters that a copy, though not what survived, has at the points of the appointments among these.

    Whose copy survives follows from the appointments.
    """
    return [row[0] for row in connection.execute(_FOLLOWING, [list(golden_ids)]).fetchall()]


def _targets(golden_ids: Sequence[int]) -> dict[str, object]:
    return {
        "ends": list(golden_ids),
        "items": redirects.REFERENCES,
        "values": [Jsonb(golden_id) for golden_id in golden_ids],
    }


def found_anew(connection: psycopg.Connection, entity: str, *, now: datetime) -> int:
    """Give a new golden id, for what is separated from another."""
    golden_id: int = rows.single(connection, "select nextval('golden.golden_id')")
    connection.execute(
        "insert into golden.golden_record (golden_id, entity, created_at) values (%s, %s, %s)", [golden_id, entity, now]
    )
    return golden_id
