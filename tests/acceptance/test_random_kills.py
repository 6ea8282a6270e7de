"""Kill -9 at random moments, of workers, their supervisor and both servers: nothing is lost, nothing doubled (law 1).

MDM_TEST_KILLS sets how many kills, MDM_TEST_SEED repeats what an earlier run drew.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from random import Random

import pytest

from mdm.capture.checkpoint import State
from tests.acceptance import oracle, waiting
from tests.acceptance.installation import Installation
from tests.acceptance.load import Load
from tests.acceptance.storm import Storm, Victim
from tests.acceptance.supervised import Supervised

KILLS = int(os.environ.get("MDM_TEST_KILLS", "50"))
SEED = int(os.environ.get("MDM_TEST_SEED", secrets.randbelow(1_000_000)))
POINTS = 1_500  # so many that loads last for some kills
RATE = 60.0  # changes a second
PATIENCE = 240.0
LOADING = (State.NEW, State.LOADING, State.ASSEMBLING)

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900 + 10 * KILLS)]


@pytest.fixture
def storm(open_installation: Callable[..., Installation]) -> Iterator[Storm]:
    installation = open_installation(POINTS)
    supervised = Supervised(installation)
    storm = Storm(installation=installation, supervised=supervised, rng=Random(SEED))
    try:
        yield storm
    finally:
        storm.settle()
        supervised.end()


def test_kills_at_random_moments_lose_and_double_nothing(storm: Storm, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{KILLS} kills, drawn with MDM_TEST_SEED={SEED}")  # noqa: T201 - whoever runs it should see it
    with Load(storm.installation, seed=SEED, rate=RATE) as load:
        kill_while_loading(storm, KILLS // 2)
        kill_while_streaming(storm, KILLS - KILLS // 2)
        assert load.changes > KILLS
    level(storm)
    with capsys.disabled():
        print(storm.told())  # noqa: T201 - as above
    assert storm.killed.total() == KILLS
    assert {victim for victim, _ in storm.killed} == set(Victim)
    assert storm.count(*LOADING) >= KILLS // 10
    assert storm.count(State.STREAMING) >= KILLS // 10
    assert storm.advances >= KILLS // 10
    oracle.assert_equal(storm.installation, loaded=storm.boundary)


def kill_while_loading(storm: Storm, kills: int) -> None:
    """Begin to kill as soon as the first source is being loaded."""
    storm.supervised.ensure()
    waiting.until(lambda: State.LOADING in storm.look().values(), seconds=PATIENCE, what="a source that is loaded")
    storm.rage(kills)


def kill_while_streaming(storm: Storm, kills: int) -> None:
    """Go on killing as soon as every source streams, or is loaded again."""
    storm.settle()
    sources = len(storm.installation.sources)
    waiting.until(
        lambda: list(storm.look().values()).count(State.STREAMING) == sources,
        seconds=PATIENCE,
        what="sources that stream",
    )
    storm.rage(kills, reload=True)


def level(storm: Storm) -> None:
    """Let the hub master all that was committed, then stop everything in order."""
    storm.settle()
    storm.installation.await_caught_up(seconds=PATIENCE)
    storm.supervised.stop()
