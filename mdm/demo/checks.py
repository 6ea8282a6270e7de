"""A check: one thing in which two systems should agree, and whether they do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was compared, how many there are on each side, and what differs, by kind; nothing where they agree.

    `values` counts the values that were compared one by one. `look` says where to look at differences.
    """

    name: str
    expected: int
    found: int
    values: int = 0
    differences: Mapping[str, int] = field(default_factory=dict)
    look: str = ""

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return self.expected == self.found and not self.differences

    @property
    def said(self) -> str:
        """OK, or what differs and where to look."""
        if self.agrees:
            return "OK"
        what = [f"{name}: {count:,}" for name, count in self.differences.items()]
        if not what:
            what = [f"{abs(self.expected - self.found):,} {'missing' if self.found < self.expected else 'too many'}"]
        return f"DIFFERS ({'; '.join(what)}){f'. {self.look}' if self.look else ''}"

    def as_json(self) -> dict[str, Any]:
        """Return the check as --json prints it."""
        return {
            "name": self.name,
            "expected": self.expected,
            "found": self.found,
            "values": self.values,
            "agrees": self.agrees,
            "differences": dict(self.differences),
        }


def compare(name: str, expected: pl.DataFrame, found: pl.DataFrame, *, key: Sequence[str], look: str) -> Check:
    """Compare rows by key, and all values of those that are on both sides; `found` may have columns of its own."""
    missing = expected.join(found, on=key, how="anti", nulls_equal=True)
    unknown = found.join(expected, on=key, how="anti", nulls_equal=True)
    both = expected.join(found, on=key, suffix="_found", nulls_equal=True)
    items = [column for column in expected.columns if column not in key]
    differing = {item: both.filter(pl.col(item).ne_missing(pl.col(f"{item}_found"))) for item in items}
    kinds = {"missing": missing, "unknown": unknown, **differing}
    return Check(
        name=name,
        expected=expected.height,
        found=found.height,
        values=both.height * len(items),
        differences={kind: rows.height for kind, rows in kinds.items() if rows.height},
        look=look + _examples(kinds),
    )


def _examples(kinds: Mapping[str, pl.DataFrame]) -> str:
    """Name some golden records that differ: their ids, which tell nothing of a person."""
    ids = [str(each) for rows in kinds.values() if "golden_id" in rows.columns for each in rows["golden_id"].head(3)]
    return f" golden_id {', '.join(dict.fromkeys(ids))}" if ids else ""
