"""Whether views hold what the golden records say now: rows, count and digest against a new projection (law 10)."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from mdm.distribution import projection

# The rows of a view as they were sent, against the rows as they would be sent now; and its head against the former.
_COMPARE = f"""
with held as (
    select r.view_id, r.golden_id, f.body
    from hub.view_row r
    left join hub.feed f on f.view_id = r.view_id and f.seq = r.seq and f.golden_id = r.golden_id
    where r.view_id = any (%(views)s)
), compared as (
    select coalesce(h.view_id, p.view_id) as view_id, coalesce(h.golden_id, p.golden_id) as golden_id,
           h.body is distinct from p.body as differs, h.golden_id is not null as is_held,
           case when h.body is not null then {projection.digest("h")} end as digest
    from held h full join (select * from projected where view_id = any (%(views)s)) p
        on p.view_id = h.view_id and p.golden_id = h.golden_id
)
select v.view_id, v.name, v.recipient, count(*) filter (where c.is_held) as rows,
       count(*) filter (where c.differs) as differing,
       h.row_count = count(*) filter (where c.is_held)
           and h.digest = coalesce(bit_xor(c.digest), repeat('0', 256)::bit(256)) as is_proven,
       coalesce((array_agg(c.golden_id order by c.golden_id) filter (where c.differs))[:%(sample)s], '{{}}') as sample
from hub.view v join hub.view_head h using (view_id) left join compared c using (view_id)
where v.view_id = any (%(views)s)
group by v.view_id, v.name, v.recipient, h.row_count, h.digest
order by v.name, v.recipient
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Equality:
    """How a view compares: `differing` rows are missing, too many or others; `sample` names some by golden id.

    `is_proven` tells whether count and digest of its head are those of its rows.
    """

    view_id: int
    name: str
    recipient: str
    rows: int
    differing: int
    is_proven: bool
    sample: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view of one recipient."""

    view_id: int
    name: str
    recipient: str


def list_views(connection: psycopg.Connection) -> list[View]:
    """Return all views, by name and recipient."""
    with connection.cursor(row_factory=class_row(View)) as cursor:
        return cursor.execute("select view_id, name, recipient from hub.view order by name, recipient").fetchall()


def compare(connection: psycopg.Connection, view_ids: Sequence[int], *, sample: int) -> list[Equality]:
    """Compare views with a projection of all golden records that is made for it, in the caller's transaction."""
    projection.recompute(connection)
    with connection.cursor(row_factory=class_row(Equality)) as cursor:
        return cursor.execute(_COMPARE, {"views": list(view_ids), "sample": sample}).fetchall()
