"""What a source's own errors mean for capture: told by SQLSTATE and by where in the server they arose, in any language.

The source's words are passed on unless they may quote a row.
"""
# ruff: noqa: S608 - the SQL here is for a person to run

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg.pq import DiagnosticField
from psycopg.pq.abc import PGresult

from mdm import db
from mdm.capture.errors import (
    CaptureError,
    PublicationMissing,
    ReplicationForbidden,
    SlotActive,
    SlotLost,
    SlotMissing,
    SlotsExhausted,
    SlotUnusable,
    SourceDisconnected,
    SourceRefused,
    WalLevelTooLow,
)
from mdm.errors import MdmError

_QUOTING_ROWS = ("22", "23", "P0", "XX")  # classes whose messages may hold a value: data, constraint, raised, internal
_DISCONNECTING = ("57P01", "57P02", "57P03", "57P05")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of a source: its slot, and the publications whose changes it sends.

    `source` is the name by which the hub knows it. `origin` 'none' leaves out what the source itself replicates from
    elsewhere, which needs PostgreSQL 16.
    """

    source: str
    slot: str
    publications: tuple[str, ...]
    origin: Literal["any", "none"] = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error or a warning of the server."""

    sqlstate: str
    message: str
    place: str

    @classmethod
    def of_result(cls, result: PGresult) -> "Refusal":
        """Read it from a result."""
        return cls(
            sqlstate=_text(result.error_field(DiagnosticField.SQLSTATE)),
            message=_text(result.error_field(DiagnosticField.MESSAGE_PRIMARY)),
            place=_text(result.error_field(DiagnosticField.SOURCE_FUNCTION)),
        )

    @classmethod
    def of_diagnostic(cls, said: psycopg.errors.Diagnostic) -> "Refusal":
        """Read it from an exception's or a notice's diagnostic."""
        return cls(sqlstate=said.sqlstate or "", message=said.message_primary or "", place=said.source_function or "")

    @property
    def concerns_publication(self) -> bool:
        """Tell whether a publication could not be read; from PostgreSQL 18 that is only a warning."""
        about = "ublication" in self.place or "publication" in self.message
        return about and self.sqlstate in ("42704", "55000")

    @property
    def words(self) -> str:
        """The server's words, unless they may hold a value of a row."""
        if self.sqlstate.startswith(_QUOTING_ROWS) or not self.message:
            return f"SQLSTATE {self.sqlstate or 'unknown'}, see the server's log"
        return f"{self.message} (SQLSTATE {self.sqlstate})"


def error(refusal: Refusal, request: Request) -> CaptureError:
    """Build the error that says what happened and what to do."""
    if refusal.sqlstate in _DISCONNECTING or refusal.sqlstate.startswith("08"):
        return disconnected(refusal.words)
    if not refusal.sqlstate:  # the server had no time for a word
        return disconnected("the connection was lost")
    if refusal.concerns_publication:
        return publication_missing(request)
    meaning = _MEANINGS.get(refusal.sqlstate)
    known = None if meaning is None else meaning(refusal, request)
    return known or SourceRefused(
        f"The source {request.source} refused to replicate: {refusal.words}. Mend that on the source; capture goes on "
        "from the checkpoint."
    )


def at_connect(unreachable: db.DatabaseUnreachable) -> MdmError:
    """Tell a role that may not replicate, and a server without a free sender, from one that cannot be reached."""
    said = str(unreachable.__cause__)
    if "walsender" in said or "WAL sender" in said:
        return replication_forbidden(None)
    if "max_wal_senders" in said:
        return SlotsExhausted(
            "The source has no replication connection left. End one that nobody needs (select * from "
            "pg_stat_replication), or run there: alter system set max_wal_senders = 20, then restart the server."
        )
    return unreachable


def disconnected(words: str) -> SourceDisconnected:
    """Build the error for a connection that ended."""
    return SourceDisconnected(
        f"The source ended the replication connection: {words}. Capture connects again and goes on from the "
        "checkpoint; if it does not, check that the server runs and can be reached."
    )


