import json
from datetime import UTC, datetime
from typing import Any

import polars as pl

from mdm.capture.change_rows import TablePlan
from mdm.capture.change_source import Source
from mdm.capture.envelope import Envelope, Lines, Snapshot
from mdm.capture.frames import META_SCHEMA, TRANSACTION_SCHEMA, Batch, Column, LogicalMessage, Relation, TableChanges
from mdm.capture.lsn import Lsn
from mdm.capture.rendering import ColumnPlan
from mdm.capture.types import ColumnType, Shape

NOW = 1_700_000_000_123_456_789
COMMITTED = datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
MICROS = 1_704_164_645_678_901
RELATION = Relation(
    oid=1,
    schema="public",
    name='odd "name"',
    replica_identity="d",
    columns=(
        Column(name="id", type_oid=23, type_modifier=-1, is_key=True),
        Column(name="v", type_oid=25, type_modifier=-1, is_key=False),
    ),
)
_ID = ColumnPlan(name="id", type=ColumnType(shape=Shape.INTEGER, name="int4", declared="int4"))
_V = ColumnPlan(
    name="v",
    type=ColumnType(shape=Shape.TEXT, name="text", declared="text"),
    unchanged='"__debezium_unavailable_value"',
)
Change = tuple[int, str, tuple[str | None, str | None] | None, tuple[str | None, str | None] | None]


def _envelope() -> Envelope:
    plan = TablePlan(columns=(_ID, _V), key=(_ID,))
    return Envelope(Source(version="1", name="mdm", database="db"), lambda _: plan)


def _changes(changes: list[Change], *, kind: str = "K", relation: Relation = RELATION) -> TableChanges:
    """Lay out changes, each a transaction's place, an operation, an old and a new row."""

    def column(rows: list[tuple[str | None, str | None] | None], place: int) -> pl.Series:
        return pl.Series([None if row is None else row[place] for row in rows], dtype=pl.String)

    olds, news = [change[2] for change in changes], [change[3] for change in changes]
    meta = {
        "tx": [change[0] for change in changes],
        "ordinal": list(range(1, len(changes) + 1)),
        "op": [change[1] for change in changes],
        "lsn": [100 + place for place in range(len(changes))],
    }
    return TableChanges(
        relation=relation,
        meta=pl.DataFrame(meta, schema=META_SCHEMA),
        after=pl.DataFrame({"id": column(news, 0), "v": column(news, 1)}),
        before=pl.DataFrame({"id": column(olds, 0), "v": column(olds, 1)}),
        before_kind=pl.Series([None if old is None else kind for old in olds], dtype=pl.String),
        unchanged={},
    )


def _batch(
    *tables: TableChanges, ends: tuple[int | None, ...] = (200,), messages: tuple[LogicalMessage, ...] = ()
) -> Batch:
    rows = [
        {
            "tx": tx,
            "xid": 700 + tx,
            "commit_lsn": (end or 190) - 10,
            "end_lsn": end,
            "committed_at": COMMITTED,
            "origin": None,
        }
        for tx, end in enumerate(ends)
    ]
    transactions = pl.DataFrame(rows, schema=TRANSACTION_SCHEMA)
    return Batch(transactions=transactions, tables=tables, messages=messages, complete=True, end_lsn=Lsn(ends[-1] or 0))


def _parsed(lines: Lines) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in bytes(lines.octets()).decode().splitlines()]
    assert len(found) == lines.count
    return found


def test_change_is_a_line_with_its_source() -> None:
    [line] = _parsed(_envelope().lines(_batch(_changes([(0, "c", None, ("1", "a"))])), now=NOW))
    assert line == {
        "before": None,
        "after": {"id": 1, "v": "a"},
        "source": {
            "version": "1",
            "connector": "postgresql",
            "name": "mdm",
            "ts_ms": MICROS // 1000,
            "snapshot": "false",
            "db": "db",
            "sequence": '[null,"100"]',
            "ts_us": MICROS,
            "ts_ns": MICROS * 1000,
            "schema": "public",
            "table": 'odd "name"',
            "txId": 700,
            "lsn": 100,
            "xmin": None,
            "origin": None,
            "origin_lsn": None,
        },
        "transaction": None,
        "op": "c",
        "ts_ms": NOW // 1_000_000,
        "ts_us": NOW // 1_000,
        "ts_ns": NOW,
    }


def test_operations_have_the_rows_that_the_source_sent() -> None:
    changes = _changes([(0, "c", None, ("1", "a")), (0, "u", None, ("1", "b")), (0, "d", ("1", None), None)])
    rows = [
        (line["op"], line["before"], line["after"]) for line in _parsed(_envelope().lines(_batch(changes), now=NOW))
    ]
    assert rows == [
        ("c", None, {"id": 1, "v": "a"}),
        ("u", None, {"id": 1, "v": "b"}),
        ("d", {"id": 1, "v": None}, None),
    ]


def test_changed_key_is_a_delete_and_a_create() -> None:
    changes = _changes([(0, "u", ("1", "a"), ("2", "b")), (0, "u", ("2", "b"), ("2", "c"))], kind="O")
    rows = [
        (line["op"], line["before"], line["after"]) for line in _parsed(_envelope().lines(_batch(changes), now=NOW))
    ]
    assert rows == [
        ("d", {"id": 1, "v": "a"}, None),
        ("c", None, {"id": 2, "v": "b"}),
        ("u", {"id": 2, "v": "b"}, {"id": 2, "v": "c"}),
    ]


