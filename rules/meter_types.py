"""Types of meters: the valid set, and which of them are smart or traditional."""

from collections.abc import Iterable

SMETS = (
    "S1",
    *(f"S2{phase}{option}" for phase in "ABC" for option in ("", "D", "E", "DE")),
    *(f"2{phase}{option}" for phase in "ABC" for option in ("DF", "EF", "DEF")),
)
TRADITIONAL = ("N", "K", "T", "S")
OTHER = ("H", "RCAMR", "RCAMY", "NCAMR", "NSS", "LAG_", "LEAD_", "MAIN_", "CHECK", "SPECL")
VALID = (*SMETS, *TRADITIONAL, *OTHER)


def array(types: Iterable[str]) -> str:
    """Write types as a SQL array."""
    return f"array[{', '.join(repr(one) for one in types)}]"
