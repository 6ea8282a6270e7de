"""Two sessions master one after the other; what was gathered behind a turn that fails is lost."""

import threading
from contextlib import suppress

import pytest

from mdm.capture.turns import Turn, TurnLost, Turns


def test_the_next_turn_is_gathered_when_this_one_ends_soon_and_comes_when_it_has_ended() -> None:
    turns = Turns()
    gathering = threading.Event()
    came: list[bool] = []

    def take_next() -> None:
        with Turn(turns) as following:
            came.append(following.has_come(timeout=0.01))
            assert list(following.in_hand) == [7]
            gathering.set()
            came.append(following.has_come())
            assert not list(following.in_hand)

    with Turn(turns) as turn:
        assert turn.has_come(timeout=0)
        other = threading.Thread(target=take_next)
        other.start()
        assert not gathering.wait(0.05)
        turn.end_soon([7])
        assert gathering.wait(5)
    other.join(5)
    assert came == [False, True]


def test_a_turn_that_was_gathered_behind_one_that_fails_is_lost() -> None:
    turns = Turns()
    first = Turn(turns).__enter__()
    assert first.has_come()
    first.end_soon([1])
    behind = Turn(turns).__enter__()
    assert not behind.has_come(timeout=0)
    assert first.fail() == 1
    first.__exit__(None, None, None)
    with pytest.raises(TurnLost):
        behind.has_come()
    behind.__exit__(None, None, None)
    with Turn(turns) as again:
        assert again.has_come(timeout=0)
    assert turns.failures_in_a_row == 0


def test_an_exception_is_a_failure_and_one_before_the_turn_has_come_is_nobodys() -> None:
    turns = Turns()
    with suppress(ZeroDivisionError), Turn(turns) as turn:
        assert turn.has_come()
        raise ZeroDivisionError
    assert (turns.failures, turns.failures_in_a_row) == (1, 1)
    with suppress(ZeroDivisionError), Turn(turns):
        raise ZeroDivisionError
    assert turns.failures == 1
    with Turn(turns) as turn:
        assert turn.has_come(timeout=0)
        assert turn.fail() == 2
