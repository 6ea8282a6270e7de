"""API keys: made, listed and revoked at the command line, verified at every request.

A key reads mdm_PREFIX_SECRET. The secret has 256 random bits; the hub keeps the SHA-256 of prefix and secret, so a leak
of the table gives no key away.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

import psycopg

from mdm.distribution.contracts import Role
from mdm.errors import MdmError

CHANNEL = "mdm_key"
"""PostgreSQL's channel on which it is told that a key was revoked."""


class Scope(StrEnum):
    """What a key may do."""

    VIEW_READ = "view:read"
    VIEW_READ_ALL = "view:read-all"
    GOLDEN_READ = "golden:read"
    GOLDEN_READ_IDENTIFIED = "golden:read-identified"
    STEWARD_READ = "steward:read"
    STEWARD_WRITE = "steward:write"
    STEWARD_APPROVE = "steward:approve"
    CORRECTION_REPLY = "correction:reply"


class KeyUnknown(MdmError):
    """There is no key of that prefix, or it is revoked already."""


class KeyUnsound(MdmError):
    """What the key should be allowed contradicts itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a key is for: its scopes, and the recipient and role that a service's key is confined to."""

    name: str
    purpose: str
    scopes: Sequence[Scope]
    role: Role | None = None
    recipient: str | None = None
    expires_at: datetime | None = None

    @classmethod
    def parse(cls, *, scopes: Sequence[str], role: str | None, **rest: Any) -> Self:
        """Make a grant of words as people write them; raises KeyUnsound, which names the words that there are."""
        try:
            return cls(scopes=[Scope(scope) for scope in scopes], role=Role(role.upper()) if role else None, **rest)
        except ValueError:
            raise KeyUnsound(
                f"A scope or the role is not known. Scopes: {', '.join(Scope)}. Roles: {', '.join(Role)}."
            ) from None

    def __post_init__(self) -> None:
        if (self.role is None) != (self.recipient is None):
            raise KeyUnsound("A service's key needs both its role and its MPID. Give --role and --recipient.")
        if Scope.VIEW_READ in self.scopes and self.recipient is None:
            raise KeyUnsound(
                f"{Scope.VIEW_READ} is for one recipient's views. Give --role and --recipient, or take the scope "
                f"{Scope.VIEW_READ_ALL} instead."
            )
        if Scope.CORRECTION_REPLY in self.scopes and self.recipient is None:
            raise KeyUnsound(
                f"{Scope.CORRECTION_REPLY} is for what one owner is asked to correct. Give --role and --recipient."
            )
        if Scope.VIEW_READ_ALL in self.scopes and self.recipient is not None:
            raise KeyUnsound(f"{Scope.VIEW_READ_ALL} and a recipient exclude each other. Give one of them.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as it is listed: what it is for and how long it holds, without the secret."""

    key_id: int
    prefix: str
    grant: Grant
    created_at: datetime
    revoked_at: datetime | None
    is_expired: bool

    @property
    def state(self) -> str:
        """Whether the key holds: active, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.is_expired else "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a request: the key's id and name, and what it may do.

    A recipient confines it to that one's views and points.
    """

    key_id: int
    name: str
    scopes: frozenset[str]
    recipient: str | None
    role: str | None


def create(connection: psycopg.Connection, grant: Grant) -> str:
    """Store a new key and return it, the only time that it can be seen."""
    prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    connection.execute(
        """
        insert into hub.api_key (prefix, secret_hash, name, purpose, scopes, role, recipient, expires_at)
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [
            prefix,
            _hash(prefix, secret),
            grant.name,
            grant.purpose,
            [scope.value for scope in grant.scopes],
            grant.role,
            grant.recipient,
            grant.expires_at,
        ],
    )
    return f"mdm_{prefix}_{secret}"


def list_keys(connection: psycopg.Connection) -> list[Key]:
    """Return all keys, the oldest first."""
    rows = connection.execute(
        """
        select key_id, prefix, created_at, revoked_at, coalesce(expires_at <= now(), false),
               name, purpose, scopes, role, recipient, expires_at
        from hub.api_key order by key_id
        """
    ).fetchall()
    return [_key(row) for row in rows]


def revoke(connection: psycopg.Connection, prefix: str) -> None:
    """Revoke the key of a prefix at once, in every running server; raises KeyUnknown."""
    query = "update hub.api_key set revoked_at = now() where prefix = %s and revoked_at is null"
    if not connection.execute(query, [prefix]).rowcount:
        raise KeyUnknown(f"There is no key {prefix} that is not revoked. 'mdm key list' shows the prefixes.")
    connection.execute("select pg_notify(%s, '')", [CHANNEL])


async def find_caller(connection: psycopg.AsyncConnection[tuple[Any, ...]], token: str) -> Caller | None:
    """Return whose key this is, or None when it is none, expired or revoked."""
    mark, prefix, secret = (*token.split("_", 2), "", "")[:3]
    if mark != "mdm" or not secret:
        return None
    cursor = await connection.execute(
        """
        select key_id, name, scopes, recipient, role, secret_hash from hub.api_key
        where prefix = %s and revoked_at is null and (expires_at is null or expires_at > now())
        """,
        [prefix],
    )
    row = await cursor.fetchone()
    if row is None or not hmac.compare_digest(row[5], _hash(prefix, secret)):
        return None
    return Caller(key_id=row[0], name=row[1], scopes=frozenset(row[2]), recipient=row[3], role=row[4])


def _hash(prefix: str, secret: str) -> bytes:
    return hashlib.sha256(f"{prefix}.{secret}".encode()).digest()


def _key(row: tuple[Any, ...]) -> Key:
    key_id, prefix, created_at, revoked_at, is_expired, name, purpose, scopes, role, recipient, expires_at = row
    grant = Grant(
        name=name,
        purpose=purpose,
        scopes=[Scope(scope) for scope in scopes],
        role=Role(role) if role else None,
        recipient=recipient,
        expires_at=expires_at,
    )
    return Key(
        key_id=key_id,
        prefix=prefix,
        grant=grant,
        created_at=created_at,
        revoked_at=revoked_at,
        is_expired=is_expired,
    )
