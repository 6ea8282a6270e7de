import numpy as np
import pytest

from mdm.demo.draws import Draws, scatter

DRAWS = Draws(seed=5)


def test_a_draw_depends_on_seed_purpose_and_index_alone() -> None:
    whole = DRAWS.bits(np.arange(100), "supplier")
    assert DRAWS.bits(np.arange(60, 100), "supplier").tolist() == whole[60:].tolist()
    assert DRAWS.bits(np.arange(100), "meter").tolist() != whole.tolist()
    assert Draws(seed=6).bits(np.arange(100), "supplier").tolist() != whole.tolist()


def test_shares_come_out_as_asked() -> None:
    index = np.arange(100_000)
    assert DRAWS.chance(index, "linked", 0.03).mean() == pytest.approx(0.03, abs=0.003)
    chosen = np.bincount(DRAWS.choose(index, "service", (90, 10)))
    assert chosen[1] / chosen.sum() == pytest.approx(0.1, abs=0.01)
    below = DRAWS.below(index, "day", 7)
    assert set(below.tolist()) == set(range(7))


def test_scattered_numbers_do_not_meet() -> None:
    numbers = scatter(np.arange(1_000_000), multiplier=7_386_799, digits=7)
    assert len(np.unique(numbers)) == 1_000_000
    assert numbers.max() < 10**7
