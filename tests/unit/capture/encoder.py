"""pgoutput's messages, written from PostgreSQL's documentation and apart from the decoder that they test."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from mdm.capture.frames import Column, Relation


class Unchanged:
    """Stands for a TOAST value that the source left out."""


UNCHANGED: Final = Unchanged()
Value = str | None | Unchanged
Tuple = Sequence[Value]


def payload(lsn: int, body: bytes) -> bytes:
    """Wrap a message as WAL data."""
    return struct.pack(">cQQq", b"w", lsn, lsn, 0) + body


def values(row: Tuple) -> bytes:
    """Write a tuple."""
    return struct.pack(">h", len(row)) + b"".join(value(one) for one in row)


def value(one: Value) -> bytes:
    """Write one value of a tuple."""
    if one is None:
        return b"n"
    if isinstance(one, Unchanged):
        return b"u"
    octets = one.encode()
    return struct.pack(">ci", b"t", len(octets)) + octets


def name(text: str) -> bytes:
    """Write a string."""
    return text.encode() + b"\0"


def begin(xid: int, commit_lsn: int, moment: int = 0) -> bytes:
    return struct.pack(">cQqI", b"B", commit_lsn, moment, xid)


def commit(commit_lsn: int, end_lsn: int, moment: int = 0) -> bytes:
    return struct.pack(">cBQQq", b"C", 0, commit_lsn, end_lsn, moment)


def origin(text: str) -> bytes:
    return struct.pack(">cQ", b"O", 0) + name(text)


def relation(of: Relation, *, xid: int | None = None) -> bytes:
    head = struct.pack(">I", of.oid) + name(of.schema) + name(of.name)
    columns = b"".join(
        struct.pack(">B", column.is_key) + name(column.name) + struct.pack(">Ii", column.type_oid, column.type_modifier)
        for column in of.columns
    )
    return b"R" + _xid(xid) + head + of.replica_identity.encode() + struct.pack(">h", len(of.columns)) + columns


def data_type(oid: int, text: str, *, xid: int | None = None) -> bytes:
    return b"Y" + _xid(xid) + struct.pack(">I", oid) + name("public") + name(text)


def insert(oid: int, new: Tuple, *, xid: int | None = None) -> bytes:
    return b"I" + _xid(xid) + struct.pack(">I", oid) + b"N" + values(new)


def update(oid: int, new: Tuple, *, old: Tuple = (), old_kind: str | None = None, xid: int | None = None) -> bytes:
    before = b"" if old_kind is None else old_kind.encode() + values(old)
    return b"U" + _xid(xid) + struct.pack(">I", oid) + before + b"N" + values(new)


def delete(oid: int, old: Tuple, *, old_kind: str, xid: int | None = None) -> bytes:
    return b"D" + _xid(xid) + struct.pack(">I", oid) + old_kind.encode() + values(old)


def truncate(oids: Sequence[int], *, xid: int | None = None) -> bytes:
    return b"T" + _xid(xid) + struct.pack(">iB", len(oids), 0) + b"".join(struct.pack(">I", oid) for oid in oids)


def message(prefix: str, content: bytes, *, transactional: bool, lsn: int = 1, xid: int | None = None) -> bytes:
    head = struct.pack(">BQ", transactional, lsn) + name(prefix)
    return b"M" + _xid(xid) + head + struct.pack(">i", len(content)) + content


def stream_start(xid: int, *, first: bool) -> bytes:
    return struct.pack(">cIB", b"S", xid, first)


def stream_stop() -> bytes:
    return b"E"


def stream_commit(xid: int, commit_lsn: int, end_lsn: int, moment: int = 0) -> bytes:
    return struct.pack(">cIBQQq", b"c", xid, 0, commit_lsn, end_lsn, moment)


def stream_abort(xid: int, sub_xid: int) -> bytes:
    return struct.pack(">cII", b"A", xid, sub_xid)


def table(name: str, columns: Sequence[str], *, oid: int = 16384, identity: str = "d") -> Relation:
    """Define a table of text columns, the first of which is its key."""
    return Relation(
        oid=oid,
        schema="public",
        name=name,
        replica_identity=identity,
        columns=tuple(
            Column(name=column, type_oid=25, type_modifier=-1, is_key=place == 0)
            for place, column in enumerate(columns)
        ),
    )


@dataclass(slots=True)
class Tape:
    """A stream in the making: each message stands one LSN behind the one before."""

    payloads: list[bytes] = field(default_factory=list)
    lsn: int = 0x1000

    def add(self, *bodies: bytes) -> "Tape":
        """Append messages."""
        for body in bodies:
            self.lsn += 1
            self.payloads.append(payload(self.lsn, body))
        return self

    def transaction(self, xid: int, *bodies: bytes) -> "Tape":
        """Append a transaction; it commits at LSN xid * 0x100."""
        return self.add(begin(xid, xid * 0x100), *bodies, commit(xid * 0x100, xid * 0x100 + 0x30))


def _xid(xid: int | None) -> bytes:
    return b"" if xid is None else struct.pack(">I", xid)
