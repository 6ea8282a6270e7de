"""Registration: a history table for each dated item. What a supplier or a service changes is written here first."""

import polars as pl

from mdm.demo import contracts
from mdm.demo.premises import LINES
from mdm.demo.reference import Role
from mdm.demo.systems.system import (
    DAY,
    EVERY,
    GONE,
    HAS_METER,
    SWITCHED,
    Action,
    Projection,
    System,
    lines,
    placeholders,
    project,
)


def _history(table: str, since: str = "created", where: pl.Expr = EVERY, **value: str) -> Projection:
    return project(table, where, mpan="mpan", effective_from=since, **value)


def _appointment(since: str, where: pl.Expr = EVERY, **columns: str | pl.Expr) -> Projection:
    return project(
        "appointment",
        where & ~pl.col("is_subsidiary"),
        mpan="mpan",
        service_role="role",
        service_mpid="service",
        effective_from=since,
        requested_at=pl.format("{} 09:00 Europe/London", pl.col(since) - 14 * DAY),
        **columns,
    )


_PROJECTIONS = (
    project(
        "metering_point",
        mpan="mpan",
        mpan_status="mpan_status",
        registration_status="registration_status",
        created_date="created",
        disconnection_date="gone",
    ),
    _history("connection_type", connection_type="connection_type"),
    _history("energy_direction", energy_direction="energy_direction"),
    _history("metered_indicator", metered="metered"),
    _history("gsp_group", gsp_group_id="gsp_group"),
    _history("duos_tariff", tariff_id="tariff"),
    _history("market_segment", market_segment="market_segment"),
    _history("energisation_status", "energised_from", energisation_status="energisation_status"),
    _history("domestic_premises", is_domestic="is_domestic"),
    _history("settlement_profile", profile_class="profile_class", ssc="ssc"),
    _history("consent_granularity", granularity="consent"),
    _history("dcc_service_flag", service_flag="dcc"),
    project(
        "supplier_period",
        SWITCHED,
        mpan="mpan",
        effective_from="created",
        effective_to=pl.col("switched") - DAY,
        supplier_mpid="former_supplier",
    ),
    project(
        "supplier_period", mpan="mpan", effective_from="supplied_from", effective_to="gone", supplier_mpid="supplier"
    ),
    project("site_address", mpan="mpan", effective_from="created", **lines(*LINES), postcode="postcode", uprn="uprn"),
    _history(
        "linked_metering_point",
        where=pl.col("linked_mpan").is_not_null(),
        link_kind="link_kind",
        linked_mpan="linked_mpan",
    ),
    project(
        "meter_detail",
        HAS_METER,
        mpan="mpan",
        meter_id="meter_id",
        make="make",
        model="model",
        meter_type="meter_type",
        esme_id="esme_id",
        location="location",
        displayed_digits="displayed_digits",
        installed_on="installed",
        removed_on="gone",
    ),
    project(
        "meter_asset_provider",
        HAS_METER,
        mpan="mpan",
        meter_id="meter_id",
        make="make",
        effective_from="installed",
        provider_mpid="provider",
    ),
    project(
        "service_contract",
        pl.col("bespoke_reference").is_not_null() & ~pl.col("is_subsidiary"),
        supplier_mpid="supplier",
        reference="bespoke_reference",
        service_mpid="service",
        service_role="role",
        effective_from="appointed_from",
        connection_types=pl.lit(contracts.CONNECTION_TYPES[Role.MSA]),
        segments="market_segment",
    ),
    _appointment(
        "first_appointed",
        SWITCHED,
        effective_to=pl.col("switched") - DAY,
        supplier_mpid="former_supplier",
        contract_reference="former_reference",
        status=pl.lit("DE-APPOINTED"),
        scenario=pl.lit("ALG"),
    ),
    _appointment(
        "appointed_from",
        effective_to="gone",
        supplier_mpid="supplier",
        contract_reference="reference",
        status=pl.when(GONE).then(pl.lit("DE-APPOINTED")).otherwise(pl.lit("ACTIVE")),
        scenario="scenario",
    ),
)

_ADDRESS_COLUMNS = (*LINES, "postcode", "uprn")
_ADDRESS = ", ".join(_ADDRESS_COLUMNS)


def _set_from_day(table: str, **values: str) -> str:
    """Write an item from a day on; a second change on the same day replaces the first."""
    renewal = ", ".join(f"{column} = excluded.{column}" for column in values)
    return f"""
        insert into {table} (mpan, effective_from, {", ".join(values)})
        values (%(mpan)s, %(day)s, {", ".join(values.values())})
        on conflict (mpan, effective_from) do update set {renewal}
        """


