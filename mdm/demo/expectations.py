"""What the golden records should say: the owner's value of each item in force on a day, straight from the sources.

Nothing of the hub is used here: no mapping, no catalogue, no rule. The registration owns a point's items; the metering
service appointed on the day owns energisation and meters, as far as the market has a database of it. Frames hold texts
in the words of the golden tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from mdm.demo import frames
from mdm.demo.market import REGISTRATIONS, Dsns, Source
from mdm.demo.premises import LINES

ENERGISATION = ("energisation_status", "energisation_from")
_METER_ITEMS = (
    *("meter_id", "make", "model", "meter_type", "esme_id", "location", "displayed_digits"),
    *("installation_date", "removal_date", "asset_provider_mpid", "asset_provider_from"),
)
_CONTRACT_ITEMS = ("service_mpid", "role", "contract_from", "contract_to", "connection_types", "segments")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the golden records should say of everything that the market knows."""

    points: pl.DataFrame
    meters: pl.DataFrame
    contracts: pl.DataFrame
    appointments: pl.DataFrame

    def without(self, mpans: frozenset[str]) -> "Expected":
        """Leave some metering points out."""
        kept = ~pl.col("mpan").is_in(list(mpans))
        return Expected(
            points=self.points.filter(kept),
            meters=self.meters.filter(kept),
            contracts=self.contracts,
            appointments=self.appointments.filter(kept),
        )


# Each dated item of a point: its table at the registration, and how the registration names it.
_HISTORIES: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("connection_type", {"connection_type": "connection_type", "connection_from": "effective_from"}),
    ("energy_direction", {"energy_direction": "energy_direction", "direction_from": "effective_from"}),
    ("metered_indicator", {"metered_indicator": "metered", "metered_from": "effective_from"}),
    ("gsp_group", {"gsp_group": "gsp_group_id", "gsp_from": "effective_from"}),
    ("duos_tariff", {"duos_tariff": "tariff_id", "duos_from": "effective_from"}),
    ("market_segment", {"market_segment": "market_segment", "segment_from": "effective_from"}),
    ("energisation_status", {"energisation_status": "energisation_status", "energisation_from": "effective_from"}),
    ("domestic_premises", {"domestic_premises": "is_domestic", "domestic_from": "effective_from"}),
    ("settlement_profile", {"profile_class": "profile_class", "ssc": "ssc", "profile_from": "effective_from"}),
    ("consent_granularity", {"consent_granularity": "granularity", "consent_from": "effective_from"}),
    ("dcc_service_flag", {"dcc_service_flag": "service_flag", "dcc_from": "effective_from"}),
    ("linked_metering_point", {"linked_mpan": "linked_mpan", "link_kind": "link_kind"}),
    ("site_address", {name: name for name in (*LINES, "postcode", "uprn")}),
)
_SUPPLIER = {"supplier_mpid": "supplier_mpid", "supplier_from": "effective_from", "supplier_to": "effective_to"}

_POINTS = "select mpan, mpan_status, registration_status, created_date, disconnection_date from metering_point"

_APPOINTMENTS = """
select mpan, service_role as role, effective_from as appointed_from, effective_to as appointed_to, service_mpid,
       supplier_mpid, contract_reference, lower(status) as status, scenario
from appointment
"""

_CONTRACTS = """
select supplier_mpid, reference, service_mpid, service_role as role, effective_from as contract_from,
       effective_to as contract_to, connection_types, segments
from service_contract
"""

_METERS = """
select mpan, upper(replace(meter_id, ' ', '')) as serial, meter_id, make, model, meter_type, esme_id, location,
       displayed_digits, installed_on as installation_date, removed_on as removal_date,
       provider_mpid as asset_provider_mpid, provided.effective_from as asset_provider_from
from meter_detail
left join (select distinct on (mpan, meter_id) * from meter_asset_provider where effective_from <= '{day}'
           order by mpan, meter_id, effective_from desc) provided using (mpan, meter_id, make)
"""

