"""MPANs of the simulated market: one for each distributor and index, all different, each with its right check digit."""

import numpy as np
import polars as pl

from mdm.demo.draws import Numbers, scatter

_WEIGHTS = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
_MULTIPLIER = 738_678_701  # coprime to ten, so that no two indexes below 10^10 meet


def of_indexes(distributor: str, index: Numbers) -> pl.Series:
    """Return the MPAN of each index of a distributor, as text of 13 digits."""
    core = np.int64(int(distributor) * 10**10) + scatter(index, multiplier=_MULTIPLIER, digits=10)
    return pl.Series("mpan", core * 10 + check_digits(core)).cast(pl.String)


def check_digits(core: Numbers) -> Numbers:
    """Return the check digit of each number of 12 digits: weighted sum modulo 11, then modulo 10."""
    total = sum(weight * (core // 10 ** (11 - place) % 10) for place, weight in enumerate(_WEIGHTS))
    return np.asarray(total % 11 % 10, dtype=np.int64)
