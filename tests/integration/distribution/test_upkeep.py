"""Views follow their contracts when these change, and their feeds do not grow for ever."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from mdm import db
from mdm.distribution import contracts, projection, upkeep
from tests.integration.distribution.market import Market

VIEW = ("mss-metering-point", "BOLT")
LATER = datetime.now(UTC) + timedelta(days=31)


def renew(market: Market, *, limit: int = 2) -> int:
    """Renew all views in steps; return how many steps it took."""
    after: int | None = 0
    steps = 0
    while after is not None:
        with db.transaction(market.connection):
            after = upkeep.renew(market.connection, after=after, limit=limit)
        steps += 1
    return steps


def set_contract(market: Market, digest: str) -> None:
    market.connection.execute("update hub.view set contract = %s where name = %s", [digest, VIEW[0]])


def settle_points(market: Market) -> None:
    for number in range(1, 6):
        market.appoint(market.add_point(number))
    market.publish(*range(1, 6))


def test_views_of_unchanged_contracts_are_left_alone(market: Market) -> None:
    settle_points(market)
    before = market.entries(*VIEW)
    assert renew(market) == 1
    assert market.entries(*VIEW) == before


def test_rows_of_a_changed_contract_are_made_anew_once(market: Market) -> None:
    settle_points(market)
    market.connection.execute("update golden.metering_point set energisation_status = 'D' where golden_id in (2, 5)")
    set_contract(market, "of another contract")
    assert renew(market) == 4
    assert [(entry[0], entry[2]) for entry in market.entries(*VIEW)[5:]] == [(6, 2), (7, 5)]
    assert renew(market) == 1
    stored = market.rows("select contract from hub.view where name = %s and recipient = %s", *VIEW)
    assert stored == [(contracts.get_contract(VIEW[0]).digest,)]


def test_a_renewal_that_was_cut_off_begins_anew(market: Market) -> None:
    settle_points(market)
    set_contract(market, "of another contract")
    with db.transaction(market.connection):
        assert upkeep.renew(market.connection, after=0, limit=2) == 2
    assert renew(market) == 4


def test_superseded_entries_go_when_they_are_old_and_rows_stay(market: Market) -> None:
    market.appoint(market.add_point(1))
    market.appoint(market.add_point(2))
    market.publish(1, 2)
    market.add_point(1, energisation_status="D")
    market.publish(1)
    content = market.content(*VIEW)
    with db.transaction(market.connection):
        assert upkeep.prune(market.connection, now=datetime.now(UTC), days=1) == 0
        upkeep.prune(market.connection, now=LATER, days=30)
    assert [entry[0] for entry in market.entries(*VIEW)] == [2, 3]
    assert market.content(*VIEW) == content


def test_heads_are_moved_only_when_nobody_publishes(market: Market) -> None:
    settle_points(market)
    with db.connect(market.dsn) as other, db.transaction(market.connection):
        projection.lock(market.connection)
        other.execute("set lock_timeout = '300ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable), db.transaction(other):
            upkeep.prune(other, now=LATER, days=30)
    assert market.rows("select max(retained_after) from hub.view_head") == [(0,)]


def test_an_old_entry_goes_too_that_was_superseded_after_the_last_time(market: Market) -> None:
    market.appoint(market.add_point(1))
    market.publish(1)
    with db.transaction(market.connection):
        upkeep.prune(market.connection, now=LATER, days=30)
    assert [entry[0] for entry in market.entries(*VIEW)] == [1]
    market.add_point(1, energisation_status="D")
    market.publish(1)
    with db.transaction(market.connection):
        upkeep.prune(market.connection, now=LATER, days=30)
    assert [entry[0] for entry in market.entries(*VIEW)] == [2]
