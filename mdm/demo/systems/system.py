"""What a system of the market is: projections that fill its tables, actions that write what happens later.

A projection's rows follow from the points by expressions, so all copies agree when they are made. An action is the
SQL by which one system writes one happening, in its own names and codes; parameters are named the same everywhere:

mpan, mpans, day (when it takes effect), supplier, suffix (of a portfolio contract's reference), role, service,
reference, appointed_from, status, scenario, and the columns of a meter and of an address.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import polars as pl

from mdm.demo import contracts
from mdm.demo.premises import LINES
from mdm.demo.reference import Role

DAY = pl.duration(days=1)
GONE = pl.col("gone").is_not_null()
HAS_METER = pl.col("meter_id").is_not_null()
SWITCHED = pl.col("switched").is_not_null()
EVERY = pl.lit(value=True)


class Action(StrEnum):
    """What may happen to metering points, as one system writes it."""

    SWITCH_SUPPLIER = "switch supplier"  # mpans, supplier, day
    FOLLOW_SUPPLIER = "follow supplier"  # mpans, supplier, day, suffix: the same services under new contracts
    UNDO_SWITCH = "undo switch"  # mpan, day, supplier and supplied_from before it
    END_APPOINTMENT = "end appointment"  # mpan, role, appointed_from, status, day: the first day without it
    APPOINT = "appoint"  # mpan, role, day, service, supplier, reference, status, scenario
    SET_APPOINTMENT_STATUS = "set appointment status"  # mpan, role, appointed_from, status
    LAPSE_APPOINTMENT = "lapse appointment"  # mpan, role, appointed_from: never came into force
    REOPEN_APPOINTMENT = "reopen appointment"  # mpan, role, appointed_from
    ENERGISE = "energise"  # mpan, day, energisation_status
    FIT_METER = "fit meter"  # mpan, day and the columns of a meter
    REMOVE_METER = "remove meter"  # mpan, meter_id, installed, day
    READDRESS = "readdress"  # mpans, day and the columns of an address: it holds from the day on
    MEND_ADDRESS = "mend address"  # mpans and the columns of an address: it was wrong from the start
    ENROL_IN_DCC = "enrol in DCC"  # mpan, day
    CHANGE_TARIFF = "change tariff"  # mpan, day, tariff
    CHANGE_SEGMENT = "change segment"  # mpan, day, market_segment
    LEAVE = "leave"  # mpan: the metering service has no more to do with it
    DISCONNECT = "disconnect"  # mpan, day: after all else has ended


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRows:
    """Rows of one table; the frame's columns bear the table's names."""

    table: str
    rows: pl.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """One table, or part of one, as it follows from the points."""

    table: str
    columns: dict[str, pl.Expr]
    where: pl.Expr

    def chosen(self, points: pl.DataFrame) -> pl.DataFrame:
        """Return the points that have a row in the table."""
        return points.filter(self.where)

    def rows(self, points: pl.DataFrame) -> TableRows:
        """Return the table's rows for these points, in their order."""
        named = (value.alias(name) for name, value in self.columns.items())
        return TableRows(table=self.table, rows=self.chosen(points).select(named))


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The metering service that runs a system."""

    role: Role
    mpid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One kind of system. The order of its projections is the order of its foreign keys."""

    projections: tuple[Projection, ...]
    actions: Mapping[Action, tuple[str, ...]]
    service: Service | None = None
    contract_table: str | None = None
    contract_columns: Mapping[str, str] = field(default_factory=dict)

    def rows(self, points: pl.DataFrame) -> Iterator[TableRows]:
        """Yield what the system holds of these points, parents before children."""
        for projection in self.projections:
            yield projection.rows(points)

    def portfolio(self) -> Iterator[TableRows]:
        """Yield the portfolio agreements that the system holds: registration all, a metering service its own."""
        if self.contract_table is None:
            return
        frame = pl.DataFrame(list(contracts.portfolio()), infer_schema_length=None)
        if self.service:
            frame = frame.filter(pl.col("service_mpid") == self.service.mpid)
        columns = (pl.col(column).alias(name) for name, column in self.contract_columns.items())
        yield TableRows(table=self.contract_table, rows=frame.select(columns))


def project(table: str, where: pl.Expr = EVERY, /, **columns: str | pl.Expr) -> Projection:
    """Describe a table: each of its columns is a column of the points or an expression over them."""
    values = {name: pl.col(value) if isinstance(value, str) else value for name, value in columns.items()}
    return Projection(table=table, columns=values, where=where)


def lines(*names: str) -> dict[str, str]:
    """Name the nine address lines as a system does."""
    return dict(zip(names, LINES, strict=True))


def placeholders(names: Iterable[str]) -> str:
    """Write parameters of these names, with commas between them."""
    return ", ".join(f"%({name})s" for name in names)


def coded(column: str, **codes: str) -> pl.Expr:
    """Translate a column's codes into a system's own."""
    return pl.col(column).replace_strict(codes, return_dtype=pl.String)


def served_by(service: Service) -> pl.Expr:
    """Say of which points a metering service has an appointment, over or not."""
    return (pl.col("role") == service.role.value) & (pl.col("service") == service.mpid) & ~pl.col("is_subsidiary")
