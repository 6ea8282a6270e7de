"""What happens in the market, one happening after another, at a chosen rate.

Happenings are drawn by number, each from a chance of its own, and planned on what the registrations hold then: the
same seed on the same databases on the same day gives the same happenings, whatever the rate. A batch touches no point
twice, so its happenings may be written side by side.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from random import Random
from zoneinfo import ZoneInfo

from mdm.demo import reference, state, transfer
from mdm.demo.draws import Draws
from mdm.demo.faults import Planter
from mdm.demo.happenings import LAWFUL, Scene
from mdm.demo.ledger import Fault, Summary
from mdm.demo.market import REGISTRATIONS, Dsns, MarketError, Source
from mdm.demo.reference import Role
from mdm.demo.state import Point
from mdm.demo.stock import MeterStock, Newcomers
from mdm.demo.transfer import Portfolio
from mdm.demo.writing import Transaction, Writer

_LARGEST_BATCH = 256  # happenings
_BATCHES_A_SECOND = 20  # at a chosen rate, so that changes come evenly
_ROWS_A_HAPPENING = 8  # about
_ROWS_A_TRANSFER = 11  # about, for each point
_ATTEMPTS = 6  # kinds tried at one point before another point is drawn
_HOT_SHARE = 0.2  # of happenings, those at the first hundredth of the points: keys repeat
_PORTFOLIO_CHANCE = 1 / 400
_LARGEST_PORTFOLIO = 1_000
_ADMISSION = 1_000  # happenings after which points that were connected meanwhile take part
_LONDON = ZoneInfo("Europe/London")


def local_today() -> date:
    """Return today's date where the market is."""
    return datetime.now(_LONDON).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do: so many row changes (None: until stopped), so many a second (None: as fast as can be).

    `faults` is the share of happenings that plant a fault. Nothing happens to points `spoiled` by earlier ones.
    """

    seed: int
    changes: int | None = None
    rate: float | None = None
    faults: float = 0.0
    spoiled: frozenset[str] = frozenset()
    today: Callable[[], date] = local_today

    @property
    def batch(self) -> int:
        """How many happenings are written together at most."""
        if not self.rate:
            return _LARGEST_BATCH
        return max(1, min(_LARGEST_BATCH, round(self.rate / _ROWS_A_HAPPENING / _BATCHES_A_SECOND)))


def run(
    dsns: Dsns,
    *,
    changes: int | None,
    rate: float | None,
    seed: int,
    faults: float = 0.0,
    stop: threading.Event | None = None,
) -> Summary:
    """Let so many rows change in the market's databases, or go on until stop is set; return what was done.

    Rate is in row changes a second, 0 or None as fast as possible. Raises MarketError where there are no points.
    """
    plan = Plan(seed=seed, changes=changes, rate=rate, faults=faults)
    with Writer(dsns) as writer:
        return Workload(writer, plan).run(stop or threading.Event())


@dataclass(slots=True, kw_only=True)
class _Registration:
    """One registration database: its points, and what comes new to them."""

    source: Source
    mpans: list[str]
    meters: MeterStock
    newcomers: Newcomers

    def draw(self, rng: Random) -> str:
        """Choose one of its points; some of them come up again and again."""
        limit = max(len(self.mpans) // 100, 1) if rng.random() < _HOT_SHARE else len(self.mpans)
        return self.mpans[rng.randrange(limit)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draw:
    """One number's chance and the points that it fell on."""

    number: int
    rng: Random
    registration: _Registration
    mpan: str
    neighbour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """A happening about to be written."""

    kind: str
    transactions: list[Transaction]


