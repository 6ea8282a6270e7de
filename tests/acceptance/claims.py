"""What each source says now of each thing, in SQL written by hand from the sources' own schemas.

Nothing of the hub's mapping or mastering is used. A query gives `grp`, `key` and the items by the names of the golden
columns; `key` is the MPAN, the serial number, supplier|reference, or MPAN|role|day. Items in force today alone.
"""

TODAY = "(now() at time zone 'Europe/London')::date"
_BEGUN = f"effective_from <= {TODAY}"
_LINES = tuple(range(1, 10))
SERIAL = "upper(replace({}, ' ', ''))"


def _history(group: str, table: str, items: str, *, where: str = "true") -> str:
    return (
        f"select distinct on (mpan) '{group}' as grp, mpan as key, mpan, {items} from {table}"
        f" where {_BEGUN} and {where} order by mpan, effective_from desc"
    )


def _address(table: str, mpan: str, line: str, postcode: str) -> str:
    lines = ", ".join(f"{line.format(number)} as line_{number}" for number in _LINES)
    items = f"{lines}, {postcode} as postcode, uprn::text"
    return f"select 'address' as grp, {mpan} as key, {mpan} as mpan, {items} from {table}"


SMRS = (
    (
        "select 'registration' as grp, mpan as key, mpan, mpan_status, registration_status, created_date,"
        " disconnection_date from metering_point"
    ),
    _history("connection", "connection_type", "connection_type, effective_from as connection_from"),
    _history("direction", "energy_direction", "energy_direction, effective_from as direction_from"),
    _history("metered", "metered_indicator", "metered as metered_indicator, effective_from as metered_from"),
    _history("gsp", "gsp_group", "gsp_group_id as gsp_group, effective_from as gsp_from"),
    _history("duos", "duos_tariff", "tariff_id as duos_tariff, effective_from as duos_from"),
    _history("segment", "market_segment", "market_segment, effective_from as segment_from"),
    _history("energisation", "energisation_status", "energisation_status, effective_from as energisation_from"),
    _history("domestic", "domestic_premises", "is_domestic as domestic_premises, effective_from as domestic_from"),
    _history("profile", "settlement_profile", "profile_class, ssc, effective_from as profile_from"),
    _history("consent", "consent_granularity", "granularity as consent_granularity, effective_from as consent_from"),
    _history("dcc", "dcc_service_flag", "service_flag as dcc_service_flag, effective_from as dcc_from"),
    _history(
        "supplier",
        "supplier_period",
        "supplier_mpid, effective_from as supplier_from, effective_to as supplier_to",
        where=f"coalesce(effective_to, 'infinity') >= {TODAY}",
    ),
    _history("link", "linked_metering_point", "linked_mpan, link_kind"),
    _address(
        f"(select distinct on (mpan) * from site_address where {_BEGUN} order by mpan, effective_from desc) latest",
        "mpan",
        "line_{}",
        "postcode",
    ),
    (
        f"select 'meter' as grp, {SERIAL.format('meter_id')} as key, mpan, meter_id, meter_type, make, model, esme_id,"
        " location, displayed_digits, installed_on as installation_date, removed_on as removal_date from meter_detail"
    ),
    (
        f"select 'provider' as grp, {SERIAL.format('meter_id')} as key, mpan, provider_mpid as asset_provider_mpid,"
        " effective_from as asset_provider_from from meter_asset_provider"
    ),
    (
        "select 'contract' as grp, supplier_mpid || '|' || reference as key, null as mpan, service_mpid,"
        " service_role as role, effective_from as contract_from, effective_to as contract_to,"
        " connection_types, segments"
        " from service_contract"
    ),
    (
        "select 'appointment' as grp, concat_ws('|', mpan, service_role, effective_from) as key, mpan, service_mpid,"
        " supplier_mpid, contract_reference, effective_to as appointed_to, lower(status) as status, scenario"
        " from appointment"
    ),
)

