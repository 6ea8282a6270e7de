"""Transactions come out whole and in commit order; what is streamed waits for its commit and vanishes if it aborts."""

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm.capture.assembly import Assembly
from mdm.capture.backlog import Limits
from mdm.capture.errors import DecodeError, SpoolFailed
from mdm.capture.wire import Wire
from tests.unit.capture import encoder, flat, streams
from tests.unit.capture.encoder import Tape
from tests.unit.capture.flat import Change

POINT = encoder.table("point", ["mpan"])
WIDER = encoder.table("point", ["mpan", "added"])


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spool")


def point(mpan: str, *, xid: int | None = None) -> bytes:
    return encoder.insert(POINT.oid, [mpan], xid=xid)


def segment(xid: int, *bodies: bytes, first: bool = False) -> Sequence[bytes]:
    return [encoder.stream_start(xid, first=first), *bodies, encoder.stream_stop()]


def commit(xid: int) -> bytes:
    return encoder.stream_commit(xid, xid * 0x100, xid * 0x100 + 0x30)


def mpans(changes: Sequence[Change]) -> list[object]:
    return [change.after[0] for change in changes]


def feed(assembly: Assembly, *bodies: bytes) -> None:
    assembly.feed(Wire.pack(Tape().add(*bodies).payloads))


def test_transactions_fill_a_batch_up_to_its_limit(spool: Path) -> None:
    tape = Tape().transaction(7, encoder.relation(POINT), point("1"), point("2"))
    tape.transaction(8, point("3")).transaction(9, point("4"), point("5"))
    batches = flat.decode(tape.payloads, spool, limits=Limits(rows=3))
    assert [batch.transactions["xid"].to_list() for batch in batches] == [[7, 8], [9]]
    assert [batch.end_lsn for batch in batches] == [0x830, 0x930]


def test_no_transaction_is_begun_behind_enough_changes_and_each_stays_whole(spool: Path) -> None:
    tape = Tape().transaction(7, encoder.relation(POINT), point("1")).transaction(8, point("2"))
    tape.transaction(9, point("3"), point("4"), point("5")).transaction(10, point("6"))
    batches = flat.decode(tape.payloads, spool, limits=Limits(rows=4, enough=2))
    assert [batch.transactions["xid"].to_list() for batch in batches] == [[7, 8], [9], [10]]
    assert all(batch.complete for batch in batches)


def test_a_larger_transaction_comes_in_parts_with_dense_ordinals(spool: Path) -> None:
    tape = Tape().transaction(6, encoder.relation(POINT), point("0"))
    tape.transaction(7, *(point(str(row)) for row in range(1, 8))).transaction(8, point("8"))
    batches = flat.decode(tape.payloads, spool, limits=Limits(rows=3))
    assert [(batch.transactions["xid"].to_list(), batch.complete) for batch in batches] == [
        ([6], True),
        ([7], False),
        ([7], False),
        ([7], True),
        ([8], True),
    ]
    assert [change.ordinal for change in flat.changes(batches)] == [1, *range(1, 8), 1]
    assert [batch.end_lsn for batch in batches] == [0x630, 0x700, 0x700, 0x730, 0x830]


def test_nothing_is_given_before_its_commit_has_come(spool: Path) -> None:
    assembly = Assembly(spool)
    feed(assembly, encoder.begin(7, 0x700), encoder.relation(POINT), point("1"))
    assert assembly.take(eager=True) is None
    assert not assembly.is_idle
    feed(assembly, encoder.commit(0x700, 0x730))
    assert assembly.take(eager=False) is None
    assert assembly.take(eager=True) is not None
    assert assembly.is_idle


def test_a_streamed_transaction_comes_at_its_commit_behind_what_committed_before(spool: Path) -> None:
    tape = Tape().add(*segment(9, encoder.relation(POINT, xid=9), point("first", xid=9), first=True))
    tape.transaction(7, encoder.relation(POINT), point("1"))
    tape.add(*segment(9, point("second", xid=9))).transaction(8, point("2")).add(commit(9)).transaction(10, point("3"))
    batches = flat.decode(tape.payloads, spool)
    assert [batch.transactions["xid"].to_list() for batch in batches] == [[7, 8], [9], [10]]
    assert mpans(flat.changes(batches)) == ["1", "2", "first", "second", "3"]
    assert batches[1].end_lsn == 0x930


