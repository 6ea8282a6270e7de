"""Trying again what another transaction stood in the way of."""

from collections.abc import Callable

import psycopg
import structlog

_log = structlog.get_logger(__name__)

ATTEMPTS = 5

RETRIED = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


def retried(work: Callable[[], None], *, source: str) -> None:
    """Do a transaction's work, again where it met another one; raises what the last attempt raised."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            work()
        except RETRIED:
            if attempt == ATTEMPTS:
                raise
            _log.info("batch.retried", source=source, attempt=attempt)
        else:
            return
