"""Digests: how a service proves that its copy equals the view at a sequence number (law 10).

The recipe, for a copy that maps each entry's key to its message:

    import hashlib, json

    def digest(copy):
        total = 0
        for key, message in copy.items():
            body = {name: message[name] for name in message if name not in ("data_sender_id", "data_created_date")}
            text = f"{key} {json.dumps(body, separators=(',', ':'), ensure_ascii=False)}"
            total ^= int.from_bytes(hashlib.sha256(text.encode()).digest())
        return f"{total:064x}"

The members of a body keep the order in which they came. The exclusive or makes the sum independent of the order of rows
and lets the hub keep it up to date with each change; together with the count of rows it tells one content from another.
"""

import hashlib
from collections.abc import Iterable

NOTHING = f"{0:064x}"
"""The digest of a view without rows."""


def of_row(key: int, body: str) -> int:
    """Return the digest of one row: SHA-256 over key, space and body."""
    return int.from_bytes(hashlib.sha256(f"{key} {body}".encode()).digest())


def of_rows(rows: Iterable[tuple[int, str]]) -> str:
    """Return the digest of a view that holds these rows (key, body), in hexadecimal."""
    total = 0
    for key, body in rows:
        total ^= of_row(key, body)
    return f"{total:064x}"


def from_bits(bits: str) -> str:
    """Write PostgreSQL's bit(256) in hexadecimal."""
    return f"{int(bits, 2):064x}"
