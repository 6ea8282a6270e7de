"""The listener: one session on which PostgreSQL tells of new feed entries and revoked keys, shared by all who wait."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import structlog
from prometheus_client import Gauge
from psycopg import sql

from mdm.api import keys
from mdm.distribution import feed
from mdm.telemetry import REGISTRY

_log = structlog.get_logger(__name__)

_WAITING = Gauge("mdm_feed_readers", "Readers of changes that are being answered or wait", registry=REGISTRY)

_PAUSE = 0.5  # seconds between attempts to listen again, and between looks whether to go on


class Listener:
    """Wakes those who wait for a view when it has new entries, and all of them when it may have missed some.

    Once it is closing nobody may wait any longer.
    """

    def __init__(self, dsn: str, *, on_revoked: Callable[[], None]) -> None:
        self._dsn = dsn
        self._on_revoked = on_revoked
        self._waiting: dict[int, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None
        self.is_closing = False

    async def open(self) -> None:
        """Begin to listen; returns at once."""
        self._task = asyncio.create_task(self._listen_for_ever())

    async def close(self) -> None:
        """Wake everybody and stop listening."""
        self.drain()
        if self._task:
            await self._task

    def drain(self) -> None:
        """Let nobody wait any longer, since the process is about to end."""
        self.is_closing = True
        self._wake_all()

    @contextmanager
    def watch(self, view_id: int) -> Iterator[asyncio.Event]:
        """Give an event that is set as soon as the view has new entries. Watch first, then look, then wait."""
        event = asyncio.Event()
        self._waiting.setdefault(view_id, set()).add(event)
        try:
            with _WAITING.track_inprogress():
                yield event
        finally:
            self._waiting[view_id].discard(event)

    async def _listen_for_ever(self) -> None:
        while not self.is_closing:
            try:
                await self._listen()
            except psycopg.OperationalError as error:
                _log.warning("api.listener_lost", error=type(error).__qualname__)
                await asyncio.sleep(_PAUSE)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self._dsn, autocommit=True, application_name="mdm serve listener"
        ) as connection:
            for channel in (feed.CHANNEL, keys.CHANNEL):
                await connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
            self._wake_all()
            self._on_revoked()
            while not self.is_closing:
                async for notice in connection.notifies(timeout=_PAUSE):
                    self._take(notice)

    def _take(self, notice: psycopg.Notify) -> None:
        if notice.channel == keys.CHANNEL:
            self._on_revoked()
        elif notice.payload:
            for view_id in notice.payload.split(","):
                self._wake(int(view_id))
        else:
            self._wake_all()

    def _wake(self, view_id: int) -> None:
        for event in self._waiting.get(view_id, ()):
            event.set()

    def _wake_all(self) -> None:
        for view_id in self._waiting:
            self._wake(view_id)
