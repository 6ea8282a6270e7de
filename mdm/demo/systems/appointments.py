"""A metering service's own table of appointments: what fills it, and what happens to it later.

The services differ in the names of its columns and in the codes of a status; what they write is the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from mdm.demo.systems.system import DAY, GONE, SWITCHED, Action, Projection, Service, project, served_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointments:
    """The table's name, its columns' names and types, and the code of each status."""

    service: Service
    table: str
    mpan: str
    since: str
    until: str
    supplier: str
    reference: str
    status: str
    scenario: str
    codes: Mapping[str, str]
    mpan_type: str = "text"
    status_type: str = "text"

    @property
    def active(self) -> str:
        """The code of an appointment that is in force."""
        return self.codes["active"]

    @property
    def ended(self) -> str:
        """The code of an appointment that is over."""
        return self.codes["de-appointed"]


def projections(to: Appointments) -> tuple[Projection, Projection]:
    """Return what fills the table: the appointments that a switch of supplier ended, and the last ones."""
    served = served_by(to.service)
    former: dict[str, str | pl.Expr] = {
        to.mpan: "mpan",
        to.since: "first_appointed",
        to.until: pl.col("switched") - DAY,
        to.supplier: "former_supplier",
        to.reference: "former_reference",
        to.status: pl.lit(to.ended),
        to.scenario: pl.lit("ALG"),
    }
    last: dict[str, str | pl.Expr] = {
        to.mpan: "mpan",
        to.since: "appointed_from",
        to.until: "gone",
        to.supplier: "supplier",
        to.reference: "reference",
        to.status: pl.when(GONE).then(pl.lit(to.ended)).otherwise(pl.lit(to.active)),
        to.scenario: "scenario",
    }
    return project(to.table, served & SWITCHED, **former), project(to.table, served, **last)


def actions(to: Appointments) -> dict[Action, tuple[str, ...]]:
    """Return what is written into the table; of a switch that is undone, only what concerns it."""
    return _of_switches(to) | _of_one(to)


def _of_switches(to: Appointments) -> dict[Action, tuple[str, ...]]:
    many = f"{to.mpan} = any(%(mpans)s::{to.mpan_type}[])"
    one = f"{to.mpan} = %(mpan)s::{to.mpan_type}"
    ended_before = f"{to.until} = %(day)s::date - 1 and {to.status} = '{to.ended}'"
    return {
        Action.FOLLOW_SUPPLIER: (
            f"""
            update {to.table} set {to.until} = %(day)s::date - 1, {to.status} = '{to.ended}'
            where {many} and {to.status} = '{to.active}'
            """,
            f"""
            insert into {to.table} ({_columns(to)})
            select {to.mpan}, %(day)s, %(supplier)s::text,
                   '{to.service.mpid[:2]}' || left(%(supplier)s::text, 2) || %(suffix)s, '{to.active}', 'COS'
            from {to.table} where {many} and {ended_before}
            """,
        ),
        Action.UNDO_SWITCH: (
            f"delete from {to.table} where {one} and {to.since} = %(day)s",
            f"update {to.table} set {to.until} = null, {to.status} = '{to.active}' where {one} and {ended_before}",
        ),
    }


def _of_one(to: Appointments) -> dict[Action, tuple[str, ...]]:
    where = f"where {to.mpan} = %(mpan)s::{to.mpan_type} and {to.since} = %(appointed_from)s"
    status, lapsed = _status(to), to.codes["lapsed"]
    return {
        Action.END_APPOINTMENT: (
            f"update {to.table} set {to.until} = %(day)s::date - 1, {to.status} = {status} {where}",
        ),
        Action.APPOINT: (
            f"""
            insert into {to.table} ({_columns(to)})
            values (%(mpan)s, %(day)s, %(supplier)s, %(reference)s, {status}, %(scenario)s)
            """,
        ),
        Action.SET_APPOINTMENT_STATUS: (f"update {to.table} set {to.status} = {status} {where}",),
        Action.LAPSE_APPOINTMENT: (f"update {to.table} set {to.status} = '{lapsed}', {to.until} = {to.since} {where}",),
        Action.REOPEN_APPOINTMENT: (f"update {to.table} set {to.status} = '{to.active}', {to.until} = null {where}",),
    }


def _columns(to: Appointments) -> str:
    return ", ".join((to.mpan, to.since, to.supplier, to.reference, to.status, to.scenario))


def _status(to: Appointments) -> str:
    codes = " ".join(f"when '{word}' then '{code}'" for word, code in to.codes.items())
    return f"(case %(status)s {codes} end)::{to.status_type}"
