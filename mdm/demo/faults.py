"""Planting faults: what really goes wrong in the industry, each kind in turn, each entered in the ledger."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from mdm.demo import mpans, wrong_rows
from mdm.demo.happenings import Scene, everywhere, switching, switching_day
from mdm.demo.ledger import Fault
from mdm.demo.market import Source
from mdm.demo.reference import Role
from mdm.demo.state import Point
from mdm.demo.systems.system import Action
from mdm.demo.writing import Statement, Transaction, acting


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """The transactions that plant a fault, and its ledger entry. `spoiled` points are unfit for anything lawful."""

    transactions: list[Transaction]
    fault: Fault
    spoiled: tuple[str, ...]


Planting = Callable[[Scene], Planted | None]


@dataclass(slots=True)
class Planter:
    """Plants the kinds of fault in turn; a kind that does not suit a point waits for the next one."""

    _kinds: deque[Planting] = field(default_factory=lambda: deque(kinds()))

    def plant(self, scene: Scene) -> Planted | None:
        """Return the first kind in turn that suits the point, or None where none does."""
        for kind in list(self._kinds):
            if planted := kind(scene):
                self._kinds.remove(kind)
                self._kinds.append(kind)
                return planted
        return None


def kinds() -> list[Planting]:
    """Return every kind of fault, in the order in which they take their turns."""
    return [*map(_planting, wrong_rows.listed()), *COMPOSITE]


def _planting(row: wrong_rows.WrongRow) -> Planting:
    def plant(scene: Scene) -> Planted | None:
        if not row.may_be_planted(scene):
            return None
        values = wrong_rows.parameters(scene)
        where = _Where(table=row.table, key=row.key.format(**values), source=row.source)
        return _planted(scene, row.transactions(scene, values), where, kind=row.kind, rule=row.rule, item=row.item)

    return plant


@dataclass(frozen=True, slots=True, kw_only=True)
class _Where:
    """The row that is wrong; source None is the point's registration."""

    table: str
    key: str
    source: Source | None = None


def _planted(
    scene: Scene, transactions: list[Transaction], where: _Where, *, kind: str, rule: int | None, item: str
) -> Planted:
    relation = f"public.{where.table}"
    fault = Fault(
        kind=kind,
        rule=rule,
        source=where.source or scene.source,
        relation=relation,
        source_key=f"{relation}|{where.key}",
        mpan=scene.point.mpan,
        item=item,
        planted_at=datetime.now(UTC),
    )
    return Planted(transactions=transactions, fault=fault, spoiled=tuple(scene.point.at_address))


def _wrong_address(kind: str, rule: int, item: str, wrong: Callable[[Point], dict[str, str | None]]) -> Planting:
    """Plant an address that is wrong everywhere alike: registration has it so, and all have copied it."""

    def plant(scene: Scene) -> Planted | None:
        point = scene.point
        if not point.is_settled or point.addressed_from is None or point.linked_mpan:
            return None
        address = point.parameters() | {"mpans": point.at_address, "day": scene.today} | wrong(point)
        where = _Where(table="site_address", key=f"{point.mpan}|{point.addressed_from}")
        return _planted(
            scene, everywhere(scene, (Action.MEND_ADDRESS, address)), where, kind=kind, rule=rule, item=item
        )

    return plant


def _all_in_line_1(point: Point) -> dict[str, str | None]:
    written = [value for name, value in point.parameters().items() if name.startswith("line_") and value]
    return _blank_lines() | {"line_1": ", ".join(written)[:40]}


def _placeholder(_: Point) -> dict[str, str | None]:
    return _blank_lines() | {"line_1": "UNKNOWN", "line_4": "TO BE CONFIRMED"}


def _blank_lines() -> dict[str, str | None]:
    return {f"line_{number}": None for number in range(1, 10)}


def _malformed_postcode(point: Point) -> dict[str, str | None]:
    outward, _, inward = (point.postcode or "").partition(" ")
    return {"postcode": f"{outward} {inward[::-1]}"}


def _duplicate_meter(scene: Scene, kind: str, meter_id: str | None) -> Planted | None:
    """Fit a meter that another point has already; all systems say so alike."""
    point, other = scene.point, scene.neighbour
    if not _may_share_meter(scene) or meter_id is None:
        return None
    new = {name: value for name, value in other.parameters().items() if name in _METER_COLUMNS}
    new |= {"meter_id": meter_id, "mpan": point.mpan, "day": scene.today}
    steps = (
        (Action.REMOVE_METER, {"mpan": point.mpan, "meter_id": point.meter_id, "day": scene.today}),
        (Action.FIT_METER, new),
    )
    where = _Where(table="meter_detail", key=f"{point.mpan}|{meter_id}")
    planted = _planted(scene, everywhere(scene, *steps), where, kind=kind, rule=24, item="meter_id")
    return _with_neighbour(planted, other)


def _equal_meter(scene: Scene) -> Planted | None:
    return _duplicate_meter(scene, "meter id equal to another point's", scene.neighbour.meter_id)


