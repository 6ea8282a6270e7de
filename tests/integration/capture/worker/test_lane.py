"""Of all workers one masters what waits of every source, in one hub transaction; whatever ends it, nothing is lost."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from golden_records import unjudged
from mdm import db, mastering
from mdm.capture import checkpoint, inbox, lane
from mdm.capture.capturing import Captured
from mdm.capture.checkpoint import Move, Position, Progress
from mdm.capture.crashes import Point
from mdm.capture.lane import Lane
from mdm.capture.lsn import Lsn
from mdm.capture.turns import Turn, TurnLost, Turns
from mdm.db import Connection
from tests import factories
from tests.factories import Transaction
from tests.integration.capture.worker.rig import Crash, Rig, crash_at, mpan_list, wait_for
from tests.integration.capture.worker.test_isolating import REFUSE, held
from tests.integration.capture.worker.test_worker import doubles
from tests.refusing import refusing


@contextmanager
def lane_held(rig: Rig) -> Iterator[None]:
    """Keep every worker from mastering what waits, while the block runs."""
    with db.connect(rig.captured.hub_dsn) as holder:
        wait_for(lambda: checkpoint.try_lock(holder, lane.LOCK))
        yield


def waiting(rig: Rig) -> int:
    """Count the sources of which anything waits."""
    return int(rig.one("select count(distinct source_id) from hub.inbox"))


def retariff(rig: Rig, tariff: str) -> None:
    rig.source.execute("update tariff set tariff = %s where effective_from = '2021-01-01'", [tariff])


def is_empty(rig: Rig) -> bool:
    return not any(
        rig.one(f"select count(*) from hub.{table}")
        for table in ("inbox", "inbox_transaction", "inbox_change", "inbox_record", "inbox_reject")
    )


@contextmanager
def handed_over(make_rig: Callable[[], Rig]) -> Iterator[list[Rig]]:
    """Give two sources whose points are the same, loaded, with workers that hand over what comes.

    While the block runs, nothing of it is mastered.
    """
    rigs = [make_rig(), make_rig()]
    for rig in rigs:
        rig.fill(20)
    with lane_held(rigs[0]):
        for rig in rigs:
            rig.start()
        for rig in rigs:
            rig.await_agreement(60)
        yield rigs


def test_what_waits_of_two_sources_is_mastered_in_one_transaction(make_rig: Callable[[], Rig]) -> None:
    with handed_over(make_rig) as rigs:
        for rig, tariff in zip(rigs, ("A1", "B1"), strict=True):
            retariff(rig, tariff)
        wait_for(lambda: waiting(rigs[0]) == 2)
    for rig in rigs:
        rig.await_agreement()
    last = "select count(distinct xmin::text), count(distinct source_id) from golden.journal_change where op = 'u'"
    assert rigs[0].hub.execute(last).fetchone() == (1, 2)
    assert is_empty(rigs[0])
    assert [doubles(rig) for rig in rigs] == [[], []]


def test_what_a_worker_handed_over_before_it_was_killed_is_mastered_once(make_rig: Callable[[], Rig]) -> None:
    first, second = make_rig(), make_rig()
    for rig in (first, second):
        rig.fill(20)
    second.start()
    second.await_agreement()
    killed = first.start(crash_at(Point.BATCH_HANDED))
    wait_for(lambda: first.state() == "streaming" and first.agrees(), seconds=60)
    retariff(first, "K1")
    assert isinstance(killed.join(), Crash)
    first.start()
    first.await_agreement()
    retariff(first, "K2")
    first.await_agreement()
    wait_for(lambda: is_empty(first))
    assert doubles(first) == []


def test_another_worker_takes_the_lane_when_its_keeper_is_killed(make_rig: Callable[[], Rig]) -> None:
    keeper, other = make_rig(), make_rig()
    for rig in (keeper, other):
        rig.fill(20)
    killed = keeper.start(crash_at(Point.CHECKPOINT_WRITTEN))
    wait_for(lambda: keeper.state() == "streaming" and keeper.agrees(), seconds=60)
    other.start()
    wait_for(lambda: other.state() == "streaming" and other.agrees(), seconds=60)
    retariff(other, "L1")
    assert isinstance(killed.join(), Crash)
    other.await_agreement()
    keeper.start()
    retariff(keeper, "L2")
    keeper.await_agreement()
    assert [doubles(rig) for rig in (keeper, other)] == [[], []]


def test_what_a_killed_keeper_mastered_and_did_not_judge_is_judged_by_the_next(make_rig: Callable[[], Rig]) -> None:
    keeper, other = make_rig(), make_rig()
    for rig in (keeper, other):
        rig.fill(20)
    killed = keeper.start(crash_at(Point.HUB_COMMITTED))
    wait_for(lambda: keeper.state() == "streaming" and keeper.agrees(), seconds=60)
    retariff(keeper, "J1")
    assert isinstance(killed.join(), Crash)
    assert keeper.agrees()
    assert unjudged.are_any(keeper.hub)
    other.start()
    wait_for(lambda: not unjudged.are_any(keeper.hub), seconds=60)


def test_what_is_refused_is_held_back_by_its_own_worker_and_the_rest_passes(make_rig: Callable[[], Rig]) -> None:
    refused = mpan_list(0, 20)[3]
    with handed_over(make_rig) as (good, bad):
        good.hub.execute(REFUSE)
        retariff(good, "OK1")
        bad.source.execute(
            "update tariff set tariff = 'BAD' where effective_from = '2021-01-01' and mpan = %s", [refused]
        )
        wait_for(lambda: waiting(good) == 2)
    good.await_agreement()
    wait_for(lambda: held(bad))
    assert held(bad) == [
        (f"public.tariff|{refused}|2021-01-01", "refused by PostgreSQL: NumericValueOutOfRange (SQLSTATE 22003)")
    ]
    assert is_empty(good)
    good.hub.execute("drop trigger refuse on golden.source_record")
    retariff(bad, "OK2")
    bad.await_agreement()
    assert [doubles(rig) for rig in (good, bad)] == [[], []]


def test_what_the_inbox_refuses_is_mastered_by_its_own_worker(rig: Rig) -> None:
    rig.fill(5)
    running = rig.start()
    rig.await_agreement()
    rig.hub.execute(refusing("hub.inbox_change", "new.payload ->> 'tariff' = 'BIG'", sqlstate="54000"))
    retariff(rig, "BIG")
    rig.await_agreement()
    assert rig.one("select count(*) from golden.journal where payload ->> 'tariff' = 'BIG'") == 5
    retariff(rig, "OK3")
    rig.await_agreement()
    assert running.failure == []


def test_what_a_worker_left_whose_source_was_taken_over_is_dropped(rig: Rig) -> None:
    rig.fill(5)
    rig.start()
    rig.await_agreement()
    source_id = rig.captured.source_id
    at = Position(commit_lsn=Lsn(1), end_lsn=Lsn(1))
    batch = factories.batch(source_id, Transaction(changes=[factories.point(mpan_list(90, 1)[0], mpan_status="T")]))
    move = Move(source_id=source_id, known=at, reached=at, progress=Progress(changes=1, source_at=factories.NOW))
    with rig.hub.transaction():
        inbox.put(rig.hub, move, batch, worker=-1)
    wait_for(lambda: is_empty(rig))
    assert rig.one("select count(*) from golden.journal where relation = 'public.registration'") == 0
    retariff(rig, "T1")
    rig.await_agreement()


TOGETHER = (
    "select count(distinct xmin::text), count(*) from golden.journal_change where relation = 'public.registration'"
)


class Unkept(Lane):
    """The lane without its threads: nobody takes a turn by itself."""

    def __init__(self, captured: Captured) -> None:
        self._captured = captured
        self._closing = threading.Event()

    def master(self, hub: Connection, turn: Turn) -> None:
        """Gather a turn and master it."""
        self._master(hub, turn, [])

    def take(self, hub: Connection) -> None:
        """Master the oldest of what waits, once that is whole."""
        with Turn(Turns()) as turn:
            self._take(hub, turn)


def put_one(rig: Rig, *, is_behind: bool) -> None:
    """Have one change wait of a source without a worker."""
    worker = checkpoint.take_over(rig.hub, rig.captured.source_id).worker
    known = checkpoint.reached(rig.hub, rig.captured.source_id, worker)
    batch = factories.batch(
        rig.captured.source_id, Transaction(changes=[factories.point(mpan_list(90, 1)[0], mpan_status="T")])
    )
    progress = Progress(changes=1, source_at=factories.NOW)
    move = Move(source_id=rig.captured.source_id, known=known, reached=known, progress=progress)
    with rig.hub.transaction():
        inbox.put(rig.hub, move, batch, worker=worker, is_behind=is_behind)


def loaded(make_rig: Callable[[], Rig]) -> list[Rig]:
    """Return two loaded sources without workers."""
    rigs = [make_rig(), make_rig()]
    for rig in rigs:
        rig.fill(5)
        running = rig.start()
        rig.await_agreement()
        running.end()
    return rigs


def assert_mastered_together(first: Rig, second: Rig, *, is_behind: bool) -> None:
    """Put in a change of one source and, while the lane waits beside it, one of the other."""
    put_one(first, is_behind=is_behind)
    with db.connect(first.captured.hub_dsn) as hub:
        mastering.tune(hub)
        taking = threading.Thread(target=Unkept(first.captured).take, args=[hub])
        taking.start()
        taking.join(0.3)
        assert taking.is_alive()
        put_one(second, is_behind=is_behind)
        taking.join(60)
    assert is_empty(first)
    assert first.hub.execute(TOGETHER).fetchone() == (1, 2)


def test_while_workers_catch_up_what_the_others_put_in_is_waited_for(
    make_rig: Callable[[], Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = loaded(make_rig)
    monkeypatch.setattr(lane, "_QUIET", 60)
    monkeypatch.setattr(lane, "_LONGEST_UNQUIET", 60)
    monkeypatch.setattr(lane, "_FULL", 2)
    assert_mastered_together(first, second, is_behind=True)


def test_a_large_batch_is_mastered_with_those_of_other_sources_that_come_beside_it(
    make_rig: Callable[[], Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = loaded(make_rig)
    for name, value in (("_LARGE", 1), ("_LINGER", 60), ("_TOGETHER", 2)):
        monkeypatch.setattr(lane, name, value)
    assert_mastered_together(first, second, is_behind=False)


@pytest.mark.parametrize("setting", [None, "_FULL", "_QUIET", "_LONGEST_UNQUIET"])
def test_nothing_is_waited_for_that_does_not_come(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, setting: str | None
) -> None:
    is_behind = setting is not None
    rig.fill(5)
    running = rig.start()
    rig.await_agreement()
    running.end()
    for name, most in (("_QUIET", 60), ("_LONGEST_UNQUIET", 60), ("_FULL", 2)):
        monkeypatch.setattr(lane, name, 0 if name == setting else most)
    put_one(rig, is_behind=is_behind)
    began = time.monotonic()
    with db.connect(rig.captured.hub_dsn) as hub:
        mastering.tune(hub)
        Unkept(rig.captured).take(hub)
    assert is_empty(rig)
    assert time.monotonic() - began < 30


def test_what_was_gathered_of_a_worker_that_is_replaced_before_its_turn_is_not_mastered(rig: Rig) -> None:
    rig.fill(5)
    running = rig.start()
    rig.await_agreement()
    running.end()
    put_one(rig, is_behind=False)

    class Replacing(Turn):
        def has_come(self, *, timeout: float = -1) -> bool:
            checkpoint.take_over(rig.hub, rig.captured.source_id)
            return super().has_come(timeout=timeout)

    with db.connect(rig.captured.hub_dsn) as hub:
        mastering.tune(hub)
        with Replacing(Turns()) as turn, pytest.raises(TurnLost), db.transaction(hub):
            Unkept(rig.captured).master(hub, turn)
        assert rig.one("select count(*) from hub.inbox") == 1
        with Turn(Turns()) as next_turn, db.transaction(hub):
            Unkept(rig.captured).master(hub, next_turn)
    assert is_empty(rig)
    assert rig.one("select count(*) from golden.journal where relation = 'public.registration'") == 0


def test_what_is_full_is_staged_while_its_turn_is_awaited(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.fill(5)
    running = rig.start()
    rig.await_agreement()
    running.end()
    put_one(rig, is_behind=False)
    monkeypatch.setattr(lane, "_MOST", 1)
    staged: list[object] = []

    with db.connect(rig.captured.hub_dsn) as hub:

        class Watching(Turn):
            def has_come(self, *, timeout: float = -1) -> bool:
                staged.extend(hub.execute("select count(*), count(distinct item_group) from stage_record"))
                return super().has_come(timeout=timeout)

        mastering.tune(hub)
        with Watching(Turns()) as turn, db.transaction(hub):
            Unkept(rig.captured).master(hub, turn)
    assert staged == [(1, 1)]
    assert is_empty(rig)
    assert rig.one("select count(*) from golden.journal where relation = 'public.registration'") == 1
