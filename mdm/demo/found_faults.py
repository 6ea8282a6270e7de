"""What the hub found of the faults that were planted: the ledger beside quarantine, violations, conflicts, matches."""

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import polars as pl

from mdm import db, mastering, matching
from mdm.demo import frames
from mdm.demo.checks import Check
from mdm.demo.ledger import Fault
from rules import registry
from rules.model import Severity

_LONGEST_RUN = 60.0  # seconds
_BETWEEN_RUNS = 0.2

COPIES_AGREE = 39
"""The rule that copies agree with their owner's value: what breaks it is a conflict."""

# What mapping refuses breaks no rule of ours before it is looked at: it counts for the rule that it would have broken.
_QUARANTINED = """
select distinct s.name as source, q.source_key from golden.quarantine q join golden.source_system s using (source_id)
where q.closed_at is null and (q.rules is null or {rule} = any (q.rules))
"""

# A violation or conflict concerns a point when it is about the point itself, its address, a meter or an appointment.
_CONCERNED = """(
    select golden_id, mpan from golden.metering_point
    union all select address_id, mpan from golden.metering_point
    union all select m.golden_id, p.mpan from golden.source_record m
              join golden.metering_point p on p.golden_id = (m.item_values ->> 'metering_point_id')::bigint
              where m.item_group = 'asset'
    union all select (a.item_values ->> 'address_id')::bigint, p.mpan from golden.source_record a
              join golden.metering_point p using (golden_id) where a.item_values ? 'address_id'
    union all select golden_id, mpan from golden.appointment
)"""

_VIOLATING = f"""
select distinct p.mpan from golden.violation v join {_CONCERNED} p using (golden_id)
where v.closed_at is null and v.rule = {{rule}}
"""

_CONFLICTING = f"""
select distinct s.name as source, p.mpan
from golden.conflict c join golden.source_system s using (source_id) join {_CONCERNED} p using (golden_id)
where c.closed_at is null
"""

_MATCHING = f"""
select distinct p.mpan from golden.match m join {_CONCERNED} p on p.golden_id in (m.left_id, m.right_id)
where m.state = 'open' and m.entity = 'meter'
"""

# What is open, by kind and metering point; of a contract no point is known.
_OPEN = rf"""
select 'quarantine' as kind, substring(source_key from '\d{{13}}') as mpan
from golden.quarantine where closed_at is null
union all
select 'violations', (select min(mpan) from {_CONCERNED} p where p.golden_id = v.golden_id)
from golden.violation v where closed_at is null
union all
select 'conflicts', (select min(mpan) from {_CONCERNED} p where p.golden_id = c.golden_id)
from golden.conflict c where closed_at is null
"""


class Finding(StrEnum):
    """Where a fault of a kind is to be found."""

    QUARANTINE = "quarantine"
    VIOLATION = "violations"
    CONFLICT = "conflicts"
    MATCH = "matches"
    UNDONE = "made good again"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind:
    """How many faults of one kind were planted, and how many of them the hub has found."""

    kind: str
    rule: int | None
    finding: Finding
    planted: int
    found: int

    @property
    def is_complete(self) -> bool:
        """Whether all are found that can be."""
        return self.finding is Finding.UNDONE or self.found == self.planted

    def as_json(self) -> dict[str, Any]:
        """Return the kind as --json prints it."""
        return {
            "kind": self.kind,
            "rule": self.rule,
            "finding": self.finding.value,
            "planted": self.planted,
            "found": self.found,
        }


def compare(connection: db.Connection, faults: Sequence[Fault]) -> list[FaultKind]:
    """Return each kind of fault that was planted, by rule, with how many of it the hub has found."""
    if not faults:
        return []
    _await_matches(connection)
    planted = pl.DataFrame(
        [(fault.kind, fault.source.value, fault.source_key, fault.mpan) for fault in faults],
        schema=["kind", "source", "source_key", "mpan"],
        orient="row",
    )
    examples = {fault.kind: fault for fault in sorted(faults, key=lambda fault: (fault.rule or 0, fault.kind))}
    return [_kind(connection, planted.filter(pl.col("kind") == kind), one) for kind, one in examples.items()]


def _await_matches(connection: db.Connection) -> None:
    """Look for matches now; where another run is at it, wait for its end first."""
    mastering.tune(connection)
    deadline = time.monotonic() + _LONGEST_RUN
    while matching.run(connection, matching.Scope()) is None and time.monotonic() < deadline:
        time.sleep(_BETWEEN_RUNS)


def compare_lawful(connection: db.Connection, faulty: Collection[str]) -> Check:
    """See whether anything was found where no fault was planted; `faulty` are the points with one."""
    found = frames.read_from(connection, _OPEN)
    unfounded = found.filter(~pl.col("mpan").is_in(list(faulty)).fill_null(value=False))
    return Check(
        name="findings without a fault",
        expected=0,
        found=unfounded.height,
        differences=dict(unfounded.group_by("kind").len().sort("kind").iter_rows()),
        look="See 'mdm quarantine list', golden.violation and golden.conflict.",
    )


def spoil_records(faults: Iterable[Fault]) -> set[str]:
    """Return the points at which a fault keeps the golden records from what the owner says, or may do so.

    A meter that two points have is one golden record, so it cannot say what the owner says at both.
    """
    return {
        mpan
        for fault in faults
        if finding(fault.rule, fault.item) is Finding.QUARANTINE or fault.item == "meter_id"
        for mpan in fault.mpans
    }


def finding(rule: int | None, item: str) -> Finding:
    """Return where a rule's breach in an item is to be found."""
    if rule is None:
        return Finding.UNDONE
    if rule == COPIES_AGREE:
        # A copy with another meter id names another meter: that it may be the same one, a match says.
        return Finding.MATCH if item == "meter_id" else Finding.CONFLICT
    is_error = registry.get(rule).severity is Severity.ERROR
    return Finding.QUARANTINE if is_error else Finding.VIOLATION


def _kind(connection: db.Connection, planted: pl.DataFrame, example: Fault) -> FaultKind:
    where = finding(example.rule, example.item)
    found = _count(connection, planted, where, example.rule)
    return FaultKind(kind=example.kind, rule=example.rule, finding=where, planted=planted.height, found=found)


def _count(connection: db.Connection, planted: pl.DataFrame, where: Finding, rule: int | None) -> int:
    match where:
        case Finding.QUARANTINE:
            held = frames.read_from(connection, _QUARANTINED.format(rule=rule))
            stands = frames.read_from(connection, _VIOLATING.format(rule=rule))
            missed = planted.join(held, on=held.columns, how="anti")
            return planted.height - missed.join(stands, on=stands.columns, how="anti").height
        case Finding.VIOLATION:
            found = frames.read_from(connection, _VIOLATING.format(rule=rule))
        case Finding.CONFLICT:
            found = frames.read_from(connection, _CONFLICTING)
        case Finding.MATCH:
            found = frames.read_from(connection, _MATCHING)
        case _:
            return 0
    return planted.join(found, on=found.columns, how="semi").height
