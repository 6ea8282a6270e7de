"""The rare messages of pgoutput, read one by one: definitions of tables, truncates, origins, logical messages.

Pure. The source is PostgreSQL's documentation, "Logical Replication Message Formats", protocol versions 1 and 2. What
rows look like is in `tuples`, what transactions look like in `transactions`.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from mdm.capture.errors import DecodeError
from mdm.capture.frames import Column, Relation
from mdm.capture.lsn import Lsn
from mdm.capture.wire import Wire

_KEY_COLUMN = 1
_TRANSACTIONAL = 1


class Kind(IntEnum):
    """The kinds of message that protocol 2 knows."""

    BEGIN = ord("B")
    COMMIT = ord("C")
    ORIGIN = ord("O")
    RELATION = ord("R")
    TYPE = ord("Y")
    INSERT = ord("I")
    UPDATE = ord("U")
    DELETE = ord("D")
    TRUNCATE = ord("T")
    MESSAGE = ord("M")
    STREAM_START = ord("S")
    STREAM_STOP = ord("E")
    STREAM_COMMIT = ord("c")
    STREAM_ABORT = ord("A")


TWO_PHASE = b"bPKrp"
"""The kinds that only a slot with two_phase sends; such a slot is refused before it starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncate:
    """Tables emptied by one statement, in the order in which the source names them."""

    relation_oids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of pg_logical_emit_message, not yet tied to its transaction."""

    transactional: bool
    lsn: Lsn
    prefix: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStart:
    """The transaction in progress whose changes follow until the stream stops."""

    xid: int
    is_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The end of a streamed transaction; `committed_at` is in microseconds since 2000-01-01 UTC."""

    xid: int
    commit_lsn: int
    end_lsn: int
    committed_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamAbort:
    """The end of a streamed transaction, or of the sub-transaction `sub_xid` of it, without effect."""

    xid: int
    sub_xid: int


class Cursor:
    """Reads one message's fields in order; a field beyond the end, or octets left over, is a DecodeError."""

    def __init__(self, wire: Wire, index: int, *, in_stream: bool = False) -> None:
        self._wire = wire
        self._index = index
        self._octets = wire.message(index)
        self._at = 1
        if in_stream:
            self.uint32()  # the (sub-)transaction's id, which the rows are told apart by

    def fields(self, form: str) -> tuple[int, ...]:
        """Read integers as `struct` describes them."""
        width = struct.calcsize(form)
        if self._at + width > len(self._octets):
            raise self.refuse("it is cut off")
        found: tuple[int, ...] = struct.unpack_from(form, self._octets, self._at)
        self._at += width
        return found

    def uint8(self) -> int:
        """Read an octet."""
        return self.fields(">B")[0]

    def uint32(self) -> int:
        """Read an object or transaction id."""
        return self.fields(">I")[0]

    def text(self) -> str:
        """Read a string that ends with a zero octet."""
        end = self._octets.find(b"\0", self._at)
        if end < 0:
            raise self.refuse("a name has no end")
        raw, self._at = self._octets[self._at : end], end + 1
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise self.refuse("a name is not UTF-8") from None

    def octets(self, length: int) -> bytes:
        """Read so many octets."""
        if length < 0 or self._at + length > len(self._octets):
            raise self.refuse("it is cut off")
        self._at += length
        return self._octets[self._at - length : self._at]

    def done(self) -> None:
        """Make sure that nothing is left."""
        if self._at != len(self._octets):
            raise self.refuse("it is longer than its fields")

    def refuse(self, problem: str) -> DecodeError:
        """Build the error for this message."""
        return self._wire.refuse(self._index, problem)


def relation(cursor: Cursor) -> Relation:
    """Read a table's definition."""
    oid, schema, name = cursor.uint32(), cursor.text(), cursor.text()
    identity, count = cursor.fields(">Bh")
    if chr(identity) not in "dnfi" or count < 0:
        raise cursor.refuse("it defines no replica identity or no columns")
    columns = tuple(_column(cursor) for _ in range(count))
    cursor.done()
    if len({column.name for column in columns}) != count:
        raise cursor.refuse("two columns have one name")
    # An empty schema name is how the source writes pg_catalog.
    return Relation(oid=oid, schema=schema or "pg_catalog", name=name, replica_identity=chr(identity), columns=columns)


def check_type(cursor: Cursor) -> None:
    """Read a type's name, which nobody needs: values travel as text."""
    cursor.uint32()
    cursor.text()
    cursor.text()
    cursor.done()


def origin(cursor: Cursor) -> str:
    """Read the name of the origin from which the source itself received the transaction."""
    cursor.fields(">Q")
    name = cursor.text()
    cursor.done()
    return name


def truncate(cursor: Cursor) -> Truncate:
    """Read which tables were emptied."""
    count, _options = cursor.fields(">iB")
    if count < 0:
        raise cursor.refuse("it names a negative number of tables")
    oids = tuple(cursor.uint32() for _ in range(count))
    cursor.done()
    return Truncate(relation_oids=oids)


def message(cursor: Cursor) -> Message:
    """Read a logical message."""
    flags, lsn = cursor.fields(">BQ")
    prefix, (length,) = cursor.text(), cursor.fields(">i")
    content = cursor.octets(length)
    cursor.done()
    return Message(transactional=bool(flags & _TRANSACTIONAL), lsn=Lsn(lsn), prefix=prefix, content=content)


def stream_start(cursor: Cursor) -> StreamStart:
    """Read which transaction in progress goes on."""
    xid, first = cursor.fields(">IB")
    cursor.done()
    return StreamStart(xid=xid, is_first=bool(first))


def stream_commit(cursor: Cursor) -> Commit:
    """Read the commit of a streamed transaction."""
    xid, _flags, commit_lsn, end_lsn, committed_at = cursor.fields(">IBQQq")
    cursor.done()
    return Commit(xid=xid, commit_lsn=commit_lsn, end_lsn=end_lsn, committed_at=committed_at)


def stream_abort(cursor: Cursor) -> StreamAbort:
    """Read the abort of a streamed transaction or sub-transaction."""
    xid, sub_xid = cursor.fields(">II")
    cursor.done()
    return StreamAbort(xid=xid, sub_xid=sub_xid)


def _column(cursor: Cursor) -> Column:
    flags, name = cursor.uint8(), cursor.text()
    type_oid, modifier = cursor.fields(">Ii")
    return Column(name=name, type_oid=type_oid, type_modifier=modifier, is_key=bool(flags & _KEY_COLUMN))
