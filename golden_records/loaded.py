"""The work list of initial loads: golden records whose source records are in and that are yet to be assembled.

Contracts come before the appointments that name them, and these before meters, whose owners follow from them; metering
points last, so that each is projected once, with all that stands at it. Workers of all sources share the list. What
each part of a load took in stands on it as one row; whoever begins to assemble cuts that into batches, in each of which
a golden record stands once.
"""

import psycopg

from golden_records import rows

PASSES: tuple[tuple[str, ...], ...] = (("contract",), ("appointment",), ("address", "meter"), ("metering_point",))

_ADD = """
insert into golden.loaded (pass, is_batch, golden_ids)
select pass, false, array_agg(golden_id)
from (select case entity when 'contract' then 0 when 'appointment' then 1 when 'metering_point' then 3 else 2 end
                 as pass, golden_id
      from stage_key) k
group by pass
"""

# Two that begin at once: the second waits for the first here, and finds nothing left to be cut.
_CUT = """
with part as (
    delete from golden.loaded where pass = %(pass)s and not is_batch returning golden_ids
)
insert into golden.loaded (pass, is_batch, golden_ids)
select %(pass)s, true, array_agg(golden_id order by golden_id)
from (select golden_id, (row_number() over (order by golden_id) - 1) / %(limit)s as batch
      from (select distinct unnest(golden_ids) as golden_id from part) listed) placed
group by batch order by batch
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
    connection.execute(_ADD)


def cut(connection: psycopg.Connection, *, stage: int, limit: int) -> bool:
    """Cut what is listed for a pass into batches of so many; tell whether anything was.

    Others wait for the end of the transaction that does it, so it is to do nothing else.
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
