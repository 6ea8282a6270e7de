"""Trying a rule: it tells how many records it would speak against, and changes nothing."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from golden_records import rule_trials
from mdm import cli, db
from mdm.stewardship import corrections
from rules import registry
from rules.model import Scope
from tests.factories import address, mpan, point
from tests.integration.golden_records.conftest import Hub

KEY, OTHER, THIRD = mpan(1), mpan(2), mpan(3)


def tried(hub: Hub, code: int, *, sample: int | None = None, **changed: Any) -> Mapping[str, Any]:
    rule, shares = replace(registry.get(code), **changed), list[float]()
    stored = corrections.messages if rule.scope is Scope.MESSAGE else None
    with db.reading(hub.connection):
        rule_trials.tune(hub.connection)
        trial = rule_trials.run(hub.connection, rule, sample=sample, advance=shares.append, stored=stored)
    assert shares[-1:] == [1.0]
    return trial.as_json()


@pytest.fixture
def addresses(hub: Hub) -> Hub:
    hub.change(
        "smrs10",
        address(KEY, uprn="1", text="1 Mill Lane"),
        address(OTHER, uprn="2", text="2 Mill Lane", postcode="nowhere"),
        address(THIRD, uprn="3", text="3 Mill Lane", postcode="BA1"),
    )
    return hub


def test_a_trial_counts_what_would_fail_and_withholds_what_identifies(addresses: Hub) -> None:
    found = tried(addresses, 34)
    assert (found["looked_at"], found["failed"], len(found["examples"])) == (3, 2, 2)
    assert {example["values"]["postcode"] for example in found["examples"]} == {"withheld"}


def test_a_trial_of_a_sample_looks_at_so_many(addresses: Hub) -> None:
    assert tried(addresses, 34, sample=2)["looked_at"] == 2


def test_a_changed_rule_is_tried_as_it_is_given(addresses: Hub) -> None:
    assert tried(addresses, 34, violated="postcode = {least}::text", parameters={"least": 5})["failed"] == 0
    assert tried(addresses, 34, violated="length(postcode) > {least}", parameters={"least": 3})["failed"] == 2


def test_a_percent_sign_in_a_rule_stands_for_itself(addresses: Hub) -> None:
    assert tried(addresses, 34, violated="postcode like 'now%'")["failed"] == 1


@pytest.mark.parametrize("code", sorted(registry.RULES))
def test_every_rule_can_be_tried(code: int, empty: Hub) -> None:
    assert tried(empty, code)["failed"] == 0


@pytest.fixture(scope="module")
def empty(hub_server: Any) -> Any:
    from tests import databases  # noqa: PLC0415 - of this fixture alone
    from tests.conftest import HUB_TEMPLATE  # noqa: PLC0415

    with databases.fresh(hub_server, prefix="trials", template=HUB_TEMPLATE) as dsn, db.connect(dsn) as connection:
        connection.execute("insert into golden.golden_record values (1, 'metering_point', now())")
        yield Hub(connection=connection, sources={})


def test_copies_are_tried_by_the_rule_that_compares_them(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, "gsp", gsp_group="_A"), point(OTHER, "gsp", gsp_group="_B"))
    hub.change("mds", point(KEY, "gsp", gsp_group="_B"), point(OTHER, "gsp", gsp_group="_b"))
    found = tried(hub, 39)
    assert (found["looked_at"], found["failed"]) == (2, 1)


def test_the_command_tries_a_rule_and_a_policy(
    addresses: Hub, hub_dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    monkeypatch.setenv("MDM_DATABASE_URL", hub_dsn)
    before = addresses.rows("select count(*), max(change_id) from golden.journal")

    assert cli.run(["rules", "try", "34", "--json", "--reveal"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {example["values"]["postcode"] for example in told["examples"]} == {"nowhere", "BA1"}
    assert cli.run(["rules", "try", "34"]) == 0
    said = capsys.readouterr().out
    assert "2 of 3 records" in said
    assert "nowhere" not in said

    policy = tmp_path / "policy.yaml"
    policy.write_text("address:\n  groups:\n    address:\n      survivorship: [MDS, SMRS]\n")
    assert cli.run(["rules", "try", "--policy", str(policy), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"values": 0, "changes": []}
    assert addresses.rows("select count(*), max(change_id) from golden.journal") == before
