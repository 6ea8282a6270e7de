"""A message has the same bytes everywhere, and those of any JSON library."""

import json
from datetime import UTC, datetime

from mdm.distribution import messages
from mdm.distribution.messages import Entry, Operation

AT = datetime(2026, 1, 15, 12, 30, tzinfo=UTC)


def entry(body: str | None) -> Entry:
    operation = Operation.DELETE if body is None else Operation.UPSERT
    return Entry(sequence=7, operation=operation, key=4711, sender="EELC", created_at=AT, body=body)


def test_message_is_the_body_after_sender_and_date() -> None:
    assert messages.message(entry('{"mpan_core":"1012345678902"}')) == (
        b'{"data_sender_id":"EELC","data_created_date":"2026-01-15T12:30:00.000000Z","mpan_core":"1012345678902"}'
    )


def test_message_of_an_empty_body_is_well_formed() -> None:
    assert set(json.loads(messages.message(entry("{}")))) == {"data_sender_id", "data_created_date"}


def test_delete_carries_the_metadata_alone() -> None:
    line = json.loads(messages.line(entry(None)))
    assert line["operation"] == "delete"
    assert line["key"] == 4711
    assert set(line["message"]) == {"data_sender_id", "data_created_date"}


def test_line_holds_the_message_unchanged() -> None:
    said = entry('{"meter_id":"L 1"}')
    assert messages.message(said) in messages.line(said)
    assert json.loads(messages.line(said))["sequence"] == 7


def test_lines_end_each_entry() -> None:
    assert messages.lines([entry(None), entry("{}")]).count(b"\n") == 2
