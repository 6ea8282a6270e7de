"""mdm task: the queue is worked from the command line, in tables that fit and in JSON."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from mdm import cli
from tests.factories import address, mpan
from tests.integration.stewardship.conftest import Desk

Run = Callable[..., str]


@pytest.fixture
def run(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run mdm task on this desk as ann; return what it prints, or the error, of the exit status that is expected."""
    monkeypatch.setenv("MDM_DATABASE_URL", desk.dsn)
    monkeypatch.setenv("LOGNAME", "ann")

    def run(*arguments: object, status: int = 0) -> str:
        told = cli.run(["task", *(str(argument) for argument in arguments)])
        out, err = capsys.readouterr()
        assert told == status, err
        return err if status else out

    return run


def told(run: Run, *arguments: object) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_where_nothing_waits_it_says_so(run: Run) -> None:
    assert "Nothing waits." in run("list", "--owner", "nobody")
    assert "Nothing waits." in run("next", "--owner", "nobody")


def test_the_queue_fits_the_screen(desk: Desk, run: Run) -> None:
    task = desk.new()
    run("assign", task.task_id, "someone of a very long name")
    lines = run("list").splitlines()
    assert max(len(line) for line in lines) <= 120
    assert any(line.split()[0] == str(task.task_id) and "market_segment" in line for line in lines)


def test_filters_narrow_the_list(desk: Desk, run: Run) -> None:
    task = desk.new()
    chosen = ["--item", "market_segment", "--source", "mds", "--rule", 39, "--kind", "conflict", "--state", "open"]
    assert task.task_id in {each["task_id"] for each in told(run, "list", *chosen)}
    assert told(run, "list", "--item", "ssc") == []
    assert told(run, "list", "--due-within", 100_000) != []
    assert told(run, "list", "--older-than", 36_500) == []


@pytest.mark.parametrize("option", [("--state", "x"), ("--kind", "x"), ("--sort", "x"), ("--sort", "closed")])
def test_a_word_that_is_none_is_refused_with_those_that_there_are(run: Run, option: tuple[str, str]) -> None:
    assert run("list", *option, status=2).startswith("error: ")


def test_a_task_is_worked_from_claim_to_resolution(desk: Desk, run: Run) -> None:
    task_id = desk.new().task_id
    assert "claimed by ann" in run("claim", task_id)
    run("comment", task_id, "asked the supplier")
    assert "resolved" in run("resolve", task_id, "--reason", "the supplier mended it")

    shown = run("show", task_id)
    assert "smrs10" in shown
    assert "the supplier mended it" in shown
    assert told(run, "show", task_id)["says"][1]["items"] == {"market_segment": "A"}
    assert desk.events(task_id) == [("opened", "hub"), ("claimed", "ann"), ("commented", "ann"), ("resolved", "ann")]


def test_release_assign_and_dismiss_are_told_by_whom(desk: Desk, run: Run) -> None:
    task_id = desk.new().task_id
    run("assign", task_id, "ben", "--note", "his area", "--by", "lead")
    run("release", task_id, "--by", "ben")
    assert told(run, "dismiss", task_id, "--reason", "known", "--by", "eve")["outcome"] == "dismissed"
    assert [by for _, by in desk.events(task_id)] == ["hub", "lead", "ben", "eve"]


def test_what_has_changed_since_it_was_seen_is_refused(desk: Desk, run: Run) -> None:
    task_id = desk.new().task_id
    run("claim", task_id, "--by", "ben")
    assert "version 2" in run("resolve", task_id, "--reason", "mine", "--version", 1, status=1)
    assert "claimed by ben" in run("resolve", task_id, "--reason", "mine", status=1)


def test_a_reason_is_needed(desk: Desk, run: Run) -> None:
    task_id = desk.new().task_id
    assert "--reason" in run("dismiss", task_id, status=2)
    assert "a reason" in run("dismiss", task_id, "--reason", " ", status=2)
    assert "no task 999999" in run("show", 999_999, status=2)


def test_the_next_tasks_are_claimed_and_told(desk: Desk, run: Run) -> None:
    desk.new()
    (task,) = told(run, "next", "--by", "zoe")
    assert (task["state"], task["assignee"]) == ("claimed", "zoe")


def test_an_overview_tells_what_waits(desk: Desk, run: Run) -> None:
    desk.new()
    counts = told(run, "summary")
    assert counts["by_owner"]["registration"] > 0
    assert f"{counts['tasks']:,} tasks wait" in run("summary")


def test_what_identifies_is_withheld_unless_it_is_asked_for(desk: Desk, run: Run) -> None:
    key = mpan(900)
    desk.hub.change("smrs10", address(key, uprn="900", text="1 OAK ROAD"))
    desk.hub.change("mds", address(key, uprn="900", text="2 OAK ROAD"))
    task_id = desk.hub.value("select max(task_id) from hub.task where item = 'line_1'")

    masked, whole = run("show", task_id), run("show", task_id, "--reveal")

    assert "OAK ROAD" not in masked
    assert key not in masked
    assert "1 OAK ROAD" in whole
    assert key in whole
