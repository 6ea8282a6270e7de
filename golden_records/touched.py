"""Touched points: the metering points whose views may change because of what was mastered.

Addresses and contracts stand for the points that refer to them, which the projection finds under its lock.
"""

import psycopg

_TOUCHED = """
insert into touched_point (golden_id)
select golden_id from (
    select golden_id from stage_delta where entity = 'metering_point'
    union
    select m.metering_point_id from (select distinct golden_id from stage_delta where entity = 'meter') d
    cross join lateral (select metering_point_id from golden.meter g where g.golden_id = d.golden_id offset 0) m
    union
    select a.metering_point_id from (select distinct golden_id from stage_delta where entity = 'appointment') d
    cross join lateral (select metering_point_id from golden.appointment g where g.golden_id = d.golden_id offset 0) a
    union
    select point_id from stage_left
    union  -- where an appointment has run out, nothing of it changed
    select point_id from stage_appointed
) touched where exists (select from golden.metering_point g where g.golden_id = touched.golden_id offset 0)
    or golden_id in (select golden_id from stage_removed)
union all
select distinct golden_id from stage_delta where entity in ('address', 'contract')
"""


def collect(connection: psycopg.Connection) -> int:
    """Fill touched_point from what this part changed; return how many points."""
    return connection.execute(_TOUCHED).rowcount
