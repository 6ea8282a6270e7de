"""Likeness: how alike two golden records are, part by part, and what that comes to. Pure.

Each part says from 0 to 1 how alike it is and weighs in the whole; one that neither record says anything of is left
out. A part may speak so much against a match that none is proposed, however alike the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What a part says of a pair, in a word."""

    EQUAL = "equal"
    ALIKE = "alike"
    DIFFERENT = "different"
    ONE_SILENT = "one of them does not say"
    AGAINST = "speaks against it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a comparison; it holds no value of the records, so it may be shown to anybody."""

    part: str
    verdict: Verdict
    likeness: float
    weight: int

    def as_json(self) -> dict[str, Any]:
        """Return the part as it is kept."""
        return {
            "part": self.part,
            "verdict": self.verdict.value,
            "likeness": round(self.likeness, 2),
            "weight": self.weight,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pair that was compared: its score from 0 to 100 and what that is made of; whether strong facts are the same."""

    left_id: int
    right_id: int
    score: int
    parts: Sequence[Part]
    facts: str
    has_equal_key: bool = False

    @property
    def is_against(self) -> bool:
        """Whether a part rules a match out."""
        return any(part.verdict is Verdict.AGAINST for part in self.parts)


def score(parts: Sequence[Part]) -> int:
    """Return the weighted mean of the parts, from 0 to 100."""
    weight = sum(part.weight for part in parts)
    return round(100 * sum(part.weight * part.likeness for part in parts) / weight) if weight else 0


def exact(part: str, left: object, right: object, *, weight: int, silent: float = 0.5) -> Part | None:
    """Compare two values that are equal or not; None where neither says anything."""
    if left is None and right is None:
        return None
    if left is None or right is None:
        return Part(part=part, verdict=Verdict.ONE_SILENT, likeness=silent, weight=weight)
    verdict = Verdict.EQUAL if left == right else Verdict.DIFFERENT
    return Part(part=part, verdict=verdict, likeness=float(left == right), weight=weight)


def graded(part: str, likeness: float, *, weight: int, alike_from: float = 0.8) -> Part:
    """Name a likeness."""
    verdict = Verdict.EQUAL if likeness >= 1 else Verdict.ALIKE if likeness >= alike_from else Verdict.DIFFERENT
    return Part(part=part, verdict=verdict, likeness=likeness, weight=weight)


def against(part: str, *, weight: int) -> Part:
    """Rule a match out."""
    return Part(part=part, verdict=Verdict.AGAINST, likeness=0.0, weight=weight)
