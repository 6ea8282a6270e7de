"""Messages: the bytes of one feed entry, the same in a snapshot, in the changes and wherever else it is delivered.

A message is its body with the interface's metadata before it: who sent it and when it was generated. A delete carries
the metadata alone; the entry's key says what it deletes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

import orjson


class Operation(StrEnum):
    """What an entry asks of the receiver's copy."""

    UPSERT = "upsert"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of a view's feed. `key` is the golden id of the row, `body` its compact JSON, None for a delete."""

    sequence: int
    operation: Operation
    key: int
    sender: str
    created_at: datetime
    body: str | None


def message(entry: Entry) -> bytes:
    """Return the entry's message as compact JSON."""
    head = f'{{"data_sender_id":{_quoted(entry.sender)},"data_created_date":"{moment(entry.created_at)}"'
    rest = f",{entry.body[1:]}" if entry.body and entry.body != "{}" else "}"
    return (head + rest).encode()


def line(entry: Entry) -> bytes:
    """Return the entry as compact JSON: a line of NDJSON, without its end, or a member of a JSON document."""
    start = f'{{"sequence":{entry.sequence},"operation":"{entry.operation}","key":{entry.key},"message":'
    return b"%b%b}" % (start.encode(), message(entry))


def lines(entries: Iterable[Entry]) -> bytes:
    """Return the entries as NDJSON."""
    return b"".join(b"%b\n" % line(entry) for entry in entries)


@lru_cache(maxsize=1024)
def moment(at: datetime) -> str:
    """Write a time of the hub's clock, which is in UTC, as ISO 8601 with microseconds."""
    return f"{at.isoformat(timespec='microseconds')[:26]}Z"


@lru_cache(maxsize=1024)
def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()
