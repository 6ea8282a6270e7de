"""Our lines equal Debezium's on the same changes: as recorded, and beside the engine itself where it can run."""

import os
import threading
from pathlib import Path

import pytest

from mdm.capture import printing
from mdm.capture.printing import Printing
from mdm.embedded import EmbeddedServer
from tests.benchmarks import debezium
from tests.integration.envelope import cases
from tests.integration.envelope.cases import PUBLICATION, SLOT, Case, Line

COMMON, POSTGRES_15, POSTGRES_18 = cases.CASES
_JAVA_OBJECT = "[L"  # Debezium prints the name of a Java object for an inner array of text


@pytest.fixture(params=[COMMON, POSTGRES_18], ids=lambda case: case.name)
def on_18(request: pytest.FixtureRequest) -> Case:
    case: Case = request.param
    return case


@pytest.fixture(params=[COMMON, POSTGRES_15], ids=lambda case: case.name)
def on_15(request: pytest.FixtureRequest) -> Case:
    case: Case = request.param
    return case


def test_changes_equal_the_recorded(market_server: EmbeddedServer, on_18: Case, tmp_path: Path) -> None:
    _assert_as_recorded(market_server, on_18, "changes", tmp_path / "lines")


def test_rows_equal_the_recorded(market_server: EmbeddedServer, on_18: Case, tmp_path: Path) -> None:
    _assert_as_recorded(market_server, on_18, "snapshot", tmp_path / "lines")


def test_changes_equal_the_recorded_on_15(server_15: EmbeddedServer, on_15: Case, tmp_path: Path) -> None:
    _assert_as_recorded(server_15, on_15, "changes", tmp_path / "lines")


def test_rows_equal_the_recorded_on_15(server_15: EmbeddedServer, on_15: Case, tmp_path: Path) -> None:
    _assert_as_recorded(server_15, on_15, "snapshot", tmp_path / "lines")


@pytest.mark.skipif(debezium.missing() is not None, reason=f"its recorded lines alone: {debezium.missing()}")
def test_changes_equal_debezium_with_their_sources(market_server: EmbeddedServer, tmp_path: Path) -> None:
    with cases.changed_source(market_server, COMMON) as dsn:
        theirs = cases.debezium_lines(dsn, "changes")
        ours = _our_lines(dsn, "changes", tmp_path / "lines")
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        assert _comparable(our, their) == _comparable(their, their)


def _comparable(line: Line, their: Line) -> Line:
    """Leave out the time of processing, and what names the capturing program."""
    source = {key: value for key, value in line["source"].items() if key not in {"version", "name"}}
    return {"line": _without_objects(cases.members(line), cases.members(their)), "source": source, "keys": list(line)}


def _assert_as_recorded(server: EmbeddedServer, case: Case, kind: str, output: Path) -> None:
    with cases.changed_source(server, case) as dsn:
        ours = _our_lines(dsn, kind, output)
    theirs = case.recorded(kind)
    assert [_place(line) for line in ours] == [_place(line) for line in theirs]
    for our, their in zip(ours, theirs, strict=True):
        assert _without_objects(cases.members(our), their) == _without_objects(their, their)


def _place(line: Line) -> tuple[str, str, str]:
    return line["op"], line["source"]["table"], line["source"]["snapshot"]


def _without_objects(line: Line, their: Line) -> Line:
    """Leave out arrays in which Debezium prints the address of a Java object."""
    rows = {name: dict(line[name]) for name in ("before", "after") if line.get(name)}
    for name, row in rows.items():
        for column, value in (their.get(name) or {}).items():
            if isinstance(value, list) and any(str(element).startswith(_JAVA_OBJECT) for element in value):
                row.pop(column)
    return line | rows


def _our_lines(dsn: str, kind: str, output: Path) -> list[Line]:
    asked = Printing(dsn=dsn, publication=PUBLICATION, slot=SLOT, until_current=True, snapshot=kind == "snapshot")
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT)
    try:
        printing.run(asked, descriptor, stop=threading.Event(), note=print)
    finally:
        os.close(descriptor)
    return cases.chosen(cases.parsed(output), kind)
