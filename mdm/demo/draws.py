"""Seeded draws by index: the same seed, purpose and index give the same number, whatever is drawn before or beside it.

So a population does not depend on the size of the chunks that it is made in, nor on the order of its columns.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_Bits = npt.NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """A source of draws; each purpose is a stream of its own."""

    seed: int

    def bits(self, index: Numbers, purpose: str) -> _Bits:
        """Return 64 random bits for each index (splitmix64, Steele, Lea and Flood 2014)."""
        digest = hashlib.blake2b(f"{self.seed}:{purpose}".encode(), digest_size=8).digest()
        salt = np.uint64(int.from_bytes(digest, "big"))
        mixed = (index.astype(np.uint64) + np.uint64(1)) * np.uint64(_GOLDEN) + salt
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))

    def uniform(self, index: Numbers, purpose: str) -> npt.NDArray[np.float64]:
        """Return a number in [0, 1) for each index."""
        return (self.bits(index, purpose) >> np.uint64(11)).astype(np.float64) / float(1 << 53)

    def chance(self, index: Numbers, purpose: str, share: float) -> Flags:
        """Return true for about that share of the indexes."""
        return self.uniform(index, purpose) < share

    def below(self, index: Numbers, purpose: str, limit: int | Numbers) -> Numbers:
        """Return a whole number in [0, limit) for each index; limits under 1 count as 1."""
        return (self.uniform(index, purpose) * np.maximum(limit, 1)).astype(np.int64)

    def choose(self, index: Numbers, purpose: str, weights: Sequence[float]) -> Numbers:
        """Return a position in weights for each index, as often as its weight says."""
        bounds = np.cumsum(np.asarray(weights, dtype=np.float64))
        places: Numbers = np.searchsorted(bounds, self.uniform(index, purpose) * bounds[-1], side="right")
        return places.astype(np.int64)


def scatter(index: Numbers, *, multiplier: int, digits: int) -> Numbers:
    """Map each index to another number of so many digits, one to one, so that neighbours do not look alike."""
    modulus = 10**digits
    return (index.astype(np.uint64) * np.uint64(multiplier) % np.uint64(modulus)).astype(np.int64)
