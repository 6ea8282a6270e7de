"""mdm conflict and mdm status --consistency: told masked, also where there is nothing to tell."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from mdm import cli
from mdm.governance import consistency
from mdm.governance.consistency import ConsistencyCollector
from tests.factories import address, mpan, point
from tests.integration.golden_records.conftest import Hub
from tests.waiting import wait_for

KEY = mpan(1)

Run = Callable[..., str]


@pytest.fixture
def hub(emptied_hub: Hub) -> Hub:
    return emptied_hub


@pytest.fixture
def run(
    hub: Hub,  # noqa: ARG001 - it is emptied first
    shared_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run mdm on the hub under test; return what it prints."""
    monkeypatch.setenv("MDM_DATABASE_URL", shared_dsn)

    def run(*arguments: str, status: int = 0) -> str:
        assert cli.run(list(arguments)) == status
        told = capsys.readouterr()
        return told.err if status else told.out

    return run


def differ(hub: Hub) -> None:
    """Let the copies of an address and of a supplier differ from their owner's values."""
    hub.change("smrs10", address(KEY, uprn="7", text="1 HIGH ST"), point(KEY, "supplier", supplier_mpid="ACRE"))
    hub.change("mds", address(KEY, uprn="7", text="2 HIGH ST"), point(KEY, "supplier", supplier_mpid="BRIM"))


def test_conflicts_are_listed_with_what_identifies_a_person_withheld(hub: Hub, run: Run) -> None:
    differ(hub)

    listed = run("conflict", "list")
    (named,) = json.loads(run("conflict", "list", "--entity", "address", "--older-than", "1h", "--json"))

    assert "mds says BRIM, smrs10 ACRE (registration EELC" in listed
    assert "2 open." in listed
    assert "HIGH ST" not in listed + json.dumps(named)
    assert "2 HIGH ST" in run("conflict", "list", "--reveal")


def test_a_conflict_is_shown_with_its_values_by_system(hub: Hub, run: Run) -> None:
    differ(hub)
    (named,) = json.loads(run("conflict", "list", "--item", "supplier_mpid", "--json"))

    shown = run("conflict", "show", str(named["conflict_id"]))

    assert "public.supplier" in shown
    assert "BRIM" in shown
    assert (
        named["conflict_id"] == json.loads(run("conflict", "show", str(named["conflict_id"]), "--json"))["conflict_id"]
    )


@pytest.mark.parametrize("state", ["open", "accepted", "closed"])
def test_an_empty_list_says_so(run: Run, state: str) -> None:
    assert run("conflict", "list", "--state", state).startswith("No ")


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["show", "9"], "mdm conflict list"),
        (["list", "--older-than", "soon"], "--older-than 4h"),
        (["list", "--state", "lost"], "--state open, accepted, closed"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_advice(run: Run, arguments: list[str], advice: str) -> None:
    assert advice in run("conflict", *arguments, status=2)


def test_status_tells_the_consistency_of_the_address_first(hub: Hub, run: Run) -> None:
    empty = run("status", "--consistency")
    differ(hub)
    hub.connection.execute("delete from golden.consistency")

    told = run("status", "--consistency")
    measure = json.loads(run("status", "mds", "--consistency", "--json"))

    assert empty.startswith("No two systems hold the address")
    assert told.splitlines()[1].split() == ["SMRS", "and", "MDS", "0.000%", "0", "of", "1"]
    assert {each["item"]: each["differing"] for each in measure["items"]} == {
        "lines": 1,
        "postcode": 0,
        "uprn": 0,
        "address_id": 0,
        "supplier_mpid": 1,
    }


def test_metrics_tell_shares_and_ages_without_a_key_or_a_value(hub: Hub, shared_dsn: str) -> None:
    differ(hub)
    consistency.renew_if_stale(hub.connection, now=datetime.now(UTC))
    registry = CollectorRegistry()
    collector = ConsistencyCollector(shared_dsn)
    collector.register(registry)
    try:
        wait_for(lambda: b"mdm_consistency_share{" in generate_latest(registry))
        text = generate_latest(registry).decode()
    finally:
        collector.close()

    assert 'mdm_consistency_share{entity="metering_point",item="address",other="MDS",system="SMRS"} 0.0' in text
    assert 'mdm_item_conflicts_open{entity="address",item="line_1",owner="distributor"} 1.0' in text
    assert 'mdm_item_conflicts_open{entity="meter",item="make",owner="metering service"} 0.0' in text
    assert "mdm_agreement_waiting" in text
    assert not any(word in text for word in (KEY, "HIGH", "BRIM"))
