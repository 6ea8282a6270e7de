"""Decisions beside each other and beside workers; and one whose process is killed before it is whole."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from mdm import db, mastering
from mdm.deciding import applying, undoing
from mdm.deciding.orders import About, Order, Outdated, Terms
from mdm.stewardship import approvals
from mdm.stewardship.decisions import Kind
from tests import factories
from tests.factories import Transaction, mpan, point
from tests.integration.deciding.conftest import Desk, maker

_KILLED = """
import os, signal, sys
from mdm import db, mastering
from mdm.deciding import applying
from mdm.deciding.orders import About, Order, Terms
from mdm.stewardship import approvals
from mdm.stewardship.decisions import Kind
from tests.integration.deciding.conftest import maker

dsn, task_id, version = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with db.connect(dsn) as connection:
    mastering.tune(connection)
    with db.transaction(connection):
        about = About(task_id=task_id, version=version)
        order = Order(kind=Kind.TAKE, about=about, terms=Terms(source="mds"))
        made = applying.decide(connection, order, maker("ann"), approvals.NONE)
        assert connection.execute("select market_segment from golden.metering_point where golden_id = %s",
                                  [made.golden_id]).fetchone() == ("A",)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_decision_whose_process_was_killed_is_not_there_at_all(desk: Desk) -> None:
    task = desk.differ(1)
    before, decided = desk.golden(), desk.hub.value("select count(*) from hub.decision")
    arguments = [desk.dsn, str(task.task_id), str(task.version)]
    killed = subprocess.run([sys.executable, "-c", _KILLED, *arguments], check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert desk.golden() == before
    assert desk.seen(task) == task
    assert desk.hub.value("select count(*) from hub.decision") == decided
    assert desk.hub.value("select count(*) from golden.journal where relation = 'hub.decision'") == 0
    desk.decide(Kind.TAKE, task, source="mds")
    assert desk.segment(1) == "A"


def test_of_many_stewards_who_enter_a_value_at_once_one_does(desk: Desk) -> None:
    desk.hub.change("smrs10", point(mpan(2), "segment", market_segment="S"))
    about = About(golden_id=desk.golden_id(2), item="market_segment")

    def enter(segment: str) -> str | None:
        with db.connect(desk.dsn) as connection:
            mastering.tune(connection)
            order = Order(kind=Kind.ENTER, about=about, terms=Terms(values={"market_segment": segment}))
            try:
                with db.transaction(connection):
                    applying.decide(connection, order, maker(segment), approvals.NONE)
            except Outdated:
                return None
            return segment

    with ThreadPoolExecutor(4) as threads:
        entered = [each for each in threads.map(enter, "AUAU") if each]
    assert len(entered) == 1
    assert desk.segment(2) == entered[0]


def test_decisions_go_through_while_sources_change_the_same_records(desk: Desk) -> None:
    numbers = range(10, 20)
    waiting = [desk.differ(number) for number in numbers]

    def feed(_: int) -> None:
        with db.connect(desk.dsn) as connection:
            mastering.tune(connection)
            for _ in range(10):
                said = [point(mpan(number), "segment", market_segment="S") for number in numbers]
                batch = factories.batch(desk.hub.sources["smrs10"], Transaction(changes=said))
                with connection.transaction():
                    mastering.apply(connection, batch)
                    mastering.finish(connection)

    def settle(number: int) -> None:
        task = waiting[number]
        with db.connect(desk.dsn) as connection:
            mastering.tune(connection)
            order = Order(
                kind=Kind.TAKE,
                about=About(task_id=task.task_id, version=task.version),
                terms=Terms(source="mds"),
            )
            with db.transaction(connection):
                made = applying.decide(connection, order, maker("ann"), approvals.NONE)
            if number % 2:
                with db.transaction(connection):
                    undoing.undo(connection, made.decision_id, maker("ann"))

    with ThreadPoolExecutor(3) as threads:
        feeding = threads.submit(feed, 0)
        for settled in [threads.submit(settle, number) for number in range(len(waiting))]:
            settled.result()
        feeding.result()
    assert [desk.segment(number) for number in numbers] == ["A", "S"] * 5
    standing = "select count(*) from golden.source_record where source_id = 0 and golden_id = any (%s)"
    assert desk.hub.value(standing, [desk.golden_id(number) for number in numbers]) == 5
