"""What a rule is: one SQL condition over the named columns of a row, with everything a person needs to know of it.

The same condition serves the inline check of a batch, the batch audit, the documentation and a view's contract:
each only provides rows that have the columns of the rule's scope. A condition that is null does not speak.
"""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """E: the record is quarantined and the last good value stays. W: the value passes and stands as a violation."""

    ERROR = "E"
    WARNING = "W"


class Scope(StrEnum):
    """The row that a rule reads; `columns` of the scope are what whoever evaluates it must provide."""

    POINT_KEY = "point key"
    ADDRESS = "address"
    APPOINTMENT = "appointment"
    APPOINTMENT_AT_POINT = "appointment at point"
    METER_AT_POINT = "meter at point"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, each of the type that the catalogue gives the item of that name."""
        return _COLUMNS[self]

    @property
    def crosses_records(self) -> bool:
        """Whether the row joins what one record says with the state of its metering point."""
        return self in (Scope.APPOINTMENT_AT_POINT, Scope.METER_AT_POINT)


_COLUMNS: dict[Scope, tuple[str, ...]] = {
    Scope.POINT_KEY: ("mpan", "known_distributor", "served_distributors"),
    Scope.ADDRESS: ("postcode",),
    Scope.APPOINTMENT: ("contract_reference",),
    Scope.APPOINTMENT_AT_POINT: ("role", "status", "market_segment"),
    Scope.METER_AT_POINT: (
        "meter_id",
        "connection_type",
        "installation_date",
        "removal_date",
        "created_date",
        "disconnection_date",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A consistency rule. `violated` is a SQL condition over the columns of `scope`: true speaks against the row.

    `response_codes` are those by which the industry's own messages refuse the same faults.
    """

    code: int
    title: str
    severity: Severity
    scope: Scope
    violated: str
    items: tuple[str, ...]
    owner: str
    explanation: str
    mend: str
    response_codes: tuple[str, ...] = ()
    version: int = 1
