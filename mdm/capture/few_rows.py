"""The rows inside a few messages, value by value. By columns (tuples), one row takes as long as a hundred.

Whatever is out of the ordinary is declined, and left to the columns: values that the source left out, long ones, which
columns do not copy, and all that does not follow the protocol.
"""

import struct

from mdm.capture.frames import Values

_NEW, _KEY, _OLD = b"NKO"
_NULL, _TEXT = b"nt"
_KINDS = {_KEY: "K", _OLD: "O"}
_LONGEST = 1_000  # octets
_COUNT, _LENGTH = struct.Struct(">h"), struct.Struct(">i")


class Declined(Exception):
    """A row is out of the ordinary, or no row."""


def read(
    content: bytes, at: int, end: int, *, op: str, columns: int
) -> tuple[str | None, Values | None, Values | None]:
    """Read what a message says from a place to its end: which old row it has (K, O or none), the old row and the new.

    `op` is c, u or d. Raises Declined.
    """
    kind, before, after = None, None, None
    try:
        if op != "c" and content[at] in _KINDS:
            kind = _KINDS[content[at]]
            before, at = _tuple(content, at + 1, columns)
        if op != "d":
            if at >= end or content[at] != _NEW:
                raise Declined
            after, at = _tuple(content, at + 1, columns)
        elif before is None:
            raise Declined
    except (IndexError, struct.error, UnicodeDecodeError):
        raise Declined from None
    if at != end:
        raise Declined
    return kind, before, after


def _tuple(content: bytes, at: int, columns: int) -> tuple[Values, int]:
    """Read a tuple that begins at a place; return also where it ends."""
    if _COUNT.unpack_from(content, at)[0] != columns:
        raise Declined
    at += 2
    values: list[str | None] = []
    for _ in range(columns):
        kind = content[at]
        at += 1
        if kind == _TEXT:
            (length,) = _LENGTH.unpack_from(content, at)
            at += 4
            if not 0 <= length <= _LONGEST:
                raise Declined
            values.append(content[at : at + length].decode())
            at += length
        elif kind == _NULL:
            values.append(None)
        else:
            raise Declined
    return tuple(values), at
