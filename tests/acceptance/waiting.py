"""Waiting on conditions, with a limit; no fixed sleeps stand in for something that can be asked."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
_BETWEEN_LOOKS = 0.05


class NotInTime(AssertionError):
    """What was waited for did not come to pass."""


def until(condition: Callable[[], Found], *, seconds: float, what: str) -> Found:
    """Wait until a condition holds and return what it gave; raises NotInTime after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise NotInTime(f"{what}: not within {seconds:.0f} seconds")
        time.sleep(_BETWEEN_LOOKS)
    return found
