"""The replication connection, read ahead by a thread of its own that also keeps it alive.

While the consumer masters, the thread goes on answering: it tells the source every few seconds how far the hub has
committed, so that `wal_sender_timeout` is never reached, however long a batch takes. It reads ahead into a queue of
bounded size and stops reading when that is full; the source then waits.
"""

import struct
import threading
import time
from collections import deque
from dataclasses import dataclass

from psycopg import conninfo, pq

from mdm import db
from mdm.capture import refusals
from mdm.capture.copy_both import CopyBoth
from mdm.capture.errors import SourceRefused, StreamClosed
from mdm.capture.lsn import Lsn
from mdm.capture.refusals import Refusal, Request
from mdm.capture.wire import Wire

TEXT_OUTPUT = "-c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC -c extra_float_digits=1 -c bytea_output=hex"
"""Session settings under which a source prints its values: for the stream, and for what is to equal it."""

_KEEPALIVE = struct.Struct(">cQqB")
_PAUSE = 0.0002  # seconds between two reads: what comes meanwhile is read at once, which halves the cost of reading
_GATHERING = 0.005  # seconds until what is read on and on is handed over
_LONGEST_SILENCE = 10.0
_LEAST_BETWEEN = 0.05
_RETRY = 0.01
_FAREWELL = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Messages in the order of the stream; all that commits ahead of `wal_end` is in them or came before.

    `is_urgent` tells that the position is to be answered at once: the source waits for that, as it does when it shuts
    down, or the stream has just begun.
    """

    wire: Wire
    wal_end: Lsn | None
    is_urgent: bool


def connect(dsn: str, *, wait: float = 10.0) -> db.Connection:
    """Open a replication connection to a source's database; its session prints values as TEXT_OUTPUT says."""
    options = f"{conninfo.conninfo_to_dict(dsn).get('options') or ''} {TEXT_OUTPUT}".strip()
    asked = conninfo.make_conninfo(dsn, replication="database", options=options)
    try:
        return db.connect(asked, application_name="mdm capture", wait=wait)
    except db.DatabaseUnreachable as unreachable:
        raise refusals.at_connect(unreachable) from unreachable


def start(connection: db.Connection, request: Request, *, at: Lsn, queue_octets: int = 32 << 20) -> "ReplicationStream":
    """Begin to stream from a position on a connection of connect(), which the stream owns from then on.

    The source skips in silence to what was confirmed, so compare `at` with the slot before (slots.verify_start).
    """
    try:
        silence = _silence(connection)
        _begin(connection, request, at)
    except BaseException:
        connection.close()
        raise
    return ReplicationStream(CopyBoth(connection, request), at=at, silence=silence, queue_octets=queue_octets)


