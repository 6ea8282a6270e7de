"""The audit finds what the inline checks found, in the store; and what is wrong at the sources and in the views."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from mdm import cli, db
from mdm.audit import auditing, expectations
from mdm.audit.asked import Asked
from mdm.audit.findings import EQUALITY, Finding, Outcome, Run
from mdm.audit.snapshot import open_snapshot
from mdm.audit.source_audits import SourcePlace
from mdm.audit.view_audits import ViewUnknown
from mdm.embedded import EmbeddedServer
from tests.conftest import HUB_TEMPLATE
from tests.integration.audit import market
from tests.integration.audit.market import DECLARED, FaultyMarket

VIEW = "mss-metering-point/BOLT"


@pytest.fixture(scope="module")
def faulty(market_server: EmbeddedServer, hub_server: EmbeddedServer) -> Iterator[FaultyMarket]:
    with market.faulty(market_server, hub_server, HUB_TEMPLATE) as made:
        yield made


def audited(faulty: FaultyMarket, asked: Asked) -> Run:
    named = [asked.source] if asked.source else []
    places = [SourcePlace(source=DECLARED[name], dsn=faulty.dsns[name], hub_dsn=faulty.hub_dsn) for name in named]
    return auditing.run(faulty.hub_dsn, places, asked, by="tests", note=str.strip)


def at(run: Run, place: str) -> dict[int, Finding]:
    return {finding.rule: finding for finding in run.findings if finding.place == place}


@contextmanager
def changed(faulty: FaultyMarket, statement: str, back: str) -> Iterator[str]:
    """Change one row behind the hub's back, and back again; give its golden or quarantine id."""
    with db.connect(faulty.hub_dsn) as hub:
        row = hub.execute(statement).fetchone()
        assert row is not None
        try:
            yield str(row[0])
        finally:
            hub.execute(back)


@pytest.fixture(scope="module")
def golden(faulty: FaultyMarket) -> dict[int, Finding]:
    return at(audited(faulty, Asked()), "golden")


def test_the_audit_finds_exactly_what_the_inline_checks_found(golden: dict[int, Finding]) -> None:
    assert {code: finding.sample for code, finding in golden.items() if finding.differing} == {}
    assert {
        code: (each.failed, each.inline) for code, each in golden.items() if each.failed != (each.inline or 0)
    } == {}


def test_many_rules_speak_in_a_market_with_faults(golden: dict[int, Finding]) -> None:
    assert len(golden) == 39
    assert {code for code, finding in golden.items() if finding.failed} >= {1, 2, 3, 11, 14, 18, 21, 25, 33, 34, 35, 39}
    assert {code for code, finding in golden.items() if finding.outcome is Outcome.ABSENT} == set()


def test_what_the_inline_checks_missed_is_named(faulty: FaultyMarket, golden: dict[int, Finding]) -> None:
    break_one = """
        update golden.address set postcode = postcode || '#' where golden_id = (
            select max(golden_id) from golden.address where postcode ~ '^[A-Z]{2}[0-9] [0-9][A-Z]{2}$')
        returning golden_id
    """
    mend = "update golden.address set postcode = rtrim(postcode, '#') where postcode like '%#'"
    with changed(faulty, break_one, mend) as golden_id:
        run = audited(faulty, Asked(entity="address"))
    found = at(run, "golden")[34]
    assert (found.differing, found.failed, found.inline) == (1, golden[34].failed + 1, golden[34].inline)
    assert found.sample[0] == f"golden {golden_id}"
    assert not run.passed


def test_what_is_yet_to_be_judged_is_no_difference(faulty: FaultyMarket, golden: dict[int, Finding]) -> None:
    with changed(
        faulty,
        "update golden.violation set closed_at = now() where violation_id = (select min(violation_id) from"
        " golden.violation where closed_at is null) returning golden_id",
        "update golden.violation set closed_at = null where closed_at > now() - interval '10 minutes' and note is null",
    ) as golden_id:
        missed = at(audited(faulty, Asked()), "golden")
        with db.connect(faulty.hub_dsn) as hub:
            note = "insert into golden.unjudged (kind, golden_ids, committed_at) values ('point', %s, now())"
            hub.execute(note, [[int(golden_id)]])
            waiting = at(audited(faulty, Asked()), "golden")
            hub.execute("delete from golden.unjudged")
    assert sum(finding.differing or 0 for finding in missed.values()) == 1
    assert sum(finding.differing or 0 for finding in waiting.values()) == 0
    assert {code: each.failed for code, each in waiting.items()} == {code: each.failed for code, each in golden.items()}


def test_what_is_held_back_without_a_reason_is_named(faulty: FaultyMarket) -> None:
    break_one = """
        update golden.quarantine
        set record = jsonb_set(record, '{item_values,contract_reference}', '"C1"') || '{"was": null}'
        where quarantine_id = (select min(quarantine_id) from golden.quarantine
                               where rule = 11 and closed_at is null and coalesce(rules, array[rule]) = array[11])
        returning quarantine_id
    """
    mend = """
        update golden.quarantine set record = jsonb_set(record - 'was', '{item_values,contract_reference}', 'null')
        where record ? 'was'
    """
    with changed(faulty, break_one, mend) as quarantine_id:
        found = at(audited(faulty, Asked(entity="appointment")), "golden")[11]
    assert found.differing == 1
    assert found.sample[0] == f"quarantine {quarantine_id}"


