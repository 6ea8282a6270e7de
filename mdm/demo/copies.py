"""What each system says of each fact, asked for in the words of the registration: one query an aspect and system.

A query gives the key columns, the items, and at the registration `holder`: the MPID of the metering service that
should hold a copy, and `settled` where MDS should not hold all. Everything comes as text.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mdm.demo.market import Source

_SERVED = """
left join (select distinct on (mpan) mpan, service_mpid as holder from appointment
           where status = 'ACTIVE' order by mpan, effective_from desc) served using (mpan)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aspect:
    """Items that several systems hold, by the same key."""

    name: str
    key: tuple[str, ...]
    registered: str  # SQL at the registration
    copied: Mapping[Source, str]


def _latest(table: str, items: str) -> str:
    return f"""
        select mpan, {items}, holder
        from (select distinct on (mpan) * from {table} order by mpan, effective_from desc) latest {_SERVED}
        """


def _address(lines: str, postcode: str) -> str:
    """Write an address as one text, lines apart by a bar."""
    shown = ", ".join(f"coalesce({lines.format(number)}, '')" for number in range(1, 10))
    return f"concat_ws('|', {shown}) as lines, {postcode} as postcode, uprn::text as uprn"


ASPECTS = (
    Aspect(
        name="registration",
        key=("mpan",),
        registered=f"select mpan, mpan_status, holder from metering_point {_SERVED}",
        copied={
            Source.MDS: "select mpan, case when is_disconnected then 'X' else 'R' end as mpan_status"
            " from settlement_point"
        },
    ),
    Aspect(
        name="connection",
        key=("mpan",),
        registered=_latest("connection_type", "connection_type"),
        copied={Source.MDS: "select mpan, connection_type from settlement_point"},
    ),
    Aspect(
        name="direction",
        key=("mpan",),
        registered=_latest("energy_direction", "energy_direction"),
        copied={Source.MDS: "select mpan, left(direction, 1) as energy_direction from settlement_point"},
    ),
    Aspect(
        name="metered",
        key=("mpan",),
        registered=_latest("metered_indicator", "metered"),
        copied={
            Source.UMSO: "select mpan, false as metered from unmetered_supply",
            Source.MDS: "select mpan, is_metered = 'Y' as metered from settlement_point",
        },
    ),
    Aspect(
        name="gsp",
        key=("mpan",),
        registered=_latest("gsp_group", "gsp_group_id as gsp_group"),
        copied={Source.MDS: "select mpan, gsp_group from settlement_point"},
    ),
    Aspect(
        name="segment",
        key=("mpan",),
        registered=_latest("market_segment", "market_segment, effective_from as segment_from"),
        copied={
            Source.MDS: "select distinct on (mpan) mpan, left(segment, 1) as market_segment, from_date as segment_from"
            " from settlement_segment order by mpan, from_date desc"
        },
    ),
    Aspect(
        name="energisation",
        key=("mpan",),
        registered=_latest("energisation_status", "energisation_status, effective_from as energisation_from"),
        copied={
            Source.MSS: """
                select distinct on (mpxn) mpxn as mpan,
                       case status when 'ENERGISED' then 'E' when 'DE-ENERGISED' then 'D' else 'U' end
                           as energisation_status,
                       (status_from at time zone 'Europe/London')::date as energisation_from
                from energisation order by mpxn, status_from desc
                """,
            Source.MSA: """
                select mpan_core as mpan, case energised when 'Y' then 'E' when 'N' then 'D' else 'U' end
                       as energisation_status, energised_efd as energisation_from
                from metering_system
                """,
            Source.UMSO: """
                select mpan, case status when 'ON' then 'E' when 'OFF' then 'D' else 'U' end as energisation_status,
                       status_from as energisation_from
                from unmetered_supply
                """,
            Source.MDS: """
                select mpan, case status when '1' then 'E' when '0' then 'D' else 'U' end as energisation_status,
                       from_date as energisation_from
                from settlement_energisation
                """,
        },
    ),
    Aspect(
        name="supplier",
        key=("mpan",),
        registered=_latest(
            "supplier_period", "supplier_mpid, effective_from as supplier_from, effective_to as supplier_to"
        ),
        copied={
            Source.MSS: "select mpxn as mpan, supplier as supplier_mpid, supplier_since as supplier_from"
            " from supply_point",
            Source.MSA: "select mpan_core as mpan, supplier_id as supplier_mpid, supplier_efd as supplier_from"
            " from metering_system",
            Source.UMSO: "select mpan, supplier_mpid, supplier_from from unmetered_supply",
            Source.MDS: "select distinct on (mpan) mpan, supplier as supplier_mpid, from_date as supplier_from,"
            " to_date as supplier_to from settlement_supplier order by mpan, from_date desc",
        },
    ),
    Aspect(
        name="address",
        key=("mpan",),
        registered=_latest("site_address", _address("line_{}", "postcode")),
        copied={
            Source.MSS: f"select mpxn as mpan, {_address('address_line_{}', 'post_code')} from site",
            Source.MSA: f"select mpan_core as mpan, {_address('addr_{}', 'postcode')} from premises",
            Source.UMSO: f"select mpan, {_address('line_{}', 'postcode')} from location",
            Source.MDS: f"select mpan, {_address('address_{}', 'postcode')} from settlement_address",
        },
    ),
    Aspect(
        name="meter",
        key=("mpan", "meter_id"),
        registered=f"""
            select mpan, meter_id, make, model, meter_type, location, displayed_digits, installed_on, removed_on,
                   esme_id, provider_mpid, case when removed_on is null then holder end as holder
            from meter_detail
            left join (select mpan, meter_id, provider_mpid from meter_asset_provider) provided using (mpan, meter_id)
            {_SERVED}
            """,
        copied={
            Source.MSS: """
                select mpxn as mpan, serial_no as meter_id, manufacturer as make, model, device_type as meter_type,
                       position_code as location, digits as displayed_digits, fitted_on as installed_on, removed_on,
                       esme_guid as esme_id, owner_mpid as provider_mpid
                from device
                """,
            Source.MSA: """
                select mpan_core as mpan, meter_serial as meter_id, meter_make as make, meter_model as model,
                       meter_type, location_code as location, dials as displayed_digits, install_date as installed_on,
                       remove_date as removed_on, provider_id as provider_mpid
                from meter left join (select mpan_core, meter_serial, provider_id from meter_provider) provided
                     using (mpan_core, meter_serial)
                """,
            Source.MDS: "select mpan, meter_serial as meter_id, from_date as installed_on, to_date as removed_on"
            " from settlement_meter",
        },
    ),
    Aspect(
        name="appointment",
        key=("mpan", "role", "appointed_from"),
        registered="""
            select mpan, service_role as role, effective_from as appointed_from, effective_to as appointed_to,
                   service_mpid, supplier_mpid, contract_reference, lower(status) as status, scenario,
                   service_mpid as holder, status <> 'LAPSED' as settled
            from appointment
            """,
        copied={
            Source.MSS: """
                select mpxn as mpan, 'MSS' as role, appointed_from, appointed_to, supplier as supplier_mpid,
                       agreement_ref as contract_reference, reason as scenario,
                       case state when 'PROP' then 'proposed' when 'ACC' then 'accepted' when 'LIVE' then 'active'
                                  when 'LAPSED' then 'lapsed' else 'de-appointed' end as status
                from appointment
                """,
            Source.MSA: """
                select mpan_core as mpan, 'MSA' as role, efd as appointed_from, etd as appointed_to,
                       supplier_id as supplier_mpid, contract_no as contract_reference, scenario,
                       case status when 'ended' then 'de-appointed' else status::text end as status
                from agent_appointment
                """,
            Source.UMSO: """
                select mpan, 'UMSO' as role, from_date as appointed_from, to_date as appointed_to, supplier_mpid,
                       contract_ref as contract_reference, scenario,
                       case status when 'P' then 'proposed' when 'A' then 'accepted' when 'L' then 'active'
                                   when 'X' then 'lapsed' else 'de-appointed' end as status
                from ums_appointment
                """,
            Source.MDS: """
                select mpan, case role_code when 'SMART' then 'MSS' when 'ADV' then 'MSA' else 'UMSO' end as role,
                       from_date as appointed_from, to_date as appointed_to, service as service_mpid
                from settlement_service
                """,
        },
    ),
    Aspect(
        name="contract",
        key=("supplier_mpid", "reference"),
        registered="""
            select supplier_mpid, reference, effective_from as contract_from, effective_to as contract_to,
                   connection_types, segments, service_mpid as holder
            from service_contract
            """,
        copied={
            Source.MSS: "select supplier as supplier_mpid, agreement_ref as reference, start_date as contract_from,"
            " end_date as contract_to, connection_types, segments from agreement",
            Source.MSA: "select supplier_id as supplier_mpid, contract_no as reference, valid_from as contract_from,"
            " valid_to as contract_to, connection_types, segments from contract",
            Source.UMSO: "select supplier_mpid, contract_ref as reference, from_date as contract_from,"
            " to_date as contract_to from ums_contract",
        },
    ),
)


