"""Conflicts: every copy compared with its owner's value as declared, from the moment they differ until they agree."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from golden_records import conflicts
from mdm import assembling, mastering
from tests import factories
from tests.factories import NOW, Change, Transaction, address, appointment, meter, mpan, point
from tests.integration.golden_records.conftest import Hub

KEY = mpan(1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def hub(emptied_hub: Hub) -> Hub:
    return emptied_hub


def supplied(supplier: str) -> Change:
    return point(KEY, "supplier", supplier_mpid=supplier)


def at(seconds: float, *changes: Change) -> Transaction:
    return Transaction(changes=changes, committed_at=NOW + seconds * SECOND)


def open_items(hub: Hub) -> list[tuple[object, ...]]:
    """Return the items of the open conflicts with the systems whose copies differ."""
    return hub.rows(
        "select k.item, s.name from golden.conflict k join golden.source_system s using (source_id)"
        " where k.closed_at is null order by 1, 2"
    )


def subjects(hub: Hub, source: str, *transactions: Transaction) -> list[tuple[object, ...]]:
    """Master the transactions and return what was noted of conflicts: ids and whether they are open."""
    with hub.connection.transaction():
        mastering.apply(hub.connection, factories.batch(hub.sources[source], *transactions))
        noted = hub.rows("select subject_id, is_open from stage_subject where kind = 'conflict' order by 1")
        mastering.finish(hub.connection)
    return noted


def test_copies_that_follow_one_by_one_close_their_conflicts_in_grace(hub: Hub) -> None:
    for source in ("smrs10", "mss", "mds"):
        hub.change(source, supplied("ACRE"))

    hub.master("smrs10", at(0, supplied("BRIM")))
    opened = open_items(hub)
    hub.master("mss", at(2, supplied("BRIM")))
    between = open_items(hub)
    hub.master("mds", at(3, supplied("BRIM")))

    assert opened == [("supplier_mpid", "mds"), ("supplier_mpid", "mss")]
    assert between == [("supplier_mpid", "mds")]
    told = (
        "select opened_by, closed_by, outcome, closed_in_grace, closed_at - opened_at from golden.conflict order by 5"
    )
    assert hub.rows(told) == [("owner", "copy", "agreed", True, gap * SECOND) for gap in (2, 3)]


@pytest.mark.parametrize(
    ("differing", "agreeing"),
    [
        ("mds", []),
        *[(one, [other]) for one, other in permutations(("mss", "msa", "mds"), 2)],
        *[(one, sorted({"mss", "msa", "mds"} - {one})) for one in ("mss", "msa", "mds")],
    ],
)
def test_whichever_of_several_copies_differs_is_found(hub: Hub, differing: str, agreeing: list[str]) -> None:
    for source in ("smrs10", *agreeing):
        hub.change(source, supplied("ACRE"))

    hub.change(differing, supplied("BRIM"))

    assert open_items(hub) == [("supplier_mpid", differing)]


def test_a_copy_that_comes_before_its_owner_closes_when_the_owner_comes(hub: Hub) -> None:
    for source in ("smrs10", "mds"):
        hub.change(source, supplied("ACRE"))

    hub.master("mds", at(1, supplied("BRIM")))
    hub.master("smrs10", at(0, supplied("BRIM")))

    told = "select opened_by, closed_by, outcome, closed_in_grace, opened_at - closed_at from golden.conflict"
    assert hub.rows(told) == [("copy", "owner", "agreed", True, SECOND)]


@pytest.mark.parametrize(
    ("owners", "copies"),
    [
        (point(KEY, "duos", duos_tariff="AB1"), point(KEY, "duos", duos_tariff="a b1")),
        (point(KEY, "profile", profile_class="1", ssc="0393"), point(KEY, "profile", profile_class="01", ssc="393")),
        (address(KEY, uprn="7", text="1 HIGH ST"), address(KEY, uprn="7", text="1 High St.", postcode="ba11aa")),
        (
            address(KEY, uprn="7", text="FLAT 2", line_4="1 HIGH STREET", line_7="BATH"),
            address(KEY, uprn="7", text="Flat 2, 1 High Street", line_3="Bath"),
        ),
        (meter(KEY, "L YYP 12345"), meter(KEY, "lyyp12345", make="Landis")),
    ],
)
def test_what_the_declared_comparison_passes_over_is_no_conflict(hub: Hub, owners: Change, copies: Change) -> None:
    hub.change("smrs10", point(KEY, mpan_status="R"), owners)
    hub.change("mds", copies)

    assert open_items(hub) == []


@pytest.mark.parametrize(
    ("owners", "copies", "items"),
    [
        (point(KEY, "dcc", dcc_service_flag="A"), point(KEY, "dcc", dcc_service_flag="I"), ["dcc_service_flag"]),
        (
            point(KEY, "supplier", supplier_mpid="ACRE", supplier_from="2026-01-01"),
            point(KEY, "supplier", supplier_mpid="ACRE", supplier_from="2026-01-02"),
            ["supplier_from"],
        ),
        (
            address(KEY, uprn="7", text="1 HIGH ST", line_4="TWERTON", line_7="BATH"),
            address(KEY, uprn="7", text="1 HIGH ST", line_4="OLDFIELD", line_7="WELLS"),
            ["line_4", "line_7"],
        ),
        (
            address(KEY, uprn="7", text="1 HIGH ST", line_4="TWERTON"),
            address(KEY, uprn="7", text="1 HIGH ST"),
            ["line_4"],
        ),
        (address(KEY, uprn="7", text="1 HIGH ST"), address(KEY, uprn="8", text="1 HIGH ST"), ["address_id"]),
        (
            meter(KEY, "L1", make="LANDIS", displayed_digits=5),
            meter(mpan(2), "L1", make="LANDIS", displayed_digits=6),
            ["displayed_digits", "metering_point_id"],
        ),
    ],
)
def test_what_it_does_not_pass_over_is_a_conflict_of_the_item(
    hub: Hub, owners: Change, copies: Change, items: list[str]
) -> None:
    hub.change("smrs10", point(KEY, mpan_status="R"), owners)
    hub.change("mds", copies)

    assert open_items(hub) == [(item, "mds") for item in items]


def test_each_copy_of_an_address_that_a_system_holds_at_several_points_is_compared(hub: Hub) -> None:
    pair = (KEY, mpan(2))
    hub.change("smrs10", *(address(key, uprn="7", text="1 HIGH ST") for key in pair))
    hub.change("mds", *(address(key, uprn="7", text="1 HIGH ST") for key in pair))

    hub.change("mds", address(KEY, uprn="7", text="2 HIGH ST"))
    hub.change("mds", address(pair[1], uprn="7", text="1 High St"))
    differing = open_items(hub)
    hub.change("smrs10", address(KEY, uprn="7", text="1 HIGH ST.", line_4=None))
    still = open_items(hub)
    hub.change("mds", address(KEY, uprn="7", text="1 HIGH ST"))

    assert differing == still == [("line_1", "mds")]
    assert open_items(hub) == []
    assert hub.rows("select outcome, version from golden.conflict") == [("agreed", 3)]


def test_a_copy_that_is_silent_does_not_differ_and_ends_a_conflict(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, "profile", profile_class="1", ssc="0393"))
    hub.change("mds", point(KEY, "profile", profile_class="1"))
    silent = open_items(hub)

    hub.change("mds", point(KEY, "profile", profile_class="2"))
    differing = open_items(hub)
    hub.change("mds", point(KEY, "profile", ssc="393"))

    assert (silent, differing, open_items(hub)) == ([], [("profile_class", "mds")], [])
    assert hub.rows("select outcome from golden.conflict") == [("withdrawn",)]


def test_where_the_owner_is_silent_it_is_said_that_a_fallback_survived(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, "profile", ssc="0393"))
    hub.change("mds", point(KEY, "profile", profile_class="1"))
    hub.change("msa", point(KEY, "profile", profile_class="2"))
    fallback = hub.rows("select item, is_fallback, owner_value from golden.conflict where closed_at is null")

    hub.change("smrs10", point(KEY, "profile", ssc="0393", profile_class="1"))

    assert fallback == [("profile_class", True, "1")]
    assert hub.rows("select is_fallback, owner_value, version from golden.conflict") == [(False, "1", 2)]


def test_a_deleted_copy_closes_its_conflict(hub: Hub) -> None:
    hub.change("smrs10", supplied("ACRE"))
    hub.change("mds", supplied("BRIM"))

    hub.change("mds", point(KEY, "supplier", op="d"))

    assert hub.rows("select outcome, closed_by from golden.conflict") == [("withdrawn", "copy")]


def test_a_deleted_golden_record_closes_its_conflicts(hub: Hub) -> None:
    hub.change("smrs10", meter(KEY, "L1", location="A"))
    hub.change("mds", meter(KEY, "L1", location="B"))

    for source in ("mds", "smrs10"):
        hub.change(source, meter(KEY, "L1", op="d"))

    assert open_items(hub) == []


def test_the_metering_service_becomes_the_owner_and_ceases_to_be(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, mpan_status="R"), point(KEY, "segment", market_segment="S"))
    hub.change("smrs10", point(KEY, "connection", connection_type="W"), meter(KEY, "L1", location="K"))
    hub.change("mss", meter(KEY, "L1", location="B"))
    before = _sides(hub)

    hub.change("smrs10", appointment(KEY))
    appointed = _sides(hub)
    hub.change("smrs10", appointment(KEY, appointed_to="2025-12-31", status="de-appointed"))

    assert before == [("mss", "B", "smrs10", "K", None, True)]
    assert appointed == [("smrs10", "K", "mss", "B", "SMAR", False)]
    assert _sides(hub) == before
    assert hub.rows("select outcome, closed_by from golden.conflict where closed_at is not null") == [
        ("survived", "hub"),
        ("survived", "hub"),
    ]


def _sides(hub: Hub) -> list[tuple[object, ...]]:
    return hub.rows(
        "select c.name, k.value, o.name, k.owner_value, k.owner_participant, k.is_fallback from golden.conflict k"
        " join golden.source_system c on c.source_id = k.source_id"
        " join golden.source_system o on o.source_id = k.owner_source_id where k.closed_at is null"
    )


@pytest.mark.parametrize(
    ("group", "item", "values", "accountable"),
    [
        ("duos", "duos_tariff", ("111", "222"), ("distributor", "EELC")),
        ("segment", "market_segment", ("S", "A"), ("registration", "EELC")),
        ("consent", "consent_granularity", ("H", "D"), ("supplier", "ACRE")),
        ("dcc", "dcc_service_flag", ("A", "I"), ("DCC", None)),
    ],
)
def test_a_conflict_names_who_is_accountable(
    hub: Hub, group: str, item: str, values: tuple[str, str], accountable: tuple[str, str | None]
) -> None:
    hub.change("smrs10", supplied("ACRE"), point(KEY, group, **{item: values[0]}))
    hub.change("mds", point(KEY, group, **{item: values[1]}))

    assert hub.rows("select owner, owner_participant from golden.conflict") == [accountable]


def test_a_new_supplier_becomes_accountable_for_what_differs(hub: Hub) -> None:
    hub.change("smrs10", supplied("ACRE"), point(KEY, "consent", consent_granularity="H"))
    hub.change("mds", point(KEY, "consent", consent_granularity="D"))

    hub.change("smrs10", supplied("BRIM"))

    assert hub.rows("select owner_participant from golden.conflict where closed_at is null") == [("BRIM",)]


def test_a_record_that_changes_its_key_takes_its_conflict_away(hub: Hub) -> None:
    hub.change("smrs10", meter(KEY, "L1", location="K"))
    hub.change("mds", meter(KEY, "L1", location="B"))
    moved = Change(
        relation="public.meter",
        key=f"{KEY}|L1",
        records=[factories.record("meter", "asset", "L2|LANDIS", at={"point_key": KEY}, meter_id="L2", location="B")],
    )

    hub.change("mds", moved)

    assert open_items(hub) == []


def test_changed_values_keep_the_age_and_are_remembered_and_end_an_acceptance(hub: Hub) -> None:
    hub.master("smrs10", at(0, supplied("ACRE")))
    hub.master("mds", at(1, supplied("BRIM")))
    accept = "update golden.conflict set accepted_until = opened_at + interval '9 days'"
    hub.connection.execute(accept)
    hub.master("mds", at(2, point(KEY, "supplier", supplier_mpid="BRIM", supplier_to="2026-12-31")))
    accepted = hub.value("select accepted_until is not null and changed_at is null from golden.conflict")

    hub.master("mds", at(3, supplied("COVE")))
    hub.master("smrs10", at(4, supplied("DELL")))

    assert accepted is True
    told = "select value, owner_value, opened_at, changed_at, accepted_until from golden.conflict"
    assert hub.rows(told) == [("COVE", "DELL", NOW + SECOND, NOW + 4 * SECOND, None)]
    history = "select h ->> 'value', h ->> 'owner_value' from golden.conflict, jsonb_array_elements(history) h"
    assert hub.rows(history) == [("BRIM", "ACRE"), ("COVE", "ACRE")]


def test_of_the_values_before_the_last_twenty_stand_on_the_conflict(hub: Hub) -> None:
    hub.change("smrs10", point(KEY, "duos", duos_tariff="ABC"))

    for number in range(23):
        hub.change("mds", point(KEY, "duos", duos_tariff=f"{number:03}"))

    history = hub.rows("select h ->> 'value' from golden.conflict, jsonb_array_elements(history) h")
    assert history == [(f"{number:03}",) for number in range(2, 22)]


@pytest.mark.parametrize(
    ("group", "item", "minutes"), [("duos", "duos_tariff", 5), ("energisation", "energisation_status", 15)]
)
def test_a_conflict_is_visible_when_its_items_grace_is_over(hub: Hub, group: str, item: str, minutes: int) -> None:
    hub.change("smrs10", point(KEY, group, **{item: "E"}))
    hub.change("mds", point(KEY, group, **{item: "D"}))

    visible = f"select {conflicts.VISIBLE_FROM.format('k')} from golden.conflict k"
    assert hub.value(visible) == NOW + timedelta(minutes=minutes)
    hub.connection.execute("update golden.conflict set accepted_until = %s", [NOW + timedelta(days=1)])
    assert hub.value(visible) == NOW + timedelta(days=1)


@pytest.mark.parametrize("seconds", [299, 300])
def test_what_agrees_again_the_moment_the_grace_ends_was_late(hub: Hub, seconds: int) -> None:
    hub.change("smrs10", supplied("ACRE"))
    hub.master("mds", at(0, supplied("BRIM")))

    hub.master("mds", at(seconds, supplied("ACRE")))

    assert hub.value("select closed_in_grace from golden.conflict") is (seconds < 300)


def test_opening_change_and_end_of_a_conflict_are_told_to_whoever_keeps_tasks(hub: Hub) -> None:
    hub.change("smrs10", supplied("ACRE"))

    opened = subjects(hub, "mds", at(0, supplied("BRIM")))
    unchanged = subjects(hub, "mds", at(1, point(KEY, "supplier", supplier_mpid="BRIM", supplier_to="2026-12-31")))
    changed = subjects(hub, "mds", at(2, supplied("COVE")))
    closed = subjects(hub, "mds", at(3, supplied("ACRE")))

    ((conflict_id,),) = hub.rows("select conflict_id from golden.conflict")
    assert opened == changed == [(conflict_id, True)]
    assert (unchanged, closed) == ([], [(conflict_id, False)])


def test_what_loads_one_source_after_another_leave_differing_is_found_once(hub: Hub) -> None:
    def load(source: str, *changes: Change) -> None:
        with hub.connection.transaction():
            assembling.load(hub.connection, factories.batch(hub.sources[source], Transaction(changes=changes)))
        after: int | None = 0
        while after is not None:
            with hub.connection.transaction():
                after = assembling.assemble(hub.connection, after=after, limit=10, now=NOW)
                mastering.finish(hub.connection)

    load("mds", supplied("BRIM"), point(KEY, "dcc", dcc_service_flag="I"))
    load("smrs10", supplied("ACRE"), point(KEY, "dcc", dcc_service_flag="A"))
    first = open_items(hub)
    load("mss", supplied("BRIM"))

    assert first == [("dcc_service_flag", "mds"), ("supplier_mpid", "mds")]
    assert open_items(hub) == [*first, ("supplier_mpid", "mss")]
    assert hub.rows("select distinct opened_by, version from golden.conflict order by 2") == [("hub", 1), ("hub", 2)]


@pytest.mark.parametrize("is_analysed", [True, False])
def test_open_conflicts_of_what_is_touched_are_found_by_an_index(hub: Hub, *, is_analysed: bool) -> None:
    hub.connection.execute(
        """insert into golden.conflict (golden_id, item_group, item, source_id, change_id, owner_source_id,
                                        owner_change_id, owner, opened_at)
           select n, 'supplier', 'supplier_mpid', 1, 1, 2, 2, 'registration', now() from generate_series(1, 20000) n"""
    )
    if is_analysed:
        hub.connection.execute("analyze golden.conflict")
    with hub.connection.transaction():
        mastering.apply(hub.connection, factories.batch(hub.sources["mds"], at(0, supplied("BRIM"))))
        for statement in (conflicts._end(), conflicts._FOLLOW_SUPPLIER):
            plan = _plan(hub, statement, {"source": 1})
            assert "Seq Scan on conflict" not in plan
            assert "conflict_queue_ix" not in plan
            assert "conflict_open_uq" in plan


def _plan(hub: Hub, statement: str, parameters: dict[str, Any]) -> str:
    return "\n".join(str(line) for (line,) in hub.connection.execute(f"explain {statement}", parameters).fetchall())
