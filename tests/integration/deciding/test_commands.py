"""mdm task resolve, decision, override and correction: deciding from the command line."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from mdm import cli
from tests.factories import address, mpan, point
from tests.integration.deciding.conftest import Desk

Run = Callable[..., str]


@pytest.fixture
def run(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on this desk as ann; return what it prints, or the error, of the exit status that is expected."""
    monkeypatch.setenv("MDM_DATABASE_URL", desk.dsn)
    monkeypatch.setenv("LOGNAME", "ann")

    def run(*arguments: object, status: int = 0) -> str:
        ended = cli.run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert ended == status, err
        return err if status else out

    return run


def told(run: Run, *arguments: object) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_a_task_is_resolved_by_a_decision_that_is_shown_and_undone(desk: Desk, run: Run) -> None:
    task = desk.differ(1)
    decision_id = told(run, "task", "resolve", task.task_id, "--take", "mds", "--reason", "seen")["decision_id"]
    assert desk.segment(1) == "A"
    shown = told(run, "decision", "show", decision_id)
    assert (shown["decided_by"], shown["terms"]["value"]) == ("ann", {"market_segment": "A"})
    assert [each["decision_id"] for each in told(run, "decision", "list", "--task", task.task_id)] == [decision_id]
    assert "decided by" in run("decision", "undo", decision_id, "--reason", "wrong", "--by", "ben")
    assert desk.segment(1) == "S"


def test_each_way_to_resolve_a_task_has_its_option(desk: Desk, run: Run) -> None:
    ways = {
        "enter": ["--value", "U"],
        "accept": ["--accept-until", "2099-01-31"],
        "ask": ["--ask", "--take", "mds"],
        "dismiss": ["--dismiss"],
    }
    for number, (kind, options) in enumerate(ways.items(), start=2):
        task = desk.differ(number)
        made = told(run, "task", "resolve", task.task_id, *options, "--reason", "seen")
        assert (made["kind"], desk.live(desk.golden_id(number))) == (kind, [])
    task = desk.differ(9)
    assert "Closed" not in run("task", "resolve", task.task_id, "--reason", "settled elsewhere")
    assert "Give one of" in run(
        "task", "resolve", desk.differ(10).task_id, "--take", "mds", "--dismiss", "--reason", "x", status=2
    )


def test_an_override_is_listed_shown_reviewed_and_retired(desk: Desk, run: Run) -> None:
    run("task", "resolve", desk.differ(20).task_id, "--take", "mds", "--reason", "seen")
    desk.hub.change("smrs10", point(mpan(20), "segment", market_segment="U"))
    (listed,) = told(run, "override", "list", "--hides-changed")
    assert "hides a change" in run("override", "list")
    assert "market_segment: U" in run("override", "show", listed["override_id"])
    told(run, "override", "review", listed["override_id"], "--next", "2099-01-31", "--reason", "still so")
    assert told(run, "override", "list", "--hides-changed") == []
    stale = ["override", "retire", listed["override_id"], "--version", 1, "--reason", "over"]
    assert "stands here, at version" in run(*stale, status=1)
    told(run, "override", "retire", listed["override_id"], "--reason", "over")
    assert desk.segment(20) == "U"


def test_values_are_withheld_unless_they_are_to_be_revealed(desk: Desk, run: Run) -> None:
    desk.hub.change("smrs10", address(mpan(30), uprn="30", text="30 Ash Lane"))
    desk.hub.change("mds", address(mpan(30), uprn="30", text="31 Ash Lane"))
    task_id = desk.hub.value("select task_id from hub.task where item = 'line_1'")
    made = run("task", "resolve", task_id, "--value", "line_1=32 Ash Lane", "--reason", "seen")
    assert "Ash Lane" not in made
    (override,) = told(run, "override", "list", "--item", "line_1")
    assert override["value"]["line_1"] == "withheld"
    assert "32 Ash Lane" in run("override", "show", override["override_id"], "--reveal")


def test_a_bulk_decision_is_tried_then_made(desk: Desk, run: Run) -> None:
    desk.differ_many(range(100, 120), source="mss")
    bulk = ["decision", "bulk", "--source", "mss", "--take", "mss", "--reason", "seen"]
    assert "20 tasks about 20 items; 0 items cannot" in run(*bulk, "--dry-run")
    assert desk.segment(100) == "S"
    decision_id = told(run, *bulk)["decision_id"]
    assert desk.segment(119) == "U"
    assert len(told(run, "decision", "list", "--parent", decision_id)) == 20


def test_what_wants_approval_waits_for_another(
    desk: Desk, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    policy = tmp_path / "approvals.yaml"
    policy.write_text("kinds: [take]\n")
    monkeypatch.setenv("MDM_APPROVALS", str(policy))
    task = desk.differ(40)
    decision_id = told(run, "task", "resolve", task.task_id, "--take", "mds", "--reason", "seen")["decision_id"]
    assert [each["decision_id"] for each in told(run, "decision", "list", "--state", "proposed")] == [decision_id]
    assert "another has to approve it" in run("decision", "approve", decision_id, status=1)
    assert told(run, "decision", "approve", decision_id, "--by", "ben")["state"] == "applied"
    assert desk.segment(40) == "A"


def test_an_owners_reply_is_noted(desk: Desk, run: Run) -> None:
    task = desk.differ(50)
    run("task", "resolve", task.task_id, "--ask", "--take", "mds", "--reason", "seen")
    (asked,) = [each for each in told(run, "correction", "list") if each["task_id"] == task.task_id]
    reference = asked["reference"]
    assert reference in run("correction", "list", "--state", "open")
    replied = told(run, "correction", "reply", reference, "--reject", "--sender-reference", "E-50")
    assert replied["state"] == "rejected"
    assert [each.task_id for each in desk.live(desk.golden_id(50))] == [task.task_id]


def test_a_word_that_is_none_is_refused_with_those_that_there_are(run: Run) -> None:
    assert "There are proposed" in run("decision", "list", "--state", "x", status=2)
    assert "There is no decision 999" in run("decision", "show", 999, status=2)
    assert "There is no override 999" in run("override", "show", 999, status=2)
