"""Merge, then split, equals never merged, overrides and later changes included; what is refused changes nothing."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import psycopg
import pytest

from golden_records import redirects, reference
from mdm import db, mastering, merging
from mdm.embedded import EmbeddedServer
from mdm.merging import Decided, HubOccupied, IdentityRefused, IdentityStale, Merge
from tests import databases, factories
from tests.conftest import HUB_TEMPLATE
from tests.factories import Change, Transaction, address, batch, mpan
from tests.integration.golden_records import worlds
from tests.integration.golden_records.conftest import SYSTEMS, Hub
from tests.integration.golden_records.worlds import Story


@contextmanager
def world(server: EmbeddedServer) -> Iterator[Hub]:
    with databases.fresh(server, prefix="world", template=HUB_TEMPLATE) as dsn, db.connect(dsn) as connection:
        mastering.tune(connection)
        with connection.transaction():
            sources = {system.name: reference.register(connection, system) for system in SYSTEMS}
        hub = Hub(connection=connection, sources=sources)
        worlds.rank_overrides(hub)
        yield hub


@pytest.mark.parametrize(
    ("seed", "entities"),
    [
        (1, ("address",)),
        (2, ("meter",)),
        (3, ("contract", "appointment")),
        (4, ("metering_point",)),
        (5, ("address", "meter", "contract", "appointment", "metering_point")),
    ],
)
def test_what_is_merged_and_split_is_as_if_it_never_had_been_merged(
    hub_server: EmbeddedServer, seed: int, entities: tuple[str, ...]
) -> None:
    with world(hub_server) as merged, world(hub_server) as plain:
        story = Story(merged=merged, plain=plain, chance=random.Random(seed), entities=entities)
        for _ in range(5):
            story.change()
        for _ in range(30):
            step = story.chance.choices([story.change, story.override, story.merge, story.split], [7, 1, 2, 1])[0]
            step()
        while story.standing:
            story.split()
        for hub in (merged, plain):
            worlds.settle(hub)
        assert worlds.differences(merged, plain) == {}


KEY, OTHER = mpan(1), mpan(2)


def address_ids(hub: Hub) -> list[object]:
    return [row[0] for row in hub.rows("select golden_id from golden.address order by golden_id")]


def two_addresses(hub: Hub) -> tuple[int, int]:
    """Have point 1 at 1 High St and point 2 at the same, written another way."""
    hub.change("smrs10", address(KEY, uprn=None, text="1 HIGH ST"))
    hub.change("smrs10", address(OTHER, uprn=None, text="1 HIGH STREET"))
    first, second = address_ids(hub)
    return int(str(first)), int(str(second))


def sites(hub: Hub) -> list[tuple[object, ...]]:
    """Return the address of each point, by MPAN."""
    return hub.rows(
        "select address_id from golden.metering_point p join golden.crosswalk using (golden_id) order by key"
    )


def test_a_merge_is_not_undone_by_what_sources_send_anew(hub: Hub) -> None:
    first, second = two_addresses(hub)
    worlds.merge(hub, first, second)
    hub.change("smrs10", address(OTHER, uprn=None, text="1 HIGH STREET", line_2="ANNEX"))
    hub.change("mds", address(OTHER, uprn=None, text="1 HIGH STREET"))
    assert address_ids(hub) == [first]
    assert sites(hub) == [(first,), (first,)]
    assert hub.rows(
        "select golden_id, own_id, origin from golden.crosswalk where key like '%STREET' and unlinked_at is null"
    ) == [(first, second, "MANUAL")]


def test_a_split_leaves_no_reference_on_the_survivor_those_made_meanwhile_included(hub: Hub) -> None:
    first, second = two_addresses(hub)
    worlds.merge(hub, first, second)
    hub.change("smrs10", address(mpan(3), uprn=None, text="1 HIGH STREET"))
    assert sites(hub) == [(first,)] * 3
    worlds.split(hub, second)
    assert sites(hub) == [(first,), (second,), (second,)]
    assert hub.value("select count(*) from golden.source_record where own_id is not null") == 0


def test_a_chain_of_merges_leads_to_its_end_and_comes_apart_where_it_is_split(hub: Hub) -> None:
    for number in range(1, 5):
        hub.change("smrs10", address(mpan(number), uprn=None, text=f"{number} HIGH ST"))
    a, b, c, d = (int(str(golden_id)) for golden_id in address_ids(hub))
    worlds.merge(hub, b, a)
    worlds.merge(hub, c, b)
    worlds.merge(hub, d, c)
    assert redirects.list_ends(hub.connection, [a, b, c, d]) == {a: d, b: d, c: d}
    worlds.split(hub, b)
    assert redirects.list_ends(hub.connection, [a, b, c, d]) == {a: b, c: d}
    assert sites(hub) == [(b,), (b,), (d,), (d,)]


def test_a_retired_id_redirects_for_ever_and_versions_go_on_densely_after_a_split(hub: Hub) -> None:
    first, second = two_addresses(hub)
    worlds.merge(hub, first, second)
    worlds.split(hub, second)
    worlds.merge(hub, first, second)
    assert redirects.list_ends(hub.connection, [second]) == {second: first}
    assert hub.rows("select version, op from golden.golden_version where golden_id = %s order by 1", second) == [
        (1, "c"),
        (2, "d"),
        (3, "c"),
        (4, "d"),
    ]
    assert hub.rows("select undone_at is null from golden.redirect order by redirect_id") == [(False,), (True,)]


def test_the_journal_says_which_decision_merged_what(hub: Hub) -> None:
    first, second = two_addresses(hub)
    pair = [Merge(survivor=first, retired=second)]
    decided = Decided(now=factories.NOW, decision_id=17)
    change_id = worlds.act(hub, lambda: merging.merge(hub.connection, pair, decided=decided))
    said = hub.rows("select relation, source_key, payload from golden.journal where change_id = %s", change_id)
    assert said == [("hub.decision", "hub.decision|17", {"action": "merge", "pairs": [[second, first]]})]
    assert hub.value("select count(*) from golden.golden_version where source_id = 0 and golden_id = %s", second) == 1


def test_conflicts_close_with_a_merge_and_open_again_with_its_split(hub: Hub) -> None:
    hub.change("smrs10", address(KEY, uprn=None, text="1 HIGH ST"))
    hub.change("mds", address(KEY, uprn=None, text="1 HIGH STREET"))
    first, second = (int(str(golden_id)) for golden_id in address_ids(hub))
    open_conflicts = "select count(*) from golden.conflict where item = 'address_id' and closed_at is null"
    counted = [hub.value(open_conflicts)]
    worlds.merge(hub, first, second)
    counted.append(hub.value(open_conflicts))
    worlds.split(hub, second)
    counted.append(hub.value(open_conflicts))
    assert counted == [1, 0, 1]


def test_ids_stay_when_a_source_changes_the_key_of_its_row(hub: Hub) -> None:
    """The golden id comes from what the thing is, not from the key under which a source keeps it."""
    hub.change("smrs10", address(KEY, uprn="7", text="1 HIGH ST", row="1"))
    (before,) = address_ids(hub)
    gone = Change(
        relation="public.address", key=f"{KEY}|1", op="d", records=[factories.record("address", "address", None)]
    )
    hub.change("smrs10", gone, address(KEY, uprn="7", text="1 HIGH ST", row="2"))
    assert address_ids(hub) == [before]


@pytest.mark.parametrize(
    ("survivor", "retired", "told"),
    [
        (1, 1, "itself|both"),
        (1, 999, "no golden record 999"),
        (1, 2, "is a metering point|is a address"),
        (2, 4, "MPANs"),
    ],
)
def test_a_merge_that_cannot_be_is_refused_and_changes_nothing(
    hub: Hub, survivor: int, retired: int, told: str
) -> None:
    two_addresses(hub)
    ids = dict(enumerate([row[0] for row in hub.rows("select golden_id from golden.golden_record order by 1")], 1))
    before = worlds.state(hub)
    with pytest.raises(IdentityRefused, match=told):
        worlds.merge(hub, int(str(ids.get(survivor, survivor))), int(str(ids.get(retired, retired))))
    assert worlds.state(hub) == before


def test_what_is_retired_already_takes_part_in_no_merge(hub: Hub) -> None:
    first, second = two_addresses(hub)
    worlds.merge(hub, first, second)
    hub.change("smrs10", address(mpan(3), uprn=None, text="9 LOW RD"))
    third = int(str(address_ids(hub)[-1]))
    for survivor, retired in ((third, second), (second, third)):
        with pytest.raises(IdentityRefused, match="already"):
            worlds.merge(hub, survivor, retired)
    with pytest.raises(IdentityRefused, match="nothing to split"):
        worlds.split(hub, first)


def test_a_merge_of_what_has_changed_since_is_stale(hub: Hub) -> None:
    first, second = two_addresses(hub)
    hub.change("smrs10", address(OTHER, uprn=None, text="1 HIGH STREET", line_2="ANNEX"))
    with pytest.raises(IdentityStale):
        worlds.merge(hub, first, second, expected={first: 1, second: 1})
    worlds.merge(hub, first, second, expected={first: 1, second: 2})


def test_a_merge_waits_for_who_masters_and_refuses_when_that_takes_long(
    open_hub: Callable[[], Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, worker = open_hub(), open_hub()
    first, second = two_addresses(hub)
    monkeypatch.setattr(merging, "_ATTEMPTS", 1)
    late = batch(worker.sources["smrs10"], Transaction(changes=[address(mpan(3), uprn=None, text="1 HIGH STREET")]))
    with worker.connection.transaction():
        mastering.apply(worker.connection, late)
        with pytest.raises(HubOccupied):
            worlds.merge(hub, first, second)
    worlds.merge(hub, first, second)
    assert sites(hub) == [(first,)] * 3


def test_merges_splits_and_changes_at_once_leave_what_their_order_would(open_hub: Callable[[], Hub]) -> None:
    """Every point stands where its address leads in the end, whoever was in the middle of what."""
    hub, steward, *workers = (open_hub() for _ in range(4))
    first, second = two_addresses(hub)
    start = threading.Barrier(3)

    def decide() -> None:
        start.wait(timeout=10)
        for _ in range(6):
            worlds.merge(steward, first, second)
            worlds.split(steward, second)
        worlds.merge(steward, first, second)

    def present(worker: Hub, source: str) -> None:
        start.wait(timeout=10)
        for number in range(3, 30):
            text = ("1 HIGH STREET", "1 HIGH ST")[number % 2]
            _again(partial(worker.change, source, address(mpan(number), uprn=None, text=text)))

    threads = [
        threading.Thread(target=decide),
        threading.Thread(target=present, args=(workers[0], "smrs10")),
        threading.Thread(target=present, args=(workers[1], "mds")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    assert set(sites(hub)) == {(first,)}
    assert address_ids(hub) == [first]
    worlds.split(hub, second)
    assert sites(hub) == [(first,), (second,), *((second if number % 2 == 0 else first,) for number in range(3, 30))]


def _again(work: Callable[[], object]) -> None:
    """Do as a worker does: once more where another was in the way."""
    for _ in range(5):
        try:
            work()
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
            continue
        return
    raise AssertionError("it never passed")
