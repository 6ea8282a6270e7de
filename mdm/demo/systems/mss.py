"""A smart metering service: it owns devices and energisation of the supply points that it is appointed to."""

import polars as pl

from mdm.demo.premises import LINES
from mdm.demo.reference import Role
from mdm.demo.systems import appointments
from mdm.demo.systems.appointments import Appointments
from mdm.demo.systems.system import (
    GONE,
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

_APPOINTMENTS = Appointments(
    service=_SERVICE,
    table="appointment",
    mpan="mpxn",
    since="appointed_from",
    until="appointed_to",
    supplier="supplier",
    reference="agreement_ref",
    status="state",
    scenario="reason",
    codes={"proposed": "PROP", "accepted": "ACC", "active": "LIVE", "lapsed": "LAPSED", "de-appointed": "ENDED"},
)

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
    *appointments.projections(_APPOINTMENTS),
)

_SET_ADDRESS = f"""
update site set ({", ".join(_ADDRESS_LINES)}, post_code, uprn) = row ({placeholders((*LINES, "postcode", "uprn"))})
where mpxn = any(%(mpans)s::text[])
"""

_APPOINTED = appointments.actions(_APPOINTMENTS)

_ACTIONS = _APPOINTED | {
    Action.SWITCH_SUPPLIER: (
        """
        update supply_point set supplier = %(supplier)s, supplier_since = %(day)s
        where mpxn = any(%(mpans)s::text[])
        """,
    ),
    Action.UNDO_SWITCH: (
        """
        update supply_point set supplier = %(supplier)s, supplier_since = %(supplied_from)s where mpxn = %(mpan)s
        """,
        *_APPOINTED[Action.UNDO_SWITCH],
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
