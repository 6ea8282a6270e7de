from pathlib import Path

import pytest

from mdm.capture import sources
from mdm.capture.sources import DeclarationFault
from mdm.settings import SHIPPED_SOURCES

DECLARATION = """\
source: north
kind: SMRS
participant: EELC
slot: mdm_north
tables:
  public.point:
    key: [mpan]
    records:
      - entity: metering_point
        group: gsp
        identity: {mpan: mpan}
        items: {gsp_group: gsp}
"""


def write(folder: Path, text: str, name: str = "north.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_every_shipped_declaration_is_read() -> None:
    declared = sources.load_all(sorted(SHIPPED_SOURCES.glob("*.yaml")))
    assert set(declared) == {"smrs10", "smrs20", "mss", "msa", "umso", "mds"}
    assert declared["smrs10"].tables == declared["smrs20"].tables


def test_a_declaration_may_name_a_file_of_tables(tmp_path: Path) -> None:
    head, tables = DECLARATION.split("tables:\n")
    write(tmp_path, tables, "points.tables.yaml")
    path = write(tmp_path, head + "tables: points.tables.yaml\n")
    assert list(sources.load(path).tables) == ["public.point"]
    assert list(sources.load_all(sorted(tmp_path.glob("*.yaml")))) == ["north"]


@pytest.mark.parametrize(
    ("written", "instead", "line", "said"),
    [
        ("group: gsp", "group: gps", 9, "has no group 'gps'"),
        ("entity: metering_point", "entity: point", 9, "no entity 'point'"),
        ("gsp_group: gsp", "gsp_name: gsp", 9, "no items of the group gsp: gsp_name"),
        ("identity: {mpan: mpan}", "identity: {uprn: uprn}", 9, "needs mpan"),
        ("key: [mpan]", "key: []", 7, "at least one column"),
        ("gsp_group: gsp", "gsp_group: {col: gsp}", 12, "write a column's name"),
        ("kind: SMRS", "kind: SMRZ", 2, "SMRS"),
        ("slot: mdm_north", "slots: mdm_north", 4, "Extra inputs"),
    ],
)
def test_a_fault_names_file_line_and_remedy(tmp_path: Path, written: str, instead: str, line: int, said: str) -> None:
    path = write(tmp_path, DECLARATION.replace(written, instead))
    with pytest.raises(DeclarationFault) as fault:
        sources.load(path)
    assert f"north.yaml, line {line}:" in str(fault.value)
    assert said in str(fault.value)


def test_a_fault_in_a_tables_file_names_that_file(tmp_path: Path) -> None:
    head, tables = DECLARATION.split("tables:\n")
    write(tmp_path, tables.replace("group: gsp", "group: gps"), "points.tables.yaml")
    with pytest.raises(DeclarationFault, match=r"points\.tables\.yaml, line 4:"):
        sources.load(write(tmp_path, head + "tables: points.tables.yaml\n"))


def test_two_records_of_one_group_are_refused(tmp_path: Path) -> None:
    record = DECLARATION[DECLARATION.index("      - entity") :]
    with pytest.raises(DeclarationFault, match="at most one record a group"):
        sources.load(write(tmp_path, DECLARATION + record))


def test_what_is_not_yaml_is_told_without_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(DeclarationFault, match="not YAML"):
        sources.load(write(tmp_path, "source: [north"))
    with pytest.raises(DeclarationFault, match="cannot be read"):
        sources.load(tmp_path / "absent.yaml")


def test_a_source_declared_twice_is_refused(tmp_path: Path) -> None:
    paths = [write(tmp_path, DECLARATION), write(tmp_path, DECLARATION, "copy.yaml")]
    with pytest.raises(DeclarationFault, match="declared twice"):
        sources.load_all(paths)
