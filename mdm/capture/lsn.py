"""The log sequence number: a position in a source's write-ahead log, ordered and stored as an integer."""

import re

_TEXT = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")


class Lsn(int):
    """A position in the write-ahead log: a 64-bit byte offset that sorts, adds and stores as an int."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "Lsn":
        """Read PostgreSQL's text form, such as `16/B374D848`."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"not an LSN: {text!r}; expected two hexadecimal numbers such as '16/B374D848'")
        return cls((int(match[1], 16) << 32) | int(match[2], 16))

    def __str__(self) -> str:
        return f"{self >> 32:X}/{self & 0xFFFFFFFF:X}"

    def __repr__(self) -> str:
        return f"Lsn({str(self)!r})"
