"""What a run of the workload did, and each fault that it planted on purpose, so that findings can be compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mdm.demo.market import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault planted in one row. `rule` is the rule that it breaks; None where it was made good again.

    `source_key` is the table and its key columns' values with bars between them, as the hub names source records.
    `neighbour` is the other point where two share the fault.
    """

    kind: str
    rule: int | None
    source: Source
    relation: str
    source_key: str
    mpan: str
    item: str
    planted_at: datetime
    neighbour: str | None = None

    @property
    def mpans(self) -> tuple[str, ...]:
        """The metering points that have it."""
        return (self.mpan,) if self.neighbour is None else (self.mpan, self.neighbour)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run so far. `changes` counts rows inserted, updated or deleted, over all sources."""

    happenings: Mapping[str, int]
    transactions: int
    changes: int
    changes_by_source: Mapping[Source, int]
    faults: tuple[Fault, ...]
    seconds: float