MSS = (
    (
        "select 'supplier' as grp, mpxn as key, mpxn as mpan, supplier as supplier_mpid, supplier_since"
        " as supplier_from"
        " from supply_point"
    ),
    _address("site", "mpxn", "address_line_{}", "post_code"),
    (
        f"select 'meter' as grp, {SERIAL.format('serial_no')} as key, mpxn as mpan, serial_no as meter_id,"
        " device_type as meter_type, manufacturer as make, model, esme_guid as esme_id, position_code as location,"
        " digits as displayed_digits, fitted_on as installation_date, removed_on as removal_date from device"
    ),
    (
        f"select 'provider' as grp, {SERIAL.format('serial_no')} as key, mpxn as mpan, owner_mpid as"
        f" asset_provider_mpid,"
        " owned_from as asset_provider_from from device"
    ),
    (
        "select distinct on (mpxn) 'energisation' as grp, mpxn as key, mpxn as mpan, case status when"
        " 'ENERGISED' then 'E'"
        " when 'DE-ENERGISED' then 'D' else 'U' end as energisation_status,"
        " (status_from at time zone 'Europe/London')::date as energisation_from from energisation"
        " where status_from <= now() order by mpxn, status_from desc"
    ),
    (
        "select 'contract' as grp, supplier || '|' || agreement_ref as key, null as mpan, 'BOLT' as service_mpid,"
        " 'MSS' as role, start_date as contract_from, end_date as contract_to, connection_types,"
        " segments from agreement"
    ),
    (
        "select 'appointment' as grp, concat_ws('|', mpxn, 'MSS', appointed_from) as key, mpxn as mpan,"
        " 'BOLT' as service_mpid, supplier as supplier_mpid, agreement_ref as contract_reference, appointed_to,"
        " case state when 'PROP' then 'proposed' when 'ACC' then 'accepted' when 'LIVE' then 'active'"
        " when 'LAPSED' then 'lapsed' else 'de-appointed' end as status, reason as scenario from appointment"
    ),
)

MSA = (
    (
        "select 'supplier' as grp, mpan_core as key, mpan_core as mpan, supplier_id as supplier_mpid,"
        " supplier_efd as supplier_from from metering_system"
    ),
    (
        "select 'energisation' as grp, mpan_core as key, mpan_core as mpan, case energised when 'Y' then 'E' when 'N'"
        " then 'D' else 'U' end as energisation_status, energised_efd as energisation_from from metering_system"
        f" where energised_efd <= {TODAY}"
    ),
    _address("premises", "mpan_core", "addr_{}", "postcode"),
    (
        f"select 'meter' as grp, {SERIAL.format('meter_serial')} as key, mpan_core as mpan, meter_serial as meter_id,"
        " meter_type, meter_make as make, meter_model as model, location_code as location, dials as displayed_digits,"
        " install_date as installation_date, remove_date as removal_date from meter"
    ),
    (
        f"select 'provider' as grp, {SERIAL.format('meter_serial')} as key, mpan_core as mpan,"
        " provider_id as asset_provider_mpid, efd as asset_provider_from from meter_provider"
    ),
    (
        "select 'contract' as grp, supplier_id || '|' || contract_no as key, null as mpan, 'DART' as service_mpid,"
        " 'MSA' as role, valid_from as contract_from, valid_to as contract_to, connection_types, segments from contract"
    ),
    (
        "select 'appointment' as grp, concat_ws('|', mpan_core, 'MSA', efd) as key, mpan_core as mpan,"
        " 'DART' as service_mpid, supplier_id as supplier_mpid, contract_no as contract_reference, etd as appointed_to,"
        " case status when 'ended' then 'de-appointed' else status::text end as status, scenario from agent_appointment"
    ),
)

