"""An advanced metering service: current values only, updated in place."""

import polars as pl

from mdm.demo import contracts
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

_SERVICE = Service(role=Role.MSA, mpid="DART")
_SERVED = served_by(_SERVICE)
_ADDRESS_LINES = tuple(f"addr_{number}" for number in range(1, 10))

_APPOINTMENTS = Appointments(
    service=_SERVICE,
    table="agent_appointment",
    mpan="mpan_core",
    since="efd",
    until="etd",
    supplier="supplier_id",
    reference="contract_no",
    status="status",
    scenario="scenario",
    codes={word: word for word in ("proposed", "accepted", "active", "lapsed")} | {"de-appointed": "ended"},
    mpan_type="bpchar",
    status_type="appointment_status",
)

_PROJECTIONS = (
    project(
        "metering_system",
        _SERVED & ~GONE,
        mpan_core="mpan",
        supplier_id="supplier",
        supplier_efd="supplied_from",
        energised=coded("energisation_status", E="Y", D="N", U="U"),
        energised_efd="energised_from",
    ),
    project("premises", _SERVED & ~GONE, mpan_core="mpan", **lines(*_ADDRESS_LINES), postcode="postcode", uprn="uprn"),
    project(
        "meter",
        _SERVED & ~GONE,
        mpan_core="mpan",
        meter_serial="meter_id",
        meter_make="make",
        meter_model="model",
        meter_type="meter_type",
        location_code="location",
        dials="displayed_digits",
        install_date="installed",
    ),
    project(
        "meter_provider",
        _SERVED & ~GONE,
        mpan_core="mpan",
        meter_serial="meter_id",
        meter_make="make",
        provider_id="provider",
        efd="installed",
    ),
    project(
        "contract",
        _SERVED & pl.col("bespoke_reference").is_not_null(),
        supplier_id="supplier",
        contract_no="bespoke_reference",
        valid_from="appointed_from",
        connection_types=pl.lit(contracts.CONNECTION_TYPES[Role.MSA]),
        segments="market_segment",
    ),
    *appointments.projections(_APPOINTMENTS),
)

_SET_ADDRESS = f"""
update premises set ({", ".join(_ADDRESS_LINES)}, postcode, uprn) = row ({placeholders((*LINES, "postcode", "uprn"))})
where mpan_core = any(%(mpans)s::bpchar[])
"""

_APPOINTED = appointments.actions(_APPOINTMENTS)

_ACTIONS = _APPOINTED | {
    Action.SWITCH_SUPPLIER: (
        """
        update metering_system set supplier_id = %(supplier)s, supplier_efd = %(day)s, last_modified = now()
        where mpan_core = any(%(mpans)s::bpchar[])
        """,
    ),
    Action.UNDO_SWITCH: (
        """
        update metering_system set supplier_id = %(supplier)s, supplier_efd = %(supplied_from)s, last_modified = now()
        where mpan_core = %(mpan)s::bpchar
        """,
        *_APPOINTED[Action.UNDO_SWITCH],
    ),
    Action.ENERGISE: (
        """
        update metering_system
        set energised = (case %(energisation_status)s when 'E' then 'Y' when 'D' then 'N' else 'U' end)::energised,
            energised_efd = %(day)s, last_modified = now()
        where mpan_core = %(mpan)s::bpchar
        """,
    ),
    Action.FIT_METER: (
        """
        insert into meter (mpan_core, meter_serial, meter_make, meter_model, meter_type, location_code, dials,
                           install_date)
        values (%(mpan)s, %(meter_id)s, %(make)s, %(model)s, %(meter_type)s, %(location)s, %(displayed_digits)s,
                %(day)s)
        """,
        """
        insert into meter_provider (mpan_core, meter_serial, meter_make, provider_id, efd)
        values (%(mpan)s, %(meter_id)s, %(make)s, %(provider)s, %(day)s)
        """,
    ),
    Action.REMOVE_METER: (
        "update meter set remove_date = %(day)s where mpan_core = %(mpan)s::bpchar and meter_serial = %(meter_id)s",
    ),
    Action.READDRESS: (_SET_ADDRESS,),
    Action.MEND_ADDRESS: (_SET_ADDRESS,),
    Action.LEAVE: tuple(
        f"delete from {table} where mpan_core = %(mpan)s::bpchar"
        for table in ("meter_provider", "meter", "premises", "metering_system")
    ),
}

SYSTEM = System(
    projections=_PROJECTIONS,
    actions=_ACTIONS,
    service=_SERVICE,
    contract_table="contract",
    contract_columns={
        "supplier_id": "supplier_mpid",
        "contract_no": "reference",
        "valid_from": "effective_from",
        "valid_to": "effective_to",
        "connection_types": "connection_types",
        "segments": "segments",
    },
)
