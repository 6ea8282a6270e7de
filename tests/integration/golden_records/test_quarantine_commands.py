"""mdm quarantine: what is held back is told without what identifies a person, and put through again on request."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from mdm import cli
from tests.factories import address, appointment, meter, mpan, point
from tests.integration.golden_records.conftest import Hub

KEY = mpan(1)

Command = Callable[..., Any]


@pytest.fixture
def command(hub_dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run mdm quarantine on this test's hub; return what it prints, as JSON gives it."""
    monkeypatch.setenv("MDM_DATABASE_URL", hub_dsn)

    def run(*arguments: str) -> Any:
        assert cli.run(["quarantine", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def test_what_is_held_back_is_listed_without_its_mpan(hub: Hub, command: Command) -> None:
    hub.change("smrs10", appointment(KEY, contract_reference=" "))

    (held,) = command("list")

    assert (held["source"], held["rule"], held["attempts"]) == ("smrs10", 11, 1)
    assert KEY not in json.dumps(held)
    assert KEY in command("list", "--reveal")[0]["source_key"]


def test_a_record_is_shown_with_what_mends_it_and_its_public_values_alone(hub: Hub, command: Command) -> None:
    wrong = KEY[:-1] + str((int(KEY[-1]) + 1) % 10)
    hub.change("smrs10", point(wrong, mpan_status="R"))
    (held,) = command("list")

    shown = command("show", str(held["quarantine_id"]))

    assert shown["items"]["mpan_status"] == "R"
    assert shown["items"].get("mpan") in {None, "withheld"}
    assert shown["mend"]
    assert wrong not in json.dumps(shown)


def test_what_passes_when_it_is_put_through_again_is_mastered(hub: Hub, command: Command) -> None:
    hub.change("smrs10", point(KEY, "connection", connection_type="U"))
    hub.change("smrs10", meter(KEY, "S1"))
    (held,) = command("list")
    # Mended in a way that heals nothing by itself: the rule's view of the point changes behind the hub's back.
    hub.connection.execute("update golden.metering_point set connection_type = 'W'")

    assert command("retry") == {"tried": 1, "mastered": 1, "held": 0}
    assert hub.value("select count(*) from golden.meter") == 1
    (closed,) = command("list", "--closed")
    assert (closed["quarantine_id"], closed["outcome"]) == (held["quarantine_id"], "mastered")


def test_what_still_fails_stays_held_and_counts_its_attempts(hub: Hub, command: Command) -> None:
    hub.change("smrs10", appointment(KEY, contract_reference=" "), address(KEY, uprn="1", text="1 HIGH ST"))
    (held,) = command("list")

    assert command("retry", str(held["quarantine_id"])) == {"tried": 1, "mastered": 0, "held": 1}
    assert command("list")[0]["attempts"] == 2


def test_an_id_that_is_not_held_back_is_refused(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, hub_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MDM_DATABASE_URL", hub_dsn)

    assert cli.run(["quarantine", "retry", "99"]) == 2
    assert "no 99" in capsys.readouterr().err
    assert hub.value("select count(*) from golden.quarantine") == 0
