"""A decoder of plain transactions that reads octet by octet: slow, short, and apart from the one that it checks."""

import struct
from collections.abc import Iterable

from tests.unit.capture.encoder import UNCHANGED, Value
from tests.unit.capture.flat import Change


class Malformed(Exception):
    """The stream cannot be read."""


class _Octets:
    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.at = 0

    def take(self, length: int) -> bytes:
        if length < 0 or self.at + length > len(self.octets):
            raise Malformed("cut off")
        self.at += length
        return self.octets[self.at - length : self.at]

    def number(self, form: str) -> int:
        return int(struct.unpack(">" + form, self.take(struct.calcsize(">" + form)))[0])

    def text(self) -> str:
        end = self.octets.find(b"\0", self.at)
        if end < 0:
            raise Malformed("no end")
        found = _text(self.take(end - self.at))
        self.take(1)
        return found

    def values(self) -> list[Value]:
        count = self.number("h")
        if count < 0:
            raise Malformed("columns")
        return [self.value() for _ in range(count)]

    def value(self) -> Value:
        kind = self.take(1)
        if kind == b"n":
            return None
        if kind == b"u":
            return UNCHANGED
        if kind != b"t":
            raise Malformed("kind of value")
        return _text(self.take(self.number("i")))

    def done(self) -> None:
        if self.at != len(self.octets):
            raise Malformed("too long")


def read(payloads: Iterable[bytes]) -> list[Change]:
    """Decode a stream without streamed transactions; raises Malformed."""
    reader = _Reader()
    for payload in payloads:
        octets = _Octets(payload)
        if octets.take(1) != b"w":
            raise Malformed("not WAL data")
        octets.take(24)
        reader.read(octets.take(1), octets)
        octets.done()
    if reader.transaction is not None:
        raise Malformed("unfinished")
    return reader.changes


class _Reader:
    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.relations: dict[int, tuple[str, tuple[str, ...]]] = {}
        self.transaction: tuple[int, int] | None = None
        self.ordinal = 0

    def read(self, kind: bytes, octets: _Octets) -> None:
        anywhere = {b"B": self.begin, b"R": self.relation, b"Y": self.data_type, b"M": self.message}
        inside = {b"C": self.commit, b"O": self.origin, b"T": self.truncate}
        if kind in anywhere:
            anywhere[kind](octets)
        elif self.transaction is None:
            raise Malformed("outside")
        elif kind in inside:
            inside[kind](octets)
        elif kind in (b"I", b"U", b"D"):
            self.row(kind, octets)
        else:
            raise Malformed("kind")

    def begin(self, octets: _Octets) -> None:
        if self.transaction is not None:
            raise Malformed("nested")
        lsn, moment = octets.number("Q"), octets.number("q") + 946_684_800_000_000
        if lsn >= 2**63 or not 0 <= moment < 253_370_764_800_000_000:
            raise Malformed("position or time")
        self.transaction, self.ordinal = (octets.number("I"), lsn), 0

    def commit(self, octets: _Octets) -> None:
        octets.number("B")
        if self.transaction is None or octets.number("Q") != self.transaction[1]:
            raise Malformed("another commit")
        if not self.transaction[1] <= octets.number("Q") < 2**63:
            raise Malformed("end")
        octets.take(8)
        self.transaction = None

    def origin(self, octets: _Octets) -> None:
        octets.number("Q")
        octets.text()

    def data_type(self, octets: _Octets) -> None:
        octets.number("I")
        octets.text()
        octets.text()

    def message(self, octets: _Octets) -> None:
        octets.number("B")
        octets.number("Q")
        octets.text()
        octets.take(octets.number("i"))

    def truncate(self, octets: _Octets) -> None:
        count = octets.number("i")
        octets.take(1)
        if count < 0:
            raise Malformed("count")
        for _ in range(count):
            table = self.known(octets.number("I"))
            nulls = (None,) * len(table[1])
            self.add(table, "t", nulls, nulls, None)

    def relation(self, octets: _Octets) -> None:
        oid, schema, name = octets.number("I"), octets.text(), octets.text()
        if octets.take(1) not in (b"d", b"n", b"f", b"i"):
            raise Malformed("identity")
        count, columns = octets.number("h"), []
        if count < 0:
            raise Malformed("columns")
        for _ in range(count):
            octets.take(1)
            columns.append(octets.text())
            octets.take(8)
        if len(set(columns)) != count:
            raise Malformed("columns of one name")
        self.relations[oid] = (f"{schema or 'pg_catalog'}.{name}", tuple(columns))

    def row(self, kind: bytes, octets: _Octets) -> None:
        table = self.known(octets.number("I"))
        nulls: tuple[Value, ...] = (None,) * len(table[1])
        before, after, before_kind = nulls, nulls, None
        mark = octets.take(1)
        if mark in (b"K", b"O") and kind != b"I":
            before_kind, before = mark.decode(), tuple(octets.values())
            if UNCHANGED in before:
                raise Malformed("unchanged in an old row")
            mark = b"" if kind == b"D" else octets.take(1)
        elif kind == b"D":
            raise Malformed("mark")
        if kind != b"D":
            if mark != b"N":
                raise Malformed("mark")
            after = tuple(octets.values())
        if len(before) != len(nulls) or len(after) != len(nulls):
            raise Malformed("columns")
        self.add(table, {b"I": "c", b"U": "u", b"D": "d"}[kind], after, before, before_kind)

    def known(self, oid: int) -> tuple[str, tuple[str, ...]]:
        if oid not in self.relations:
            raise Malformed("unknown table")
        return self.relations[oid]

    def add(
        self,
        table: tuple[str, tuple[str, ...]],
        op: str,
        after: tuple[Value, ...],
        before: tuple[Value, ...],
        before_kind: str | None,
    ) -> None:
        assert self.transaction is not None
        self.ordinal += 1
        change = Change(
            xid=self.transaction[0],
            commit_lsn=self.transaction[1],
            ordinal=self.ordinal,
            table=table[0],
            op=op,
            columns=table[1],
            after=after,
            before=before,
            before_kind=before_kind,
        )
        self.changes.append(change)


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None
