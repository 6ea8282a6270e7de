"""Versions of golden records whose source transaction is mastered in several parts: one, not one a part (law 3)."""

import psycopg

from golden_records import catalogue

# Where the two last versions of a golden record are of one source transaction, the later one goes into the earlier.
# What was created and deleted again in between never was.
_FOLD = """
with pair as materialized (
    select later.*, prior.version as prior_version, prior.op as prior_op
    from (select distinct golden_id from stage_delta) d
    cross join lateral (
        select * from golden.golden_version v where v.golden_id = d.golden_id order by v.version desc limit 1) later
    join golden.golden_version prior
        on prior.golden_id = later.golden_id and prior.version = later.version - 1
        and prior.source_id = later.source_id and prior.commit_lsn = later.commit_lsn
), gone as (
    delete from golden.golden_version v using pair
    where v.golden_id = pair.golden_id
      and (v.version = pair.version or v.version = pair.prior_version and pair.prior_op = 'c' and pair.op = 'd')
), kept as (
    update golden.golden_version v
    set op = case when pair.op = 'd' then 'd' when v.op = 'd' then 'u' else v.op end,
        change_id = pair.change_id, recorded_at = pair.recorded_at, changed = v.changed || pair.changed,
        lineage = (v.lineage - array(select jsonb_object_keys(pair.changed))) || pair.lineage,
        candidates = nullif(coalesce(v.candidates, '{}') || coalesce(pair.candidates, '{}'), '{}')
    from pair
    where v.golden_id = pair.golden_id and v.version = pair.prior_version and (v.op <> 'c' or pair.op <> 'd')
)
select array_agg(golden_id) from pair
"""


def fold(connection: psycopg.Connection) -> None:
    """Put the versions of the part that was mastered last into those that earlier parts of its transaction made."""
    row = connection.execute(_FOLD).fetchone()
    if row is None or row[0] is None:
        return
    for entity in catalogue.load().entities.values():
        connection.execute(
            f"update golden.{entity.name} set version = version - 1 where golden_id = any (%s)", [row[0]]
        )
