"""Turns: two sessions master one after the other, and each gathers its turn while the other masters.

A turn is gathered from what the one before has left, and is lost with it: where that one fails, what it had taken
waits again, and comes first.
"""

from collections.abc import Collection
from threading import Event, Lock
from types import TracebackType
from typing import Self


class TurnLost(Exception):
    """What was gathered cannot be mastered: something else comes first, or part of it is no longer wanted."""


class Turns:
    """What the two sessions have in common. Once `are_over`, each leaves at the end of its turn."""

    def __init__(self) -> None:
        self.are_over = Event()
        self.gathering = Lock()
        self.mastering = Lock()
        self.in_hand: Collection[int] = ()
        self.failures = 0
        self.failures_in_a_row = 0


class Turn:
    """A turn of one session: entered when the other gathers nothing, left when the hub has committed it, or refused."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._is_gathering = self._is_mastering = self._has_failed = False
        self._failures_before = 0

    @property
    def in_hand(self) -> Collection[int]:
        """What the turn before this one has taken; nothing once that has ended."""
        return self._turns.in_hand

    @property
    def is_first_try(self) -> bool:
        """Whether nothing has failed since a turn was committed."""
        return self._turns.failures_in_a_row == 0

    def __enter__(self) -> Self:
        self._turns.gathering.acquire()
        self._is_gathering, self._failures_before = True, self._turns.failures
        return self

    def has_come(self, *, timeout: float = -1) -> bool:
        """Wait until the turn before has ended; False when that takes longer. Raises TurnLost when it failed."""
        self._is_mastering = self._is_mastering or self._turns.mastering.acquire(timeout=timeout)
        if self._is_mastering and self._turns.failures != self._failures_before:
            raise TurnLost
        return self._is_mastering

    def end_soon(self, taken: Collection[int]) -> None:
        """Let the other session gather what comes behind what was taken."""
        self._turns.in_hand = taken
        self._let_gather()

    def fail(self) -> int:
        """Have the turn that was gathered meanwhile be lost; return how many have failed in a row."""
        self._has_failed = True
        self._turns.failures += 1
        self._turns.failures_in_a_row += 1
        return self._turns.failures_in_a_row

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_mastering:
            if error is not None and not self._has_failed:
                self.fail()
            elif not self._has_failed:
                self._turns.failures_in_a_row = 0
            self._turns.in_hand = ()
            self._turns.mastering.release()
        self._let_gather()

    def _let_gather(self) -> None:
        if self._is_gathering:
            self._is_gathering = False
            self._turns.gathering.release()
