"""The work list of initial loads: golden records whose source records are in and that are yet to be assembled.

Contracts and addresses come before what refers to them. Metering points come with all that stands at them, so that each
is judged and projected once; meters that are said to stand at several come last, when all of these are known. Workers
of all sources share the list. What each part of a load took in stands on it as one row; whoever begins to assemble cuts
that into batches, in each of which a golden record stands once.
"""

import polars as pl
import psycopg

from golden_records import rows, staging

PASSES: tuple[tuple[str, ...], ...] = (
    ("contract", "address"),
    ("appointment", "meter", "metering_point"),
    ("meter",),
)

_ADD = """
insert into golden.loaded (pass, is_batch, golden_ids, point_ids)
select pass, false, array_agg(golden_id), array_agg(point_id)
from (select case when k.entity in ('contract', 'address') then 0 else 1 end as pass, k.golden_id, r.point_id
      from stage_key k
      left join (select distinct r.entity, r.key, p.golden_id as point_id
                 from stage_record r join stage_key p on p.entity = 'metering_point' and p.key = r.point_key
                 where r.entity in ('appointment', 'meter')) r using (entity, key)) listed
group by pass
"""

_ADD_KNOWN = (
    "insert into golden.loaded (pass, is_batch, golden_ids, point_ids) values (%s, false, %s::bigint[], %s::bigint[])"
)
_AT_POINT = ("appointment", "meter")

# Two that begin at once: the second waits for the first here, and finds nothing left to be cut.
_CUT = """
with part as (
    delete from golden.loaded where pass = %(pass)s and not is_batch returning golden_ids, point_ids
), listed as (
    select golden_id, coalesce(min(point_id), golden_id) as place, min(point_id) < max(point_id) as is_at_several
    from part cross join lateral unnest(golden_ids, point_ids) each (golden_id, point_id) group by golden_id
), numbered as (
    select %(pass)s + is_at_several::int as pass, golden_id, place,
           row_number() over (partition by is_at_several order by place) - 1 as number
    from (select golden_id, place, coalesce(is_at_several, false) as is_at_several from listed) l
)
insert into golden.loaded (pass, is_batch, golden_ids, point_ids)
select pass, true, array_agg(golden_id order by golden_id), '{}'
from (select pass, golden_id, min(number) over (partition by pass, place) / %(limit)s as batch from numbered) placed
group by pass, batch order by pass, batch
"""

_TAKE = """
delete from golden.loaded where loaded_id = (
    select loaded_id from golden.loaded where pass = %s and is_batch order by loaded_id limit 1
    for update skip locked)
returning golden_ids
"""

_AWAIT = "select from golden.loaded where pass = %s order by loaded_id limit 1 for update"


def add(connection: psycopg.Connection) -> None:
    """List the golden records of the staged records, and those that they refer to."""
    with staging.frames_only(connection):
        connection.execute(_ADD)


def add_known(connection: psycopg.Connection, marked: pl.DataFrame) -> None:
    """List the golden records of marked records (known_keys)."""
    listed = marked.select_seq(
        pl.when(pl.col("entity").is_in(PASSES[0])).then(0).otherwise(1).alias("pass"),
        pl.col("key_id"),
        pl.when(pl.col("entity").is_in(_AT_POINT)).then("point_id").alias("point_id"),
    ).unique()
    for (number,), part in listed.group_by("pass"):
        golden_ids, point_ids = (rows.bigints(part[name].to_list()) for name in ("key_id", "point_id"))
        connection.execute(_ADD_KNOWN, [number, golden_ids, point_ids])


def cut(connection: psycopg.Connection, *, stage: int, limit: int) -> bool:
    """Cut what is listed for a pass into batches of about so many; tell whether anything was.

    What stands at a point comes in its batch. Others wait for the end of the transaction that does it, so it is to do
    nothing else.
    """
    return connection.execute(_CUT, {"pass": stage, "limit": limit}).rowcount > 0


def take(connection: psycopg.Connection, *, stage: int) -> list[int]:
    """Take the golden records of the next batch of a pass off the list, in order.

    Those that another worker is assembling are its own. Where nothing else is left, it is waited for and nothing is
    returned; `find_pass` tells whether anything came back.
    """
    taken = connection.execute(_TAKE, [stage]).fetchone()
    if taken is None:  # wait until whoever assembles what is left has done so, rather than ask again and again
        connection.execute(_AWAIT, [stage])
        return []
    return list(taken[0])


def find_pass(connection: psycopg.Connection) -> int | None:
    """Return the first pass that has anything left, also what others are assembling; None when all is done."""
    first: int | None = rows.single(connection, "select min(pass) from golden.loaded")
    return first