_ACTIONS = {
    Action.SWITCH_SUPPLIER: (
        """
        update supplier_period set effective_to = %(day)s::date - 1
        where mpan = any(%(mpans)s) and effective_to is null
        """,
        """
        insert into supplier_period (mpan, effective_from, supplier_mpid)
        select mpan, %(day)s, %(supplier)s from unnest(%(mpans)s::text[]) mpan
        """,
    ),
    Action.FOLLOW_SUPPLIER: (
        """
        update appointment set effective_to = %(day)s::date - 1, status = 'DE-APPOINTED'
        where mpan = any(%(mpans)s) and status = 'ACTIVE'
        """,
        """
        insert into appointment (mpan, service_role, effective_from, service_mpid, supplier_mpid, contract_reference,
                                 status, scenario)
        select mpan, service_role, %(day)s, service_mpid, %(supplier)s::text,
               left(service_mpid, 2) || left(%(supplier)s::text, 2) || %(suffix)s, 'ACTIVE', 'COS'
        from appointment where mpan = any(%(mpans)s) and effective_to = %(day)s::date - 1 and status = 'DE-APPOINTED'
        """,
    ),
    Action.UNDO_SWITCH: (
        "delete from supplier_period where mpan = %(mpan)s and effective_from = %(day)s",
        "update supplier_period set effective_to = null where mpan = %(mpan)s and effective_to = %(day)s::date - 1",
        "delete from appointment where mpan = %(mpan)s and effective_from = %(day)s",
        """
        update appointment set effective_to = null, status = 'ACTIVE'
        where mpan = %(mpan)s and effective_to = %(day)s::date - 1 and status = 'DE-APPOINTED'
        """,
    ),
    Action.END_APPOINTMENT: (
        """
        update appointment set effective_to = %(day)s::date - 1, status = upper(%(status)s)
        where mpan = %(mpan)s and service_role = %(role)s and effective_from = %(appointed_from)s
        """,
    ),
    Action.APPOINT: (
        """
        insert into appointment (mpan, service_role, effective_from, service_mpid, supplier_mpid, contract_reference,
                                 status, scenario)
        values (%(mpan)s, %(role)s, %(day)s, %(service)s, %(supplier)s, %(reference)s, upper(%(status)s), %(scenario)s)
        """,
    ),
    Action.SET_APPOINTMENT_STATUS: (
        """
        update appointment set status = upper(%(status)s)
        where mpan = %(mpan)s and service_role = %(role)s and effective_from = %(appointed_from)s
        """,
    ),
    Action.LAPSE_APPOINTMENT: (
        """
        update appointment set status = 'LAPSED', effective_to = effective_from
        where mpan = %(mpan)s and service_role = %(role)s and effective_from = %(appointed_from)s
        """,
    ),
    Action.REOPEN_APPOINTMENT: (
        """
        update appointment set status = 'ACTIVE', effective_to = null
        where mpan = %(mpan)s and service_role = %(role)s and effective_from = %(appointed_from)s
        """,
    ),
    Action.ENERGISE: (_set_from_day("energisation_status", energisation_status="%(energisation_status)s"),),
    Action.FIT_METER: (
        """
        insert into meter_detail (mpan, meter_id, make, model, meter_type, esme_id, location, displayed_digits,
                                  installed_on)
        values (%(mpan)s, %(meter_id)s, %(make)s, %(model)s, %(meter_type)s, %(esme_id)s, %(location)s,
                %(displayed_digits)s, %(day)s)
        """,
        """
        insert into meter_asset_provider (mpan, meter_id, make, effective_from, provider_mpid)
        values (%(mpan)s, %(meter_id)s, %(make)s, %(day)s, %(provider)s)
        """,
    ),
    Action.REMOVE_METER: (
        "update meter_detail set removed_on = %(day)s where mpan = %(mpan)s and meter_id = %(meter_id)s",
    ),
    Action.READDRESS: (
        f"""
        insert into site_address (mpan, effective_from, {_ADDRESS})
        select mpan, %(day)s, {placeholders(_ADDRESS_COLUMNS)} from unnest(%(mpans)s::text[]) mpan
        on conflict (mpan, effective_from) do update
        set ({_ADDRESS}) = row ({placeholders(_ADDRESS_COLUMNS)}), last_updated = now()
        """,
    ),
    Action.MEND_ADDRESS: (
        f"""
        update site_address a set ({_ADDRESS}) = row ({placeholders(_ADDRESS_COLUMNS)}), last_updated = now()
        where mpan = any(%(mpans)s)
          and effective_from = (select max(effective_from) from site_address l where l.mpan = a.mpan)
        """,
    ),
    Action.ENROL_IN_DCC: (_set_from_day("dcc_service_flag", service_flag="'A'"),),
    Action.CHANGE_TARIFF: (_set_from_day("duos_tariff", tariff_id="%(tariff)s"),),
    Action.CHANGE_SEGMENT: (
        _set_from_day("market_segment", market_segment="%(market_segment)s"),
        _set_from_day("consent_granularity", granularity="'N'"),
        _set_from_day("dcc_service_flag", service_flag="'N'"),
        _set_from_day("settlement_profile", profile_class="null", ssc="null"),
    ),
    Action.DISCONNECT: (
        "update supplier_period set effective_to = %(day)s where mpan = %(mpan)s and effective_to is null",
        """
        update metering_point set mpan_status = 'X', registration_status = 'T', disconnection_date = %(day)s,
               last_updated = now()
        where mpan = %(mpan)s
        """,
    ),
}

SYSTEM = System(
    projections=_PROJECTIONS,
    actions=_ACTIONS,
    contract_table="service_contract",
    contract_columns={
        "supplier_mpid": "supplier_mpid",
        "reference": "reference",
        "service_mpid": "service_mpid",
        "service_role": "role",
        "effective_from": "effective_from",
        "effective_to": "effective_to",
        "connection_types": "connection_types",
        "segments": "segments",
    },
)