def test_truncate_is_passed_over() -> None:
    changes = _changes([(0, "t", None, None), (0, "c", None, ("1", "a"))])
    assert [line["op"] for line in _parsed(_envelope().lines(_batch(changes), now=NOW))] == ["c"]
    assert _parsed(_envelope().lines(_batch(_changes([(0, "t", None, None)])), now=NOW)) == []


def test_sequence_names_the_commit_before() -> None:
    envelope = _envelope()
    first = _batch(_changes([(0, "c", None, ("1", "a")), (1, "c", None, ("2", "b"))]), ends=(200, 300))
    second = _batch(_changes([(0, "c", None, ("3", "c"))]), ends=(400,))
    sequences = [line["source"]["sequence"] for line in _parsed(envelope.lines(first, now=NOW))]
    sequences += [line["source"]["sequence"] for line in _parsed(envelope.lines(second, now=NOW))]
    assert sequences == ['[null,"100"]', '["200","101"]', '["300","100"]']


def test_part_of_a_transaction_keeps_the_commit_before() -> None:
    envelope = _envelope()
    envelope.lines(_batch(_changes([(0, "c", None, ("1", "a"))]), ends=(200,)), now=NOW)
    part = _batch(_changes([(0, "c", None, ("2", "b"))]), ends=(None,))
    for _ in range(2):
        [line] = _parsed(envelope.lines(part, now=NOW))
        assert line["source"]["sequence"] == '["200","100"]'


def test_tables_and_messages_stand_in_the_order_of_their_changes() -> None:
    other = Relation(oid=2, schema="public", name="other", replica_identity="d", columns=RELATION.columns)
    one = _changes([(0, "c", None, ("1", "a"))])
    two = _changes([(0, "c", None, ("2", "b")), (1, "c", None, ("3", "c"))], relation=other)
    two = TableChanges(
        relation=other,
        meta=two.meta.with_columns(ordinal=pl.Series([2, 1], dtype=pl.Int64)),
        after=two.after,
        before=two.before,
        before_kind=two.before_kind,
        unchanged={},
    )
    inside = LogicalMessage(transactional=True, lsn=Lsn(150), prefix="in", content=b"x", tx=0, ordinal=3)
    between = LogicalMessage(
        transactional=False, lsn=Lsn(250), prefix="between", content=b"\x00", tx=None, ordinal=None
    )
    batch = _batch(two, one, ends=(200, 300), messages=(between, inside))
    lines = _parsed(_envelope().lines(batch, now=NOW))
    told = [line["message"]["prefix"] if line["op"] == "m" else line["after"]["id"] for line in lines]
    assert told == [1, 2, "in", "between", 3]
    assert lines[3]["source"]["txId"] is None
    assert lines[3]["source"]["sequence"] == '["250","250"]'
    assert lines[4]["source"]["sequence"] == '["250","101"]'
    assert lines[3]["message"] == {"prefix": "between", "content": "AA=="}


def test_unchanged_value_comes_from_the_old_row_where_there_is_one() -> None:
    changes = _changes([(0, "u", ("1", "long"), ("1", None)), (0, "u", None, ("1", None))], kind="O")
    changes = TableChanges(
        relation=changes.relation,
        meta=changes.meta,
        after=changes.after,
        before=changes.before,
        before_kind=changes.before_kind,
        unchanged={"v": pl.Series([True, True])},
    )
    values = [line["after"]["v"] for line in _parsed(_envelope().lines(_batch(changes), now=NOW))]
    assert values == ["long", "__debezium_unavailable_value"]


def test_existing_row_tells_its_place_in_the_snapshot() -> None:
    changes = _changes([(0, "r", None, ("1", "a")), (0, "r", None, ("2", "b"))])
    snapshot = Snapshot(lsn=Lsn(50), xid=9, taken_at=MICROS)
    marks = pl.Series(["first", "last"])
    lines = _parsed(_envelope().snapshot_lines(changes, marks=marks, snapshot=snapshot, now=NOW))
    assert [(line["op"], line["after"]["id"], line["source"]["snapshot"]) for line in lines] == [
        ("r", 1, "first"),
        ("r", 2, "last"),
    ]
    assert lines[0]["source"]["sequence"] == '[null,"50"]'
    assert lines[0]["source"]["txId"] == 9


def test_head_cuts_between_the_lines_of_a_changed_key() -> None:
    changes = _changes([(0, "u", ("1", "a"), ("2", "b")), (1, "c", None, ("3", "c"))])
    lines = _envelope().lines(_batch(changes, ends=(200, 300)), now=NOW)
    head, left_out = lines.head(1)
    assert [line["op"] for line in _parsed(head)] == ["d"]
    assert left_out == 0
    head, left_out = lines.head(2)
    assert [line["op"] for line in _parsed(head)] == ["d", "c"]
    assert left_out == 1
    assert lines.head(3)[1] is None


def test_batch_without_changes_has_no_lines() -> None:
    assert bytes(_envelope().lines(_batch(), now=NOW).octets()) == b""
