"""Printing a source's changes as lines of Debezium's envelope, from any database, known to the hub or not.

Nothing is kept but what is named: a named slot and a named publication stay, and the slot is told what was written.
"""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psycopg

from mdm import db
from mdm.capture import existing, replication, stream, table_names, tap
from mdm.capture.change_source import Source
from mdm.capture.envelope import Envelope
from mdm.capture.errors import SourceDisconnected
from mdm.capture.frames import Batch
from mdm.capture.lsn import Lsn
from mdm.capture.printer import Output, Printer
from mdm.capture.refusals import Refusal, Request
from mdm.capture.stream import ChangeStream
from mdm.capture.table_names import TableName
from mdm.capture.tap import Publications, Tapped
from mdm.capture.type_catalogue import TypeCatalogue
from mdm.db import Connection
from mdm.errors import MdmError

_PACKAGE = "mdm-hub"
_PATIENCE = 0.1
_LINGER = 0.05  # seconds; larger batches cost less, and a person sees no difference
_SLOW = 5.0
_PAGE, _PAGE_HEADER = 8192, 40

_WAL_END = """
select (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end)::text
"""


class SourceFailed(MdmError):
    """The source refused a query, or the connection to it was lost."""


class NothingNamed(MdmError):
    """Neither tables nor a publication were named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Printing:
    """What to print; `name` is the logical name of the source in each line, `limit` counts lines."""

    dsn: str
    tables: str | None = None
    slot: str | None = None
    publication: str | None = None
    name: str = "mdm"
    snapshot: bool = False
    limit: int | None = None
    until_current: bool = False


def run(
    printing: Printing,
    descriptor: int,
    *,
    stop: threading.Event,
    note: Callable[[str], None],
    began: Callable[[], None] | None = None,
) -> int:
    """Print to a file descriptor until an end that was asked for, until `stop`, or until nobody reads; count the lines.

    `note` is told what a person should know; `began` is called when the stream has begun. Raises MdmError.
    """
    if printing.tables is None and printing.publication is None:
        raise NothingNamed("Say what to print: --tables public.a,public.b, or --publication with one that exists.")
    try:
        return _run(printing, descriptor, stop=stop, note=note, began=began)
    except SourceDisconnected as error:
        raise SourceFailed(
            "The source ended the connection. Run the command again: with --slot it goes on behind what was printed; "
            "without, what changes meanwhile is not printed."
        ) from error
    except psycopg.Error as error:
        words = Refusal.of_diagnostic(error.diag).words
        raise SourceFailed(
            f"The source ended the work: {words}. Mend that there, and run the command again."
        ) from error


def _run(
    printing: Printing,
    descriptor: int,
    *,
    stop: threading.Event,
    note: Callable[[str], None],
    began: Callable[[], None] | None,
) -> int:
    os.set_blocking(descriptor, True)
    with ExitStack() as opened:
        control = opened.enter_context(db.connect(printing.dsn))
        control.execute("set idle_session_timeout = 0")  # it is needed again at the end, however late that is
        source = db.redacted(printing.dsn)
        tap.verify_server(control, source)
        asked = [] if printing.tables is None else table_names.find(control, table_names.parse(printing.tables))
        publications = opened.enter_context(_publications(control, printing, asked, source))
        for said in publications.notes:
            note(said)
        wanted = frozenset[TableName]().union(*(table_names.family(control, table) for table in asked))
        session = _Session(
            printing=printing,
            control=control,
            request=Request(source=source, slot=printing.slot or tap.temporary_name(), publications=publications.names),
            wanted=wanted or None,
            envelope=_envelope(control, printing.name),
            output=Output(descriptor, limit=printing.limit),
            stop=stop,
        )
        session.run(note, began)
        return session.output.written


def _envelope(control: Connection, name: str) -> Envelope:
    source = Source(version=metadata.version(_PACKAGE), name=name, database=control.info.dbname)
    return Envelope(source, TypeCatalogue(control).plan)


@contextmanager
def _publications(
    control: Connection, printing: Printing, tables: list[TableName], source: str
) -> Iterator[Publications]:
    if printing.publication is not None:
        yield tap.named_publication(control, printing.publication, tables)
        return
    with tap.temporary_publications(control, tables, source) as made:
        yield made


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """One run, when all that it was asked for has been found at the source."""

    printing: Printing
    control: Connection
    request: Request
    wanted: frozenset[TableName] | None
    envelope: Envelope
    output: Output
    stop: threading.Event

    def run(self, note: Callable[[str], None], began: Callable[[], None] | None) -> None:
        with ExitStack() as opened:
            connection = opened.enter_context(replication.connect(self.printing.dsn))
            with _told_when_slow(note):
                tapped = self._begin(connection, opened)
            if self.printing.snapshot:
                self._print_existing(tapped)
            if self.output.ended.is_set() or self.stop.is_set():
                return
            # What is spooled there has no name, so nothing is left behind however this process ends.
            folder = Path(tempfile.gettempdir())
            changes = opened.enter_context(
                stream.start(connection, self.request, at=tapped.at, spool_folder=folder, linger=_LINGER)
            )
            if began is not None:
                began()
            self._print_changes(changes)

    def _begin(self, connection: Connection, opened: ExitStack) -> Tapped:
        tapped = tap.begin(
            self.control,
            connection,
            self.request,
            temporary=self.printing.slot is None,
            snapshot=self.printing.snapshot,
        )
        if not self.printing.snapshot or tapped.snapshot is not None:
            return tapped
        beside = opened.enter_context(replication.connect(self.printing.dsn))
        return tap.begin_beside(beside, self.request.source)

    def _print_existing(self, tapped: Tapped) -> None:
        readers = existing.Readers(self.printing.dsn, tapped.snapshot or "")
        try:
            tables = readers.tables(self.request.publications, self.wanted)
            for lines in existing.lines(readers, self.envelope, tables, readers.snapshot(tapped.at)):
                self.output.write(lines)
                if self.output.ended.is_set() or self.stop.is_set():
                    return
        finally:
            readers.close()

    def _print_changes(self, changes: ChangeStream) -> None:
        target = _wal_end(self.control) if self.printing.until_current else None
        printer = Printer(self.envelope, self.output, self.wanted, changes.confirm)
        try:
            while not (self.stop.is_set() or self.output.ended.is_set()):
                batch = changes.next_batch(timeout=_PATIENCE)
                if batch is not None:
                    printer.put(batch, stop=self.stop)
                if target is not None and _has_reached(target, batch, changes):
                    break
        finally:
            printer.finish(stop=self.stop)


def _has_reached(target: Lsn, batch: Batch | None, changes: ChangeStream) -> bool:
    return changes.wal_end >= target if batch is None else batch.complete and batch.end_lsn >= target


def _wal_end(control: Connection) -> Lsn:
    """Return where the WAL ends now; a page's header is not waited for, since nothing may follow it for long."""
    [(text,)] = control.execute(_WAL_END).fetchall()
    lsn = Lsn.parse(text)
    return Lsn(lsn - lsn % _PAGE) if lsn % _PAGE <= _PAGE_HEADER else lsn


@contextmanager
def _told_when_slow(note: Callable[[str], None]) -> Iterator[None]:
    """Say why it takes long to make a slot: it waits for every transaction that is open at the source."""
    words = "Still waiting for the slot: PostgreSQL makes it when every transaction open at the source has ended."
    timer = threading.Timer(_SLOW, note, [words])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
