import numpy as np
import polars as pl
import pytest

from mdm.batches import MappedBatch
from mdm.capture.mapping import RECORD_SCHEMA, REJECT_SCHEMA, TRANSACTION_SCHEMA
from mdm.capture.watermarks import SourceSnapshot, Watermarks

SEES_ALL = SourceSnapshot(xmin=1000, xmax=1000, in_progress=())


def mapped(
    *keys: str, op: str = "u", relation: str = "public.a", xid: int = 700, left: str | None = None
) -> MappedBatch:
    numbers = range(1, len(keys) + 1)
    changes = pl.DataFrame(
        {
            "change_no": numbers,
            "tx": [0] * len(keys),
            "ordinal": numbers,
            "relation": [relation] * len(keys),
            "op": [op] * len(keys),
            "source_key": [None if op == "t" else key for key in keys],
            "payload": ["{}"] * len(keys),
        },
        schema_overrides={"change_no": pl.Int64, "source_key": pl.String},
    )
    record = dict.fromkeys(RECORD_SCHEMA)
    records = [
        record | {"change_no": number, "op": "u", "source_key": key} for number, key in zip(numbers, keys, strict=True)
    ]
    if left is not None:
        records.append(record | {"change_no": 1, "op": "d", "source_key": left})
    return MappedBatch(
        source_id=1,
        transactions=pl.DataFrame({"tx": [0], "xid": [xid]}, schema_overrides={"xid": pl.Int64}).select(
            "tx", "xid", *(pl.lit(None).alias(name) for name in list(TRANSACTION_SCHEMA)[2:])
        ),
        changes=changes,
        records=pl.DataFrame(records, schema=RECORD_SCHEMA),
        rejects=pl.DataFrame(schema=REJECT_SCHEMA),
    )


def keys(batch: MappedBatch | None) -> list[str]:
    assert batch is not None
    assert batch.changes["change_no"].to_list() == list(range(1, batch.changes.height + 1))
    assert batch.records["change_no"].to_list() == batch.changes["change_no"].to_list()
    assert batch.records["source_key"].to_list() == batch.changes["source_key"].to_list()
    return batch.changes["source_key"].to_list()


def test_rows_that_the_stream_changed_between_the_marks_are_dropped_from_the_chunk() -> None:
    marks = Watermarks()
    marks.note(mapped("a", "b"))
    marks.open("1", "public.a")
    marks.note(mapped("b", "x"))
    marks.note(mapped("c", relation="public.b"))
    assert keys(marks.close("1", SEES_ALL, mapped("a", "b", "c"))) == ["a", "c"]


def test_a_deleted_row_and_a_key_that_was_left_are_dropped() -> None:
    marks = Watermarks()
    marks.open("1", "public.a")
    marks.note(mapped("b", op="d"))
    marks.note(mapped("new", left="old"))
    assert keys(marks.close("1", SEES_ALL, mapped("a", "b", "old"))) == ["a"]


def test_a_truncate_between_the_marks_empties_the_chunk() -> None:
    marks = Watermarks()
    marks.open("1", "public.a")
    marks.note(mapped("", op="t"))
    assert keys(marks.close("1", SEES_ALL, mapped("a", "b"))) == []


def test_windows_of_several_chunks_are_kept_apart() -> None:
    marks = Watermarks()
    marks.open("1", "public.a")
    marks.note(mapped("a"))
    marks.open("2", "public.a")
    marks.note(mapped("b"))
    assert keys(marks.close("1", SEES_ALL, mapped("a", "b", "c"))) == ["c"]
    assert keys(marks.close("2", SEES_ALL, mapped("a", "b", "c"))) == ["a", "c"]


def test_a_chunk_that_missed_a_commit_of_before_its_low_mark_is_read_again() -> None:
    marks = Watermarks()
    marks.note(mapped("a", xid=990))
    marks.open("1", "public.a")
    unseen = SourceSnapshot(xmin=990, xmax=1000, in_progress=(990,))
    assert marks.close("1", unseen, mapped("a", "b")) is None


def test_a_mark_of_an_earlier_run_opens_nothing() -> None:
    assert Watermarks().close("old", SEES_ALL, mapped("a")) is None


@pytest.mark.parametrize(
    ("text", "xids", "sees"),
    [
        ("100:105:101,103", [99, 100, 102, 104], True),
        ("100:105:101,103", [103], False),
        ("100:105:", [105], False),
        ("100:105:", [200], False),
        # After the 32-bit counter has gone round, the stream's ids are small again.
        (f"{2**32 + 5}:{2**32 + 10}:{2**32 + 7}", [2**32 - 3, 4, 6, 9], True),
        (f"{2**32 + 5}:{2**32 + 10}:{2**32 + 7}", [7], False),
        (f"{2**32 + 5}:{2**32 + 10}:", [10], False),
    ],
)
def test_what_a_snapshot_sees_follows_its_text(text: str, xids: list[int], sees: bool) -> None:  # noqa: FBT001
    assert SourceSnapshot.parse(text).sees_all(np.array(xids, dtype=np.int64)) is sees
