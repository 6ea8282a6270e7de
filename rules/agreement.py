"""When two systems' values of an item agree (rule 39): SQL over the texts of both, by how the item is compared.

The same text serves the inline comparison of copies, the batch audit and the measure of consistency. A value that is
null says nothing, and whoever says nothing cannot disagree.
"""

from collections.abc import Sequence
from enum import StrEnum

CODE = 39


class Comparison(StrEnum):
    """What does not matter when two values of an item are compared."""

    EXACT = "exact"  # everything matters: typed values and golden ids have one form
    CODE = "code"  # case and spaces do not
    NUMBER = "number"  # nor leading zeros
    LINE = "line"  # neither case, spaces nor punctuation, nor into which lines an address is broken
    NONE = "none"  # nothing is compared: the item only follows from others


_FORMS = {
    Comparison.EXACT: "{0}",
    Comparison.CODE: "nullif(upper(replace({0}, ' ', '')), '')",
    Comparison.NUMBER: "nullif(regexp_replace(replace({0}, ' ', ''), '^0+(?=.)', ''), '')",
    Comparison.LINE: "nullif(regexp_replace(upper({0}), '[[:space:][:punct:]]', '', 'g'), '')",
    Comparison.NONE: "null",
}


def form(comparison: Comparison, value: str) -> str:
    """Return the normalised form of a value; two values agree when their forms are equal."""
    return _FORMS[comparison].format(value)


def form_by(column: str, value: str) -> str:
    """Return the normalised form of a value where a column holds how it is compared."""
    cases = " ".join(f"when '{each}' then {form(each, value)}" for each in Comparison)
    return f"case {column} {cases} end"


def differ(comparison: Comparison, owner: str, copy: str) -> str:
    """Return the condition that a copy differs from its owner's value; it is null where either is silent."""
    return f"{form(comparison, owner)} <> {form(comparison, copy)}"


def differ_by(column: str, owner: str, copy: str) -> str:
    """Return the same condition where a column holds how the item is compared."""
    cases = " ".join(f"when '{each}' then {differ(each, owner, copy)}" for each in Comparison)
    return f"case {column} {cases} end"


def lines_differ(owner: Sequence[str], copy: Sequence[str]) -> str:
    """Return the condition that two addresses differ, each read as one text; null where either has no lines at all."""
    return differ(Comparison.LINE, _joined(owner), _joined(copy))


def line_differs(owner: str, copy: str) -> str:
    """Return whether one line of two addresses differs, where a line that only one of them has does too."""
    return f"{form(Comparison.LINE, owner)} is distinct from {form(Comparison.LINE, copy)}"


def _joined(lines: Sequence[str]) -> str:
    return f"concat({', '.join(lines)})"
