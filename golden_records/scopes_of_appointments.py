"""The rows of appointments that rules read, out of the store."""

from golden_records import asof
from rules.model import Scope

_NO_RECORD = "null::smallint as source_id, null::text as source_key, null::text as item_group"

# What only copies tell of so far may carry no contract: registration's word is waited for.
_APPOINTMENT = f"""
select g.golden_id, {_NO_RECORD}, g.contract_reference
from {{from golden.appointment g}}
where {asof.IS_RANKED_FIRST.format(change_id="(g.lineage ->> 'role')::bigint", item_group="appointment")}
"""

_APPOINTMENT_AT_POINT = f"""
select g.golden_id, {_NO_RECORD}, {asof.appointment_columns("g")},
       {asof.IS_RANKED_FIRST.format(change_id="(g.lineage ->> 'role')::bigint", item_group="appointment")}
           as is_registered,
       p.market_segment, p.connection_type,
       {
    asof.REGISTERED_SUPPLIER.format(
        records=asof.stored_records("g.metering_point_id", "supplier"), day="g.appointed_from"
    )
} as registered_supplier,
       c.golden_id is not null as contract_is_known, c.supplier_mpid as contract_supplier,
       c.service_mpid as contract_service, c.contract_from, c.contract_to,
       c.connection_types as contract_connection_types, c.segments as contract_segments,
       {asof.SERVES_DISTRIBUTOR.format(mpid="g.service_mpid", role="g.role", mpan="g.mpan", day="g.appointed_from")}
           as serves_distributor,
       coalesce(o.overlap, false) as overlaps_earlier, coalesce(o.gap, false) as leaves_gap,
       p.link_kind is not distinct from 'IMPORT' as is_linked_export,
       p.link_kind is not distinct from 'PRIMARY' as is_related_secondary,
       {asof.DAY_ASKED.format(change_id="(g.lineage ->> 'appointed_from')::bigint", first_day="g.appointed_from")}
           as asked_on,
       {asof.DAY_OF_CHANGE.format(change_id="(g.lineage ->> 'status')::bigint")} as said_on
from {{from golden.appointment g}}
left join golden.metering_point p on p.golden_id = g.metering_point_id
left join golden.contract c on c.golden_id = g.contract_id
left join lateral ({
    asof.EARLIER_APPOINTMENTS.format(appointments=asof.stored_appointments("g.metering_point_id"), appointment="g")
}) o on true
"""

STORED = {
    Scope.APPOINTMENT: _APPOINTMENT,
    Scope.APPOINTMENT_AT_POINT: _APPOINTMENT_AT_POINT,
}
