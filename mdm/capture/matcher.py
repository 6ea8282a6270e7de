"""The matcher: one run of matching after another, by a process of its own, so that no worker ever waits for one.

While a source is being loaded it rests: the load needs the machine, and what it brings is best compared once it is all
there. Where another matcher of the hub is at it, this one has nothing to do.
"""

import threading
from collections.abc import Callable

import structlog

from golden_records.match_runs import Run
from mdm import matching
from mdm.capture import checkpoint
from mdm.db import Connection
from mdm.matching import Scope

_log = structlog.get_logger(__name__)

_BETWEEN_LOOKS = 5.0

NAME = "matching"
"""What the log calls the matcher, among the workers of the sources."""


def keep(connection: Connection, stop: threading.Event, *, every: float, match: Callable[[], None]) -> None:
    """Match now and after every so many seconds until `stop` is set; a run that is begun ends after its step."""
    while not stop.is_set():
        is_loading = checkpoint.are_any_loading(connection)
        if not is_loading:
            match()
        stop.wait(min(every, _BETWEEN_LOOKS) if is_loading else every)


def match(connection: Connection, stop: threading.Event, *, limit: int) -> None:
    """Compare what has changed, and say so in the log."""
    done = matching.run(connection, Scope(limit=limit, is_over=stop.is_set))
    if done is not None and done.noted:
        _log.info("matching.ran", **_counts(done))


def _counts(done: Run) -> dict[str, int]:
    names = ("compared", "pairs", "opened", "closed", "cut_pairs")
    return {name: getattr(done, name) for name in names}
