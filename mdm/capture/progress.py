"""How far the load of a source is, as log lines of its worker."""

import time

import structlog

from mdm.capture import loads
from mdm.db import Connection

_log = structlog.get_logger(__name__)

_BETWEEN_LINES = 2.0


class LoadLog:
    """Writes a log line of a source's load now and then."""

    def __init__(self, source: str, source_id: int) -> None:
        self._source = source
        self._source_id = source_id
        self._due_at = time.monotonic() + _BETWEEN_LINES

    def write(self, hub: Connection) -> None:
        """Write how far the load is, unless a line was written just before."""
        if time.monotonic() >= self._due_at:
            self._due_at = time.monotonic() + _BETWEEN_LINES
            known = loads.list_loads(hub, self._source_id)
            _log.info(
                "load.progress",
                source=self._source,
                rows=sum(load.rows for load in known),
                chunks_done=sum(load.chunks_done for load in known),
                chunks=sum(load.chunks for load in known),
            )
