"""Placeholders: values that say that nothing is known. They never make two records alike."""

import re
from functools import lru_cache

_WORDS = frozenset(
    (
        *("UNKNOWN", "UNK", "UNKN", "TBC", "TBA", "TBD", "TOBECONFIRMED", "TOBEADVISED", "TOFOLLOW", "NA"),
        *("NONE", "NULL", "NIL", "NOTKNOWN", "NOTAVAILABLE", "NOTAPPLICABLE", "NOTSUPPLIED", "NOTPROVIDED"),
        *("NOMETER", "NOADDRESS", "NOPOSTCODE", "TEST", "DUMMY", "PLACEHOLDER", "MISSING", "BLANK", "EMPTY"),
        *("PENDING", "TEMP", "TEMPORARY", "XXX", "ZZ999ZZ", "ZZ11ZZ", "AA11AA", "XX11XX", "1234567890"),
        *("123456789", "12345678", "0123456789"),
    )
)
_ONE_CHARACTER = re.compile(r"(.)\1*")
_NO_MARK = re.compile(r"[^A-Z0-9]+")


@lru_cache(maxsize=50_000)
def is_placeholder(value: str | None) -> bool:
    """Tell whether a value says nothing: empty, marks alone, one character over and over, a word for unknown."""
    if value is None:
        return True
    bare = _NO_MARK.sub("", value.upper())
    return not bare or bare in _WORDS or (len(bare) > 1 and _ONE_CHARACTER.fullmatch(bare) is not None)
