"""The work list of initial loads: golden records whose source records are in and that are yet to be assembled.

Appointments come first, since the owners of meters follow from them; metering points last, so that each is projected
once, with all that stands at it. Workers of all sources share the list and never wait for each other.
"""

import psycopg

from golden_records import rows

PASSES: tuple[tuple[str, ...], ...] = (("appointment",), ("address", "contract", "meter"), ("metering_point",))

_RANK_OF = "case entity when 'appointment' then 0 when 'metering_point' then 2 else 1 end"


def add(connection: psycopg.Connection, *, source_id: int) -> None:
    """List the golden records of the staged records."""
    connection.execute(
        f"""
        insert into golden.loaded (pass, golden_id, source_id)
        select distinct {_RANK_OF}, k.golden_id, %s from stage_record r join stage_key k using (entity, key)
        order by 1, 2
        on conflict do nothing
        """,
        [source_id],
    )


def take(connection: psycopg.Connection, *, place: tuple[int, int], limit: int) -> tuple[list[int], int | None]:
    """Lock and take the next golden records of a pass off the list; return them and the last id looked at.

    Those that another worker is assembling are passed over. The last id is None when the pass has no more behind.
    """
    window = connection.execute(
        """
        select distinct golden_id from golden.loaded where pass = %s and golden_id > %s order by golden_id limit %s
        """,
        [*place, limit],
    ).fetchall()
    if not window:
        return [], None
    found = connection.execute(
        "select golden_id from golden.golden_record where golden_id = any (%s) order by golden_id"
        " for no key update skip locked",
        [[row[0] for row in window]],
    ).fetchall()
    taken = [row[0] for row in found]
    if not taken:  # wait until whoever assembles them has done so, rather than ask again and again
        connection.execute("select from golden.golden_record where golden_id = %s for no key update", [window[0][0]])
    connection.execute("delete from golden.loaded where pass = %s and golden_id = any (%s)", [place[0], taken])
    return taken, window[-1][0]


def find_pass(connection: psycopg.Connection) -> int | None:
    """Return the first pass that has anything left, also what others are assembling; None when all is done."""
    first: int | None = rows.single(connection, "select min(pass) from golden.loaded")
    return first