# What the metering services own, each in its own words; `service_mpid` is whose database it is.
_ENERGISED = {
    Source.MSS: """
        select distinct on (mpxn) mpxn as mpan, 'BOLT' as service_mpid,
               case status when 'ENERGISED' then 'E' when 'DE-ENERGISED' then 'D' else 'U' end as energisation_status,
               (status_from at time zone 'Europe/London')::date as energisation_from
        from energisation where (status_from at time zone 'Europe/London')::date <= '{day}'
        order by mpxn, status_from desc
        """,
    Source.MSA: """
        select mpan_core as mpan, 'DART' as service_mpid,
               case energised when 'Y' then 'E' when 'N' then 'D' else 'U' end as energisation_status,
               energised_efd as energisation_from
        from metering_system
        """,
    Source.UMSO: """
        select mpan, 'LAMP' as service_mpid,
               case status when 'ON' then 'E' when 'OFF' then 'D' else 'U' end as energisation_status,
               status_from as energisation_from
        from unmetered_supply
        """,
}
_FITTED = {
    Source.MSS: """
        select mpxn as mpan, 'BOLT' as service_mpid, upper(replace(serial_no, ' ', '')) as serial,
               serial_no as meter_id, manufacturer as make, model, device_type as meter_type, esme_guid as esme_id,
               position_code as location, digits as displayed_digits, fitted_on as installation_date,
               removed_on as removal_date, owner_mpid as asset_provider_mpid, owned_from as asset_provider_from
        from device
        """,
    Source.MSA: """
        select mpan_core as mpan, 'DART' as service_mpid, upper(replace(meter_serial, ' ', '')) as serial,
               meter_serial as meter_id, meter_make as make, meter_model as model, meter_type, null as esme_id,
               location_code as location, dials as displayed_digits, install_date as installation_date,
               remove_date as removal_date, provider_id as asset_provider_mpid, efd as asset_provider_from
        from meter
        left join (select distinct on (mpan_core, meter_serial) * from meter_provider where efd <= '{day}'
                   order by mpan_core, meter_serial, efd desc) provided using (mpan_core, meter_serial, meter_make)
        """,
}
_AGREED = {
    Source.MSS: """
        select supplier as supplier_mpid, agreement_ref as reference, 'BOLT' as service_mpid, 'MSS' as role,
               start_date as contract_from, end_date as contract_to, connection_types, segments
        from agreement
        """,
    Source.MSA: """
        select supplier_id as supplier_mpid, contract_no as reference, 'DART' as service_mpid, 'MSA' as role,
               valid_from as contract_from, valid_to as contract_to, connection_types, segments
        from contract
        """,
    Source.UMSO: """
        select supplier_mpid, contract_ref as reference, 'LAMP' as service_mpid, 'UMSO' as role,
               from_date as contract_from, to_date as contract_to, 'U' as connection_types, 'U' as segments
        from ums_contract
        """,
}


def read(dsns: Dsns, *, day: date) -> Expected:
    """Return what the golden records should say on a day; the market should stand still meanwhile."""
    appointments = _registered(dsns, _APPOINTMENTS)
    serving = _serving(appointments, day)
    return Expected(
        points=_points(dsns, serving, day),
        meters=_meters(dsns, serving, day),
        contracts=_contracts(dsns),
        appointments=appointments,
    )


def _registered(dsns: Dsns, query: str) -> pl.DataFrame:
    return pl.concat([frames.read(dsns[source], query) for source in REGISTRATIONS.values()])


def _owned(dsns: Dsns, queries: Mapping[Source, str], day: date) -> pl.DataFrame:
    return pl.concat([frames.read(dsns[source], query.format(day=day)) for source, query in queries.items()])


def _serving(appointments: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return which metering service is appointed to each point on the day."""
    today = pl.lit(day.isoformat())
    in_force = (pl.col("appointed_from") <= today) & (pl.col("appointed_to").fill_null("9999") >= today)
    return appointments.filter(in_force & (pl.col("status") == "active")).select("mpan", "service_mpid").unique("mpan")


def _points(dsns: Dsns, serving: pl.DataFrame, day: date) -> pl.DataFrame:
    points = _registered(dsns, _POINTS)
    for table, items in _HISTORIES:
        points = points.join(_registered(dsns, _in_force(table, items, day)), on="mpan", how="left")
    points = points.join(_registered(dsns, _in_force("supplier_period", _SUPPLIER, day)), on="mpan", how="left")
    owned = _owned(dsns, _ENERGISED, day).join(serving, on=("mpan", "service_mpid"), how="semi").drop("service_mpid")
    return _prefer(owned, points, key=("mpan",), items=ENERGISATION)


def _in_force(table: str, items: Mapping[str, str], day: date) -> str:
    """Write the query for each point's row that began last and has not ended."""
    named = ", ".join(f"{column} as {item}" for item, column in items.items())
    ended = f" and coalesce(effective_to, 'infinity') >= '{day}'" if "effective_to" in items.values() else ""
    return f"""
        select distinct on (mpan) mpan, {named} from {table}
        where effective_from <= '{day}'{ended} order by mpan, effective_from desc
        """


def _meters(dsns: Dsns, serving: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return each point's meters, removed ones too, by normalised serial number."""
    registered = _registered(dsns, _METERS.format(day=day))
    owned = _owned(dsns, _FITTED, day).join(serving, on=("mpan", "service_mpid"), how="semi").drop("service_mpid")
    return _prefer(owned, registered, key=("mpan", "serial"), items=_METER_ITEMS)


def _contracts(dsns: Dsns) -> pl.DataFrame:
    key = ("supplier_mpid", "reference")
    registered = _registered(dsns, _CONTRACTS).unique(key)
    owned = pl.concat([frames.read(dsns[source], query) for source, query in _AGREED.items()])
    return _prefer(owned, registered, key=key, items=_CONTRACT_ITEMS)


def _prefer(
    owned: pl.DataFrame, registered: pl.DataFrame, *, key: tuple[str, ...], items: tuple[str, ...]
) -> pl.DataFrame:
    """Take the owner's row where there is one, and the registration's for what the owner is silent about."""
    both = registered.join(owned, on=key, how="full", suffix="_owned", coalesce=True)
    preferred = [pl.coalesce(f"{item}_owned", item).alias(item) for item in items]
    return both.with_columns(preferred).select(registered.columns)
