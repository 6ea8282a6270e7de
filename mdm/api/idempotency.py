"""Idempotency keys: a write that is sent again under the same key is answered as it was the first time, and done once.

The key is written in the transaction of the write itself, so a write that failed leaves none behind.
"""

import hashlib
from dataclasses import dataclass
from http import HTTPStatus

import psycopg

from mdm.api.problems import Problem

DAYS_KEPT = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a write is answered with; `tag` is the ETag's version, `location` where what it made is read."""

    status: HTTPStatus
    body: bytes
    tag: str | None = None
    location: str | None = None


def digest_of(method: str, path: str, body: bytes) -> str:
    """Return what tells one request from another under the same key."""
    return hashlib.sha256(b"\n".join((method.encode(), path.encode(), body))).hexdigest()


def begin(connection: psycopg.Connection, *, key_id: int, key: str, digest: str) -> Answer | None:
    """Take the key for this request, or return what the request was answered with before.

    Whoever uses the same key at the same moment waits for the other's end. Raises Problem 422 when the key stands for
    another request.
    """
    taken = connection.execute(
        """insert into hub.idempotency_key (key_id, key, digest) values (%s, %s, %s)
           on conflict (key_id, key) do nothing""",
        [key_id, key, digest],
    )
    return None if taken.rowcount else _find(connection, key_id=key_id, key=key, digest=digest)


def finish(connection: psycopg.Connection, *, key_id: int, key: str, answer: Answer) -> None:
    """Keep the answer, and let go what is older than DAYS_KEPT, a little at a time."""
    connection.execute(
        "update hub.idempotency_key set status = %s, body = %s, tag = %s, location = %s where key_id = %s and key = %s",
        [answer.status.value, answer.body, answer.tag, answer.location, key_id, key],
    )
    connection.execute(
        """delete from hub.idempotency_key where (key_id, key) in (
               select key_id, key from hub.idempotency_key where created_at < now() - make_interval(days => %s)
               order by created_at limit 20 for update skip locked)""",
        [DAYS_KEPT],
    )


def _find(connection: psycopg.Connection, *, key_id: int, key: str, digest: str) -> Answer:
    row = connection.execute(
        "select digest, status, body, tag, location from hub.idempotency_key where key_id = %s and key = %s",
        [key_id, key],
    ).fetchone()
    if row is None or row[0] != digest:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "This Idempotency-Key was used for another request. Send each request under a key of its own.",
        )
    return Answer(status=HTTPStatus(row[1]), body=bytes(row[2]), tag=row[3], location=row[4])
