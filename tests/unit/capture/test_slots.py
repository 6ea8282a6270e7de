"""A stream starts only where it would go on without a gap; every refusal names the way back."""

from dataclasses import replace

import pytest

from mdm.capture import slots
from mdm.capture.checkpoint import Origin
from mdm.capture.errors import (
    CaptureError,
    SlotActive,
    SlotAhead,
    SlotLost,
    SlotMissing,
    SlotUnusable,
    SourceReplaced,
    SourceRewound,
    TimelineChanged,
)
from mdm.capture.lsn import Lsn
from mdm.capture.refusals import Request
from mdm.capture.slots import Identity, Slot

ORIGIN = Origin(system_identifier="7001", timeline=1)
IDENTITY = Identity(origin=ORIGIN, wal_end=Lsn(9000), database="smrs10")
REQUEST = Request(source="smrs10", slot="mdm_smrs10", publications=("mdm",))
SLOT = Slot(
    name="mdm_smrs10",
    plugin="pgoutput",
    database="smrs10",
    active_pid=None,
    restart_lsn=Lsn(1000),
    confirmed_flush_lsn=Lsn(5000),
    wal_status="reserved",
    safe_wal_size=None,
    retained=8000,
    two_phase=False,
    invalidation=None,
)


def verify(*, at: int = 5000, slot: Slot | None = SLOT, identity: Identity = IDENTITY) -> bool:
    slots.verify_start(Lsn(at), ORIGIN, slot=slot, identity=identity, request=REQUEST)
    return True


@pytest.mark.parametrize("at", [5000, 6000, 9000])
def test_a_checkpoint_at_or_beyond_what_was_confirmed_may_start(at: int) -> None:
    assert verify(at=at)


@pytest.mark.parametrize("status", ["reserved", "extended", "unreserved"])
def test_a_slot_in_danger_may_still_start(status: str) -> None:
    assert verify(slot=replace(SLOT, wal_status=status))


@pytest.mark.parametrize(
    ("slot", "error"),
    [
        (None, SlotMissing),
        (replace(SLOT, wal_status="lost"), SlotLost),
        (replace(SLOT, invalidation="wal_removed"), SlotLost),
        (replace(SLOT, restart_lsn=None), SlotLost),
        (replace(SLOT, confirmed_flush_lsn=Lsn(5001)), SlotAhead),
        (replace(SLOT, plugin="test_decoding"), SlotUnusable),
        (replace(SLOT, plugin=None, database=None), SlotUnusable),
        (replace(SLOT, database="mss"), SlotUnusable),
        (replace(SLOT, two_phase=True), SlotUnusable),
    ],
)
def test_a_slot_that_cannot_go_on_is_refused_with_the_way_back(slot: Slot | None, error: type[CaptureError]) -> None:
    with pytest.raises(error, match="mdm source reload smrs10") as raised:
        verify(slot=slot)
    assert not raised.value.passes


@pytest.mark.parametrize(
    ("identity", "error"),
    [
        (replace(IDENTITY, origin=Origin(system_identifier="7002", timeline=1)), SourceReplaced),
        (replace(IDENTITY, origin=Origin(system_identifier="7001", timeline=2)), TimelineChanged),
        (replace(IDENTITY, wal_end=Lsn(4999)), SourceRewound),
    ],
)
def test_another_history_is_refused_whatever_its_slot(identity: Identity, error: type[CaptureError]) -> None:
    for slot in (SLOT, None):
        with pytest.raises(error, match="mdm source reload smrs10"):
            verify(identity=identity, slot=slot)


def test_a_slot_that_another_worker_reads_lets_this_one_stand_by() -> None:
    with pytest.raises(SlotActive, match="process id 42") as raised:
        verify(slot=replace(SLOT, active_pid=42))
    assert raised.value.passes


def test_what_cannot_pass_is_told_before_what_passes() -> None:
    with pytest.raises(SlotAhead):
        verify(slot=replace(SLOT, active_pid=42, confirmed_flush_lsn=Lsn(5001)))
