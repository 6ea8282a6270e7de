"""A smart metering service: it owns devices and energisation of the supply points that it is appointed to."""

import polars as pl

from mdm.demo.premises import LINES
from mdm.demo.reference import Role
from mdm.demo.systems.system import (
    DAY,
    GONE,
    SWITCHED,
    Action,
    Service,
    System,
    coded,
    lines,
    placeholders,
    project,
    served_by,
)

_SERVICE = Service(role=Role.MSS, mpid="BOLT")
_SERVED = served_by(_SERVICE)
_ADDRESS_LINES = tuple(f"address_{line}" for line in LINES)

_PROJECTIONS = (
    project("supply_point", _SERVED & ~GONE, mpxn="mpan", supplier="supplier", supplier_since="supplied_from"),
    project("site", _SERVED & ~GONE, mpxn="mpan", **lines(*_ADDRESS_LINES), post_code="postcode", uprn="uprn"),
    project(
        "device",
        _SERVED & ~GONE,
        mpxn="mpan",
        serial_no="meter_id",
        manufacturer="make",
        model="model",
        device_type="meter_type",
        esme_guid="esme_id",
        position_code="location",
        digits="displayed_digits",
        fitted_on="installed",
        owner_mpid="provider",
        owned_from="installed",
    ),
    project(
        "energisation",
        _SERVED & ~GONE,
        mpxn="mpan",
        status_from=pl.format("{} 00:00 Europe/London", "energised_from"),
        status=coded("energisation_status", E="ENERGISED", D="DE-ENERGISED", U="UNKNOWN"),
    ),
    project(
        "appointment",
        _SERVED & SWITCHED,
        mpxn="mpan",
        appointed_from="first_appointed",
        appointed_to=pl.col("switched") - DAY,
        supplier="former_supplier",
        agreement_ref="former_reference",
        state=pl.lit("ENDED"),
        reason=pl.lit("ALG"),
    ),
    project(
        "appointment",
        _SERVED,
        mpxn="mpan",
        appointed_from="appointed_from",
        appointed_to="gone",
        supplier="supplier",
        agreement_ref="reference",
        state=pl.when(GONE).then(pl.lit("ENDED")).otherwise(pl.lit("LIVE")),
        reason="scenario",
    ),
)

_STATE = """case %(status)s when 'proposed' then 'PROP' when 'accepted' then 'ACC' when 'active' then 'LIVE'
            when 'lapsed' then 'LAPSED' else 'ENDED' end"""

_SET_ADDRESS = f"""
update site set ({", ".join(_ADDRESS_LINES)}, post_code, uprn) = row ({placeholders((*LINES, "postcode", "uprn"))})
where mpxn = any(%(mpans)s::text[])
"""

_ACTIONS = {
    Action.SWITCH_SUPPLIER: (
        """
        update supply_point set supplier = %(supplier)s, supplier_since = %(day)s
        where mpxn = any(%(mpans)s::text[])
        """,
    ),
    Action.FOLLOW_SUPPLIER: (
        """
        update appointment set appointed_to = %(day)s::date - 1, state = 'ENDED'
        where mpxn = any(%(mpans)s::text[]) and state = 'LIVE'
        """,
        """
        insert into appointment (mpxn, appointed_from, supplier, agreement_ref, state, reason)
        select mpxn, %(day)s, %(supplier)s::text, 'BO' || left(%(supplier)s::text, 2) || %(suffix)s, 'LIVE', 'COS'
        from appointment
        where mpxn = any(%(mpans)s::text[]) and appointed_to = %(day)s::date - 1 and state = 'ENDED'
        """,
    ),
    Action.UNDO_SWITCH: (
        """
        update supply_point set supplier = %(supplier)s, supplier_since = %(supplied_from)s where mpxn = %(mpan)s
        """,
        "delete from appointment where mpxn = %(mpan)s and appointed_from = %(day)s",
        """
        update appointment set appointed_to = null, state = 'LIVE'
        where mpxn = %(mpan)s and appointed_to = %(day)s::date - 1 and state = 'ENDED'
        """,
    ),
    Action.END_APPOINTMENT: (
        f"""
        update appointment set appointed_to = %(day)s::date - 1, state = {_STATE}
        where mpxn = %(mpan)s and appointed_from = %(appointed_from)s
        """,
    ),
    Action.APPOINT: (
        f"""
        insert into appointment (mpxn, appointed_from, supplier, agreement_ref, state, reason)
        values (%(mpan)s, %(day)s, %(supplier)s, %(reference)s, {_STATE}, %(scenario)s)
        """,
    ),
    Action.SET_APPOINTMENT_STATUS: (
        f"update appointment set state = {_STATE} where mpxn = %(mpan)s and appointed_from = %(appointed_from)s",
    ),
    Action.LAPSE_APPOINTMENT: (
        """
        update appointment set state = 'LAPSED', appointed_to = appointed_from
        where mpxn = %(mpan)s and appointed_from = %(appointed_from)s
        """,
    ),
    Action.REOPEN_APPOINTMENT: (
        """
        update appointment set state = 'LIVE', appointed_to = null
        where mpxn = %(mpan)s and appointed_from = %(appointed_from)s
        """,
    ),
    Action.ENERGISE: (
        """
        insert into energisation (mpxn, status_from, status)
        values (%(mpan)s, %(day)s::timestamp at time zone 'Europe/London',
                case %(energisation_status)s when 'E' then 'ENERGISED' when 'D' then 'DE-ENERGISED' else 'UNKNOWN' end)
        on conflict (mpxn, status_from) do update set status = excluded.status
        """,
    ),
    Action.FIT_METER: (
        """
        insert into device (mpxn, serial_no, manufacturer, model, device_type, esme_guid, position_code, digits,
                            fitted_on, owner_mpid, owned_from)
        values (%(mpan)s, %(meter_id)s, %(make)s, %(model)s, %(meter_type)s, %(esme_id)s, %(location)s,
                %(displayed_digits)s, %(day)s, %(provider)s, %(day)s)
        """,
    ),
    Action.REMOVE_METER: ("update device set removed_on = %(day)s where mpxn = %(mpan)s and serial_no = %(meter_id)s",),
    Action.READDRESS: (_SET_ADDRESS,),
    Action.MEND_ADDRESS: (_SET_ADDRESS,),
    Action.LEAVE: tuple(
        f"delete from {table} where mpxn = %(mpan)s" for table in ("device", "site", "energisation", "supply_point")
    ),
}

SYSTEM = System(
    projections=_PROJECTIONS,
    actions=_ACTIONS,
    service=_SERVICE,
    contract_table="agreement",
    contract_columns={
        "supplier": "supplier_mpid",
        "agreement_ref": "reference",
        "start_date": "effective_from",
        "end_date": "effective_to",
        "connection_types": "connection_types",
        "segments": "segments",
    },
)
