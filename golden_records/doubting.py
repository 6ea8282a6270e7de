"""Doubt: once some records of a part are held back, what they may change is chosen and judged anew, and no more."""

import psycopg

from golden_records import staging
from rules import registry
from rules.model import Scope

# Where a rule of the first step spoke, those of the second have not been put to anything yet.
JUDGED = f"(exists (select from stage_doubted where not is_all_judged) or {staging.DOUBTED})"
"""Whether the rules across records are to be put to what is said of a golden record."""

FIRST_STEP = frozenset({Scope.POINT, Scope.RECORD_AT_POINT, Scope.SUPPLIER_PERIOD, Scope.LINK})
"""The scopes whose rules are put first; those of the others are, once none of these speaks."""

# What is held back takes with it what was chosen and judged of its golden record, of the point where that stands or
# stood, and of all that this part says of what stands there.
_DOUBT = """
with broken as (
    select v.golden_id, v.prior_golden_id, v.point_id from stage_violation b
    join stage_version v on v.source_id = b.source_id and v.seq = b.change_no and v.source_key = b.source_key
        and v.item_group = b.item_group
    where b.severity = 'E'
), own as (
    select golden_id from broken union select prior_golden_id from broken
), doubted as materialized (
    select golden_id from own where golden_id is not null
    union select point_id from broken where point_id is not null
    union select g.metering_point_id from own cross join lateral (
        select metering_point_id from golden.appointment g where g.golden_id = own.golden_id
        union all select metering_point_id from golden.meter m where m.golden_id = own.golden_id offset 0) g
    where g.metering_point_id is not null
)
insert into stage_doubted
select golden_id, not exists (select from stage_violation where severity = 'E' and rule = any (%(first)s)) from (
    select golden_id from doubted
    union select v.golden_id from stage_version v where v.point_id in (select golden_id from doubted)
    union select golden_id from stage_survivor
    where item_group = 'appointment'
      and (item_values ->> 'metering_point_id')::bigint in (select golden_id from doubted)
) d
"""


def begin(connection: psycopg.Connection) -> None:
    """Have what the noted records may change looked at again, once some are held back, and nothing else."""
    with staging.pipelined(connection), staging.frames_only(connection):
        connection.execute(_DOUBT, {"first": _codes_of_first_step()})


def end(connection: psycopg.Connection) -> None:
    """Look at everything again from here on."""
    connection.execute("truncate stage_doubted")


def _codes_of_first_step() -> list[int]:
    return [rule.code for rule in registry.RULES.values() if rule.scope in FIRST_STEP]
