"""The worker of one source: takes the source's lock in the hub, captures, and begins anew after what passes by itself.

A second worker of the same source stands by until the lock is free. Whoever takes it over is numbered as the source's
worker, and what an earlier one still writes or has handed over is refused. What needs a person is noted in the
checkpoint and ends the worker; nothing is skipped or dropped.
"""

import threading
import time
from collections.abc import Callable
from contextlib import closing

import psycopg
import structlog

from mdm import db, mastering
from mdm.capture import checkpoint
from mdm.capture.capturing import Captured
from mdm.capture.checkpoint import CheckpointMoved
from mdm.capture.errors import CaptureError
from mdm.capture.lane import Lane
from mdm.capture.session import Session
from mdm.db import Connection, DatabaseUnreachable
from mdm.errors import MdmError

_log = structlog.get_logger(__name__)

NEEDS_PERSON = 3
"""Exit status of a worker whose source a person must mend."""

_BETWEEN_LOCK_TRIES = 0.1  # seconds: what one try costs is nothing beside a source that nobody captures
_SHORTEST_PAUSE = 0.2
_LONGEST_PAUSE = 15.0
_SETTLED_AFTER = 30.0


class CaptureFailed(MdmError):
    """A source cannot be captured until a person has mended it; the message is that of the cause."""

    exit_code = NEEDS_PERSON


def run(captured: Captured, stop: threading.Event, *, on_lock: Callable[[], None] = lambda: None) -> None:
    """Capture until `stop` is set; raises CaptureFailed when a person is needed."""
    pause = _SHORTEST_PAUSE
    while not stop.is_set():
        began = time.monotonic()
        try:
            _run_once(captured, stop, on_lock)
            pause = _SHORTEST_PAUSE
        except (CaptureError, DatabaseUnreachable, psycopg.OperationalError, psycopg.InterfaceError) as error:
            if isinstance(error, CaptureError) and not error.passes:
                raise _failed(captured, error) from error
            _note(captured, error, needs_person=False)
            pause = _SHORTEST_PAUSE if time.monotonic() - began > _SETTLED_AFTER else min(pause * 2, _LONGEST_PAUSE)
            _log.warning("capture.interrupted", source=captured.name, error=_said(error), again_in=pause)
            stop.wait(pause)
        except (MdmError, psycopg.Error) as error:
            raise _failed(captured, error) from error
        except Exception as error:
            _note(captured, error, needs_person=False)
            _log.exception("capture.crashed", source=captured.name)
            raise


def _run_once(captured: Captured, stop: threading.Event, on_lock: Callable[[], None]) -> None:
    """Wait for the lock, then capture until something ends it; the lock goes with the connection."""
    with captured.connect_hub() as hub:
        if not _await_lock(captured, hub, stop):
            return
        on_lock()
        mastering.tune(hub, terms=captured.terms)
        with closing(Lane(captured)) as lane:
            while not stop.is_set():
                state = checkpoint.take_over(hub, captured.source_id)
                Session(captured=captured, hub=hub, stop=stop, state=state, lane=lane).run()


def _await_lock(captured: Captured, hub: Connection, stop: threading.Event) -> bool:
    """Stand by while another worker captures the source; False when asked to stop."""
    is_standing_by = False
    while not checkpoint.try_lock(hub, captured.source_id):
        if not is_standing_by:
            _log.info("capture.standing_by", source=captured.name)
            is_standing_by = True
        if stop.wait(_BETWEEN_LOCK_TRIES):
            return False
    _log.info("capture.took_over" if is_standing_by else "capture.began", source=captured.name)
    return not stop.is_set()


def _failed(captured: Captured, error: Exception) -> CaptureFailed:
    _note(captured, error, needs_person=True)
    _log.error("capture.failed", source=captured.name, error=_said(error))
    return CaptureFailed(_said(error))


def _note(captured: Captured, error: Exception, *, needs_person: bool) -> None:
    """Write an error into the checkpoint, where the hub can be reached; the log has it in any case."""
    if isinstance(error, CheckpointMoved):
        return
    try:
        with db.connect(captured.hub_dsn, application_name=f"mdm capture {captured.name}", wait=0) as hub:
            checkpoint.fail(hub, captured.source_id, error=_said(error), needs_person=needs_person)
    except (DatabaseUnreachable, psycopg.Error):
        _log.warning("capture.error_not_noted", source=captured.name)


def _said(error: Exception) -> str:
    """Return what may be shown of an error: PostgreSQL's own words may quote a row, so of those only the kind."""
    if isinstance(error, psycopg.Error):
        state = error.diag.sqlstate
        place = f" in {error.diag.table_name}" if error.diag.table_name else ""
        return f"PostgreSQL: {type(error).__name__}{place} (SQLSTATE {state or 'none: the connection was lost'})"
    return str(error) if isinstance(error, MdmError) else f"unexpected {type(error).__name__}, see the log"
