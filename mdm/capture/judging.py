"""Judging: what the lane has mastered is judged by the rules right after, while it masters on."""

import psycopg
import structlog

from golden_records import unjudged
from mdm import db, mastering
from mdm.capture.isolating import REFUSED
from mdm.capture.retrying import RETRIED
from mdm.db import Connection

_log = structlog.get_logger(__name__)

_NOTES = 50  # a turn has one for each kind of record, seven at most


def judge(hub: Connection) -> None:
    """Judge what waits for it; what others stand in the way of waits on."""
    notes = _NOTES
    while True:
        try:
            with db.transaction(hub):
                if not mastering.judge(hub, notes=notes):
                    return
        except (psycopg.errors.LockNotAvailable, *RETRIED):
            return
        except REFUSED as refused:
            if notes == 1:
                _halve(hub, refused)
            notes = 1


def _halve(hub: Connection, refused: psycopg.Error) -> None:
    """Have the halves of what PostgreSQL refuses judged apart; a record that it refuses alone is judged no more."""
    with db.transaction(hub):
        dropped = unjudged.split(hub)
    for kind, golden_ids in dropped:
        _log.error("verdict.refused", kind=kind, golden_ids=golden_ids, error=type(refused).__name__)