def _equal_but_for_spaces(scene: Scene) -> Planted | None:
    meter_id = scene.neighbour.meter_id
    spaced = wrong_rows.respaced(meter_id) if meter_id else None
    different = spaced if spaced != meter_id else None
    return _duplicate_meter(scene, "meter id equal but for spaces", different)


_METER_COLUMNS = ("make", "model", "meter_type", "esme_id", "location", "displayed_digits", "provider")


def _may_share_meter(scene: Scene) -> bool:
    point, other = scene.point, scene.neighbour
    return (
        point.is_settled
        and other.is_live
        and None not in {point.meter_id, other.meter_id, point.provider, other.provider}
        and point.market_segment == other.market_segment
        and other.mpan not in point.at_address
    )


_SWAP_METERS = (
    "delete from meter_asset_provider where mpan = %(mpan)s and meter_id = %(meter_id)s",
    "delete from meter_detail where mpan = %(mpan)s and meter_id = %(meter_id)s",
)


def _crossed_meters(scene: Scene) -> Planted | None:
    """Register two neighbours' meters at each other's point; the metering service has them right."""
    point, other = scene.point, scene.neighbour
    if not _may_share_meter(scene):
        return None
    removals = [Statement(sql=text, parameters=each.parameters()) for each in (point, other) for text in _SWAP_METERS]
    fitted = [
        (Action.FIT_METER, there.parameters() | {"mpan": here.mpan, "day": there.installed})
        for here, there in ((point, other), (other, point))
    ]
    statements = (*removals, *acting(scene.source, *fitted)[0].statements)
    where = _Where(table="meter_detail", key=f"{point.mpan}|{other.meter_id}")
    transactions = [Transaction(source=scene.source, statements=statements)]
    planted = _planted(scene, transactions, where, kind="crossed meters", rule=24, item="meter_id")
    return _with_neighbour(planted, other)


def _with_neighbour(planted: Planted, other: Point) -> Planted:
    """Enter the other point of a fault that two points share."""
    return replace(
        planted,
        fault=replace(planted.fault, neighbour=other.mpan),
        spoiled=(*planted.spoiled, *other.at_address),
    )


def _erroneous_transfer(scene: Scene) -> Planted | None:
    """Switch the supplier of the wrong point, then undo it: the period and the appointment are as before."""
    point = scene.point
    day = switching_day(scene)
    if day is None or point.linked_mpan:
        return None
    transfer = switching(scene, [point.mpan], supplier=scene.other_than(point.supplier, Role.SUPPLIER), day=day)
    undo = everywhere(scene, (Action.UNDO_SWITCH, point.parameters() | {"day": day}))
    where = _Where(table="supplier_period", key=f"{point.mpan}|{day}")
    return _planted(
        scene, [*transfer, *undo], where, kind="erroneous transfer, undone", rule=None, item="supplier_mpid"
    )


def _wrong_mpan(kind: str, rule: int, wrong: Callable[[str], str]) -> Planting:
    """Register a new point under an MPAN that cannot be; nobody copies it."""

    def plant(scene: Scene) -> Planted:
        newcomer = scene.newcomers.take(scene.today)
        mpan = wrong(newcomer.mpan)
        registration = newcomer.transactions[0]
        statements = tuple(_renamed(one, newcomer.mpan, mpan) for one in registration.statements)
        where = _Where(table="metering_point", key=mpan)
        transactions = [Transaction(source=registration.source, statements=statements)]
        planted = _planted(scene, transactions, where, kind=kind, rule=rule, item="mpan")
        return replace(planted, fault=replace(planted.fault, mpan=mpan), spoiled=())

    return plant


def _renamed(statement: Statement, mpan: str, wrong: str) -> Statement:
    named = {name: wrong if value == mpan else value for name, value in statement.parameters.items()}
    return Statement(sql=statement.sql, parameters=named)


def _wrong_check_digit(mpan: str) -> str:
    return f"{mpan[:12]}{(int(mpan[12]) + 1) % 10}"


def _foreign_distributor(mpan: str) -> str:
    core = int(f"13{mpan[2:12]}")
    return f"{core}{mpans.check_digits(np.array([core], dtype=np.int64))[0]}"


COMPOSITE: tuple[Planting, ...] = (
    _wrong_address("no postcode", 34, "postcode", lambda _: {"postcode": None}),
    _wrong_address("malformed postcode", 34, "postcode", _malformed_postcode),
    _wrong_address("whole address in line 1", 35, "line_1", _all_in_line_1),
    _wrong_address("placeholder in place of an address", 35, "line_1", _placeholder),
    _equal_meter,
    _equal_but_for_spaces,
    _crossed_meters,
    _erroneous_transfer,
    _wrong_mpan("MPAN with a wrong check digit", 1, _wrong_check_digit),
    _wrong_mpan("MPAN of another distributor", 2, _foreign_distributor),
)
