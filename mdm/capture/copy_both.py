"""One replication connection in copy-both mode: what arrives is read, how far the hub has come is told, nothing blocks.

It belongs to one thread, but for wake(). It waits on its socket with a selector, never inside libpq.
"""

import selectors
import socket
import struct
import time
from contextlib import suppress

import psycopg
from psycopg import pq

from mdm import db
from mdm.capture import refusals
from mdm.capture.errors import CaptureError
from mdm.capture.lsn import Lsn
from mdm.capture.refusals import Refusal, Request

_STATUS = struct.Struct(">cQQQqB")
_POSTGRES_EPOCH = 946_684_800.0
_TLS_POLL = 0.02  # seconds; octets that TLS has read ahead do not show on the socket
_TLS_READING = 0.005


class CopyBoth:
    """The socket of a stream that START_REPLICATION has begun; it owns the connection."""

    def __init__(self, connection: db.Connection, request: Request) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._pgconn.nonblocking = 1
        self._request = request
        self._ending: CaptureError | None = None
        self._is_flushed = True
        self._waker, self._woken = socket.socketpair()
        self._waker.settimeout(0)
        self._woken.settimeout(0)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pgconn.socket, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        connection.add_notice_handler(self._notice)

    def read(self) -> list[memoryview]:
        """Return the messages that have arrived, perhaps none; raises CaptureError when the stream has ended."""
        payloads = self._read_once()
        if self._pgconn.ssl_in_use:
            payloads += self._read_on(payloads)
        if self._ending is not None and not payloads:
            raise self._ending
        return payloads

    def tell(self, confirmed: Lsn) -> bool:
        """Tell the source that all that commits ahead of `confirmed` is safe; False when its socket is full."""
        clock = int((time.time() - _POSTGRES_EPOCH) * 1_000_000)
        message = _STATUS.pack(b"r", confirmed, confirmed, confirmed, clock, 0)
        try:
            told = self._pgconn.put_copy_data(message) == 1
            self.flush()
        except psycopg.Error as error:
            self._ending = self._ending or refusals.disconnected(str(error).strip())
            return False
        return told

    def flush(self) -> None:
        """Send what could not be sent before."""
        self._is_flushed = self._pgconn.flush() == 0

    def wait(self, timeout: float, *, for_messages: bool = True) -> None:
        """Wait until something may be read or sent, until somebody calls wake(), or until the time is over."""
        events = selectors.EVENT_READ if for_messages else 0
        events |= 0 if self._is_flushed else selectors.EVENT_WRITE
        ready = self._select(events, min(timeout, _TLS_POLL) if self._pgconn.ssl_in_use else timeout)
        if self._woken in ready:
            with suppress(BlockingIOError):
                self._woken.recv(4096)
        if not self._is_flushed:
            self.flush()

    def wake(self) -> None:
        """End a wait() in another thread."""
        with suppress(OSError):
            self._waker.send(b"\0")

    def close(self) -> None:
        """Close the connection; the slot is free for others then."""
        self._connection.close()
        self._selector.close()
        self._woken.close()
        self._waker.close()

    def _select(self, events: int, timeout: float) -> list[object]:
        watched = self._pgconn.socket
        if not events:
            self._selector.unregister(watched)
        else:
            self._selector.modify(watched, events)
        try:
            return [key.fileobj for key, _ in self._selector.select(max(timeout, 0))]
        finally:
            if not events:
                self._selector.register(watched, selectors.EVENT_READ)

    def _read_on(self, payloads: list[memoryview]) -> list[memoryview]:
        """Read as long as something comes, for a while: TLS gives one record at a time, most often one message."""
        further: list[memoryview] = []
        until = time.monotonic() + _TLS_READING
        while payloads and self._ending is None and time.monotonic() < until:
            payloads = self._read_once()
            further += payloads
        return further

    def _read_once(self) -> list[memoryview]:
        if self._ending is not None:
            return []
        try:
            self._pgconn.consume_input()
        except psycopg.Error as error:
            self._ending = refusals.disconnected(str(error).strip())
        return self._drain()

    def _drain(self) -> list[memoryview]:
        payloads: list[memoryview] = []
        get, append = self._pgconn.get_copy_data, payloads.append
        try:
            size, payload = get(1)
            while size > 0:
                append(payload)
                size, payload = get(1)
            if size < 0:
                self._ending = self._ending or self._ended()
        except psycopg.Error as error:
            self._ending = self._ending or refusals.disconnected(str(error).strip())
        return payloads

    def _ended(self) -> CaptureError:
        result = self._pgconn.get_result()
        if result is not None and result.status == pq.ExecStatus.FATAL_ERROR:
            return refusals.error(Refusal.of_result(result), self._request)
        return refusals.disconnected("the server ended the stream, as it does when it shuts down")

    def _notice(self, said: psycopg.errors.Diagnostic) -> None:
        """Take a warning about a publication for an error: from PostgreSQL 18 its changes are skipped."""
        if Refusal.of_diagnostic(said).concerns_publication:
            self._ending = refusals.publication_missing(self._request)
