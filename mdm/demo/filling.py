"""Filling the market once: a demo that was cut short begins it anew, the next one goes on with what is there."""

from collections.abc import Callable
from dataclasses import dataclass

from mdm.demo import logbook, market, population
from mdm.demo.installation import DemoRefused
from mdm.demo.logbook import Market
from mdm.demo.market import Dsns
from mdm.demo.population import Progress

POINTS, SEED = 2_000, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The market that is asked for; None is whatever there is, or the default."""

    metering_points: int | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A full market; `loaded` is None where it was full before."""

    metering_points: int
    seed: int
    loaded: Progress | None


def fill(dsns: Dsns, wanted: Wanted, progress: Callable[[Progress], None]) -> Filled:
    """Fill the market and publish it, or find it full; raises DemoRefused where another market is there."""
    known = logbook.find_market(dsns)
    if known is None or known.filled_at is None:
        return _fill(dsns, wanted, progress, begun=known is not None)
    _refuse_another(known, wanted)
    market.publish(dsns)
    return Filled(metering_points=known.metering_points, seed=known.seed, loaded=None)


def _fill(dsns: Dsns, wanted: Wanted, progress: Callable[[Progress], None], *, begun: bool) -> Filled:
    points = POINTS if wanted.metering_points is None else wanted.metering_points
    seed = SEED if wanted.seed is None else wanted.seed
    if begun:
        logbook.wipe(dsns)
    logbook.create(dsns, metering_points=points, seed=seed)
    market.create(dsns)
    loaded = population.load(dsns, points=points, seed=seed, progress=progress)
    market.publish(dsns)
    logbook.note_filled(dsns)
    return Filled(metering_points=points, seed=seed, loaded=loaded)


def _refuse_another(known: Market, wanted: Wanted) -> None:
    if wanted.metering_points not in {None, known.metering_points} or wanted.seed not in {None, known.seed}:
        raise DemoRefused(
            f"The data folder holds a market of {known.metering_points:,} metering points of seed {known.seed}. Leave "
            "--metering-points and --seed out to go on with it, use --fresh to begin anew, or another folder: --data."
        )
