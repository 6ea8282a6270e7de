"""The checkpoint only moves forward, in the hands of one worker."""

import pytest

from mdm import db
from mdm.capture import checkpoint
from mdm.capture.checkpoint import ERA, Checkpoint, CheckpointMoved, Move, Origin, Position, Progress
from mdm.capture.lsn import Lsn
from tests.integration.capture.worker.rig import Rig, wait_for

ORIGIN = Origin(system_identifier="7", timeline=1)


def begun(rig: Rig, at: int = 1000) -> Position:
    return checkpoint.begin(rig.hub, present(rig), origin=ORIGIN, consistent_point=Lsn(at))


def present(rig: Rig) -> Checkpoint:
    return checkpoint.get(rig.hub, rig.captured.source_id)


def at(lsn: int) -> Position:
    return Position(commit_lsn=Lsn(lsn), end_lsn=Lsn(lsn + 8))


def move(rig: Rig, known: Position, reached: Position, *, changes: int = 0) -> None:
    progress = Progress(changes=changes)
    checkpoint.advance(rig.hub, Move(source_id=rig.captured.source_id, known=known, reached=reached, progress=progress))


def test_a_new_slot_begins_one_before_its_consistent_point(rig: Rig) -> None:
    begun(rig)
    assert present(rig).position == Position(commit_lsn=Lsn(999), end_lsn=Lsn(1000))
    assert present(rig).origin == ORIGIN


def test_a_checkpoint_moves_forward_and_never_back(rig: Rig) -> None:
    start = begun(rig)
    move(rig, start, at(2000), changes=5)
    assert (present(rig).position, present(rig).changes) == (at(2000), 5)
    with pytest.raises(CheckpointMoved):
        move(rig, at(2000), at(1500))
    with pytest.raises(CheckpointMoved):
        move(rig, start, at(3000))
    assert present(rig).position == at(2000)


def test_a_slot_behind_the_checkpoint_begins_a_new_era(rig: Rig) -> None:
    begun(rig, 5000)
    position = begun(rig, 3000)
    assert position == Position(commit_lsn=Lsn(ERA + 2999), end_lsn=Lsn(ERA + 3000))
    assert (present(rig).era, present(rig).offset) == (1, ERA)
    assert begun(rig, 4000).end_lsn == ERA + 4000


def test_a_worker_that_was_taken_over_writes_no_more(rig: Rig) -> None:
    first = checkpoint.take_over(rig.hub, rig.captured.source_id)
    checkpoint.fence(rig.hub, rig.captured.source_id, first.worker)
    checkpoint.take_over(rig.hub, rig.captured.source_id)
    with pytest.raises(CheckpointMoved):
        checkpoint.fence(rig.hub, rig.captured.source_id, first.worker)


def test_the_lock_of_a_source_is_one_sessions_at_a_time(rig: Rig) -> None:
    source_id = rig.captured.source_id
    assert not checkpoint.is_held(rig.hub, source_id)
    with db.connect(rig.captured.hub_dsn) as other:
        assert checkpoint.try_lock(other, source_id)
        assert not checkpoint.try_lock(rig.hub, source_id)
        assert checkpoint.is_held(rig.hub, source_id)
    wait_for(lambda: checkpoint.try_lock(rig.hub, source_id))
