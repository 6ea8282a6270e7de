from datetime import date
from pathlib import Path

import pytest

from mdm import participants
from mdm.participants import FileUnsound, Participant

ACRE = Participant(mpid="ACRE", role="SUPPLIER", name="Acre Energy", valid_from=date(2020, 4, 1))


def _file(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_a_yaml_file_tells_of_participants(tmp_path: Path) -> None:
    file = _file(tmp_path, "p.yaml", "- {mpid: ACRE, role: SUPPLIER, name: Acre Energy, valid_from: 2020-04-01}\n")
    assert participants.read(file) == [ACRE]


def test_a_csv_file_tells_the_same_and_leaves_empty_what_is_empty(tmp_path: Path) -> None:
    text = "mpid,role,name,valid_from,valid_to\nACRE,SUPPLIER,Acre Energy,2020-04-01,\n"
    assert participants.read(_file(tmp_path, "p.csv", text)) == [ACRE]


def test_each_wrong_row_is_named_with_what_is_wrong(tmp_path: Path) -> None:
    text = (
        "mpid,role,name,valid_from,valid_to\n"
        "ACRE,SUPPLIER,Acre Energy,2020-04-01,2019-01-01\n"
        "BRIM,SUPPLIER,Brim,2020-04-01,\n"
        "toolong,SUPPLIER,,soon,\n"
    )
    with pytest.raises(FileUnsound) as refused:
        participants.read(_file(tmp_path, "p.csv", text))
    assert "row 1, dates: " in str(refused.value)
    assert "row 3, mpid: " in str(refused.value)
    assert "row 3, valid_from: " in str(refused.value)
    assert "row 2" not in str(refused.value)


@pytest.mark.parametrize(("name", "text"), [("p.yaml", "mpid: ACRE\n"), ("p.yaml", "- [\n"), ("absent.yaml", None)])
def test_a_file_that_is_no_list_is_refused_with_what_to_do(tmp_path: Path, name: str, text: str | None) -> None:
    file = tmp_path / name if text is None else _file(tmp_path, name, text)
    with pytest.raises(FileUnsound):
        participants.read(file)
