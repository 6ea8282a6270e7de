"""What lawfully happens to metering points: one transaction where it begins, and one in each system that copies it.

A happening asks first whether it may happen to the point now; where it may not, it is None. Dates are today or the
past, and later than what they follow; only an appointment may begin up to 28 days ahead.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

import polars as pl

from mdm.demo import contracts, devices, reference, registry
from mdm.demo.market import Source
from mdm.demo.reference import Role
from mdm.demo.state import Point
from mdm.demo.stock import MeterStock, Newcomers
from mdm.demo.systems.system import Action
from mdm.demo.writing import Step, Transaction, acting, inserting

_DAY = timedelta(days=1)
_LONGEST_BACKDATING = 6  # days, today included
_LONGEST_NOTICE = 28
_RETROFITS = ("The Annexe", "Ground Floor", "First Floor", "Rear Entrance", "Side Gate", "Meter Cupboard", "Garage")

# What the projections also ask of a point: one that comes to a service now brings no history with it.
_NO_PAST = {
    **dict.fromkeys(("switched", "gone", "first_appointed", "former_supplier", "former_reference")),
    "bespoke_reference": None,
    "is_subsidiary": False,
    "index": 0,
}
_NO_PAST_TYPES = {"switched": pl.Date, "gone": pl.Date, "first_appointed": pl.Date}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One point at one moment, with the chance that decides what happens to it."""

    source: Source
    point: Point
    today: date
    rng: Random
    meters: MeterStock
    newcomers: Newcomers
    neighbour: Point  # another point of the same registration

    @property
    def service_source(self) -> Source | None:
        """The database of the point's metering service, where the market has one."""
        return registry.serving(self.point.service) if self.point.service else None

    def recent_day(self, *after: date, without: Collection[date] = ()) -> date | None:
        """Choose a day of the last few that is later than all of these, or None where there is none."""
        ago = min((self.today - max(after)).days, _LONGEST_BACKDATING)
        days = [self.today - timedelta(days=back) for back in range(ago)]
        free = [day for day in days if day not in without]
        return self.rng.choice(free) if free else None

    def other_than(self, held: str | None, role: Role) -> str:
        """Choose a participant in a role, another than the present one."""
        return self.rng.choice([mpid for mpid in reference.mpids(role) if mpid != held])


Happening = Callable[[Scene], list[Transaction] | None]


def switch_supplier(scene: Scene) -> list[Transaction] | None:
    """Let another supplier take the point; it keeps the metering service, under a contract of its own."""
    point = scene.point
    day = switching_day(scene)
    if day is None:
        return None
    switched = point.at_address if point.link_kind == "SECONDARY" else [point.mpan]
    return switching(scene, switched, supplier=scene.other_than(point.supplier, Role.SUPPLIER), day=day)


def switching_day(scene: Scene) -> date | None:
    """Choose the day of a switch; none while the supplier has asked for anything ahead of today, lapsed or not."""
    point = scene.point
    if not point.is_settled or point.supplied_from is None or point.appointed_from is None:
        return None
    if max(point.appointment_days) > scene.today:
        return None
    return scene.recent_day(point.supplied_from, point.appointed_from, without=point.appointment_days)


def switching(scene: Scene, mpans: list[str], *, supplier: str, day: date) -> list[Transaction]:
    """Write a switch of these points: registration, metering service, MDS."""
    suffix = f"-{scene.rng.randint(1, contracts.PORTFOLIOS):03d}"
    parameters = {"mpans": mpans, "supplier": supplier, "day": day, "suffix": suffix}
    steps = [(Action.SWITCH_SUPPLIER, parameters), (Action.FOLLOW_SUPPLIER, parameters)]
    return everywhere(scene, *steps)


def propose_contract(scene: Scene) -> list[Transaction] | None:
    """Propose to appoint the same service again, under another contract, some days ahead."""
    point = scene.point
    days = [scene.today + timedelta(days=ahead) for ahead in range(1, _LONGEST_NOTICE + 1)]
    free = [day for day in days if day not in point.appointment_days]
    if not point.is_settled or not free:
        return None
    day = scene.rng.choice(free)
    begun = _appointment(point) | {"status": "active", "day": day}
    return everywhere(
        scene,
        (Action.END_APPOINTMENT, begun),
        (Action.APPOINT, begun | {"status": "proposed", "scenario": "CSP", "reference": _new_reference(scene)}),
    )


