"""mdm match and mdm decision: merges, splits and what is no match, from the command line."""

from pathlib import Path

import pytest

from golden_records.match_states import MatchState
from tests.integration.deciding.conftest import Desk
from tests.integration.deciding.test_bulk_merges import houses, live, proposed, standing
from tests.integration.deciding.test_commands import Run, run, told
from tests.integration.deciding.test_identity import state

__all__ = ["run"]  # the fixture


def test_a_match_is_tried_then_merged_and_the_merge_undone(desk: Desk, run: Run) -> None:
    a, b = ids = houses(desk, 700, 2)
    (match_id,) = proposed(desk, (a, b))
    merge = ["match", "merge", match_id, "--reason", "one house"]
    before = desk.golden()
    trial = told(run, *merge, "--dry-run")
    assert (trial["kind"], trial["pair"], trial["changed"]) == ("merge", [a, b], {"address": 2, "metering_point": 1})
    assert f"Golden record {b} would be merged into {a}." in run(*merge, "--dry-run")
    assert (desk.golden(), live(desk), state(desk, match_id)) == (before, [match_id], MatchState.OPEN)
    made = told(run, *merge)
    assert (made["kind"], made["decided_by"], made["effect"]["merged"]) == ("merge", "ann", [[a, b]])
    assert (standing(desk, ids), live(desk)) == ([a], [])
    assert "is merged by now" in run(*merge, status=1)
    run("decision", "undo", made["decision_id"], "--reason", "two after all")
    assert (desk.golden(), live(desk)) == (before, [match_id])
    assert "is at version" in run(*merge, "--version", 1, status=1)
    run(*merge, "--into", b)
    assert standing(desk, ids) == [b]


def test_a_match_is_dismissed(desk: Desk, run: Run) -> None:
    a, b = houses(desk, 710, 2)
    (match_id,) = proposed(desk, (a, b))
    dismiss = ["match", "dismiss", match_id, "--reason", "two flats"]
    assert "would not be proposed again" in run(*dismiss, "--dry-run")
    assert state(desk, match_id) == MatchState.OPEN
    assert told(run, *dismiss)["kind"] == "not_a_match"
    assert (state(desk, match_id), match_id in live(desk)) == (MatchState.NOT_A_MATCH, False)
    assert "There is no match" in run("match", "dismiss", 99_999, "--reason", "x", status=2)


def test_golden_records_are_merged_and_split_by_their_ids(desk: Desk, run: Run) -> None:
    a, b = ids = houses(desk, 720, 2)
    before = desk.golden()
    merge = ["decision", "merge", b, "--into", a, "--reason", "one house"]
    assert told(run, *merge, "--dry-run")["pair"] == [a, b]
    assert standing(desk, ids) == ids
    run(*merge)
    assert standing(desk, ids) == [a]
    assert "is merged into" in run(*merge, "--dry-run", status=1)
    split = ["decision", "split", b, "--reason", "two after all"]
    assert f"Golden record {b} would stand alone again" in run(*split, "--dry-run")
    assert told(run, *split)["kind"] == "split"
    assert desk.golden() == before
    assert "nothing to split" in run(*split, status=2)


def test_metering_points_are_merged_by_force_alone(desk: Desk, run: Run) -> None:
    desk.differ_many(range(730, 732), source="mds")
    merge = ["decision", "merge", desk.golden_id(731), "--into", desk.golden_id(730), "--reason", "one point"]
    assert "have different MPANs" in run(*merge, "--dry-run", status=1)
    assert told(run, *merge, "--force", "--dry-run")["pair"] == [
        desk.golden_id(730),
        desk.golden_id(731),
    ]


def test_a_merge_waits_for_another_where_that_is_wanted(
    desk: Desk, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = tmp_path / "approvals.yaml"
    policy.write_text("kinds: [merge]\n")
    monkeypatch.setenv("MDM_APPROVALS", str(policy))
    a, b = ids = houses(desk, 740, 2)
    merge = ["decision", "merge", b, "--into", a, "--reason", "one house"]
    assert "It would wait for approval" in run(*merge, "--dry-run")
    decision_id = told(run, *merge)["decision_id"]
    assert standing(desk, ids) == ids
    run("decision", "approve", decision_id, "--by", "ben")
    assert standing(desk, ids) == [a]


def test_tasks_about_matches_are_resolved_one_and_many(desk: Desk, run: Run) -> None:
    desk.hub.connection.execute("delete from hub.task; delete from golden.match")
    a, b, c, d = ids = houses(desk, 750, 4)
    proposed(desk, (a, b), (c, d))
    task_ids = [task["task_id"] for task in told(run, "task", "list", "--kind", "match")]
    assert told(run, "task", "resolve", task_ids[0], "--not-a-match", "--reason", "two flats")["kind"] == "not_a_match"
    bulk = ["decision", "bulk", "--kind", "match", "--merge", "--reason", "one house"]
    assert "1 tasks about 1 items" in run(*bulk, "--dry-run")
    decision_id = told(run, *bulk)["decision_id"]
    assert len(standing(desk, ids)) == 3
    run("decision", "undo", decision_id, "--reason", "wrong")
    assert standing(desk, ids) == ids
    assert "Give one of" in run(*bulk, "--not-a-match", status=2)
