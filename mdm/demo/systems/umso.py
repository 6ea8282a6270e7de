"""An unmetered supplies operator: inventories in place of meters."""

import json

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

_SERVICE = Service(role=Role.UMSO, mpid="LAMP")
_SERVED = served_by(_SERVICE)
_FEWEST_ITEMS = 40


def _inventory(index: int) -> str:
    """Write the items of a supply: long enough that PostgreSQL keeps the column out of line."""
    items = [
        {"unit": f"{index:08d}/{number:02d}", "charge_code": f"40{(index + number) % 97:02d}0001000", "watts": 18}
        for number in range(_FEWEST_ITEMS + index % 20)
    ]
    return json.dumps(items)


_APPOINTMENTS = Appointments(
    service=_SERVICE,
    table="ums_appointment",
    mpan="mpan",
    since="from_date",
    until="to_date",
    supplier="supplier_mpid",
    reference="contract_ref",
    status="status",
    scenario="scenario",
    codes={"proposed": "P", "accepted": "A", "active": "L", "lapsed": "X", "de-appointed": "E"},
)

_PROJECTIONS = (
    project(
        "unmetered_supply",
        _SERVED & ~GONE,
        mpan="mpan",
        supplier_mpid="supplier",
        supplier_from="supplied_from",
        status=coded("energisation_status", E="ON", D="OFF", U="UNK"),
        status_from="energised_from",
        charge_code=pl.lit("4000010001000"),
        switch_regime=pl.lit("811"),
        item_count=_FEWEST_ITEMS + pl.col("index") % 20,
        inventory=pl.col("index").map_elements(_inventory, return_dtype=pl.String),
    ),
    project("location", _SERVED & ~GONE, mpan="mpan", **lines(*LINES), postcode="postcode", uprn="uprn"),
    *appointments.projections(_APPOINTMENTS),
)

_SET_ADDRESS = f"""
update location set ({", ".join(LINES)}, postcode, uprn) = row ({placeholders((*LINES, "postcode", "uprn"))})
where mpan = any(%(mpans)s)
"""

_APPOINTED = appointments.actions(_APPOINTMENTS)

_ACTIONS = _APPOINTED | {
    Action.SWITCH_SUPPLIER: (
        "update unmetered_supply set supplier_mpid = %(supplier)s, supplier_from = %(day)s where mpan = any(%(mpans)s)",
    ),
    Action.UNDO_SWITCH: (
        """
        update unmetered_supply set supplier_mpid = %(supplier)s, supplier_from = %(supplied_from)s
        where mpan = %(mpan)s
        """,
        *_APPOINTED[Action.UNDO_SWITCH],
    ),
    Action.ENERGISE: (
        """
        update unmetered_supply set status_from = %(day)s,
               status = case %(energisation_status)s when 'E' then 'ON' when 'D' then 'OFF' else 'UNK' end
        where mpan = %(mpan)s
        """,
    ),
    Action.READDRESS: (_SET_ADDRESS,),
    Action.MEND_ADDRESS: (_SET_ADDRESS,),
    Action.LEAVE: (
        "delete from location where mpan = %(mpan)s",
        "delete from unmetered_supply where mpan = %(mpan)s",
    ),
}

SYSTEM = System(
    projections=_PROJECTIONS,
    actions=_ACTIONS,
    service=_SERVICE,
    contract_table="ums_contract",
    contract_columns={
        "supplier_mpid": "supplier_mpid",
        "contract_ref": "reference",
        "from_date": "effective_from",
        "to_date": "effective_to",
    },
)
