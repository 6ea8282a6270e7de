"""Runs of matching: what has changed is compared, what is no match stays none, what a limit cuts is told."""

from datetime import UTC, datetime

import pytest

from golden_records import match_states, matches, staging
from golden_records.match_states import Filter, MatchKind, MatchState
from golden_records.matches import Compared, Found
from mdm import db, matching
from mdm.matching import Scope
from tests.factories import Change, address, meter, mpan, point, record
from tests.integration.golden_records import worlds
from tests.integration.golden_records.conftest import Hub
from tests.integration.matching import truth
from tests.integration.matching.conftest import found, run


def two_alike(hub: Hub) -> tuple[int, int]:
    """Have two golden addresses that are written differently."""
    hub.change("smrs10", address(mpan(1), uprn=None, text="1 HIGH STREET, BATH"))
    hub.change("smrs10", address(mpan(2), uprn=None, text="1 HIGH ST, BATH"))
    left, right = hub.rows("select golden_id from golden.address order by 1")
    return int(str(left[0])), int(str(right[0]))


def settle(hub: Hub, state: MatchState) -> bool:
    (match,) = match_states.list_matches(hub.connection, Filter(state=None), limit=10)
    with hub.connection.transaction():
        staging.begin(hub.connection)
        return match_states.set_state(
            hub.connection, match.match_id, state, version=match.version, now=datetime.now(UTC)
        )


@pytest.mark.parametrize("seed", [11, 12])
def test_most_spoiled_copies_of_a_population_are_found_and_little_else(hub: Hub, seed: int) -> None:
    known = truth.populate(hub.connection, points=2_000, seed=seed)
    run(hub, is_whole=True)
    for entity, spoiled in (("address", known.address), ("meter", known.meter)):
        true = set().union(*spoiled.values())
        proposed = set(hub.rows("select left_id, right_id from golden.match where entity = %s", entity))
        assert len(true & proposed) >= 0.97 * len(true)
        assert len(true & proposed) >= 0.97 * len(proposed)


def test_what_changed_is_compared_and_a_whole_run_finds_the_same(hub: Hub) -> None:
    left, right = two_alike(hub)
    done = run(hub)
    assert (done.compared, done.opened, found(hub)) == (2, 1, [("possible", left, right, "open")])
    again = run(hub)
    assert (again.compared, again.opened) == (0, 0)
    whole = run(hub, is_whole=True)
    assert (whole.opened, whole.closed, found(hub)) == (0, 0, [("possible", left, right, "open")])


def test_what_an_initial_load_brought_is_compared_without_being_asked_for(hub: Hub) -> None:
    hub.load(
        "smrs10",
        address(mpan(1), uprn=None, text="1 HIGH STREET, BATH"),
        address(mpan(2), uprn=None, text="1 HIGH ST, BATH"),
    )
    done = run(hub)
    assert (done.compared, done.opened) == (2, 1)


def test_a_match_is_gone_when_the_facts_no_longer_say_so_and_opens_when_they_do_again(hub: Hub) -> None:
    left, right = two_alike(hub)
    run(hub)
    task = "select state, outcome from hub.task where kind = 'match'"
    assert hub.rows(task) == [("open", None)]
    mended = address(mpan(2), uprn=None, text="1 HIGH ST, BATH")
    wrong = record("address", "address", None, line_1="9 LOW ROAD", postcode="BA1 1AA")
    key = mended.records[0]["key"]
    hub.change("smrs10", Change(relation=mended.relation, key=mended.key, records=[wrong | {"key": key}]))
    run(hub)
    assert found(hub) == [("possible", left, right, "gone")]
    assert [state for state, _ in hub.rows(task)] == ["resolved"]
    hub.change("smrs10", mended)
    run(hub)
    assert found(hub) == [("possible", left, right, "open")]
    assert hub.rows(task) == [("open", None)]


def test_no_match_is_never_proposed_again_unless_the_facts_change(hub: Hub) -> None:
    left, right = two_alike(hub)
    run(hub)
    assert settle(hub, MatchState.NOT_A_MATCH)
    run(hub, is_whole=True)
    hub.change("smrs10", address(mpan(2), uprn=None, text="1 HIGH ST, BATH", line_9=None))
    run(hub)
    assert found(hub) == [("possible", left, right, "not_a_match")]
    changed = address(mpan(2), uprn=None, text="1 HIGH ST, BATH", line_2="SOMERSET")
    hub.change("smrs10", changed)
    run(hub)
    assert found(hub) == [("possible", left, right, "open")]


def test_a_match_of_another_version_is_not_settled(hub: Hub) -> None:
    two_alike(hub)
    run(hub)
    (match,) = match_states.list_matches(hub.connection, Filter(), limit=1)
    with hub.connection.transaction():
        staging.begin(hub.connection)
        assert not match_states.set_state(
            hub.connection, match.match_id, MatchState.NOT_A_MATCH, version=match.version + 1, now=datetime.now(UTC)
        )


def test_a_merge_settles_its_match_and_a_split_opens_it_again(hub: Hub) -> None:
    left, right = two_alike(hub)
    run(hub)
    worlds.merge(hub, left, right)
    run(hub)
    assert found(hub) == [("possible", left, right, "merged")]
    worlds.split(hub, right)
    assert found(hub) == [("possible", left, right, "open")]
    run(hub)
    assert found(hub) == [("possible", left, right, "open")]


