"""Crossed meters: points whose meters some systems have the one way round and others the other way.

Read from the open conflicts about where meters are fitted: a copy that has meter X at Q where it survives at P, and
meter Y at P where that survives at Q. Three that went round in a ring are found likewise.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import psycopg

from golden_records import likeness
from golden_records.likeness import Part, Verdict
from golden_records.match_states import MatchKind
from golden_records.matches import Found

_TOLD = """
with told as materialized (
    select golden_id as meter_id, (owner_value #>> '{}')::bigint as here, (value #>> '{}')::bigint as there, source_id
    from golden.conflict
    where closed_at is null and item = 'metering_point_id' and value <> owner_value
)
"""

_RINGS = f"""
{_TOLD}
select points, meters, array_agg(distinct s.name order by s.name),
       (select count(distinct upper(replace(a.postcode, ' ', ''))) = 1 and count(*) = cardinality(points)
        from golden.metering_point p join golden.address a on a.golden_id = p.address_id
        where p.golden_id = any (points)) as is_near
from (
    select array[x.here, y.here] as points, array[x.meter_id, y.meter_id] as meters, x.source_id
    from told x join told y on y.source_id = x.source_id and y.here = x.there and y.there = x.here
    where x.here < y.here
    union all
    select array[x.here, y.here, z.here], array[x.meter_id, y.meter_id, z.meter_id], x.source_id
    from told x join told y on y.source_id = x.source_id and y.here = x.there
    join told z on z.source_id = x.source_id and z.here = y.there and z.there = x.here
    where x.here < y.here and x.here < z.here and y.here <> z.here
) ring join golden.source_system s using (source_id)
group by points, meters
"""


def find(connection: psycopg.Connection) -> list[Found]:
    """Return every pair, and every ring of three, of points whose meters seem crossed now."""
    rings = connection.execute(_RINGS).fetchall()
    return [_found(points, meters, systems, is_near=is_near) for points, meters, systems, is_near in rings]


def _found(points: Sequence[int], meters: Sequence[int], systems: Sequence[str], *, is_near: bool) -> Found:
    parts = [
        Part(part="the other meter at each point", verdict=Verdict.EQUAL, likeness=1.0, weight=80),
        likeness.graded("postcode of the points", float(is_near), weight=20),
    ]
    explanation: dict[str, Any] = {
        "points": list(points),
        "meters": list(meters),
        "told_by": list(systems),
        "parts": [part.as_json() for part in parts],
    }
    facts = repr((sorted(zip(points, meters, strict=True)), sorted(systems)))
    return Found(
        kind=MatchKind.CROSSED,
        entity="metering_point",
        left_id=min(points),
        right_id=max(points),
        score=likeness.score(parts),
        explanation=explanation,
        facts=hashlib.sha256(facts.encode()).hexdigest()[:32],
        candidates=len(points),
        is_limited=False,
    )
