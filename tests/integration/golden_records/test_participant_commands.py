"""mdm participant: a real hub is told who takes part, and nothing of a wrong file is taken."""

import json
from pathlib import Path

import pytest

from mdm import cli
from tests.factories import appointment, mpan
from tests.integration.golden_records.conftest import Hub

ROWS = "mpid,role,name,valid_from,valid_to\nWILD,SUPPLIER,Wildwood Power,2020-04-01,\n"


@pytest.fixture(autouse=True)
def _hub(hub_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MDM_DATABASE_URL", hub_dsn)


def _wild(capsys: pytest.CaptureFixture[str]) -> list[str | None]:
    capsys.readouterr()
    assert cli.run(["participant", "list", "--role", "supplier", "--json"]) == 0
    return [row["valid_to"] for row in json.loads(capsys.readouterr().out) if row["mpid"] == "WILD"]


def test_a_participant_is_added_then_ended_by_loading_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "participants.csv"
    file.write_text(ROWS)
    assert cli.run(["participant", "load", str(file)]) == 0
    assert _wild(capsys) == [None]
    file.write_text(ROWS.replace("2020-04-01,", "2020-04-01,2026-06-30"))
    assert cli.run(["participant", "load", str(file)]) == 0
    assert _wild(capsys) == ["2026-06-30"]


def test_nothing_of_a_file_with_a_mistake_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "participants.csv"
    file.write_text(f"{ROWS}oops,SUPPLIER,Oops,2020-04-01,\n")
    assert cli.run(["participant", "load", str(file)]) == 2
    assert "row 2, mpid" in capsys.readouterr().err
    assert _wild(capsys) == []


def test_a_file_of_nobody_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "nobody.csv"
    file.write_text("mpid,role,name,valid_from\n")
    assert cli.run(["participant", "load", str(file)]) == 2
    assert "tells of no participant" in capsys.readouterr().err


def test_what_waited_for_a_participant_is_mastered_when_it_is_loaded(tmp_path: Path, hub: Hub) -> None:
    key = mpan(1)
    hub.change("smrs10", appointment(key, service="WILD"))
    before = hub.rows("select rules, outcome from golden.quarantine")
    file = tmp_path / "participants.csv"
    file.write_text("mpid,role,name,valid_from\nWILD,MSS,Wildwood Metering,2020-04-01\n")

    assert cli.run(["participant", "load", str(file)]) == 0

    assert before == [([19], None)]
    assert hub.rows("select rules, outcome from golden.quarantine") == [([19], "mastered")]
    assert hub.rows("select service_mpid from golden.appointment") == [("WILD",)]


def test_an_operator_names_its_distributors(tmp_path: Path, hub: Hub) -> None:
    file = tmp_path / "participants.csv"
    file.write_text("mpid,role,name,valid_from,distributors\nWILD,UMSO,Wildwood Lighting,2020-04-01,10 20\n")

    assert cli.run(["participant", "load", str(file)]) == 0

    assert hub.rows("select distributor from golden.operator_area where mpid = 'WILD' order by 1") == [("10",), ("20",)]