def decide_proposal(scene: Scene) -> list[Transaction] | None:
    """Accept a proposed appointment or let it lapse; on its day it comes into force."""
    point = scene.point
    if not point.is_live or point.pending_from is None or point.appointed_from is None:
        return None
    present, pending = _appointment(point), _appointment(point) | {"appointed_from": point.pending_from}
    if point.pending_from <= scene.today:
        return everywhere(
            scene,
            (Action.SET_APPOINTMENT_STATUS, present | {"status": "de-appointed"}),
            (Action.SET_APPOINTMENT_STATUS, pending | {"status": "active"}),
        )
    if point.pending_status == "proposed" and scene.rng.random() < 0.7:
        return everywhere(scene, (Action.SET_APPOINTMENT_STATUS, pending | {"status": "accepted"}))
    return everywhere(scene, (Action.LAPSE_APPOINTMENT, pending), (Action.REOPEN_APPOINTMENT, present))


def change_service(scene: Scene) -> list[Transaction] | None:
    """Appoint another metering service from today; the old one has no more to do with the point."""
    point = scene.point
    today = scene.today
    if not _may_change_service(scene) or point.role == Role.UMSO:
        return None
    service = scene.other_than(point.service, Role(point.role or ""))
    end = _appointment(point) | {"day": today, "status": "de-appointed"}
    number = scene.rng.randrange(contracts.PORTFOLIOS)
    begin = end | {
        "service": service,
        "status": "active",
        "scenario": "CSP",
        "reference": contracts.portfolio_reference(point.supplier or "", service, number),
    }
    return [
        *acting(scene.source, (Action.END_APPOINTMENT, end), (Action.APPOINT, begin)),
        *acting(scene.service_source, (Action.END_APPOINTMENT, end), (Action.LEAVE, end)),
        *_taking_on(begin | {"appointed_from": today}),
        *acting(Source.MDS, (Action.END_APPOINTMENT, end), (Action.APPOINT, begin)),
    ]


def energise(scene: Scene) -> list[Transaction] | None:
    """Switch the point on or off: the metering service first, registration and MDS copy it."""
    point = scene.point
    if not point.is_live or point.appointed_from is None or point.energised_from is None:
        return None
    status = "D" if point.energisation_status == "E" else "E"
    day = scene.recent_day(point.energised_from, point.appointed_from) or scene.today
    step = (Action.ENERGISE, {"mpan": point.mpan, "day": day, "energisation_status": status})
    return [*acting(scene.service_source, step), *acting(scene.source, step), *acting(Source.MDS, step)]


def exchange_meter(scene: Scene) -> list[Transaction] | None:
    """Take the meter out and fit another on the same day: the metering service first, the others copy it."""
    point = scene.point
    if not point.is_live or point.installed is None or point.appointed_from is None:
        return None
    kinds = devices.ADVANCED_TYPES if point.market_segment == "A" else devices.SMETS_TYPES
    new = scene.meters.take(kinds, scene.rng)
    day = scene.recent_day(point.installed, point.appointed_from) or scene.today
    steps = [
        (Action.REMOVE_METER, {"mpan": point.mpan, "meter_id": point.meter_id, "day": day}),
        (Action.FIT_METER, new | {"mpan": point.mpan, "day": day}),
    ]
    enrol = [(Action.ENROL_IN_DCC, {"mpan": point.mpan, "day": day})] if kinds is devices.SMETS_TYPES else []
    return [
        *acting(scene.service_source, *steps),
        *acting(scene.source, *steps, *enrol),
        *acting(Source.MDS, *steps),
    ]


def correct_address(scene: Scene) -> list[Transaction] | None:
    """Correct the address; a finished plot gets its number and, if it had none, a UPRN."""
    point = scene.point
    if not point.is_live or point.addressed_from is None or point.appointed_from is None:
        return None
    address = {name: value for name, value in point.parameters().items() if name.startswith("line_")}
    address |= {"mpans": point.at_address, "day": scene.today, "postcode": point.postcode, "uprn": point.uprn}
    if (point.line_1 or "").startswith("Plot "):
        number = int((point.line_1 or "").removeprefix("Plot ")) * 2
        finished = {"line_1": None, "line_4": f"{number} {point.line_4}", "uprn": point.uprn or _new_uprn(point)}
        return everywhere(scene, (Action.READDRESS, address | finished))
    detail = scene.rng.choice([text for text in _RETROFITS if text != point.line_3])
    action = scene.rng.choice((Action.READDRESS, Action.MEND_ADDRESS))
    return everywhere(scene, (action, address | {"line_3": detail}))


def connect(scene: Scene) -> list[Transaction] | None:
    """Connect a new point, with all that every system holds of it."""
    return list(scene.newcomers.connect(scene.today).transactions)