class Workload:
    """A run of happenings. summary() may be asked from another thread while it runs."""

    def __init__(self, writer: Writer, plan: Plan) -> None:
        self._writer = writer
        self._plan = plan
        self._registrations = [self._open(distributor) for distributor in REGISTRATIONS]
        self._weights = [len(registration.mpans) for registration in self._registrations]
        self._planter = Planter()
        self._spoiled = set(plan.spoiled)
        self._points: dict[str, Point] = {}
        self._number = 0
        self._happenings: Counter[str] = Counter()
        self._transactions = 0
        self._changes: Counter[Source] = Counter()
        self._faults: list[Fault] = []
        self._started = time.monotonic()
        if not any(self._weights):
            raise MarketError("The market's databases hold no metering points. Load a population first.")

    def summary(self) -> Summary:
        """Return what has been done so far."""
        return Summary(
            happenings=dict(self._happenings),
            transactions=self._transactions,
            changes=self._changes.total(),
            changes_by_source=dict(self._changes),
            faults=tuple(self._faults),
            seconds=time.monotonic() - self._started,
        )

    def run(self, stop: threading.Event) -> Summary:
        """Go on until the plan's changes are done or stop is set."""
        self._started = time.monotonic()
        while not stop.is_set() and self._remaining > 0:
            self.advance(max(1, math.ceil(min(self._plan.batch, self._remaining / _ROWS_A_HAPPENING))))
            if self._plan.rate:
                due = self._started + self._changes.total() / self._plan.rate
                stop.wait(max(0.0, due - time.monotonic()))
        return self.summary()

    def advance(self, most: int) -> int:
        """Draw at least one and at most so many happenings, and write them; return how many were drawn."""
        first = self._number
        batch = list(self._next_batch(most))
        for source, rows in self._writer.write([planned.transactions for planned in batch]).items():
            self._changes[source] += rows
        self._transactions += sum(len(planned.transactions) for planned in batch)
        self._happenings.update(planned.kind for planned in batch)
        return self._number - first

    @property
    def _remaining(self) -> float:
        return math.inf if self._plan.changes is None else self._plan.changes - self._changes.total()

    def _next_batch(self, most: int) -> Iterator[_Planned]:
        """Plan happenings until one falls on a point that an earlier one of the batch touches."""
        self._admit_connected()
        last = min(self._number + most, (self._number // _ADMISSION + 1) * _ADMISSION)
        draws = [self._draw(number) for number in range(self._number, last)]
        self._read(draws)
        today = self._plan.today()
        touched: set[str] = set()
        for draw in draws:
            is_transfer = draw.rng.random() < _PORTFOLIO_CHANCE
            if touched and (is_transfer or not touched.isdisjoint((draw.mpan, draw.neighbour))):
                return
            scene = self._scene(draw, today)
            touching = {*scene.point.at_address, *scene.neighbour.at_address}
            self._number += 1
            touched |= touching
            yield from self._transfer(scene) if is_transfer else self._plan_one(scene)
            self._forget(touching)
            if is_transfer:
                return

    def _admit_connected(self) -> None:
        """Let points that were connected meanwhile take part, at numbers that do not depend on the batches."""
        if self._number % _ADMISSION == 0:
            for registration in self._registrations:
                registration.mpans.extend(registration.newcomers.connected)
                registration.newcomers.connected.clear()

    def _draw(self, number: int) -> _Draw:
        rng = Random(f"{self._plan.seed}:{number}")
        registration = rng.choices(self._registrations, self._weights)[0]
        return _Draw(
            number=number,
            rng=rng,
            registration=registration,
            mpan=registration.draw(rng),
            neighbour=rng.choice(registration.mpans),
        )

    def _read(self, draws: list[_Draw]) -> None:
        """Know the points of these draws and no others; read only those that have been touched or are new."""
        wanted = {(draw.registration.source, mpan) for draw in draws for mpan in (draw.mpan, draw.neighbour)}
        self._points = {mpan: self._points[mpan] for _, mpan in wanted if mpan in self._points}
        for registration in self._registrations:
            missing = {mpan for source, mpan in wanted if source is registration.source and mpan not in self._points}
            self._points |= state.read(self._writer.connection(registration.source), sorted(missing))

    def _forget(self, touched: Iterable[str]) -> None:
        for mpan in touched:
            self._points.pop(mpan, None)

    def _scene(self, draw: _Draw, today: date) -> Scene:
        return Scene(
            source=draw.registration.source,
            point=self._points[draw.mpan],
            neighbour=self._points[draw.neighbour],
            today=today,
            rng=draw.rng,
            meters=draw.registration.meters,
            newcomers=draw.registration.newcomers,
        )

    def _plan_one(self, scene: Scene) -> Iterator[_Planned]:
        """Plan what happens at a point; nothing where it is spoiled or nothing suits it."""
        if not self._spoiled.isdisjoint([*scene.point.at_address, *scene.neighbour.at_address]):
            return
        if scene.rng.random() < self._plan.faults and (planted := self._planter.plant(scene)):
            self._faults.append(planted.fault)
            self._spoiled.update(planted.spoiled)
            yield _Planned(kind="fault", transactions=planted.transactions)
            return
        for kind, _, happen in scene.rng.choices(LAWFUL, [weight for _, weight, _ in LAWFUL], k=_ATTEMPTS):
            if transactions := happen(scene):
                yield _Planned(kind=kind, transactions=transactions)
                return

    def _transfer(self, scene: Scene) -> Iterator[_Planned]:
        """Move a part of a failed supplier's portfolio, in one transaction of each system."""
        leaving, taking = scene.rng.sample(reference.mpids(Role.SUPPLIER), 2)
        most = min(_LARGEST_PORTFOLIO, sum(self._weights) // 100, self._remaining / _ROWS_A_TRANSFER)
        portfolio = Portfolio(source=scene.source, leaving=leaving, points=math.ceil(most), after=scene.point.mpan)
        connection = self._writer.connection(scene.source)
        moving = transfer.find(connection, portfolio, day=scene.today, without=tuple(self._spoiled))
        if moving:
            self._forget(moving)
            moved = transfer.transactions(scene.source, moving, supplier=taking, day=scene.today)
            yield _Planned(kind="portfolio transfer", transactions=moved)

    def _open(self, distributor: str) -> _Registration:
        source = REGISTRATIONS[distributor]
        connection = self._writer.connection(source)
        mpans = [f"{number:013d}" for number in state.mpans(connection)]
        return _Registration(
            source=source,
            mpans=[mpan for mpan in mpans if mpan.startswith(distributor)],
            meters=MeterStock(distributor, self._writer.connection),
            newcomers=Newcomers(distributor=distributor, draws=Draws(seed=self._plan.seed), next_index=len(mpans)),
        )
