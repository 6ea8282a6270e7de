"""Contracts of the simulated market: suppliers' portfolio agreements with metering services."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import polars as pl

from mdm.demo import reference
from mdm.demo.reference import Role

PORTFOLIOS = 3
_STARTS = (date(2015, 4, 1), date(2017, 10, 1), date(2019, 4, 1))
CONNECTION_TYPES = {Role.MSS: "W", Role.MSA: "WLHE", Role.UMSO: "U"}
SEGMENTS = {Role.MSS: "S", Role.MSA: "A", Role.UMSO: "U"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """An agreement that covers a role's segment and connection types, from a day on, without an end."""

    supplier_mpid: str
    reference: str
    service_mpid: str
    role: str
    effective_from: date
    effective_to: date | None
    connection_types: str
    segments: str


def portfolio() -> Iterator[Contract]:
    """Yield the agreements of every supplier with every metering service; they are older than any appointment."""
    for role, segment in SEGMENTS.items():
        for service in reference.mpids(role):
            for supplier in reference.mpids(Role.SUPPLIER):
                for number in range(PORTFOLIOS):
                    yield Contract(
                        supplier_mpid=supplier,
                        reference=portfolio_reference(supplier, service, number),
                        service_mpid=service,
                        role=role,
                        effective_from=_STARTS[number],
                        effective_to=None,
                        connection_types=CONNECTION_TYPES[role],
                        segments=segment,
                    )


def portfolio_reference(supplier: str, service: str, number: int) -> str:
    """Return the reference of a portfolio agreement, eight characters."""
    return f"{service[:2]}{supplier[:2]}-{number + 1:03d}"


def portfolio_references(supplier: pl.Expr, service: pl.Expr, number: pl.Expr) -> pl.Expr:
    """Write the references of portfolio agreements, a column at once."""
    digits = (number + 1).cast(pl.String).str.zfill(3)
    return pl.format("{}{}-{}", service.str.slice(0, 2), supplier.str.slice(0, 2), digits)