def _identities(entity: str, table: str, **columns: str) -> tuple[str, str]:
    chosen = ", ".join(f"{column}::text as {name}" for name, column in columns.items())
    return entity, f"select distinct {chosen} from {table}"


def _addresses(table: str, lines: str, postcode: str) -> tuple[str, str]:
    joined = ", ".join(lines.format(number) for number in range(1, 10))
    weak = f"replace({postcode}, ' ', '') || '|' || concat_ws(' ', {joined})"
    return "address", f"select distinct coalesce(uprn::text, {weak}) as key from {table}"


_SMRS_IDENTITIES = (
    _identities("metering_point", "metering_point", key="mpan"),
    _identities("meter", "meter_detail", meter_id="meter_id", make="make"),
    _addresses("site_address", "line_{}", "postcode"),
    ("contract", "select supplier_mpid || '|' || reference as key from service_contract"),
    ("appointment", "select concat_ws('|', mpan, service_role, effective_from) as key from appointment"),
)

# How each system names each thing, its whole history included: what the hub should have a golden record of.
IDENTITIES: Mapping[Source, tuple[tuple[str, str], ...]] = {
    Source.SMRS10: _SMRS_IDENTITIES,
    Source.SMRS20: _SMRS_IDENTITIES,
    Source.MSS: (
        _identities("metering_point", "supply_point", key="mpxn"),
        _identities("meter", "device", meter_id="serial_no", make="manufacturer"),
        _addresses("site", "address_line_{}", "post_code"),
        ("contract", "select supplier || '|' || agreement_ref as key from agreement"),
        ("appointment", "select concat_ws('|', mpxn, 'MSS', appointed_from) as key from appointment"),
    ),
    Source.MSA: (
        _identities("metering_point", "metering_system", key="mpan_core"),
        _identities("meter", "meter", meter_id="meter_serial", make="meter_make"),
        _addresses("premises", "addr_{}", "postcode"),
        ("contract", "select supplier_id || '|' || contract_no as key from contract"),
        ("appointment", "select concat_ws('|', mpan_core::text, 'MSA', efd) as key from agent_appointment"),
    ),
    Source.UMSO: (
        _identities("metering_point", "unmetered_supply", key="mpan"),
        _addresses("location", "line_{}", "postcode"),
        ("contract", "select supplier_mpid || '|' || contract_ref as key from ums_contract"),
        ("appointment", "select concat_ws('|', mpan, 'UMSO', from_date) as key from ums_appointment"),
    ),
    Source.MDS: (
        _identities("metering_point", "settlement_point", key="mpan"),
        _identities("meter", "settlement_meter", meter_id="meter_serial"),
        _addresses("settlement_address", "address_{}", "postcode"),
        (
            "appointment",
            """
            select concat_ws('|', mpan, case role_code when 'SMART' then 'MSS' when 'ADV' then 'MSA' else 'UMSO' end,
                             from_date) as key
            from settlement_service
            """,
        ),
    ),
}
