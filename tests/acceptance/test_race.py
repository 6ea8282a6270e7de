"""Several sources present the same new things at the same moment, again and again: one golden record each."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable

import pytest

from mdm import db
from mdm.demo import market, workload
from mdm.demo.draws import Draws
from mdm.demo.stock import Newcomers
from mdm.demo.writing import Statement
from tests.acceptance import oracle
from tests.acceptance.installation import Installation

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1200)]

POINTS = 200
ROUNDS, SIZE = 8, 10


@pytest.fixture(scope="module")
def installed(open_installation: Callable[..., Installation]) -> Installation:
    return open_installation(POINTS)


def present_at_once(installed: Installation, newcomers: Newcomers) -> None:
    """Commit the same new points in all systems that hold them, each in one transaction, all at the same moment."""
    statements: dict[str, list[Statement]] = defaultdict(list)
    for _ in range(SIZE):
        for transaction in newcomers.take(workload.local_today()).transactions:
            statements[transaction.source.value] += transaction.statements
    together = threading.Barrier(len(statements))
    writers = [
        threading.Thread(target=commit, args=(installed, source, mine, together)) for source, mine in statements.items()
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert not writer.is_alive()


def commit(installed: Installation, source: str, statements: Iterable[Statement], together: threading.Barrier) -> None:
    with installed.connect(source) as connection:
        connection.execute("begin")
        for statement in statements:
            connection.execute(statement.sql.encode(), statement.parameters)
        together.wait(60)
        connection.execute("commit")


def test_what_all_sources_present_at_once_becomes_one_golden_record_each(installed: Installation) -> None:
    installed.start_workers()
    installed.await_caught_up()
    newcomers = Newcomers(distributor="10", draws=Draws(seed=7), next_index=5_000)
    for _ in range(ROUNDS):
        present_at_once(installed, newcomers)
    installed.await_caught_up()
    assert installed.one("select count(*) from golden.metering_point") == POINTS + ROUNDS * SIZE
    assert all(installed.ended(source) is None for source in installed.sources)
    installed.stop_workers()
    oracle.assert_equal(installed)
    assert market.count_points(installed.dsns) == POINTS + ROUNDS * SIZE
    assert deadlocks(installed) == 0


def deadlocks(installed: Installation) -> int:
    """Return how often PostgreSQL ended a hub transaction because of another."""
    with db.connect(installed.hub.dsn()) as connection:
        row = connection.execute(
            "select deadlocks from pg_stat_database where datname = %s", [installed.hub_database]
        ).fetchone()
    return int(row[0]) if row else 0
