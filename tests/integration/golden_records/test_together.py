"""What waits of several sources, mastered as one, comes out as if each transaction had been mastered when it came."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from operator import itemgetter

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from golden_records import unjudged
from mdm import mastering, parts
from mdm.capture import inbox
from mdm.capture.checkpoint import Move, Position, Progress
from mdm.capture.inbox import Gathered, Waiting
from mdm.capture.lsn import Lsn
from tests import factories
from tests.factories import NOW, Transaction, address, mpan, point
from tests.integration.golden_records.conftest import Hub
from tests.integration.golden_records.test_first import Load, appointments, point_changes, sources

Told = tuple[str, Transaction]

_KEY = "(select min(key) from golden.crosswalk c where c.golden_id = {0} and c.unlinked_at is null)"
_SAID = "- array['metering_point_id', 'address_id', 'contract_id', 'golden_id', 'lineage', 'updated_at', 'version']"
_VERSIONS = "golden.golden_version"
_STATE = {
    "golden.source_record": f"{_KEY.format('golden_id')}, source_id, source_key, item_group, effective_from,"
    f" effective_to, item_values {_SAID}",
    "golden.metering_point": f"{_KEY.format('golden_id')}, {_KEY.format('address_id')}, to_jsonb(t) {_SAID}",
    "golden.meter": f"{_KEY.format('golden_id')}, {_KEY.format('metering_point_id')}, to_jsonb(t) {_SAID}",
    "golden.appointment": f"{_KEY.format('golden_id')}, {_KEY.format('contract_id')}, to_jsonb(t) {_SAID}",
    "golden.address": f"{_KEY.format('golden_id')}, to_jsonb(t) {_SAID}",
    _VERSIONS: f"{_KEY.format('golden_id')}, version, op, source_id, commit_lsn, changed {_SAID}",
    "golden.journal": "source_id, commit_lsn, ordinal, op, source_key",
}

# Not what has weak keys: which thing the first of them names depends on what comes in one part, of whatever source.
stories = st.lists(
    st.tuples(sources, st.one_of(point_changes(), point_changes(), appointments())),
    min_size=2,
    max_size=12,
)


@given(story=stories, in_parts=st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_all_at_once_is_one_after_the_other(hub: Hub, story: Sequence[Load], *, in_parts: bool) -> None:
    told = transactions_of(story)
    with hub.connection.transaction(force_rollback=True):
        for source, transaction in told:
            mastering.apply(hub.connection, factories.batch(hub.sources[source], transaction))
        one_by_one = state(hub)
    with hub.connection.transaction(force_rollback=True):
        middle = len(told) // 2 if in_parts else 0
        for part in (told[:middle], told[middle:]):
            put(hub, part)
        taken = take(hub)
        master(hub, *([each] for each in taken)) if in_parts else master(hub, taken)
        mastering.judge(hub.connection, notes=50)
        assert not unjudged.are_any(hub.connection)
        together = state(hub)
        if in_parts:  # which stand in the order in which they come
            del together[_VERSIONS], one_by_one[_VERSIONS]
        assert together == one_by_one
        assert hub.value("select count(*) from hub.inbox_change") == 0


def test_changes_of_several_sources_stand_in_the_order_of_their_commits(hub: Hub) -> None:
    key = mpan(77)
    told = [
        ("mds", Transaction(lsn=900, committed_at=NOW + timedelta(seconds=3), changes=[gsp(key, "_C")])),
        ("smrs10", Transaction(lsn=100, committed_at=NOW + timedelta(seconds=1), changes=[gsp(key, "_A")])),
        ("smrs10", Transaction(lsn=200, committed_at=NOW + timedelta(seconds=4), changes=[gsp(key, "_D")])),
        ("mss", Transaction(lsn=5, committed_at=NOW + timedelta(seconds=2), changes=[gsp(key, "_B")])),
    ]
    with hub.connection.transaction():
        put(hub, told)
        master(hub, take(hub))
    versions = hub.rows(
        "select s.name, v.commit_lsn::text from golden.golden_version v join golden.source_system s using (source_id)"
        " join golden.crosswalk c using (golden_id) where c.key = %s order by version",
        key,
    )
    assert versions == [("smrs10", "0/64"), ("smrs10", "0/C8")]
    assert (
        hub.value(
            "select gsp_group from golden.metering_point join golden.crosswalk using (golden_id) where key = %s", key
        )
        == "_D"
    )


def test_batches_of_one_source_are_numbered_one_behind_the_other(hub: Hub) -> None:
    key = mpan(78)
    first = ("smrs10", Transaction(lsn=300, changes=[gsp(key, "_A")]))
    later = ("smrs10", Transaction(lsn=400, committed_at=NOW + timedelta(seconds=1), changes=[gsp(key, "_B")]))
    with hub.connection.transaction():
        put(hub, [first])
        put(hub, [later])
        master(hub, take(hub))
    ids = hub.rows("select change_id from golden.journal where commit_lsn in ('0/12C', '0/190') order by commit_lsn")
    assert ids[0] < ids[1]
    assert (
        hub.value(
            "select gsp_group from golden.metering_point join golden.crosswalk using (golden_id) where key = %s", key
        )
        == "_B"
    )


def test_in_a_hurry_what_a_record_leaves_is_not_waited_for(open_hub: Callable[[], Hub]) -> None:
    hub, other = open_hub(), open_hub()
    hub.change("smrs10", address(mpan(79), uprn="1", text="1 HIGH ST"))
    with hub.connection.transaction():
        put(hub, [("smrs10", Transaction(lsn=500, changes=[address(mpan(79), uprn="2", text="2 HIGH ST")]))])

    with other.connection.transaction():
        other.connection.execute("select from golden.golden_record where entity = 'address' for no key update")
        with pytest.raises(psycopg.errors.SerializationFailure), hub.connection.transaction():
            master(hub, take(hub))
    with hub.connection.transaction():
        master(hub, take(hub))

    assert hub.rows("select uprn, line_1 from golden.address") == [("2", "2 HIGH ST")]


def test_in_a_hurry_a_row_that_is_deleted_and_inserted_anew_moves(hub: Hub) -> None:
    before, after = (address(mpan(80), uprn=uprn, text=text) for uprn, text in (("1", "1 HIGH ST"), ("2", "2 HIGH ST")))
    hub.change("smrs10", before)
    with hub.connection.transaction():
        put(hub, [("smrs10", Transaction(lsn=600, changes=[replace(before, op="d"), replace(after, op="c")]))])
        master(hub, take(hub))
    assert _stands_at(hub, mpan(80)) == [("2", "2 HIGH ST")]
    assert hub.rows("select uprn from golden.address where uprn in ('1', '2')") == [("2",)]


def _stands_at(hub: Hub, key: str) -> Sequence[object]:
    query = (
        "select a.uprn, a.line_1 from golden.metering_point p join golden.crosswalk c using (golden_id)"
        " join golden.address a on a.golden_id = p.address_id where c.key = %s"
    )
    return hub.rows(query, key)


def gsp(key: str, group: str) -> factories.Change:
    return point(key, "gsp", gsp_group=group)


def _gsp(hub: Hub, key: str) -> object:
    query = "select gsp_group from golden.metering_point join golden.crosswalk using (golden_id) where key = %s"
    return hub.value(query, key)


def transactions_of(story: Sequence[Load]) -> list[Told]:
    """Give each change a transaction of its own, a second after the one before."""
    return [
        (source, Transaction(lsn=1_000_000 + 10 * place, committed_at=NOW + timedelta(seconds=place), changes=[change]))
        for place, (source, change) in enumerate(story)
    ]


def put(hub: Hub, told: Sequence[Told]) -> None:
    """Put a batch of each source into the inbox."""
    for source, group in groupby(sorted(told, key=itemgetter(0)), itemgetter(0)):
        transactions = [transaction for _, transaction in group]
        batch = factories.batch(hub.sources[source], *transactions)
        at = Position(commit_lsn=Lsn(transactions[-1].lsn), end_lsn=Lsn(transactions[-1].lsn))
        progress = Progress(changes=batch.changes.height, source_at=transactions[-1].committed_at)
        move = Move(source_id=batch.source_id, known=at, reached=at, progress=progress)
        inbox.put(hub.connection, move, batch, worker=1)


def take(hub: Hub) -> list[Waiting]:
    return inbox.take(hub.connection, changes=1_000)


def master(hub: Hub, *takes: list[Waiting]) -> None:
    gathered = Gathered(block=parts.begin(hub.connection))
    for taken in takes:
        gathered.add(hub.connection, taken)
    mastering.apply_journalled(hub.connection, gathered, is_hurried=True)


def state(hub: Hub) -> dict[str, list[tuple[object, ...]]]:
    """Return what is known of each thing, and which rules speak against it, without the ids that the hub gave it."""
    violated = (
        f"select {_KEY.format('golden_id')}, rule, severity, subject from golden.violation where closed_at is null"
    )
    return {"golden.violation": sorted(hub.rows(violated), key=str)} | {
        table: hub.rows(f"select row({columns})::text from {table} t order by 1") for table, columns in _STATE.items()
    }
