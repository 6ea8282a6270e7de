"""The page of an audit stands on its own and says what was found."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mdm.audit import page
from mdm.audit.findings import EQUALITY, Finding, Outcome, Run
from mdm.audit.store import Moment

BEGAN = datetime(2026, 1, 15, 12, tzinfo=UTC)
FINDING = Finding(
    place="golden",
    rule=34,
    rule_version=1,
    outcome=Outcome.FAILED,
    looked_at=1_000,
    failed=20,
    inline=19,
    differing=1,
    sample=("golden 17", "quarantine 3"),
)
RUN = Run(
    run_id=4,
    started_at=BEGAN,
    finished_at=BEGAN + timedelta(seconds=3),
    asked_for={"threshold": 0.01},
    by="<ann>",
    findings=[
        FINDING,
        Finding(place="view a/B", rule=EQUALITY, rule_version=1, outcome=Outcome.PASSED, looked_at=7),
        Finding(place="golden", rule=38, rule_version=1, outcome=Outcome.ABSENT, reason="None are kept."),
    ],
)


def moment(run_id: int, failed: int) -> Moment:
    return Moment(
        place="golden",
        rule=34,
        run_id=run_id,
        started_at=BEGAN,
        looked_at=1_000,
        failed=failed,
        inline=None,
        differing=0,
    )


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    text = page.write(RUN, [])
    assert re.findall(r"https?:|//|<script|<link|@import|url\(", text) == []


def test_the_page_says_what_each_rule_found_and_names_records() -> None:
    text = page.write(RUN, [moment(3, 10), moment(4, 20)])
    for said in ("not passed", "golden 17, quarantine 3", "1,000", "2.00%", "None are kept.", "Postcode is present"):
        assert said in text
    assert "failed in the last 2 runs: 10, 20" in text
    assert "<polyline" in text


def test_what_people_wrote_is_text_on_the_page() -> None:
    text = page.write(RUN, [])
    assert "&lt;ann&gt;" in text
    assert "<ann>" not in text


def test_the_page_can_be_read_without_eyes() -> None:
    text = page.write(RUN, [])
    assert '<html lang="en">' in text
    assert text.count("<caption>") == text.count("<table>") == 2
    assert '<th scope="row"' in text
    assert 'content="light dark"' in text


def test_a_line_rises_with_its_values_and_is_level_where_they_are_the_same() -> None:
    assert page.points_of([0, 5, 10]) == "3.0,21.0 45.0,12.0 87.0,3.0"
    assert page.points_of([4, 4]) == "3.0,21.0 87.0,21.0"


def test_a_run_passes_without_differences_and_within_the_threshold() -> None:
    agreed = replace(FINDING, differing=0)
    assert not FINDING.passes(None)
    assert agreed.passes(None)
    assert agreed.passes(0.02)
    assert not agreed.passes(0.019)


def test_a_view_that_does_not_equal_never_passes() -> None:
    assert not Finding(
        place="view a/B", rule=EQUALITY, rule_version=1, outcome=Outcome.FAILED, looked_at=7, failed=1
    ).passes(None)
