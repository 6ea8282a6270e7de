"""Do the sources and the hub agree? Everything that can be counted or compared, straight from their tables.

The market must stand still and the hub must have caught up. Nothing of the hub's mapping, catalogue or mastering is
used: what the golden records should say is worked out from the sources alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import polars as pl

from mdm import db
from mdm.demo import (
    agreement,
    checks,
    expectations,
    found_faults,
    golden_values,
    journalled,
    logbook,
    published,
)
from mdm.demo.checks import Check
from mdm.demo.expectations import Expected
from mdm.demo.found_faults import FaultKind
from mdm.demo.journalled import Written
from mdm.demo.ledger import Fault
from mdm.demo.market import Dsns

_ENTITIES = {
    "metering_point": "metering points",
    "meter": "meters",
    "address": "addresses",
    "contract": "contracts",
    "appointment": "appointments",
}

_MPAN_DIGITS = 13

_VALUES = {
    "points": ("values of metering points", ("mpan",), "golden.metering_point"),
    "meters": ("values of meters", ("mpan", "serial"), "golden.meter"),
    "contracts": ("values of contracts", ("supplier_mpid", "reference"), "golden.contract"),
    "appointments": ("values of appointments", ("mpan", "role", "appointed_from"), "golden.appointment"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All checks, and what was found of the faults; `left_out` points carry a fault that spoils their golden record."""

    checks: tuple[Check, ...]
    faults: tuple[FaultKind, ...]
    left_out: int

    @property
    def agrees(self) -> bool:
        """Whether every system agrees that should, and every planted fault is found that can be."""
        return all(check.agrees for check in self.checks) and all(kind.is_complete for kind in self.faults)

    def with_check(self, check: Check) -> "Comparison":
        """Return the comparison with another check."""
        return replace(self, checks=(*self.checks, check))

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as --json prints it."""
        return {
            "agrees": self.agrees,
            "checks": [check.as_json() for check in self.checks],
            "faults": [kind.as_json() for kind in self.faults],
            "left_out": self.left_out,
        }


def compare(hub_dsn: str, dsns: Dsns, *, day: date, written: Written) -> Comparison:
    """Compare everything; `day` is the market's present day."""
    faults = logbook.list_faults(dsns)
    faulty = logbook.list_linked(dsns, {mpan for fault in faults for mpan in fault.mpans})
    without = frozenset(logbook.list_linked(dsns, found_faults.spoil_records(faults)))
    expected = expectations.read(dsns, day=day)
    with db.connect(hub_dsn, application_name="mdm demo") as hub:
        compared = [
            _compare_copies(dsns, faulty),
            *_compare_counts(hub, dsns, faults),
            *_compare_values(hub, expected, without),
            *published.compare(hub, expected, without=without),
            *journalled.compare(hub, dsns, written),
            found_faults.compare_lawful(hub, faulty),
        ]
        found = found_faults.compare(hub, faults)
    return Comparison(checks=tuple(compared), faults=tuple(found), left_out=len(without))


def _compare_copies(dsns: Dsns, faulty: set[str]) -> Check:
    """See whether the sources agree among themselves, points with a fault aside."""
    held = sum(item.held for item in agreement.compare(dsns).items)
    # A contract is made for a point; where that has a fault, the contract may be without its copy too.
    spoiled = pl.col("key").str.slice(0, _MPAN_DIGITS).is_in(list(faulty))
    if faulty:
        spoiled |= pl.col("aspect") == "contract"
    differing = agreement.differences(dsns).filter(~spoiled)
    kinds = differing.group_by("source", "aspect").len().sort("source", "aspect")
    return Check(
        name="copies at the sources",
        expected=held,
        found=held,
        differences={f"{source} {aspect}": count for source, aspect, count in kinds.iter_rows()},
        look="The market itself is not in order.",
    )


def _compare_counts(hub: db.Connection, dsns: Dsns, faults: list[Fault]) -> Iterator[Check]:
    """See whether each thing that a source names has its golden record; faults make things that are none."""
    if faults:
        return
    for entity, count in agreement.count_things(dsns).items():
        row = hub.execute(f"select count(*) from golden.{entity}").fetchone()
        found = int(row[0]) if row else 0
        yield Check(name=_ENTITIES[entity], expected=count, found=found, look=f"See golden.{entity}.")


def _compare_values(hub: db.Connection, expected: Expected, without: frozenset[str]) -> Iterator[Check]:
    """Compare the golden value of every item with its owner's."""
    found = golden_values.read(hub, expected)
    wanted, had = expected.without(without), found.without(without)
    for name, (title, key, table) in _VALUES.items():
        yield checks.compare(title, getattr(wanted, name), getattr(had, name), key=key, look=f"See {table}:")