def disconnect(scene: Scene) -> list[Transaction] | None:
    """Disconnect the point for good: meter out, appointment and supply ended, its registration last."""
    point, today = scene.point, scene.today
    if not point.is_settled or point.linked_mpan:
        return None
    off = {"mpan": point.mpan, "day": today, "energisation_status": "D", "meter_id": point.meter_id}
    end = _appointment(point) | {"day": today + _DAY, "status": "de-appointed"}
    out: list[Step] = [(Action.ENERGISE, off)]
    if point.meter_id is not None:
        out.append((Action.REMOVE_METER, off))
    gone: list[Step] = [(Action.END_APPOINTMENT, end), (Action.DISCONNECT, off)]
    return [
        *acting(scene.service_source, *out),
        *acting(scene.source, *out, *gone),
        *acting(scene.service_source, (Action.END_APPOINTMENT, end), (Action.LEAVE, end)),
        *acting(Source.MDS, *out, *gone),
    ]


def change_segment(scene: Scene) -> list[Transaction] | None:
    """Make a smart point an advanced one: other segment, role, service and meter."""
    point, today = scene.point, scene.today
    if not _may_change_service(scene) or point.market_segment != "S" or point.linked_mpan or point.meter_id is None:
        return None
    service = scene.rng.choice(reference.mpids(Role.MSA))
    end = _appointment(point) | {"day": today, "status": "de-appointed"}
    changed = {"day": today, "market_segment": "A", "role": Role.MSA.value, "service": service, "status": "active"}
    changed |= {"scenario": "SEG", "reference": contracts.portfolio_reference(point.supplier or "", service, 0)}
    begin = end | changed | scene.meters.take(devices.ADVANCED_TYPES, scene.rng)
    steps = [
        (Action.CHANGE_SEGMENT, begin),
        (Action.END_APPOINTMENT, end),
        (Action.APPOINT, begin),
        (Action.REMOVE_METER, end),
        (Action.FIT_METER, begin),
    ]
    return [
        *acting(scene.source, *steps),
        *acting(scene.service_source, (Action.END_APPOINTMENT, end), (Action.LEAVE, end)),
        *_taking_on(begin | {"appointed_from": today, "installed": today}),
        *acting(Source.MDS, *steps),
    ]


def change_tariff(scene: Scene) -> list[Transaction] | None:
    """Put the point on another tariff; nobody copies that."""
    if not scene.point.is_live:
        return None
    tariff = f"{scene.rng.choice('DNHU')}{scene.rng.randint(1, 11):02d}"
    parameters = {"mpan": scene.point.mpan, "day": scene.today, "tariff": tariff}
    return acting(scene.source, (Action.CHANGE_TARIFF, parameters))


def everywhere(scene: Scene, *steps: Step) -> list[Transaction]:
    """Write steps in the registration first, then in the metering service's database, then at MDS."""
    return [*acting(scene.source, *steps), *acting(scene.service_source, *steps), *acting(Source.MDS, *steps)]


def _appointment(point: Point) -> dict[str, Any]:
    return point.parameters()


def _may_change_service(scene: Scene) -> bool:
    """Ask whether an appointment may end yesterday and another begin today."""
    point, today = scene.point, scene.today
    begun = max(point.appointed_from or today, point.segment_from or today)
    return point.is_settled and begun < today and today not in point.appointment_days


def _new_reference(scene: Scene) -> str:
    point = scene.point
    references = (
        contracts.portfolio_reference(point.supplier or "", point.service or "", number)
        for number in range(contracts.PORTFOLIOS)
    )
    return scene.rng.choice([reference for reference in references if reference != point.reference])


def _new_uprn(point: Point) -> str:
    """Make a UPRN out of the point's own number; no other premises has one that begins so."""
    return f"{point.mpan[0]}1{min(point.at_address)[2:12]}"


def _taking_on(parameters: dict[str, Any]) -> list[Transaction]:
    """Write all that a metering service holds of a point that comes to it; nothing where it has no database."""
    source = registry.serving(parameters["service"])
    if source is None:
        return []
    point = {name: value for name, value in parameters.items() if name != "appointment_days"}
    frame = pl.DataFrame([point | _NO_PAST], schema_overrides=_NO_PAST_TYPES)
    return [Transaction(source=source, statements=inserting(registry.SYSTEMS[source].rows(frame)))]


LAWFUL: tuple[tuple[str, int, Happening], ...] = (
    ("supplier switch", 26, switch_supplier),
    ("energisation", 14, energise),
    ("address correction", 14, correct_address),
    ("meter exchange", 14, exchange_meter),
    ("appointment decided", 8, decide_proposal),
    ("appointment proposed", 8, propose_contract),
    ("service change", 4, change_service),
    ("tariff change", 4, change_tariff),
    ("new connection", 5, connect),
    ("disconnection", 2, disconnect),
    ("segment change", 1, change_segment),
)
