"""mdm match: what is alike is looked for, listed, and shown without what identifies a person."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from mdm import cli
from tests.integration.golden_records.conftest import Hub
from tests.integration.matching.test_matching import two_alike

Command = Callable[..., Any]


@pytest.fixture
def command(hub_dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run mdm match on this test's hub; return what it prints, as JSON gives it."""
    monkeypatch.setenv("MDM_DATABASE_URL", hub_dsn)

    def run(*arguments: str) -> Any:
        assert cli.run(["match", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def test_a_run_is_told_and_what_it_found_is_listed_and_shown(hub: Hub, command: Command) -> None:
    left, right = two_alike(hub)
    done = command("run")
    assert (done["compared"], done["opened"], done["cut_pairs"]) == (2, 1, 0)
    listed = command("list")
    (match,) = listed["matches"]
    assert (match["left_id"], match["right_id"], match["state"]) == (left, right, "open")
    assert listed["last_run"]["compared"] == 2
    assert command("list", "--entity", "meter")["matches"] == []
    hidden, shown = (command("show", str(match["match_id"]), *reveal) for reveal in ((), ("--reveal",)))
    assert {part["part"] for part in hidden["explanation"]["parts"]} >= {"number", "street"}
    assert "HIGH" not in json.dumps(hidden)
    assert shown["records"][str(left)]["line_1"] == "1 HIGH STREET, BATH"


def test_a_run_that_finds_nothing_to_compare_says_so(command: Command) -> None:
    done = command("run")
    assert (done["compared"], done["pairs"], done["opened"]) == (0, 0, 0)


def test_words_and_ids_that_there_are_not_are_refused(
    hub_dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MDM_DATABASE_URL", hub_dsn)
    assert cli.run(["match", "list", "--state", "maybe"]) != 0
    assert "not_a_match" in capsys.readouterr().err
    assert cli.run(["match", "show", "99"]) == 2
    assert "mdm match list" in capsys.readouterr().err


def test_people_are_told_in_lines(
    hub: Hub, hub_dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    two_alike(hub)
    monkeypatch.setenv("MDM_DATABASE_URL", hub_dsn)
    for arguments, words in ((["run", "--all"], "1 matches opened"), (["list"], "possible"), (["show", "1"], "street")):
        assert cli.run(["match", *arguments]) == 0
        assert words in capsys.readouterr().out
