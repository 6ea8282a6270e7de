"""An unmetered supplies operator: inventories in place of meters."""

import json

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
    project(
        "ums_appointment",
        _SERVED & SWITCHED,
        mpan="mpan",
        from_date="first_appointed",
        to_date=pl.col("switched") - DAY,
        supplier_mpid="former_supplier",
        contract_ref="former_reference",
        status=pl.lit("E"),
        scenario=pl.lit("ALG"),
    ),
    project(
        "ums_appointment",
        _SERVED,
        mpan="mpan",
        from_date="appointed_from",
        to_date="gone",
        supplier_mpid="supplier",
        contract_ref="reference",
        status=pl.when(GONE).then(pl.lit("E")).otherwise(pl.lit("L")),
        scenario="scenario",
    ),
)

_STATUS = """case %(status)s when 'proposed' then 'P' when 'accepted' then 'A' when 'active' then 'L'
             when 'lapsed' then 'X' else 'E' end"""

_SET_ADDRESS = f"""
update location set ({", ".join(LINES)}, postcode, uprn) = row ({placeholders((*LINES, "postcode", "uprn"))})
where mpan = any(%(mpans)s)
"""

_ACTIONS = {
    Action.SWITCH_SUPPLIER: (
        "update unmetered_supply set supplier_mpid = %(supplier)s, supplier_from = %(day)s where mpan = any(%(mpans)s)",
    ),
    Action.FOLLOW_SUPPLIER: (
        """
        update ums_appointment set to_date = %(day)s::date - 1, status = 'E'
        where mpan = any(%(mpans)s) and status = 'L'
        """,
        """
        insert into ums_appointment (mpan, from_date, supplier_mpid, contract_ref, status, scenario)
        select mpan, %(day)s, %(supplier)s::text, 'LA' || left(%(supplier)s::text, 2) || %(suffix)s, 'L', 'COS'
        from ums_appointment where mpan = any(%(mpans)s) and to_date = %(day)s::date - 1 and status = 'E'
        """,
    ),
    Action.UNDO_SWITCH: (
        """
        update unmetered_supply set supplier_mpid = %(supplier)s, supplier_from = %(supplied_from)s
        where mpan = %(mpan)s
        """,
        "delete from ums_appointment where mpan = %(mpan)s and from_date = %(day)s",
        """
        update ums_appointment set to_date = null, status = 'L'
        where mpan = %(mpan)s and to_date = %(day)s::date - 1 and status = 'E'
        """,
    ),
    Action.END_APPOINTMENT: (
        f"""
        update ums_appointment set to_date = %(day)s::date - 1, status = {_STATUS}
        where mpan = %(mpan)s and from_date = %(appointed_from)s
        """,
    ),
    Action.APPOINT: (
        f"""
        insert into ums_appointment (mpan, from_date, supplier_mpid, contract_ref, status, scenario)
        values (%(mpan)s, %(day)s, %(supplier)s, %(reference)s, {_STATUS}, %(scenario)s)
        """,
    ),
    Action.SET_APPOINTMENT_STATUS: (
        f"update ums_appointment set status = {_STATUS} where mpan = %(mpan)s and from_date = %(appointed_from)s",
    ),
    Action.LAPSE_APPOINTMENT: (
        """
        update ums_appointment set status = 'X', to_date = from_date
        where mpan = %(mpan)s and from_date = %(appointed_from)s
        """,
    ),
    Action.REOPEN_APPOINTMENT: (
        """
        update ums_appointment set status = 'L', to_date = null
        where mpan = %(mpan)s and from_date = %(appointed_from)s
        """,
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
