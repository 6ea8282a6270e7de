"""Touched points: the metering points whose views may change because of what was mastered.

Addresses and contracts stand for the points that refer to them, which the projection finds under its lock.
"""

import psycopg

_TOUCHED = """
insert into touched_point (golden_id)
select golden_id from (
    select golden_id from stage_delta where entity = 'metering_point'
    union
    select metering_point_id from golden.meter
    where golden_id in (select golden_id from stage_delta where entity = 'meter')
    union
    select metering_point_id from golden.appointment
    where golden_id in (select golden_id from stage_delta where entity = 'appointment')
    union
    select point_id from stage_left
) touched where exists (select from golden.metering_point g where g.golden_id = touched.golden_id)
    or golden_id in (select golden_id from stage_removed)
union all
select distinct golden_id from stage_delta where entity in ('address', 'contract')
"""


def collect(connection: psycopg.Connection) -> int:
    """Fill touched_point from what this part changed; return how many points."""
    return connection.execute(_TOUCHED).rowcount
