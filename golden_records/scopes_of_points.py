"""The rows of metering points, their records, suppliers, addresses and links that rules read, out of the store."""

from golden_records import asof
from rules.model import Scope

# A registration database speaks of a point under one key, in many records: it is judged once.
_POINT_KEY = """
select k.golden_id, k.source_id, k.source_key, k.item_group, c.key as mpan,
       exists (select from golden.distributor_area d where d.distributor = substr(c.key, 1, 2)
               and d.valid_from <= {day} and coalesce(d.valid_to, 'infinity') >= {day}) as known_distributor,
       s.distributors as served_distributors
from (
    select distinct on (r.golden_id, r.source_id) r.golden_id, r.source_id, r.source_key, r.item_group
    from golden.source_record r join golden.golden_record g using (golden_id)
    where g.entity = 'metering_point' and {among r.golden_id}
    order by r.golden_id, r.source_id, r.item_group, r.source_key
) k
join golden.crosswalk c on c.golden_id = k.golden_id and c.entity = 'metering_point' and c.unlinked_at is null
left join golden.source_system s on s.source_id = k.source_id and s.kind = 'SMRS'
"""

_PERIOD = """
select r.golden_id, r.source_id, r.source_key, r.item_group, r.effective_from, r.effective_to
from golden.source_record r where {among r.golden_id}
"""

_PARTY = f"""
select n.golden_id, n.source_id, n.source_key, n.item_group, n.mpid, n.party_role, n.on_day,
       {asof.IS_AMONG_PARTICIPANTS} as is_participant
from ({
    asof.parties("golden.source_record", "r.golden_id, r.source_id, r.source_key, r.item_group", "{among r.golden_id}")
}) n
{asof.PARTICIPANTS}
"""

_FIRST_DAY = "(r.effective_from at time zone 'Europe/London')::date"

# The closed points are found first: they are few.
_RECORD_AT_POINT = f"""
select r.golden_id, r.source_id, r.source_key, r.item_group, {_FIRST_DAY} as first_day,
       null::text as appointment_status, g.mpan_status, g.disconnection_date
from {{from golden.metering_point g}}
join golden.source_record r on r.golden_id = g.golden_id
where g.mpan_status in ('T', 'X') and r.item_group in ({asof.DATED_GROUPS})
union all
select r.golden_id, r.source_id, r.source_key, r.item_group, {_FIRST_DAY} as first_day,
       r.item_values ->> 'status' as appointment_status, p.mpan_status, p.disconnection_date
from {{from golden.appointment g}}
join golden.metering_point p on p.golden_id = g.metering_point_id and p.mpan_status in ('T', 'X')
join golden.source_record r on r.golden_id = g.golden_id
"""

_ADDRESS = f"""
select g.golden_id, null::smallint as source_id, null::text as source_key, null::text as item_group,
       {", ".join(f"g.{name}" for name in Scope.ADDRESS.columns)}
from {{from golden.address g}}
"""

_SUPPLIER_PERIOD = f"""
select r.golden_id, r.source_id, r.source_key, r.item_group, {asof.period_columns("r")}
from {{from golden.source_record r where r.item_group = 'supplier'}}
{asof.RANKED_FIRST.format(record="r", item_group="supplier")}
left join lateral ({asof.EARLIER_PERIODS.format(records=asof.stored_records("r.golden_id", "supplier"), record="r")}) o
    on true
"""

# Without the offset all appointments may be hashed for the sake of a few points.
_POINT = f"""
select g.golden_id, null::smallint as source_id, null::text as source_key, null::text as item_group,
       g.mpan_status, {asof.GSP_PAIR.format(mpan="g.mpan", gsp_group="g.gsp_group", day="g.gsp_from")}
           as gsp_is_of_distributor,
       g.connection_type, g.market_segment, g.metered_indicator, g.energy_direction, g.link_kind,
       g.energisation_status, g.profile_class, g.ssc, g.consent_granularity, g.dcc_service_flag,
       (select coalesce(array_agg(coalesce(m.meter_type, '?')), '{{}}'::text[]) from golden.meter m
        where m.metering_point_id = g.golden_id and (m.removal_date is null or m.removal_date > {{day}}))
           as fitted_types,
       exists (select from golden.appointment a where a.metering_point_id = g.golden_id
               and a.status in ('active', 'accepted') and coalesce(a.appointed_to, 'infinity') >= {{day}} offset 0)
           as is_served
from {{from golden.metering_point g}}
"""

# Points are named by their keys: of one that is linked nobody may have told more than that yet.
_LINK = f"""
select r.golden_id, r.source_id, r.source_key, r.item_group,
       r.item_values ->> 'link_kind' as link_kind, r.item_values ->> 'linked_mpan' as linked_mpan,
       exists ({asof.stored_records("c.golden_id", "link", "b")} and b.source_id = r.source_id
               and b.item_values ->> 'link_kind' = {asof.opposite("r.item_values ->> 'link_kind'")}
               and b.item_values ->> 'linked_mpan' <> (
                   select key from (select * from golden.crosswalk o where o.golden_id = r.golden_id offset 0) o
                   where o.entity = 'metering_point' and o.unlinked_at is null limit 1)) as is_linked_to_other,
       p.connection_type, p.energy_direction, p.supplier_mpid,
       l.connection_type as linked_connection_type, l.energy_direction as linked_direction,
       l.supplier_mpid as linked_supplier
from {{from golden.source_record r where r.item_group = 'link'}}
{asof.RANKED_FIRST.format(record="r", item_group="link")}
left join golden.metering_point p on p.golden_id = r.golden_id
left join lateral (
    select golden_id from golden.crosswalk c where c.entity = 'metering_point'
       and c.key = r.item_values ->> 'linked_mpan' and c.unlinked_at is null offset 0) c on true
left join golden.metering_point l on l.golden_id = c.golden_id
"""

STORED = {
    Scope.POINT_KEY: _POINT_KEY,
    Scope.PERIOD: _PERIOD,
    Scope.PARTY: _PARTY,
    Scope.RECORD_AT_POINT: _RECORD_AT_POINT,
    Scope.ADDRESS: _ADDRESS,
    Scope.SUPPLIER_PERIOD: _SUPPLIER_PERIOD,
    Scope.POINT: _POINT,
    Scope.LINK: _LINK,
}