def test_an_aborted_streamed_transaction_leaves_no_trace(spool: Path) -> None:
    assembly = Assembly(spool)
    feed(assembly, *segment(9, encoder.relation(POINT, xid=9), point("1", xid=9), first=True))
    assert assembly.spooled_octets > 0
    feed(assembly, encoder.stream_abort(9, 9))
    assert assembly.take(eager=True) is None
    assert assembly.spooled_octets == 0
    assert list(spool.iterdir()) == []


def test_changes_of_a_rolled_back_sub_transaction_are_left_out_and_not_counted(spool: Path) -> None:
    tape = Tape().add(
        *segment(9, encoder.relation(POINT, xid=9), point("1", xid=9), point("2", xid=10), first=True),
        encoder.stream_abort(9, 10),
        *segment(9, point("3", xid=11), encoder.truncate([POINT.oid], xid=9)),
        commit(9),
    )
    found = flat.changes(flat.decode(tape.payloads, spool))
    assert [(change.ordinal, change.op, change.after[0]) for change in found] == [
        (1, "c", "1"),
        (2, "c", "3"),
        (3, "t", None),
    ]


def test_a_definition_sent_in_a_rolled_back_sub_transaction_still_counts(spool: Path) -> None:
    tape = Tape().add(
        *segment(9, encoder.relation(POINT, xid=10), point("1", xid=10), first=True),
        encoder.stream_abort(9, 10),
        *segment(9, point("2", xid=9)),
        commit(9),
    )
    assert mpans(flat.changes(flat.decode(tape.payloads, spool))) == ["2"]


def test_a_definition_of_a_streamed_transaction_counts_from_its_commit_on(spool: Path) -> None:
    tape = Tape().transaction(7, encoder.relation(POINT), point("1"))
    tape.add(*segment(9, encoder.relation(WIDER, xid=9), encoder.insert(POINT.oid, ["2", "x"], xid=9), first=True))
    tape.transaction(8, point("3")).add(commit(9)).transaction(10, encoder.insert(POINT.oid, ["4", "y"]))
    found = flat.changes(flat.decode(tape.payloads, spool))
    assert [change.after for change in found] == [("1",), ("3",), ("2", "x"), ("4", "y")]


def test_a_definition_of_an_aborted_transaction_never_counts(spool: Path) -> None:
    tape = Tape().transaction(7, encoder.relation(POINT), point("1"))
    tape.add(*segment(9, encoder.relation(WIDER, xid=9), first=True), encoder.stream_abort(9, 9))
    tape.transaction(8, point("2"))
    assert mpans(flat.changes(flat.decode(tape.payloads, spool))) == ["1", "2"]


def test_a_definition_that_came_later_outlives_a_streamed_one(spool: Path) -> None:
    tape = Tape().add(*segment(9, encoder.relation(WIDER, xid=9), first=True))
    tape.transaction(7, encoder.relation(POINT), point("1")).add(commit(9)).transaction(10, point("2"))
    assert mpans(flat.changes(flat.decode(tape.payloads, spool))) == ["1", "2"]


def test_a_streamed_transaction_larger_than_a_batch_comes_in_parts(spool: Path) -> None:
    rows = [point(str(row), xid=9) for row in range(7)]
    tape = Tape().add(
        *segment(9, encoder.relation(POINT, xid=9), *rows[:2], first=True), *segment(9, *rows[2:]), commit(9)
    )
    batches = flat.decode(tape.payloads, spool, limits=Limits(rows=3))
    assert [batch.complete for batch in batches] == [False, False, True]
    assert [change.ordinal for change in flat.changes(batches)] == [1, 2, 3, 4, 5, 6, 7]
    assert [batch.end_lsn for batch in batches] == [0x900, 0x900, 0x930]


def test_an_origin_is_kept_for_every_part_of_a_streamed_transaction(spool: Path) -> None:
    bodies = [encoder.origin("elsewhere"), encoder.relation(POINT, xid=9), point("1", xid=9), point("2", xid=9)]
    tape = Tape().add(*segment(9, *bodies, first=True), commit(9))
    batches = flat.decode(tape.payloads, spool, limits=Limits(rows=1))
    assert [batch.transactions["origin"].to_list() for batch in batches] == [["elsewhere"], ["elsewhere"]]


