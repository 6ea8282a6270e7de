"""The work list of initial loads: golden records whose source records are in and that are yet to be assembled.

Contracts come before the appointments that name them, and these before meters, whose owners follow from them; metering
points last, so that each is projected once, with all that stands at it. Workers of all sources share the list and never
wait for each other.
"""

import psycopg

from golden_records import rows

PASSES: tuple[tuple[str, ...], ...] = (("contract",), ("appointment",), ("address", "meter"), ("metering_point",))

_RANK_OF = "case entity when 'contract' then 0 when 'appointment' then 1 when 'metering_point' then 3 else 2 end"


def add(connection: psycopg.Connection, *, source_id: int) -> None:
    """List the golden records of the staged records, and those that they refer to."""
    connection.execute(
        f"""
        insert into golden.loaded (pass, golden_id, source_id)
        select {_RANK_OF}, golden_id, %s from stage_key
        order by 1, 2
        on conflict do nothing
        """,
        [source_id],
    )


_TAKE = """
select l.golden_id from (select distinct golden_id from golden.loaded where pass = %s and golden_id > %s) l
join golden.golden_record g using (golden_id)
order by l.golden_id limit %s for no key update of g skip locked
"""

_AWAIT = """
select from golden.golden_record g
where g.golden_id = (select max(golden_id) from golden.loaded where pass = %s) for no key update
"""


def take(connection: psycopg.Connection, *, place: tuple[int, int], limit: int) -> tuple[list[int], int | None]:
    """Lock and take the next golden records of a pass off the list; return them and the last of them.

    Those that another worker is assembling are passed over, so that each has its own. Where nothing else is left, it is
    waited for; the last id is None then, and `find_pass` tells whether anything came back.
    """
    connection.execute("set local enable_bitmapscan = off")  # it goes through all that is left
    taken = [row[0] for row in connection.execute(_TAKE, [*place, limit]).fetchall()]
    connection.execute("set local enable_bitmapscan = on")
    if not taken:  # wait until whoever assembles what is left has done so, rather than ask again and again
        connection.execute(_AWAIT, [place[0]])
        return [], None
    connection.execute("delete from golden.loaded where pass = %s and golden_id = any (%s)", [place[0], taken])
    return taken, taken[-1]


def find_pass(connection: psycopg.Connection) -> int | None:
    """Return the first pass that has anything left, also what others are assembling; None when all is done."""
    first: int | None = rows.single(connection, "select min(pass) from golden.loaded")
    return first