def test_placeholders_never_match(hub: Hub) -> None:
    for number, text in enumerate(("UNKNOWN", "UNKNOWN TBC", "TBC", "N/A"), 1):
        hub.change("smrs10", address(mpan(number), uprn=None, text=text))
        hub.change("smrs10", meter(mpan(number), "0000000000", make=f"MAKER{number}"))
    run(hub, is_whole=True)
    assert found(hub) == []


def test_what_a_limit_leaves_out_is_counted_and_told(hub: Hub) -> None:
    for number in range(1, 9):
        hub.change("smrs10", meter(mpan(number), "E12345678", make=f"MAKER {number}"))
    all_pairs = run(hub, is_whole=True)
    assert (all_pairs.pairs, all_pairs.cut_pairs) == (28, 0)
    limited = run(hub, is_whole=True, limit=2)
    assert limited.cut_blocks == 1
    assert limited.pairs + limited.cut_pairs == 28
    assert hub.value("select cut_pairs from golden.match_run order by run_id desc limit 1") == limited.cut_pairs
    assert hub.value("select count(*) from golden.match where state = 'open'") == 28


def test_a_match_found_under_a_limit_says_so(hub: Hub) -> None:
    for number in range(1, 9):
        hub.change("smrs10", meter(mpan(number), "E12345678", make=f"MAKER {number}"))
    run(hub, is_whole=True, limit=2)
    assert hub.rows("select distinct is_limited from golden.match") == [(True,)]


def test_what_is_opened_and_settled_is_told_to_whoever_keeps_tasks(hub: Hub) -> None:
    left, right = two_alike(hub)
    one = Found(
        kind=MatchKind.POSSIBLE,
        entity="address",
        left_id=left,
        right_id=right,
        score=90,
        explanation={"parts": []},
        facts="x",
        candidates=1,
        is_limited=False,
    )
    told = "select subject_id is not null, kind, is_open from stage_subject"
    with hub.connection.transaction():
        staging.begin(hub.connection)
        matches.write(hub.connection, [one], Compared(kinds=[MatchKind.POSSIBLE]), now=datetime.now(UTC))
        assert hub.rows(told) == [(True, "match", True)]
    assert settle(hub, MatchState.NOT_A_MATCH)
    with hub.connection.transaction():
        staging.begin(hub.connection)
        matches.write(hub.connection, [one], Compared(kinds=[MatchKind.POSSIBLE]), now=datetime.now(UTC))
        assert hub.rows(told) == []


def test_two_runs_are_never_at_it_at_once(hub_dsn: str, hub: Hub) -> None:
    two_alike(hub)
    with db.connect(hub_dsn) as other, other.transaction():
        other.execute("select pg_advisory_xact_lock(%s)", [0x6D646D6D])
        assert matching.run(hub.connection, Scope()) is None
    assert run(hub).compared == 2


def crossed(hub: Hub, *points: int) -> list[int]:
    """Have the meters of points the right way round at the metering service, each at the next one's at registration."""
    for number in points:
        hub.change("smrs10", point(mpan(number), mpan_status="R"))
        hub.change("smrs10", meter(mpan(number), f"E1234{number}"))
    for number, following in zip(points, [*points[1:], points[0]], strict=True):
        hub.change("mds", meter(mpan(following), f"E1234{number}"))
    ids = hub.rows("select golden_id from golden.metering_point order by mpan")
    return [int(str(golden_id)) for (golden_id,) in ids]


@pytest.mark.parametrize("count", [2, 3])
def test_crossed_meters_are_found_as_one_ring_and_gone_when_they_are_mended(hub: Hub, count: int) -> None:
    numbers = range(1, count + 1)
    points = crossed(hub, *numbers)
    run(hub)
    assert found(hub) == [("crossed", min(points), max(points), "open")]
    explanation = hub.rows("select explanation from golden.match")[0][0]
    assert isinstance(explanation, dict)
    assert (sorted(explanation["points"]), len(explanation["meters"]), explanation["told_by"]) == (
        points,
        count,
        ["mds"],
    )
    for number in numbers:
        hub.change("mds", meter(mpan(number), f"E1234{number}"))
        wrong = meter(mpan(number % count + 1), f"E1234{number}")
        hub.change("mds", Change(relation=wrong.relation, key=wrong.key, op="d", records=wrong.records))
    run(hub)
    assert found(hub) == [("crossed", min(points), max(points), "gone")]


def test_a_meter_that_is_misplaced_alone_is_no_crossing(hub: Hub) -> None:
    for number in (1, 2):
        hub.change("smrs10", point(mpan(number), mpan_status="R"), meter(mpan(number), f"E1234{number}"))
    hub.change("mds", meter(mpan(2), "E12341"))
    run(hub)
    assert found(hub) == []


def test_of_runs_with_nothing_to_compare_only_the_last_is_kept(hub: Hub) -> None:
    two_alike(hub)
    for _ in range(3):
        run(hub)
    run(hub, is_whole=True)
    run(hub)
    kept = hub.rows("select compared, is_whole from golden.match_run order by run_id")
    assert kept == [(2, False), (0, False), (2, True), (0, False)]


def test_a_run_that_is_over_ends_after_its_step_and_the_next_goes_on(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mdm.matching._AT_ONCE", 1)
    two_alike(hub)
    assert run(hub, is_over=lambda: True).compared == 1
    assert found(hub) == []
    assert run(hub).compared == 1
    assert len(found(hub)) == 1
