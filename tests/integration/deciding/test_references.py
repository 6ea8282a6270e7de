"""The replies kept are rows of rule 38: the audit reads them and the rule can be tried on them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mdm import cli, db
from mdm.audit import auditing
from mdm.audit.asked import Asked
from mdm.audit.findings import Finding
from mdm.deciding import replying
from mdm.embedded import EmbeddedServer
from mdm.stewardship import corrections
from mdm.stewardship.corrections import Correction, Reply, State
from mdm.stewardship.decisions import Kind
from tests import databases
from tests.conftest import HUB_TEMPLATE
from tests.integration.deciding.conftest import Desk, now
from tests.integration.golden_records.conftest import open_hub_session

_ONCE = "correction_entry_recipient_sender_reference_uq"


@pytest.fixture(scope="module")
def replied(hub_server: EmbeddedServer) -> Iterator[Desk]:
    """A hub with three replies under references of their own, one request that waits, and one that is refused."""
    with databases.fresh(hub_server, prefix="hub", template=HUB_TEMPLATE) as dsn, db.connect(dsn) as connection:
        desk = Desk(dsn=dsn, hub=open_hub_session(connection))
        first, second, third, *_ = [ask(desk, number) for number in range(1, 5)]
        reply(desk, first, "R-1")
        reply(desk, second, "R-2")
        reply(desk, second, "R-3")
        with pytest.raises(corrections.ReferenceUsed):
            reply(desk, third, "R-3")
        yield desk


def ask(desk: Desk, number: int) -> Correction:
    decision = desk.decide(Kind.ASK, desk.differ(number), source="mds")
    return corrections.get(desk.hub.connection, f"CR-{decision.decision_id:09}")


def reply(desk: Desk, asked: Correction, reference: str) -> None:
    with db.transaction(desk.hub.connection):
        said = Reply(state=State.ACCEPTED, sender_reference=reference)
        replying.reply(desk.hub.connection, asked, said, at=now())


@contextmanager
def unguarded(desk: Desk) -> Iterator[None]:
    """Let a reference be used twice behind the check's back, and take it back again."""
    told = "update hub.correction_entry set sender_reference = %s where sender_reference = %s"
    connection = desk.hub.connection
    connection.execute(f"alter table hub.correction_entry drop constraint {_ONCE}")
    connection.execute(told, ["R-1", "R-3"])
    try:
        yield
    finally:
        connection.execute(
            "update hub.correction_entry set sender_reference = 'R-3' where sender_reference = 'R-1'"
            " and seq = (select max(seq) from hub.correction_entry where sender_reference = 'R-1')"
        )
        connection.execute(
            f"alter table hub.correction_entry add constraint {_ONCE} unique (recipient, sender_reference)"
        )


def audited(desk: Desk, **asked: Any) -> tuple[bool, Finding]:
    run = auditing.run(desk.dsn, [], Asked(entity="metering_point", **asked), by="tests", note=str.strip)
    (found,) = [each for each in run.findings if each.place == "golden" and each.rule == 38]
    return found.passes(None), found


def tried(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], desk: Desk, *options: str) -> Any:
    monkeypatch.setenv("MDM_DATABASE_URL", desk.dsn)
    assert cli.run(["rules", "try", "38", "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_audit_reads_the_replies_kept(replied: Desk) -> None:
    passes, found = audited(replied)
    assert (passes, found.outcome.value, found.looked_at, found.failed, found.inline) == (True, "passed", 3, 0, 0)
    assert audited(replied, sample=2)[1].looked_at == 2


def test_the_audit_names_the_replies_under_a_reference_that_came_past_the_check(replied: Desk) -> None:
    with unguarded(replied):
        passes, found = audited(replied)
    assert (passes, found.outcome.value, found.looked_at, found.failed) == (False, "failed", 3, 2)
    assert (found.inline, found.differing) == (0, 2)
    entries = replied.hub.rows(
        "select c.reference || ' entry ' || e.seq from hub.correction_entry e join hub.correction c"
        " using (correction_id) where e.sender_reference in ('R-1', 'R-3') order by 1"
    )
    assert [(name,) for name in found.sample] == entries


def test_the_rule_is_tried_on_the_replies_kept(
    replied: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (told := tried(monkeypatch, capsys, replied))["looked_at"] == 3
    assert told["failed"] == 0
    with unguarded(replied):
        told = tried(monkeypatch, capsys, replied)
    assert (told["looked_at"], told["failed"]) == (3, 2)
    assert [each["values"] for each in told["examples"]] == [
        {"sender": "EELC", "reference": "withheld", "times_used": 2}
    ] * 2


def test_a_sample_of_a_trial_is_of_records_that_replies_are_about(
    replied: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tried(monkeypatch, capsys, replied, "--sample", "1")["looked_at"] in {1, 2}
    assert tried(monkeypatch, capsys, replied, "--sample", "2")["looked_at"] == 3
