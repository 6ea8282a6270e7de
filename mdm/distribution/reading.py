"""Reads views: where they stand, their changes after a sequence number, their content as of one."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from mdm.distribution import digests
from mdm.distribution.messages import Entry, Operation
from mdm.errors import MdmError

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

_HEADS = """
select v.view_id, v.name, v.recipient, h.last_seq, h.retained_after, h.row_count, h.digest
from hub.view v join hub.view_head h using (view_id)
"""

_CHANGES = """
select seq, operation, golden_id, sender, created_at, body from hub.feed
where view_id = %s and seq > %s order by seq limit %s
"""

_CONTENT = """
select f.seq, f.operation, f.golden_id, f.sender, f.created_at, f.body
from hub.view_row r join hub.feed f on f.view_id = r.view_id and f.seq = r.seq and f.golden_id = r.golden_id
where r.view_id = %s order by f.seq
"""

_ROWS_AT_ONCE = 2000


class ViewEmpty(MdmError):
    """The recipient has no view of that name."""


class BeyondHead(MdmError):
    """The sequence number asked for lies beyond the last one."""


class NotRetained(MdmError):
    """Entries after the sequence number asked for are no longer kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a view stands: as of sequence number `sequence` it has `count` rows with this digest."""

    view_id: int
    name: str
    recipient: str
    sequence: int
    retained_after: int
    count: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Entries after a position, in order and without a gap. `next_after` is the position to ask for next."""

    head: Head
    after: int
    entries: Sequence[Entry]

    @property
    def next_after(self) -> int:
        """The sequence number of the last entry, or the position asked for when there was none."""
        return self.entries[-1].sequence if self.entries else self.after

    @property
    def last_sequence(self) -> int:
        """Where the view stands: at its head, or further when it has moved on since."""
        return max(self.head.sequence, self.next_after)


async def list_heads(connection: Connection, *, recipient: str | None = None) -> list[Head]:
    """Return the views of a recipient, or of all, by name and recipient."""
    where = " where v.recipient = %s" if recipient is not None else ""
    cursor = await connection.execute(f"{_HEADS}{where} order by v.name, v.recipient", [recipient] if where else [])
    return [_head(row) for row in await cursor.fetchall()]


async def get_head(connection: Connection, *, name: str, recipient: str) -> Head:
    """Return where a recipient's view stands; raises ViewEmpty when it has none."""
    cursor = await connection.execute(f"{_HEADS} where v.name = %s and v.recipient = %s", [name, recipient])
    row = await cursor.fetchone()
    if row is None:
        raise ViewEmpty(
            f"There is no view {name} for {recipient}. Views come to be with a participant of that role or its first "
            "appointment; check the name and the recipient."
        )
    return _head(row)


async def get_changes(connection: Connection, *, head: Head, after: int, limit: int) -> Changes:
    """Return up to limit entries after a position; raises BeyondHead or NotRetained.

    The head may have been read before: an entry that has been committed since is among the changes.
    """
    if after > head.sequence:
        raise BeyondHead(
            f"The view stands at sequence number {head.sequence}; {after} lies beyond it. The copy is of another view "
            "or of another hub: take a new snapshot."
        )
    cursor = await connection.execute(_CHANGES, [head.view_id, after, limit])
    entries = [_entry(row) for row in await cursor.fetchall()]
    if after < head.retained_after or (entries and entries[0].sequence != after + 1):
        raise NotRetained(
            f"Entries after sequence number {after} are no longer kept. Take a new snapshot, then the changes after it."
        )
    return Changes(head=head, after=after, entries=entries)


@asynccontextmanager
async def snapshot(
    connection: Connection, *, name: str, recipient: str
) -> AsyncIterator[tuple[Head, AsyncIterator[list[Entry]]]]:
    """Give a view's head and its content as of it, in the order of sequence numbers, some rows at a time.

    Both are read in one snapshot of the database, so they agree however long the reading takes.
    """
    async with connection.transaction():
        await connection.execute("set transaction isolation level repeatable read, read only")
        head = await get_head(connection, name=name, recipient=recipient)
        yield head, _read_content(connection, head.view_id)


async def _read_content(connection: Connection, view_id: int) -> AsyncIterator[list[Entry]]:
    async with connection.cursor(name="content") as cursor:
        await cursor.execute(_CONTENT, [view_id])
        while rows := await cursor.fetchmany(_ROWS_AT_ONCE):
            yield [_entry(row) for row in rows]


def _head(row: tuple[Any, ...]) -> Head:
    view_id, name, recipient, sequence, retained_after, count, digest = row
    return Head(
        view_id=view_id,
        name=name,
        recipient=recipient,
        sequence=sequence,
        retained_after=retained_after,
        count=count,
        digest=digests.from_bits(digest),
    )


def _entry(row: tuple[Any, ...]) -> Entry:
    sequence, operation, key, sender, created_at, body = row
    return Entry(
        sequence=sequence,
        operation=Operation(operation),
        key=key,
        sender=sender,
        created_at=created_at,
        body=body,
    )
