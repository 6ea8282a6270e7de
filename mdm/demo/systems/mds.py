"""The market-wide data service: copies of what settlement needs of every point."""

import polars as pl

from mdm.demo.premises import LINES
from mdm.demo.systems.system import (
    DAY,
    GONE,
    HAS_METER,
    SWITCHED,
    Action,
    System,
    coded,
    lines,
    placeholders,
    project,
)

_ADDRESS_LINES = tuple(f"address_{number}" for number in range(1, 10))
_IS_APPOINTED = ~pl.col("is_subsidiary")
_ROLE_CODE = coded("role", MSS="SMART", MSA="ADV", UMSO="UMS")

_PROJECTIONS = (
    project(
        "settlement_point",
        mpan="mpan",
        gsp_group="gsp_group",
        connection_type="connection_type",
        direction=coded("energy_direction", I="IMPORT", E="EXPORT"),
        is_metered=pl.when("metered").then(pl.lit("Y")).otherwise(pl.lit("N")),
        is_disconnected=GONE,
    ),
    project(
        "settlement_segment",
        mpan="mpan",
        from_date="created",
        segment=coded("market_segment", S="SMART", A="ADVANCED", U="UNMETERED"),
    ),
    project(
        "settlement_supplier",
        SWITCHED,
        mpan="mpan",
        from_date="created",
        to_date=pl.col("switched") - DAY,
        supplier="former_supplier",
    ),
    project("settlement_supplier", mpan="mpan", from_date="supplied_from", to_date="gone", supplier="supplier"),
    project(
        "settlement_energisation",
        mpan="mpan",
        status=coded("energisation_status", E="1", D="0", U="?"),
        from_date="energised_from",
    ),
    project("settlement_meter", HAS_METER, mpan="mpan", meter_serial="meter_id", from_date="installed", to_date="gone"),
    project("settlement_address", mpan="mpan", **lines(*_ADDRESS_LINES), postcode="postcode", uprn="uprn"),
    project(
        "settlement_service",
        _IS_APPOINTED & SWITCHED,
        mpan="mpan",
        role_code=_ROLE_CODE,
        from_date="first_appointed",
        to_date=pl.col("switched") - DAY,
        service="service",
    ),
    project(
        "settlement_service",
        _IS_APPOINTED,
        mpan="mpan",
        role_code=_ROLE_CODE,
        from_date="appointed_from",
        to_date="gone",
        service="service",
    ),
)

_ROLE = "case %(role)s when 'MSS' then 'SMART' when 'MSA' then 'ADV' else 'UMS' end"
_THE_APPOINTMENT = f"mpan = %(mpan)s and role_code = {_ROLE} and from_date = %(appointed_from)s"

_SET_ADDRESS = f"""
update settlement_address
set ({", ".join(_ADDRESS_LINES)}, postcode, uprn) = row ({placeholders((*LINES, "postcode"))}, %(uprn)s::bigint)
where mpan = any(%(mpans)s)
"""

_ACTIONS = {
    Action.SWITCH_SUPPLIER: (
        """
        update settlement_supplier set to_date = %(day)s::date - 1
        where mpan = any(%(mpans)s) and to_date is null
        """,
        """
        insert into settlement_supplier (mpan, from_date, supplier)
        select mpan, %(day)s, %(supplier)s from unnest(%(mpans)s::text[]) mpan
        """,
    ),
    Action.FOLLOW_SUPPLIER: (
        """
        update settlement_service set to_date = %(day)s::date - 1
        where mpan = any(%(mpans)s) and to_date is null
        """,
        """
        insert into settlement_service (mpan, role_code, from_date, service)
        select mpan, role_code, %(day)s, service
        from settlement_service where mpan = any(%(mpans)s) and to_date = %(day)s::date - 1
        """,
    ),
    Action.UNDO_SWITCH: (
        "delete from settlement_supplier where mpan = %(mpan)s and from_date = %(day)s",
        "update settlement_supplier set to_date = null where mpan = %(mpan)s and to_date = %(day)s::date - 1",
        "delete from settlement_service where mpan = %(mpan)s and from_date = %(day)s",
        "update settlement_service set to_date = null where mpan = %(mpan)s and to_date = %(day)s::date - 1",
    ),
    Action.END_APPOINTMENT: (f"update settlement_service set to_date = %(day)s::date - 1 where {_THE_APPOINTMENT}",),
    Action.APPOINT: (
        f"""
        insert into settlement_service (mpan, role_code, from_date, service)
        values (%(mpan)s, {_ROLE}, %(day)s, %(service)s)
        """,
    ),
    Action.LAPSE_APPOINTMENT: (f"delete from settlement_service where {_THE_APPOINTMENT}",),
    Action.REOPEN_APPOINTMENT: (f"update settlement_service set to_date = null where {_THE_APPOINTMENT}",),
    Action.ENERGISE: (
        """
        update settlement_energisation set from_date = %(day)s,
               status = case %(energisation_status)s when 'E' then '1' when 'D' then '0' else '?' end
        where mpan = %(mpan)s
        """,
    ),
    Action.FIT_METER: (
        """
        insert into settlement_meter (mpan, meter_serial, from_date) values (%(mpan)s, %(meter_id)s, %(day)s)
        """,
    ),
    Action.REMOVE_METER: (
        "update settlement_meter set to_date = %(day)s where mpan = %(mpan)s and meter_serial = %(meter_id)s",
    ),
    Action.READDRESS: (_SET_ADDRESS,),
    Action.MEND_ADDRESS: (_SET_ADDRESS,),
    Action.CHANGE_SEGMENT: (
        """
        insert into settlement_segment (mpan, from_date, segment)
        values (%(mpan)s, %(day)s,
                case %(market_segment)s when 'S' then 'SMART' when 'A' then 'ADVANCED' else 'UNMETERED' end)
        on conflict (mpan, from_date) do update set segment = excluded.segment
        """,
    ),
    Action.DISCONNECT: (
        "update settlement_supplier set to_date = %(day)s where mpan = %(mpan)s and to_date is null",
        "update settlement_point set is_disconnected = true, loaded_at = now() where mpan = %(mpan)s",
    ),
}

SYSTEM = System(projections=_PROJECTIONS, actions=_ACTIONS)
