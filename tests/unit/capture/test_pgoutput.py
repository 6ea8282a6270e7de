"""Arbitrary streams come out as they went in; damaged ones are refused, or read as octet by octet they would be."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm.capture.backlog import Limits
from mdm.capture.errors import DecodeError
from mdm.capture.lsn import Lsn
from tests.unit.capture import encoder, flat, reference, streams
from tests.unit.capture.encoder import UNCHANGED, Tape
from tests.unit.capture.flat import Change

POINT = encoder.table("point", ["mpan", "status", "note"])
METER = encoder.table("meter", ["serial", "make"], oid=16390, identity="f")
FEW = st.sampled_from([0, 2, 50])  # by columns, by either way, row by row


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spool")


@settings(max_examples=60, deadline=None)
@given(drawn=streams.plain(), chunk=st.integers(1, 7), rows=st.integers(1, 5), octets=st.integers(1, 2000), few=FEW)
def test_what_is_encoded_is_decoded(
    drawn: tuple[list[bytes], list[Change]], chunk: int, rows: int, octets: int, few: int, spool: Path
) -> None:
    payloads, expected = drawn
    batches = flat.decode(payloads, spool, chunk=chunk, limits=Limits(rows=rows, octets=octets, few=few))
    assert flat.changes(batches) == expected
    assert reference.read(payloads) == expected


@settings(max_examples=60, deadline=None)
@given(drawn=streams.plain(), rows=st.integers(1, 3))
def test_a_part_belongs_to_one_transaction_and_the_last_part_ends_it(
    drawn: tuple[list[bytes], list[Change]], rows: int, spool: Path
) -> None:
    unfinished: int | None = None
    for batch in flat.decode(drawn[0], spool, limits=Limits(rows=rows)):
        xids = batch.transactions["xid"].to_list()
        assert unfinished is None or xids == [unfinished]
        assert batch.complete or len(xids) == 1
        unfinished = None if batch.complete else xids[0]
        assert batch.transactions["end_lsn"].null_count() == (0 if batch.complete else 1)
    assert unfinished is None


@settings(max_examples=200, deadline=None)
@given(drawn=streams.plain(), draw=st.data(), few=FEW)
def test_a_damaged_stream_is_refused_or_read_as_it_stands(
    drawn: tuple[list[bytes], list[Change]], draw: st.DataObject, few: int, spool: Path
) -> None:
    payloads = list(drawn[0])
    place = draw.draw(st.integers(0, len(payloads) - 1))
    payloads[place] = _damaged(payloads[place], draw)
    try:
        expected = reference.read(payloads)
    except reference.Malformed:
        with pytest.raises((DecodeError, flat.Unfinished)):
            flat.decode(payloads, spool, limits=Limits(few=few))
    else:
        assert flat.changes(flat.decode(payloads, spool, limits=Limits(few=few))) == expected


def _damaged(payload: bytes, draw: st.DataObject) -> bytes:
    at = draw.draw(st.integers(0, len(payload) - 1))
    match draw.draw(st.sampled_from(["cut", "flip", "insert", "remove"])):
        case "cut":
            return payload[:at]
        case "flip":
            return payload[:at] + bytes([payload[at] ^ draw.draw(st.integers(1, 255))]) + payload[at + 1 :]
        case "insert":
            return payload[:at] + draw.draw(st.binary(min_size=1, max_size=3)) + payload[at:]
        case _:
            return payload[:at] + payload[at + 1 :]


@settings(max_examples=60, deadline=None)
@given(drawn=streams.plain(), draw=st.data())
def test_every_truncation_of_a_row_is_refused(
    drawn: tuple[list[bytes], list[Change]], draw: st.DataObject, spool: Path
) -> None:
    payloads = list(drawn[0])
    place = draw.draw(st.integers(0, len(payloads) - 1))
    payloads[place] = payloads[place][: draw.draw(st.integers(0, len(payloads[place]) - 1))]
    with pytest.raises(DecodeError):
        flat.decode(payloads, spool)


def test_null_empty_text_and_text_differ(spool: Path) -> None:
    tape = Tape().transaction(7, encoder.relation(POINT), encoder.insert(POINT.oid, ["1", "", None]))
    (batch,) = flat.decode(tape.payloads, spool)
    assert batch.tables[0].after.row(0) == ("1", "", None)


def test_an_unchanged_toast_value_is_null_and_marked(spool: Path) -> None:
    rows = [encoder.update(POINT.oid, ["1", "N", UNCHANGED]), encoder.update(POINT.oid, ["2", "N", "new"])]
    (batch,) = flat.decode(Tape().transaction(7, encoder.relation(POINT), *rows).payloads, spool)
    (table,) = batch.tables
    assert table.after["note"].to_list() == [None, "new"]
    assert {name: mask.to_list() for name, mask in table.unchanged.items()} == {"note": [True, False]}


def test_a_changed_key_brings_the_old_key(spool: Path) -> None:
    row = encoder.update(POINT.oid, ["2", "N", None], old=["1", None, None], old_kind="K")
    (batch,) = flat.decode(Tape().transaction(7, encoder.relation(POINT), row).payloads, spool)
    assert batch.tables[0].before_kind.to_list() == ["K"]
    assert batch.tables[0].before.row(0) == ("1", None, None)


def test_ordinals_are_dense_over_all_tables_and_truncated_ones(spool: Path) -> None:
    tape = Tape().transaction(
        7,
        encoder.relation(POINT),
        encoder.relation(METER),
        encoder.insert(POINT.oid, ["1", "N", None]),
        encoder.insert(METER.oid, ["A", "B"]),
        encoder.message("note", b"between", transactional=True),
        encoder.truncate([POINT.oid, METER.oid]),
        encoder.delete(METER.oid, ["A", "B"], old_kind="O"),
    )
    (batch,) = flat.decode(tape.payloads, spool)
    found = [(change.ordinal, change.table, change.op) for change in flat.changes([batch])]
    assert found == [
        (1, "public.point", "c"),
        (2, "public.meter", "c"),
        (3, "public.point", "t"),
        (4, "public.meter", "t"),
        (5, "public.meter", "d"),
    ]
    assert [(message.tx, message.ordinal) for message in batch.messages] == [(0, 2)]


def test_a_new_definition_opens_a_new_segment(spool: Path) -> None:
    wider = encoder.table("point", ["mpan", "status", "note", "added"])
    tape = Tape().transaction(
        7,
        encoder.relation(POINT),
        encoder.insert(POINT.oid, ["1", "N", None]),
        encoder.relation(wider),
        encoder.insert(POINT.oid, ["2", "N", None, "x"]),
    )
    (batch,) = flat.decode(tape.payloads, spool)
    assert [(len(table.relation.columns), table.meta["ordinal"].to_list()) for table in batch.tables] == [
        (3, [1]),
        (4, [2]),
    ]


def test_a_definition_sent_again_opens_no_segment(spool: Path) -> None:
    rows = [encoder.relation(POINT), encoder.insert(POINT.oid, ["1", "N", None])]
    (batch,) = flat.decode(Tape().transaction(7, *rows, *rows).payloads, spool)
    assert [table.meta["ordinal"].to_list() for table in batch.tables] == [[1, 2]]


def test_positions_names_and_times_of_a_transaction_are_kept(spool: Path) -> None:
    moment = 800_000_000_000_000
    tape = Tape().add(
        encoder.begin(4_000_000_000, 0x16_B374D848, moment),
        encoder.origin("elsewhere"),
        encoder.relation(POINT),
        encoder.insert(POINT.oid, ["1", "N", None]),
        encoder.commit(0x16_B374D848, 0x16_B374D878, moment),
    )
    (batch,) = flat.decode(tape.payloads, spool)
    (known,) = batch.transactions.rows(named=True)
    assert (known["xid"], known["commit_lsn"], known["origin"]) == (
        4_000_000_000,
        Lsn.parse("16/B374D848"),
        "elsewhere",
    )
    assert known["committed_at"].isoformat() == "2025-05-08T06:13:20+00:00"
    assert batch.end_lsn == Lsn.parse("16/B374D878")
    assert batch.tables[0].meta["lsn"].to_list() == [0x1004]


def test_a_message_outside_of_transactions_makes_a_batch_of_its_own(spool: Path) -> None:
    tape = Tape(lsn=0x4FFF).add(encoder.message("heartbeat", b"\0\1", transactional=False, lsn=0x5000))
    (batch,) = flat.decode(tape.payloads, spool)
    (said,) = batch.messages
    assert (said.prefix, said.content, said.tx, said.ordinal) == ("heartbeat", b"\0\1", None, None)
    assert batch.transactions.height == 0
    assert batch.end_lsn == 0x5001


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (encoder.insert(POINT.oid, ["1", "N"]), "has not its 3 columns"),
        (encoder.insert(99, ["1"]), "before the table's definition"),
        (encoder.insert(POINT.oid, ["1", "N", None]) + b"n", "longer than its row"),
        (encoder.insert(POINT.oid, ["1", "N", "x"]).replace(b"t", b"b"), "binary"),
        (encoder.insert(POINT.oid, ["1", "N", "\u00e9"]).replace(b"\xa9", b"A"), "not UTF-8"),
        (encoder.truncate([99]), "was not defined"),
        (encoder.begin(8, 8), "begins one inside another"),
        (b"P" + bytes(40), "two_phase"),
        (b"?", "does not belong here"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(body: bytes, problem: str, spool: Path) -> None:
    tape = Tape().add(encoder.begin(7, 0x700), encoder.relation(POINT), body, encoder.commit(0x700, 0x730))
    with pytest.raises(DecodeError, match=problem) as raised:
        flat.decode(tape.payloads, spool)
    assert raised.value.lsn == 0x1003
    assert raised.value.kind == chr(body[0])


def test_a_commit_of_another_transaction_is_refused(spool: Path) -> None:
    with pytest.raises(DecodeError, match="commits another transaction"):
        flat.decode(Tape().add(encoder.begin(7, 0x700), encoder.commit(0x800, 0x830)).payloads, spool)


def test_a_refusal_shows_no_value(spool: Path) -> None:
    tape = Tape().transaction(7, encoder.relation(POINT), encoder.insert(POINT.oid, ["secret", "N", "x"])[:-1])
    with pytest.raises(DecodeError) as raised:
        flat.decode(tape.payloads, spool)
    assert "secret" not in str(raised.value)


def test_a_change_outside_of_a_transaction_is_refused(spool: Path) -> None:
    tape = Tape().transaction(7, encoder.relation(POINT)).add(encoder.insert(POINT.oid, ["1", "N", None]))
    with pytest.raises(DecodeError, match="outside of a transaction"):
        flat.decode(Tape(payloads=tape.payloads).transaction(8).payloads, spool)


@pytest.mark.parametrize("odd", [UNCHANGED, "x" * 1_001], ids=["left out", "long"])
def test_few_changes_come_row_by_row_and_those_with_an_odd_value_by_columns(odd: Any, spool: Path) -> None:
    tape = Tape().transaction(
        7,
        encoder.relation(POINT),
        encoder.relation(METER),
        encoder.update(POINT.oid, ["1", "N", odd]),
        encoder.insert(METER.oid, ["A", None]),
        encoder.delete(METER.oid, ["A", "B"], old_kind="O"),
    )
    (batch,) = flat.decode(tape.payloads, spool, limits=Limits(few=2))
    assert [table.relation.name for table in batch.tables] == ["point"]
    assert [(few.relation.name, [(row.op, *row[4:]) for row in few.rows]) for few in batch.few] == [
        ("meter", [("c", None, None, ("A", None)), ("d", "O", ("A", "B"), None)])
    ]
    (batch,) = flat.decode(tape.payloads, spool, limits=Limits(few=1))
    assert (len(batch.tables), batch.few) == (2, ())
