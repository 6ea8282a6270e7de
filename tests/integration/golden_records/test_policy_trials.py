"""Trying another ranking of sources: it tells what would change, and changes nothing."""

from typing import Any

import psycopg
import pytest

from golden_records import policy_trials
from mdm import db
from mdm.audit import policies
from mdm.audit.policies import PolicyFault
from tests import factories
from tests.factories import appointment, mpan, point
from tests.integration.golden_records.conftest import Hub

KEY, OTHER = mpan(1), mpan(2)


def ranking(group: str, *kinds: str, entity: str = "metering_point") -> dict[str, Any]:
    return {entity: {"groups": {group: {"survivorship": list(kinds)}}}}


def tried(hub: Hub, declared: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a policy would change, in a transaction that can change nothing."""
    shares: list[float] = []
    with db.reading(hub.connection):
        found = policy_trials.run(hub.connection, policies.parse(declared), advance=shares.append)
    assert shares == sorted(shares)
    assert shares[-1:] == [1.0]
    return [change.as_json() for change in found]


def test_each_value_that_would_come_from_another_source_is_counted_and_shown(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, "gsp", gsp_group="_A"), point(OTHER, "gsp", gsp_group="_A"))
    hub.change("mds", point(KEY, "gsp", gsp_group="_B"), point(OTHER, "gsp", gsp_group="_A"))
    point_id = hub.value("select golden_id from golden.metering_point where gsp_group = '_A' order by mpan limit 1")

    assert tried(hub, ranking("gsp", "MDS", "SMRS")) == [
        {
            "group": "gsp",
            "item": "gsp_group",
            "from": "smrs10",
            "to": "mds",
            "count": 1,
            "examples": [{"golden_id": point_id, "now": "_A", "then": "_B"}],
        }
    ]


def test_the_ranking_that_stands_would_change_nothing(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, "energisation", energisation_status="E"), appointment(KEY))
    hub.change("mss", point(KEY, "energisation", energisation_status="D"))

    assert tried(hub, ranking("energisation", "appointed", "SMRS", "MSS", "MSA", "UMSO", "MDS")) == []


def test_the_appointed_service_can_be_ranked_behind(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, "energisation", energisation_status="E"), appointment(KEY))
    hub.change("mss", point(KEY, "energisation", energisation_status="D"))
    assert hub.value("select energisation_status from golden.metering_point") == "D"

    (change,) = tried(hub, ranking("energisation", "SMRS", "MSS"))

    assert (change["from"], change["to"], change["count"]) == ("mss", "smrs10", 1)


def test_what_a_source_is_silent_about_still_comes_from_the_next(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, "profile", profile_class="01", ssc="0393"))
    hub.change("mds", point(KEY, "profile", profile_class="02"))

    assert [change["item"] for change in tried(hub, ranking("profile", "MDS", "SMRS"))] == ["profile_class"]


def test_an_atomic_group_would_come_from_one_source_whole(hub: Hub) -> None:
    said = factories.address(KEY, uprn="77", text="1 Mill Lane", line_2="Bath")
    copied = factories.address(KEY, uprn="77", text="1 Mill Lane")
    hub.change("smrs10", said)
    hub.change("mds", copied)

    (change,) = tried(hub, ranking("address", "MDS", "SMRS", entity="address"))

    assert (change["item"], change["from"], change["to"]) == ("line_2", "smrs10", "mds")
    assert change["examples"][0]["now"] == "withheld"


def test_a_trial_cannot_write(hub: Hub) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), db.reading(hub.connection):
        hub.connection.execute("delete from golden.source_record")


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({}, "changes no ranking"),
        ([], "not understood"),
        ({"metering_point": {"survivorship": ["SMRS"]}}, "not understood"),
        (ranking("nothing", "SMRS"), "no group nothing"),
        (ranking("gsp", "SMRS", "XYZ"), "is a list of"),
        (ranking("gsp", "appointed", "SMRS"), "ranks nobody"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(declared: Any, said: str) -> None:
    with pytest.raises(PolicyFault, match=said):
        policies.parse(declared)
