import numpy as np
import pytest

from mdm.demo import mpans


@pytest.mark.parametrize(
    ("core", "digit"),
    [("100000000000", 3), ("101234567890", 3), ("200000000003", 3), ("143456789012", 5), ("200000000007", 0)],
)
def test_the_check_digit_is_the_weighted_sum_modulo_eleven_then_ten(core: str, digit: int) -> None:
    assert mpans.check_digits(np.array([int(core)])).tolist() == [by_hand(core)] == [digit]


def by_hand(core: str) -> int:
    primes = [3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43]
    return sum(int(character) * prime for character, prime in zip(core, primes, strict=True)) % 11 % 10


def test_mpans_of_a_distributor_differ_and_check() -> None:
    made = mpans.of_indexes("20", np.arange(50_000)).to_list()
    assert len(set(made)) == 50_000
    assert all(len(mpan) == 13 and mpan.startswith("20") for mpan in made)
    assert all(by_hand(mpan[:12]) == int(mpan[12]) for mpan in made)