def test_a_sample_looks_at_so_many_and_agrees_too(faulty: FaultyMarket) -> None:
    found = at(audited(faulty, Asked(sample=20)), "golden")
    assert found[35].looked_at == found[36].looked_at == 20
    assert [code for code, each in found.items() if each.differing] == []


def test_a_sources_own_database_shows_what_is_held_back_of_it(faulty: FaultyMarket) -> None:
    found = at(audited(faulty, Asked(source="smrs10")), "source smrs10")
    with db.connect(faulty.hub_dsn) as hub:
        held: dict[int, int] = dict(
            hub.execute(
                "select rule, count(distinct case when rule < 3 then point_key else source_key end)"
                " from golden.quarantine join golden.source_system s using (source_id)"
                " where closed_at is null and s.name = 'smrs10' and rule in (1, 2, 11) group by rule"
            ).fetchall()
        )
    assert {code: found[code].failed for code in (1, 2, 11)} == held
    assert all(name.startswith(("golden ", "quarantine ")) for finding in found.values() for name in finding.sample)


def test_a_source_tells_what_it_cannot_be_asked(faulty: FaultyMarket) -> None:
    found = at(audited(faulty, Asked(source="mds")), "source mds")
    assert found[1].outcome is Outcome.PASSED
    assert (found[11].outcome, found[11].reason) == (
        Outcome.ABSENT,
        "The source tells nothing of the scope 'appointment'.",
    )
    assert found[14].reason == "Not known there: status."


def test_a_view_equals_the_golden_records_and_carries_what_rules_speak_against(faulty: FaultyMarket) -> None:
    found = at(audited(faulty, Asked(view=VIEW)), f"view {VIEW}")
    assert found[EQUALITY].outcome is Outcome.PASSED
    assert found[EQUALITY].looked_at == found[34].looked_at > 100
    assert found[34].failed > 0
    assert all(name.startswith("metering-point ") for name in found[34].sample)
    assert found[7].outcome is Outcome.ABSENT


def test_a_row_that_was_sent_otherwise_is_named(faulty: FaultyMarket) -> None:
    where = f"f.view_id = (select view_id from hub.view where name || '/' || recipient = '{VIEW}') and f.seq = 1"
    break_one = f"update hub.feed f set body = '{{\"lost\":' || body || '}}' where {where} returning golden_id"
    mend = f"update hub.feed f set body = substr(body, 9, length(body) - 9) where {where}"
    with changed(faulty, break_one, mend) as golden_id:
        run = audited(faulty, Asked(view=VIEW))
    found = at(run, f"view {VIEW}")[EQUALITY]
    assert (found.failed, found.sample) == (1, (f"golden {golden_id}",))
    assert found.reason == "Count or digest of its head is not that of its rows."
    assert not run.passed


def test_a_view_that_there_is_not_is_refused(faulty: FaultyMarket) -> None:
    with pytest.raises(ViewUnknown, match="mss-metering-point"):
        audited(faulty, Asked(view="nothing"))


def test_an_audit_leaves_nothing_behind(faulty: FaultyMarket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    audited(faulty, Asked(source="smrs20", entity="address"))
    assert list(tmp_path.iterdir()) == []
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"


def test_a_snapshot_keeps_nothing_whoever_commits(faulty: FaultyMarket) -> None:
    with open_snapshot(faulty.hub_dsn) as session:
        session.execute("delete from hub.view_row")
        session.commit()
    with db.connect(faulty.hub_dsn) as hub:
        assert hub.execute("select count(*) > 0 from hub.view_row").fetchone() == (True,)


def test_the_command_keeps_its_result_without_values_and_fails_over_the_threshold(
    faulty: FaultyMarket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MDM_DATABASE_URL", faulty.hub_dsn)
    monkeypatch.setenv("MDM_DATA_FOLDER", str(tmp_path / "data"))
    for name, dsn in faulty.dsns.items():
        monkeypatch.setenv(f"MDM_SOURCE_{name.upper()}_DSN", dsn)
    page = tmp_path / "audit.html"

    assert cli.run(["audit", "--entity", "address", "--threshold", "0.9", "--html", str(page), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert cli.run(["audit", "--source", "smrs10", "--entity", "address", "--threshold", "0", "--by", "ann"]) == 3
    assert "does not pass" in capsys.readouterr().out

    assert {finding["place"] for finding in first["findings"]} >= {"golden", "source mds", f"view {VIEW}"}
    assert re.findall(r"\d{13}", page.read_text() + json.dumps(first)) == []
    assert cli.run(["audit", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(run["passed"], run["by"] == "ann") for run in listed[:2]] == [(False, True), (True, False)]
    assert cli.run(["audit", "show", str(first["run_id"]), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first | {"findings": sorted(first["findings"], key=_in_order)}
    assert cli.run(["audit", "trend", "--rule", "34", "--json"]) == 0
    assert {moment["rule"] for moment in json.loads(capsys.readouterr().out)} == {34}


def _in_order(finding: dict[str, str | int]) -> tuple[str, int]:
    return str(finding["place"]), int(finding["rule"])


@settings(deadline=None)
@given(st.text(alphabet="a1:{}'\\% \"é", max_size=30))
def test_a_condition_reaches_postgresql_as_it_is_written(condition: str) -> None:
    filled = expectations.query_of(condition).format(batch="rows")
    compiled = str(text(filled).compile(dialect=PGDialect_psycopg()))  # type: ignore[no-untyped-call]  # SQLAlchemy's own
    assert compiled.replace("%%", "%") == f"select distinct record from rows where ({condition})"
