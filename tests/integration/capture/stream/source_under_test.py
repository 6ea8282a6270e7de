"""A source database under test: its publication and slot, and its stream as changes laid flat."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

from mdm import db
from mdm.capture import replication, slots, stream
from mdm.capture.backlog import Limits
from mdm.capture.frames import Batch
from mdm.capture.lsn import Lsn
from mdm.capture.refusals import Request
from mdm.capture.stream import ChangeStream
from tests.unit.capture import flat
from tests.unit.capture.flat import Change

PATIENCE = 30.0
SMALL_MEMORY = {"logical_decoding_work_mem": "64kB"}


@dataclass(slots=True, kw_only=True)
class Source:
    """A database with a slot of its own."""

    dsn: str
    spool: Path
    connection: db.Connection
    request: Request = field(
        default_factory=lambda: Request(source="test", slot=f"test_{uuid4().hex[:12]}", publications=("mdm",))
    )
    at: Lsn = field(default_factory=Lsn)

    def execute(self, *statements: str) -> None:
        """Run statements, each a transaction of its own."""
        for statement in statements:
            self.connection.execute(statement.encode())

    def transaction(self, *statements: str) -> None:
        """Run statements in one transaction."""
        with self.connection.transaction():
            self.execute(*statements)

    def publish(self, *statements: str) -> None:
        """Make the tables, then the publication of everything, then the slot."""
        self.execute(*statements, "create publication mdm for all tables")
        with replication.connect(self.dsn) as connection:
            self.at = slots.create(connection, self.request).consistent_point

    def wal_end(self) -> Lsn:
        """Return where the source's WAL ends now."""
        ((lsn,),) = self.connection.execute("select pg_current_wal_lsn()::text").fetchall()
        return Lsn.parse(lsn)

    def slot(self) -> slots.Slot:
        """Look the slot up."""
        found = slots.find(self.connection, self.request.slot)
        assert found is not None
        return found

    def has_streamed(self) -> bool:
        """Tell whether the source has sent transactions in progress."""
        ((count,),) = self.connection.execute(
            "select coalesce(sum(stream_txns), 0) from pg_stat_replication_slots where slot_name = %s",
            [self.request.slot],
        ).fetchall()
        return bool(count)

    @contextmanager
    def stream(
        self, *, limits: Limits | None = None, options: dict[str, str] | None = None, linger: float = 0.01
    ) -> Iterator[ChangeStream]:
        """Open the stream from where the slot stood, under settings of the session."""
        asked = " ".join(f"-c {name}={value}" for name, value in (options or {}).items())
        connection = replication.connect(f"{self.dsn}&options={quote(asked)}")
        with stream.start(
            connection, self.request, at=self.at, spool_folder=self.spool, limits=limits, linger=linger
        ) as opened:
            yield opened

    def changes(self, *, options: dict[str, str] | None = None) -> list[Change]:
        """Return all changes that have been made, in order."""
        return flat.changes(self.batches(options=options))

    def batches(self, *, limits: Limits | None = None, options: dict[str, str] | None = None) -> list[Batch]:
        """Return the batches up to a message that this sends as the last."""
        self.execute("select pg_logical_emit_message(false, 'end of test', '')")
        with self.stream(limits=limits, options=options) as opened:
            return until_end(opened)


def until_end(opened: ChangeStream) -> list[Batch]:
    """Take batches up to the one with the message that ends a test."""
    return list(up_to_end(opened))


def up_to_end(opened: ChangeStream) -> Iterator[Batch]:
    """Take batches, one by one, up to the one with the message that ends a test."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        batch = opened.next_batch(timeout=1)
        if batch is not None:
            yield batch
            if any(message.prefix == "end of test" for message in batch.messages):
                return
    raise AssertionError("the stream did not end in time")


def wait_until(condition: Callable[[], bool], *, timeout: float = PATIENCE) -> None:
    """Wait for a condition, and fail when it does not come true in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)
