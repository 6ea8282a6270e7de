"""The rows of meters that rules read, out of the store."""

from golden_records import asof
from rules.model import Scope

_NO_RECORD = "null::smallint as source_id, null::text as source_key, null::text as item_group"

_METER = f"""
select g.golden_id, {_NO_RECORD}, g.meter_type, g.esme_id, g.location
from {{from golden.meter g}}
"""

_METER_AT_POINT = f"""
select g.golden_id, {_NO_RECORD}, g.meter_id, p.connection_type, g.installation_date, g.removal_date,
       p.created_date, p.disconnection_date,
       exists ({asof.stored_records("g.golden_id", "asset", "r")} and exists (
           {asof.stored_records("g.golden_id", "asset", "o")} and {asof.SAID_BEFORE.format(one="o", other="r")}
           and {asof.SAME_FITTING.format(one="o", other="r")})) as is_twice_at_point,
       (select min(w.participant) from (
            select r.change_id, (r.item_values ->> 'metering_point_id')::bigint as point_id, s.participant
            from golden.source_record r join golden.source_system s using (source_id)
            where r.golden_id = g.golden_id and r.item_group = 'asset' and s.kind in ('MSS', 'MSA', 'UMSO')) w
        cross join lateral (select {asof.DAY_OF_CHANGE.format(change_id="w.change_id")} as day) d
        where {
    asof.WRITES_UNAPPOINTED.format(
        appointments=asof.stored_appointments("w.point_id"), writer="w.participant", day="d.day"
    )
}
       ) as unappointed_writer
from {{from golden.meter g}}
left join golden.metering_point p on p.golden_id = g.metering_point_id
"""

# Every system's word counts, as a meter that two systems place at two points is what is looked for. Of two records of
# one serial number the golden meter that has it, whatever its maker, tells where the others are.
_SERIAL = f"""
select g.golden_id, {_NO_RECORD}, g.meter_id, coalesce((
    select count(distinct f.point_id) from (
        select (r.item_values ->> 'metering_point_id')::bigint as point_id
        from (select o.golden_id from golden.meter o
              where {asof.SERIAL.format(meter_id="o.meter_id")} = {asof.SERIAL.format(meter_id="g.meter_id")}
              offset 0) o
        cross join lateral ({asof.stored_records("o.golden_id", "asset", "r")} offset 0) r
        where r.item_values ->> 'removal_date' is null and r.item_values ? 'metering_point_id'
    ) f
    where not exists (
        select from (select linked_mpan from golden.metering_point a where a.golden_id = f.point_id offset 0) a
        join golden.metering_point b on b.mpan = a.linked_mpan where b.golden_id = g.metering_point_id)
), 0)::int as unrelated_points
from {{from golden.meter g}}
where {asof.IS_SERIAL.format(meter_id="g.meter_id")}
"""

_PROVIDER = f"""
select g.golden_id, {_NO_RECORD}, g.asset_provider_mpid, g.asset_provider_from,
       {asof.IS_PARTICIPANT.format(mpid="g.asset_provider_mpid", role="'MAP'", day="g.asset_provider_from")}
           as is_provider, g.installation_date
from {{from golden.meter g}} where g.asset_provider_mpid is not null
"""

STORED = {
    Scope.METER: _METER,
    Scope.METER_AT_POINT: _METER_AT_POINT,
    Scope.SERIAL: _SERIAL,
    Scope.PROVIDER: _PROVIDER,
}
