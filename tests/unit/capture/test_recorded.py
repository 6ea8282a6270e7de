"""Streams recorded from PostgreSQL 18 and 15 decode to what was done there."""

from collections import Counter
from pathlib import Path

import pytest

from mdm.capture.backlog import Limits
from mdm.capture.frames import Relation
from tests.unit.capture import flat, reference
from tests.unit.capture.encoder import UNCHANGED
from tests.unit.capture.recorded import tapes

VERSIONS = pytest.mark.parametrize("version", ["18", "15"])
NOTHING = (None, None, None)
WIDE = "x" * 2100

CHANGES = [
    ("keyed", "c", ("1", "a", WIDE), NOTHING, None),
    ("keyed", "c", ("2", "", None), NOTHING, None),
    ("keyed", "c", ("3", None, "y"), NOTHING, None),
    ("keyed", "u", ("1", "b", UNCHANGED), NOTHING, None),
    ("keyed", "u", ("4", "", None), ("2", None, None), "K"),
    ("keyed", "d", NOTHING, ("3", None, None), "K"),
    ("whole", "c", ("1", None), (None, None), None),
    ("whole", "u", ("1", "x"), ("1", None), "O"),
    ("whole", "d", (None, None), ("1", "x"), "O"),
    ("typed", "c", ("1", "2026-03-29 00:30:00+00", "1.500", "ill", "{p,NULL}"), (None,) * 5, None),
    ("whole", "c", ("2", "z"), (None, None), None),
    ("whole", "t", (None, None), (None, None), None),
    ("keyed", "t", NOTHING, NOTHING, None),
    ("whole", "c", ("3", "z", "7"), NOTHING, None),
    ("whole", "u", ("3", "8"), ("3", "7"), "O"),
]


@VERSIONS
@pytest.mark.parametrize("few", [0, 50])
@pytest.mark.parametrize("rows", [1, 2, 20_000])
def test_recorded_changes_decode_to_what_was_done(version: str, rows: int, few: int, tmp_path: Path) -> None:
    payloads = tapes.read(tapes.path("changes", version))
    found = flat.changes(flat.decode(payloads, tmp_path, limits=Limits(rows=rows, few=few)))
    told = [(one.table.removeprefix("public."), one.op, one.after, one.before, one.before_kind) for one in found]
    assert told == CHANGES
    assert reference.read(payloads) == found


@VERSIONS
def test_recorded_definitions_tell_keys_types_and_identities(version: str, tmp_path: Path) -> None:
    batches = flat.decode(tapes.read(tapes.path("changes", version)), tmp_path)
    relations = {table.relation.name: table.relation for batch in batches for table in batch.tables}
    assert {name: relation.replica_identity for name, relation in relations.items()} == {
        "keyed": "d",
        "whole": "f",
        "typed": "d",
    }
    assert _columns(relations["keyed"]) == [("id", 23, -1, True), ("note", 25, -1, False), ("wide", 25, -1, False)]
    assert ("amount", 1700, ((12 << 16) | 3) + 4, False) in _columns(relations["typed"])


@VERSIONS
def test_recorded_messages_are_told_apart(version: str, tmp_path: Path) -> None:
    batches = flat.decode(tapes.read(tapes.path("changes", version)), tmp_path)
    said = [message for batch in batches for message in batch.messages]
    assert [(one.transactional, one.prefix, one.content) for one in said] == [
        (True, "note", b"inside"),
        (False, "note", b"outside"),
    ]


@VERSIONS
@pytest.mark.parametrize("chunk", [1, 97, 10**6])
def test_recorded_transactions_in_progress_leave_only_what_was_kept(version: str, chunk: int, tmp_path: Path) -> None:
    payloads = tapes.read(tapes.path("streamed", version))
    assert any(payload[25:26] == b"S" for payload in payloads)
    batches = flat.decode(payloads, tmp_path, chunk=chunk, limits=Limits(rows=500))
    found = flat.changes(batches)
    assert Counter(change.after[1] for change in found) == {"kept": 1400, "last": 1}
    assert [change.ordinal for change in found] == [*range(1, 1401), 1]
    assert [batch.complete for batch in batches][-2:] == [True, True]
    assert list(tmp_path.iterdir()) == []


def _columns(relation: Relation) -> list[tuple[str, int, int, bool]]:
    return [(column.name, column.type_oid, column.type_modifier, column.is_key) for column in relation.columns]
