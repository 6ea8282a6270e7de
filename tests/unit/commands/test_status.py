"""mdm status where no hub runs: it says what to do, and starts nothing."""

import json
from pathlib import Path

import pytest

from mdm import cli


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that is not there yet."""
    monkeypatch.delenv("MDM_DATABASE_URL", raising=False)
    monkeypatch.setenv("MDM_DATA_FOLDER", str(tmp_path / "data"))
    return tmp_path / "data"


def test_without_a_hub_it_says_what_to_run_and_starts_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["status"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"error: There is no hub in {folder} yet: run 'mdm init'")
    assert "MDM_DATABASE_URL" in said.err
    assert said.out == ""
    assert list(folder.parent.iterdir()) == []


def test_without_a_hub_json_says_it_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["status", "--json"]) == 1
    assert "mdm init" in json.loads(capsys.readouterr().out)["error"]
    assert not folder.exists()


def test_a_hub_that_is_stopped_is_not_started(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "hub").mkdir(parents=True)
    (folder / "hub" / "PG_VERSION").write_text("18\n")
    assert cli.run(["status"]) == 1
    assert "mdm db start" in capsys.readouterr().err
    assert [path.name for path in (folder / "hub").iterdir()] == ["PG_VERSION"]
