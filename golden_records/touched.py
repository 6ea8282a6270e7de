"""Touched points: the metering points whose views may change because of what was mastered, and since which commit.

Addresses and contracts stand for the points that refer to them, which the projection finds under its lock.
"""

import psycopg

_TOUCHED = """
with changed as materialized (
    select d.entity, d.golden_id, min(t.committed_at) as committed_at
    from stage_delta d join stage_tx t using (tx) group by 1, 2
)
insert into touched_point (golden_id, committed_at)
select golden_id, min(committed_at) from (
    select golden_id, committed_at from changed where entity = 'metering_point'
    union all
    select m.metering_point_id, d.committed_at from changed d
    cross join lateral (select metering_point_id from golden.meter g where g.golden_id = d.golden_id offset 0) m
    where d.entity = 'meter'
    union all
    select a.metering_point_id, d.committed_at from changed d
    cross join lateral (select metering_point_id from golden.appointment g where g.golden_id = d.golden_id offset 0) a
    where d.entity = 'appointment'
    union all
    select l.point_id, t.committed_at from stage_left l join stage_tx t using (tx)
    union all  -- where an appointment has run out, nothing of it changed
    select a.point_id, t.committed_at from stage_appointed a join stage_tx t using (tx)
) touched
where exists (select from golden.metering_point g where g.golden_id = touched.golden_id offset 0)
    or golden_id in (select golden_id from stage_removed)
group by golden_id
union all
select golden_id, committed_at from changed where entity in ('address', 'contract')
"""


def collect(connection: psycopg.Connection) -> psycopg.Cursor:
    """Fill touched_point from what this part changed; how many points, the result's count says."""
    return connection.execute(_TOUCHED)
