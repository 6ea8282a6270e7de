"""A feed is dense, tells each change once, and is told of as soon as it is committed."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from mdm import db
from mdm.distribution import feed
from tests.integration.distribution.market import ADDRESSES, CONTRACTS, Market

VIEW = ("mss-metering-point", "BOLT")


def test_sequence_is_dense_from_one(market: Market) -> None:
    for number in range(1, 6):
        market.appoint(market.add_point(number))
    market.publish(1, 2)
    market.publish(3, 4, 5)
    assert [entry[0] for entry in market.entries(*VIEW)] == [1, 2, 3, 4, 5]
    assert market.head(*VIEW)[:2] == (5, 5)


def test_point_that_is_touched_but_not_changed_has_no_entry(market: Market) -> None:
    market.appoint(market.add_point(1))
    market.publish(1)
    assert market.publish(1) == 0


def test_point_touched_twice_in_a_transaction_has_one_entry_the_last(market: Market) -> None:
    market.appoint(market.add_point(1))
    with db.transaction(market.connection):
        market.touch(1)
        market.add_point(1, energisation_status="D")
        market.touch(1, 1)
        feed.publish(market.connection)
    ((_seq, _operation, _key, body),) = market.entries(*VIEW)
    assert body is not None
    assert body["energisation_status"] == "D"


def test_change_that_is_undone_in_its_transaction_has_no_entry(market: Market) -> None:
    market.appoint(market.add_point(1))
    market.publish(1)
    with db.transaction(market.connection):
        market.add_point(1, energisation_status="D")
        market.touch(1)
        market.add_point(1, energisation_status="E")
        market.touch(1)
        assert feed.publish(market.connection) == 0


def test_transaction_that_is_rolled_back_leaves_no_gap(market: Market) -> None:
    market.appoint(market.add_point(1))

    def fail() -> None:
        with db.transaction(market.connection):
            market.touch(1)
            feed.publish(market.connection)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    market.publish(1)
    assert [entry[0] for entry in market.entries(*VIEW)] == [1]


def test_publishing_nothing_takes_no_lock(market: Market) -> None:
    with db.transaction(market.connection):
        market.touch()
        assert feed.publish(market.connection) == 0
        locks = market.rows("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()")
    assert locks == [(0,)]


def test_entry_knows_when_its_source_committed(market: Market) -> None:
    market.appoint(market.add_point(1))
    committed_at = datetime(2026, 1, 15, 11, 59, tzinfo=UTC)
    with db.transaction(market.connection):
        market.touch(1)
        feed.publish(market.connection, committed_at=committed_at)
    assert set(market.rows("select source_committed_at from hub.feed")) == {(committed_at,)}


def test_listeners_are_told_which_views_have_entries_and_nothing_else(market: Market) -> None:
    market.appoint(market.add_point(1))
    with db.connect(market.dsn) as listening:
        listening.execute(f"listen {feed.CHANNEL}")
        market.publish(1)
        notice = next(listening.notifies(timeout=5))
    views = {str(view_id) for (view_id,) in market.rows("select distinct view_id from hub.feed")}
    assert set(notice.payload.split(",")) == views


def test_pruning_keeps_what_is_in_the_view(market: Market) -> None:
    for number in (1, 2):
        market.appoint(market.add_point(number))
    market.publish(1, 2)
    market.add_point(1, energisation_status="D")
    market.publish(1)
    before = market.content(*VIEW)
    with db.transaction(market.connection):
        feed.prune(market.connection, before=datetime.now(UTC) + timedelta(minutes=1))
    assert [entry[0] for entry in market.entries(*VIEW)] == [2, 3]
    assert market.content(*VIEW) == before
    assert market.rows(
        "select retained_after from hub.view_head join hub.view using (view_id) where name = %s and recipient = %s",
        *VIEW,
    ) == [(3,)]


def test_entry_without_body_that_is_no_delete_is_refused_by_the_table(market: Market) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        market.connection.execute(
            "insert into hub.feed (view_id, seq, golden_id, operation, sender, created_at)"
            " values (1, 1, 1, 'upsert', 'X', now())"
        )


def test_late_committer_that_shares_a_point_hides_nothing(market: Market) -> None:
    """Two transactions change different records of one point; the second to publish shows both changes."""
    market.put("address", ADDRESSES + 1, line_1="before")
    market.appoint(market.add_point(1, address_id=ADDRESSES + 1))
    market.publish(1)
    with db.connect(market.dsn) as session:
        other = Market(dsn=market.dsn, connection=session)
        with db.transaction(market.connection):
            market.add_point(1, energisation_status="D")
            with db.transaction(session):
                other.put("address", ADDRESSES + 1, line_1="after")
                other.touch(ADDRESSES + 1)
                feed.publish(session)
            market.touch(1)
            feed.publish(market.connection)
    body = market.content(*VIEW)[1]
    assert (body["energisation_status"], body["address"]["line_1"]) == ("D", "after")


def test_reference_that_another_transaction_makes_meanwhile_is_followed(market: Market) -> None:
    """A contract is written while another session appoints under it; the contract's own transaction publishes last."""
    market.add_point(1)
    with db.connect(market.dsn) as session:
        other = Market(dsn=market.dsn, connection=session)
        with db.transaction(market.connection):
            market.put("contract", CONTRACTS + 1, reference="C1", segments="S")
            market.touch(CONTRACTS + 1)
            other.appoint(1, contract_id=CONTRACTS + 1)
            other.publish(1)
            feed.publish(market.connection)
    (appointment,) = market.content(*VIEW)[1]["appointments"]
    assert appointment["contract"] == {"reference": "C1", "segments": "S"}
