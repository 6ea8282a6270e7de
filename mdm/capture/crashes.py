"""Named points between each two durable steps of capture, at which a test stops the worker (law 1).

A point does nothing unless MDM_CRASH_AT names it: then the process ends there at once, as by kill -9. `point:3` means
the third time that it is passed.
"""

import os
import signal
from collections.abc import Callable
from enum import StrEnum
from itertools import count


class Point(StrEnum):
    """The points, in the order in which capture passes them."""

    SLOT_CREATED = "slot_created"
    LOAD_PLANNED = "load_planned"
    CHUNK_READ = "chunk_read"
    CHUNK_MASTERED = "chunk_mastered"
    CHUNK_COMMITTED = "chunk_committed"
    RANGE_ASSEMBLED = "range_assembled"
    RANGE_COMMITTED = "range_committed"
    BATCH_TAKEN = "batch_taken"
    BATCH_HANDED = "batch_handed"
    PART_MASTERED = "part_mastered"
    CHECKPOINT_WRITTEN = "checkpoint_written"
    HUB_COMMITTED = "hub_committed"
    SLOT_CONFIRMED = "slot_confirmed"
    LOW_MARK_WRITTEN = "low_mark_written"
    HIGH_MARK_WRITTEN = "high_mark_written"


Passing = Callable[[Point], None]
"""Called at each point."""


def pass_by(_point: Point) -> None:
    """Do nothing."""


def armed(wanted: str | None) -> Passing:
    """Return what MDM_CRASH_AT asks for: nothing, or the end of the process at a point."""
    if not wanted:
        return pass_by
    name, _, which = wanted.partition(":")
    fatal, passed, last = Point(name), count(1), int(which or "1")

    def crash(point: Point) -> None:
        if point is fatal and next(passed) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    return crash