UMSO = (
    "select 'supplier' as grp, mpan as key, mpan, supplier_mpid, supplier_from from unmetered_supply",
    (
        "select 'energisation' as grp, mpan as key, mpan, case status when 'ON' then 'E' when 'OFF' then"
        " 'D' else 'U' end"
        f" as energisation_status, status_from as energisation_from from unmetered_supply where status_from <= {TODAY}"
    ),
    "select 'metered' as grp, mpan as key, mpan, false as metered_indicator from unmetered_supply",
    _address("location", "mpan", "line_{}", "postcode"),
    (
        "select 'contract' as grp, supplier_mpid || '|' || contract_ref as key, null as mpan, 'LAMP' as service_mpid,"
        " 'UMSO' as role, from_date as contract_from, to_date as contract_to, 'U' as connection_types, 'U' as segments"
        " from ums_contract"
    ),
    (
        "select 'appointment' as grp, concat_ws('|', mpan, 'UMSO', from_date) as key, mpan, 'LAMP' as service_mpid,"
        " supplier_mpid, contract_ref as contract_reference, to_date as appointed_to, case status when"
        " 'P' then 'proposed'"
        " when 'A' then 'accepted' when 'L' then 'active' when 'X' then 'lapsed' else 'de-appointed' end as status,"
        " scenario from ums_appointment"
    ),
)

_ROLE = "case role_code when 'SMART' then 'MSS' when 'ADV' then 'MSA' else 'UMSO' end"
MDS = (
    (
        "select 'registration' as grp, mpan as key, mpan, case when is_disconnected then 'X' else 'R'"
        " end as mpan_status"
        " from settlement_point"
    ),
    "select 'gsp' as grp, mpan as key, mpan, gsp_group from settlement_point",
    "select 'connection' as grp, mpan as key, mpan, connection_type from settlement_point",
    "select 'direction' as grp, mpan as key, mpan, left(direction, 1) as energy_direction from settlement_point",
    "select 'metered' as grp, mpan as key, mpan, is_metered = 'Y' as metered_indicator from settlement_point",
    (
        "select distinct on (mpan) 'segment' as grp, mpan as key, mpan, left(segment, 1) as market_segment,"
        f" from_date as segment_from from settlement_segment where from_date <= {TODAY} order by mpan, from_date desc"
    ),
    (
        "select distinct on (mpan) 'supplier' as grp, mpan as key, mpan, supplier as supplier_mpid,"
        " from_date as supplier_from, to_date as supplier_to from settlement_supplier"
        f" where from_date <= {TODAY} and coalesce(to_date, 'infinity') >= {TODAY} order by mpan, from_date desc"
    ),
    (
        "select 'energisation' as grp, mpan as key, mpan, case status when '1' then 'E' when '0' then 'D' else 'U' end"
        f" as energisation_status, from_date as energisation_from from settlement_energisation where"
        f" from_date <= {TODAY}"
    ),
    (
        f"select 'meter' as grp, {SERIAL.format('meter_serial')} as key, mpan, meter_serial as meter_id,"
        " from_date as installation_date, to_date as removal_date from settlement_meter"
    ),
    _address("settlement_address", "mpan", "address_{}", "postcode"),
    (
        f"select 'appointment' as grp, concat_ws('|', mpan, {_ROLE}, from_date) as key, mpan, service as service_mpid,"
        " to_date as appointed_to from settlement_service"
    ),
)

OF_KIND = {"smrs": SMRS, "mss": MSS, "msa": MSA, "umso": UMSO, "mds": MDS}

# How many source records each table's rows are: one a group of items that a row speaks of.
GROUPS_OF_TABLE = {
    "smrs": {"site_address": 2},
    "mss": {"site": 2, "device": 2},
    "msa": {"metering_system": 2, "premises": 2},
    "umso": {"unmetered_supply": 3, "location": 2},
    "mds": {"settlement_point": 5, "settlement_address": 2},
}

APPOINTED = f"""
select mpan, service_mpid from appointment
where status <> 'PROPOSED' and effective_from <= {TODAY} and coalesce(effective_to, 'infinity') >= {TODAY}
"""


def kind(source: str) -> str:
    """Return of which kind a source of the market is."""
    return source.rstrip("0123456789")
