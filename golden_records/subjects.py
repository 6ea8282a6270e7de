"""Subjects: what a part opened, changed or closed that a person may have to settle; whoever keeps tasks reads them.

One row a conflict, violation, quarantined record, possible match or override, in the part that touched it.
"""

from enum import StrEnum

import psycopg


class Kind(StrEnum):
    """What kind of thing is to be settled; each has its own table and ids."""

    CONFLICT = "conflict"
    VIOLATION = "violation"
    QUARANTINE = "quarantine"
    MATCH = "match"
    OVERRIDE = "override"


def clear(connection: psycopg.Connection) -> None:
    """Forget what was noted so far."""
    connection.execute("truncate stage_subject")