def test_a_logical_message_of_a_streamed_transaction_comes_at_its_commit(spool: Path) -> None:
    said = encoder.message("note", b"word", transactional=True, xid=9)
    tape = Tape().add(*segment(9, encoder.relation(POINT, xid=9), point("1", xid=9), said, first=True), commit(9))
    (batch,) = flat.decode(tape.payloads, spool)
    assert [(message.content, message.tx, message.ordinal) for message in batch.messages] == [(b"word", 0, 1)]


@pytest.mark.parametrize(
    "bodies",
    [
        [commit(9)],
        [encoder.stream_stop()],
        [encoder.stream_start(9, first=False)],
        [*segment(9, first=True), *segment(9, first=True)],
        [encoder.stream_start(9, first=True), encoder.stream_start(9, first=False)],
        [encoder.stream_start(9, first=True), commit(9)],
        [*segment(9, encoder.begin(7, 7), first=True), commit(9)],
        [encoder.begin(7, 0x700), *segment(9, first=True), commit(9), encoder.commit(0x700, 0x730)],
        [encoder.stream_start(9, first=True) + b"x"],
    ],
)
def test_streaming_out_of_turn_is_refused(bodies: list[bytes], spool: Path) -> None:
    with pytest.raises(DecodeError):
        flat.decode(Tape().add(*bodies).payloads, spool)


def test_a_full_disk_says_so_and_leaves_nothing(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("r+b")  # noqa: SIM115 - the assembly closes it
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
    assembly = Assembly(spool)
    with pytest.raises(SpoolFailed, match=os.strerror(errno.ENOSPC)):
        feed(assembly, *segment(9, encoder.relation(POINT, xid=9), first=True))
    assembly.close()
    assert full.closed
    assert list(spool.iterdir()) == []


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolFailed, match="cannot be kept in"):
        feed(Assembly(tmp_path / "file"), encoder.stream_start(9, first=True))


@st.composite
def interleaved(draw: st.DrawFn) -> tuple[list[bytes], list[Change]]:
    """Draw transactions that are streamed in pieces, among plain ones; some of them, or parts of them, roll back."""
    known = draw(streams.tables())
    announced = [encoder.relation(table) for table in known]
    tape = Tape().transaction(100, *announced)
    pieces = draw(st.lists(st.tuples(st.integers(200, 203), st.booleans()), max_size=8))
    pending: dict[int, list[tuple[int, streams.Drawn]]] = {}
    expected: list[Change] = []
    for number, (xid, is_plain) in enumerate(pieces):
        if is_plain:
            drawn = draw(st.lists(streams.changes(known), max_size=3))
            expected += [change.placed(300 + number, place) for place, change in enumerate(drawn, 1)]
            tape.transaction(300 + number, *(change.message for change in drawn))
            continue
        sub_xid = draw(st.sampled_from([xid, xid * 10, xid * 10 + 1]))
        drawn = draw(st.lists(streams.changes(known, sub_xid), max_size=3))
        first = xid not in pending
        defined = [encoder.relation(table, xid=xid) for table in known] if first else []
        tape.add(*segment(xid, *defined, *(change.message for change in drawn), first=first))
        pending.setdefault(xid, []).extend((sub_xid, change) for change in drawn)
    for xid, made in pending.items():
        rolled_back = draw(st.sampled_from([{xid}, {xid * 10}, set()]))
        tape.add(*(encoder.stream_abort(xid, sub_xid) for sub_xid in rolled_back))
        if xid not in rolled_back:
            kept = [change for sub_xid, change in made if sub_xid not in rolled_back]
            expected += [change.placed(xid, place) for place, change in enumerate(kept, 1)]
            tape.add(commit(xid))
    return tape.payloads, expected


@settings(max_examples=100, deadline=None)
@given(drawn=interleaved(), chunk=st.integers(1, 7), rows=st.integers(1, 5), few=st.sampled_from([0, 2, 50]))
def test_streamed_and_plain_transactions_come_out_in_commit_order(
    drawn: tuple[list[bytes], list[Change]], chunk: int, rows: int, few: int, spool: Path
) -> None:
    payloads, expected = drawn
    assert flat.changes(flat.decode(payloads, spool, chunk=chunk, limits=Limits(rows=rows, few=few))) == expected
