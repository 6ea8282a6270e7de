"""What comes new into the market: meters not yet fitted, metering points not yet connected."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any

import numpy as np
import polars as pl

from mdm import db
from mdm.demo import devices, points, population, reference, registry
from mdm.demo.draws import Draws
from mdm.demo.market import Source
from mdm.demo.reference import Role
from mdm.demo.writing import Statement, Transaction, inserting

_LETTERS = {"10": "E", "20": "S"}
_BATCH = 64


_FITTED = {
    Source.SMRS10: "select meter_id from meter_detail",
    Source.SMRS20: "select meter_id from meter_detail",
    Source.MSS: "select serial_no as meter_id from device",
    Source.MSA: "select meter_serial as meter_id from meter",
}


class MeterStock:
    """Meters of one distributor that no point has yet; their numbers go on from those that have been fitted.

    A metering service knows a meter before its registration does, and a run that was broken off may have told the
    service alone: so the numbers go on from what any of them knows.
    """

    def __init__(self, distributor: str, connections: Callable[[Source], db.Connection]) -> None:
        self._prefix = f"{_LETTERS[distributor]}W"
        self._last = max(self._last_fitted(connections(source), fitted) for source, fitted in _FITTED.items())

    def _last_fitted(self, connection: db.Connection, fitted: str) -> int:
        query = f"select max(right(meter_id, 7)) from ({fitted}) fitted where meter_id ~ %s"
        row = connection.execute(query.encode(), [f"^{self._prefix} ?[0-9]{{7}}$"]).fetchone()
        return int(row[0]) if row and row[0] else 0

    def take(self, kinds: tuple[str, ...], rng: Random) -> dict[str, Any]:
        """Return the columns of a new meter of one of these types, and of its provider."""
        self._last += 1
        make = rng.randrange(len(devices.MAKES))
        meter_type = rng.choice(kinds)
        return {
            "meter_id": f"{self._prefix}{' ' if rng.random() < 0.1 else ''}{self._last:07d}",
            "make": devices.MAKES[make],
            "model": devices.MODELS[make],
            "meter_type": meter_type,
            "esme_id": rng.randbytes(8).hex("-").upper() if meter_type in devices.SMETS_TYPES else None,
            "location": rng.choice(devices.LOCATIONS),
            "displayed_digits": rng.choice((5, 6)),
            "provider": rng.choice(reference.mpids(Role.MAP)),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A metering point about to be connected, with the transactions that do so."""

    mpan: str
    transactions: tuple[Transaction, ...]


@dataclass(slots=True, kw_only=True)
class Newcomers:
    """Metering points of one distributor yet to be connected; their indexes go on from those that are used."""

    distributor: str
    draws: Draws
    next_index: int
    connected: list[str] = field(default_factory=list)  # by connect(), not yet taken note of
    _ready: deque[Newcomer] = field(default_factory=deque)
    _made_for: date | None = None

    def connect(self, today: date) -> Newcomer:
        """Take the next one and note it as connected."""
        newcomer = self.take(today)
        self.connected.append(newcomer.mpan)
        return newcomer

    def take(self, today: date) -> Newcomer:
        """Return the next one, connected and appointed from today on."""
        if not self._ready or self._made_for != today:
            self._ready = deque(self._make(today))
            self._made_for = today
        self.next_index += 1
        return self._ready.popleft()

    def _make(self, today: date) -> list[Newcomer]:
        index = np.arange(self.next_index, self.next_index + _BATCH, dtype=np.int64)
        frame = begin_on(points.generate(self.distributor, index, self.draws, links=False), today)
        held = {source: _by_point(source, frame) for source in population.sources_of(self.distributor)}
        return [Newcomer(mpan=mpan, transactions=tuple(_connecting(mpan, held))) for mpan in frame["mpan"].to_list()]


def _by_point(source: Source, frame: pl.DataFrame) -> dict[str, list[Statement]]:
    """Return the insertions by which a system takes each of these points on."""
    written: dict[str, list[Statement]] = defaultdict(list)
    for projection in registry.SYSTEMS[source].projections:
        chosen = projection.chosen(frame)["mpan"]
        for mpan, statement in zip(chosen, inserting([projection.rows(frame)]), strict=True):
            written[mpan].append(statement)
    return written


def _connecting(mpan: str, held: Mapping[Source, Mapping[str, list[Statement]]]) -> Iterator[Transaction]:
    """Write a point to its registration first, then to those that copy."""
    for source, written in held.items():
        if mpan in written:
            yield Transaction(source=source, statements=tuple(written[mpan]))


def begin_on(frame: pl.DataFrame, today: date) -> pl.DataFrame:
    """Move every date of these points to one day; they have no past."""
    return frame.with_columns(
        *(pl.lit(today).alias(name) for name in ("created", "first_appointed", "appointed_from", "supplied_from")),
        pl.when(pl.col("metered")).then(pl.lit(today)).alias("installed"),
        pl.lit(today).alias("energised_from"),
        *(pl.lit(None, dtype=pl.Date).alias(name) for name in ("switched", "gone")),
        pl.lit("R").alias("mpan_status"),
        pl.lit("C").alias("registration_status"),
        pl.lit("E").alias("energisation_status"),
        pl.lit("ALG").alias("scenario"),
    )
