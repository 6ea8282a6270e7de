"""A source transaction that is mastered in several parts makes one version of each golden record, as in one part."""

import pytest

from mdm import mastering
from mdm.capture import isolating, mapping
from tests import factories
from tests.acceptance import golden_state
from tests.factories import Change, Transaction, address, meter, mpan, point
from tests.integration.golden_records.conftest import Hub

KEY, OTHER = mpan(1), mpan(2)
VERSIONS = "select version, op, changed from golden.golden_version where entity = 'metering_point' order by version"


def master_in_parts(hub: Hub, *changes: Change) -> None:
    """Master the changes as one transaction of the source, each in a part of its own."""
    take: isolating.Take = mastering.apply
    with hub.connection.transaction():
        for part in mapping.split(factories.batch(hub.sources["smrs10"], Transaction(changes=changes)), rows=1):
            isolating.master(hub.connection, part, take)
            take = isolating.go_on
        mastering.finish(hub.connection)


@pytest.mark.parametrize("before", [(), (point(KEY, mpan_status="N", registration_status="C"),)])
@pytest.mark.parametrize(
    "changes",
    [
        (point(KEY, mpan_status="R"), point(KEY, mpan_status="T")),
        (point(KEY, mpan_status="R"), point(OTHER, mpan_status="T"), point(KEY, "segment", market_segment="S")),
        (point(KEY, mpan_status="R"), point(KEY, op="d")),
        (point(KEY, op="d"), point(KEY, mpan_status="X", registration_status="O")),
        (point(KEY, mpan_status="R"), point(KEY, op="d"), point(KEY, mpan_status="T")),
        (meter(KEY, "S1"), meter(KEY, "S2"), meter(KEY, "S1", op="d"), point(KEY, mpan_status="R")),
        (address(KEY, uprn="7", text="1 HIGH ST"), address(KEY, uprn="7", text="2 HIGH ST"), point(KEY)),
    ],
)
def test_parts_make_the_same_versions_as_the_whole(
    hub: Hub, before: tuple[Change, ...], changes: tuple[Change, ...]
) -> None:
    if before:
        hub.change("smrs10", *before)
    master_in_parts(hub, *changes)

    assert list(golden_state.differences(hub.connection)) == []
    assert hub.value("select count(*) from golden.golden_version where source_id <> 0") == hub.value(
        "select count(distinct (golden_id, commit_lsn)) from golden.golden_version where source_id <> 0"
    )


def test_what_changes_in_two_parts_is_told_as_it_was_in_the_end(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, mpan_status="N", registration_status="C"))
    master_in_parts(
        hub,
        point(KEY, mpan_status="R", registration_status="C"),
        point(KEY, mpan_status="T", registration_status="O"),
    )

    assert hub.rows(VERSIONS)[1:] == [(2, "u", {"mpan_status": "T", "registration_status": "O"})]
    assert hub.value("select version from golden.metering_point") == 2


def test_what_is_created_and_deleted_in_one_transaction_never_was(hub: Hub) -> None:
    master_in_parts(hub, point(KEY, mpan_status="R"), point(KEY, op="d"))

    assert hub.rows(VERSIONS) == []