def publication_missing(request: Request) -> PublicationMissing:
    """Build the error for a publication that cannot be read."""
    names = ", ".join(request.publications)
    return PublicationMissing(
        f"A publication of {names} does not exist in the source {request.source}, so it sends no changes. Create it "
        f"there: create publication {quoted(request.publications[0])} for table <tables>; then run 'mdm source reload "
        f"{request.source}', since changes made without it are not in the slot."
    )


def slot_missing(request: Request) -> SlotMissing:
    """Build the error for a slot that is gone."""
    return SlotMissing(
        f"The replication slot {request.slot} does not exist in the source {request.source}; the changes since the "
        f"checkpoint are no longer kept there. Run 'mdm source reload {request.source}': it makes a new slot and loads "
        "the tables anew, and no golden record is dropped."
    )


def slot_lost(request: Request, reason: str) -> SlotLost:
    """Build the error for a slot that the source has invalidated."""
    return SlotLost(
        f"The source {request.source} has invalidated the slot {request.slot} ({reason}); WAL that the hub has not "
        f"captured may be gone. Run 'mdm source reload {request.source}': it makes a new slot and loads the tables "
        "anew, and no golden record is dropped. A larger max_slot_wal_keep_size on the source keeps more."
    )


def slot_active(request: Request, pid: int | None = None) -> SlotActive:
    """Build the error for a slot that somebody else reads."""
    reader = "another session" if pid is None else f"the session with process id {pid}"
    return SlotActive(
        f"The slot {request.slot} of the source {request.source} is read by {reader}. This worker stands by; if no "
        "other worker runs, end that session on the source: select pg_terminate_backend(active_pid) from "
        f"pg_replication_slots where slot_name = '{request.slot}'"
    )


def wal_level_too_low(level: str) -> WalLevelTooLow:
    """Build the error for a server that writes no logical WAL."""
    return WalLevelTooLow(
        f"The source's wal_level is {level}; capture needs logical. Run there: alter system set wal_level = 'logical', "
        "then restart the server."
    )


def slots_exhausted(words: str) -> SlotsExhausted:
    """Build the error for a server without a free slot."""
    return SlotsExhausted(
        f"The source has no replication slot left: {words}. Drop one that nobody needs (select * from "
        "pg_replication_slots), or run there: alter system set max_replication_slots = 20, then restart the server."
    )


def replication_forbidden(role: str | None) -> ReplicationForbidden:
    """Build the error for a role that may not replicate; None is the role of the source's address."""
    name = "<role>" if role is None else quoted(role)
    return ReplicationForbidden(
        f"The role {role or 'of the source'} may not replicate. Run there, as an administrator: alter role {name} "
        "replication"
    )


def slot_unusable(request: Request, why: str) -> SlotUnusable:
    """Build the error for a slot that was made for something else."""
    return SlotUnusable(
        f"The slot {request.slot} of the source {request.source} cannot be used: {why}. Choose another slot name for "
        "the source, or, if nobody needs this one, drop it there: select "
        f"pg_drop_replication_slot('{request.slot}'); then run 'mdm source reload {request.source}'"
    )


def quoted(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def _wrong_state(refusal: Refusal, request: Request) -> CaptureError | None:
    if "wal_level" in refusal.message:
        return wal_level_too_low("too low")
    if any(word in refusal.message for word in ("invalidated", "no longer", "cannot read from", "can no longer")):
        return slot_lost(request, refusal.words)
    if "slot" in refusal.message:
        return slot_unusable(request, refusal.words)
    return None


def _text(field: bytes | None) -> str:
    return (field or b"").decode(errors="replace")


_MEANINGS: dict[str, Callable[[Refusal, Request], CaptureError | None]] = {
    "42501": lambda _, __: replication_forbidden(None),
    "42710": lambda refusal, request: slot_unusable(request, refusal.words),
    "42704": lambda _, request: slot_missing(request),
    "53400": lambda refusal, _: slots_exhausted(refusal.words),
    "55000": _wrong_state,
    "55006": lambda _, request: slot_active(request),
    "58P01": lambda refusal, request: slot_lost(request, refusal.words),
}