class ReplicationStream:
    """A running stream: take() what has arrived, confirm() what the hub has committed, from any thread.

    The confirmed position only moves forward; it is what the source is told to have been written and flushed.
    """

    def __init__(self, source: CopyBoth, *, at: Lsn, silence: float, queue_octets: int) -> None:
        self._source = source
        self._silence = silence
        self._limit = queue_octets
        self._changed = threading.Condition()
        self._arrivals: deque[Arrival] = deque()
        self._queued = 0
        self._gathered: list[memoryview] = []
        self._gathered_at = 0.0
        self._confirmed = at
        self._told = Lsn(0)
        self._told_at = -_LONGEST_SILENCE
        self._asked = False
        self._failure: BaseException | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="replication", daemon=True)
        self._thread.start()

    @property
    def has_more(self) -> bool:
        """Tell whether something has arrived that was not taken."""
        return bool(self._arrivals)

    @property
    def confirmed(self) -> Lsn:
        """How far the hub has confirmed."""
        return self._confirmed

    def take(self, *, timeout: float) -> Arrival | None:
        """Return the next that has arrived; None when nothing arrives in so many seconds.

        Raises the stream's own error once all that came before it has been taken.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._arrivals or self._failure, max(timeout, 0))
            if not self._arrivals:
                if self._failure is not None:
                    raise self._failure
                return None
            arrival = self._arrivals.popleft()
            was_full = self._queued >= self._limit
            self._queued -= arrival.wire.size
        if was_full:
            self._source.wake()
        return arrival

    def confirm(self, lsn: Lsn) -> None:
        """Let the source forget all that commits ahead of `lsn`; it never moves back."""
        with self._changed:
            is_news = lsn > self._confirmed
            self._confirmed = max(self._confirmed, lsn)
        if is_news:
            self._source.wake()

    def close(self) -> None:
        """Tell the source what was confirmed last, and leave the slot."""
        self._closing = True
        self._source.wake()
        self._thread.join()

    def _run(self) -> None:
        """Read until the stream ends or is closed; whatever ends it reaches the consumer."""
        failure: BaseException = StreamClosed("The replication stream was closed. Open a new one to go on.")
        try:
            self._read_on()
        except BaseException as error:  # noqa: BLE001 - the thread's outermost loop: take() raises it
            failure = error
        finally:
            self._source.close()
            with self._changed:
                self._failure = failure
                self._changed.notify_all()

    def _read_on(self) -> None:
        try:
            while not self._closing:
                self._round()
            self._say_farewell()
        finally:
            self._hand_over()

    def _round(self) -> None:
        self._answer()
        if self._queued >= self._limit:
            self._source.wait(max(self._until_next_word(), _RETRY), for_messages=False)
            return
        payloads = self._source.read()
        self._gathered += payloads
        if not payloads or time.monotonic() >= self._gathered_at + _GATHERING:
            self._hand_over()
        if payloads:
            time.sleep(_PAUSE)
        else:
            self._source.wait(max(self._until_next_word(), _RETRY))

    def _hand_over(self) -> None:
        """Pass on what was gathered: the fewer times the threads meet, the less they wait for each other."""
        payloads, self._gathered, self._gathered_at = self._gathered, [], time.monotonic()
        if payloads:
            self._put(self._arrival(payloads))

    def _arrival(self, payloads: list[memoryview]) -> Arrival:
        """Take the keepalives out."""
        wal_end, is_urgent = None, False
        if _KEEPALIVE.size in map(len, payloads):
            keepalives = [_KEEPALIVE.unpack(payload) for payload in payloads if len(payload) == _KEEPALIVE.size]
            payloads = [payload for payload in payloads if len(payload) != _KEEPALIVE.size]
            wal_end, is_urgent = Lsn(max(one[1] for one in keepalives)), any(one[3] for one in keepalives)
            self._asked |= is_urgent
        return Arrival(wire=Wire.pack(payloads), wal_end=wal_end, is_urgent=is_urgent)

    def _put(self, arrival: Arrival) -> None:
        with self._changed:
            self._arrivals.append(arrival)
            self._queued += arrival.wire.size
            self._changed.notify_all()

    def _answer(self) -> None:
        """Tell how far the hub has come, when it has come further, when asked, and after a while of silence."""
        if self._until_next_word() > 0 and not self._asked:
            return
        confirmed = self._confirmed
        if self._source.tell(confirmed):
            self._told, self._told_at, self._asked = confirmed, time.monotonic(), False

    def _until_next_word(self) -> float:
        wait = _LEAST_BETWEEN if self._confirmed > self._told else self._silence
        return self._told_at + wait - time.monotonic()

    def _say_farewell(self) -> None:
        deadline = time.monotonic() + _FAREWELL
        while not self._source.tell(self._confirmed) and time.monotonic() < deadline:
            self._source.wait(_LEAST_BETWEEN, for_messages=False)


def _begin(connection: db.Connection, request: Request, at: Lsn) -> None:
    result = connection.pgconn.exec_(_command(request, at, connection.info.server_version).encode())
    if result.status != pq.ExecStatus.COPY_BOTH:
        raise refusals.error(Refusal.of_result(result), request)


def _silence(connection: db.Connection) -> float:
    """Return for how many seconds the source may hear nothing: well within its patience."""
    row = connection.execute("select setting::float8 from pg_settings where name = 'wal_sender_timeout'").fetchone()
    patience = row[0] / 1000 if row else 0
    return min(_LONGEST_SILENCE, patience / 4) if patience else _LONGEST_SILENCE


def _command(request: Request, at: Lsn, version: int) -> str:
    if version < 140000:
        raise SourceRefused(
            f"The source {request.source} is older than PostgreSQL 14, which cannot stream a transaction in progress. "
            "Upgrade it."
        )
    options = {
        "proto_version": "2",
        "publication_names": ", ".join(refusals.quoted(name) for name in request.publications),
        "messages": "true",
        "streaming": "on",
    }
    if version >= 160000:
        options["origin"] = request.origin
    elif request.origin != "any":
        raise SourceRefused(
            f"The source {request.source} is older than PostgreSQL 16, which cannot tell its own changes from those "
            "it replicates from elsewhere. Upgrade it, or capture changes of any origin."
        )
    listed = ", ".join(f"{name} '{_escaped(value)}'" for name, value in options.items())
    return f"START_REPLICATION SLOT {refusals.quoted(request.slot)} LOGICAL {at} ({listed})"


def _escaped(text: str) -> str:
    return text.replace("'", "''")
