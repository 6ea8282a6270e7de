"""Doubt: once some records of a part are held back, what they may change is chosen and judged anew, and no more."""

import psycopg

from golden_records import staging
from rules import registry
from rules.model import Scope

STEPS = (
    (Scope.POINT, Scope.RECORD_AT_POINT, Scope.SUPPLIER_PERIOD, Scope.LINK),
    (Scope.APPOINTMENT_AT_POINT,),
    (Scope.METER_AT_POINT, Scope.PROVIDER),
)
"""The scopes in the order in which crossing puts their rules: those of a step once none before it speaks."""

_STEP_OF = {scope: step for step, scopes in enumerate(STEPS, start=1) for scope in scopes}


def judged(golden_id: str, scope: Scope = STEPS[-1][-1]) -> str:
    """Write whether the rules of a scope, and of those before it, are to be put to what is said of a golden record.

    Where a rule of an earlier step spoke, those of this one have not been put to anything yet.
    """
    unput = f"exists (select from stage_doubted where judged_steps < {_STEP_OF[scope]})"
    return f"({unput} or {staging.DOUBTED.format(golden_id)})"


# What is held back takes with it what was chosen and judged of its golden record, of the point where that stands or
# stood, and of all that this part says of what stands there.
_DOUBT = """
with broken as (
    select v.golden_id, v.prior_golden_id, v.point_id, b.rule from stage_violation b
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
select golden_id, (select coalesce(min(step), %(steps)s) from broken
                   join unnest(%(rules)s::int[], %(of_steps)s::int[]) r (rule, step) using (rule)) from (
    select golden_id from doubted
    union select v.golden_id from stage_version v where v.point_id in (select golden_id from doubted)
    union select golden_id from stage_survivor
    where item_group = 'appointment'
      and (item_values ->> 'metering_point_id')::bigint in (select golden_id from doubted)
) d
"""


def begin(connection: psycopg.Connection) -> None:
    """Have what the noted records may change looked at again, once some are held back, and nothing else."""
    step_of = {rule.code: _STEP_OF[rule.scope] for rule in registry.RULES.values() if rule.scope in _STEP_OF}
    steps = {"rules": [*step_of], "of_steps": [*step_of.values()], "steps": len(STEPS)}
    with staging.pipelined(connection), staging.frames_only(connection):
        end(connection)  # what the round before had looked at again is as sure by now as all else
        connection.execute(_DOUBT, steps)


def end(connection: psycopg.Connection) -> None:
    """Look at everything again from here on."""
    connection.execute("delete from stage_doubted")
