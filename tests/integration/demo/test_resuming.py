"""A workload that is cut short is finished by the next one, each transaction once."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from mdm import db
from mdm.demo import agreement, logbook, working
from mdm.demo.logbook import KEEPER
from mdm.demo.market import Dsns, Source
from mdm.demo.resuming import ResumingWriter
from mdm.demo.workload import Plan, Workload
from mdm.demo.writing import Transaction, Writer
from mdm.embedded import EmbeddedServer
from tests.integration.demo.conftest import POINTS, SEED, LoadedMarket, copy
from tests.integration.demo.test_workload import content

PLAN = Plan(seed=5, faults=0.2)
DRAWS = 60


@pytest.fixture
def two_markets(loaded_market: LoadedMarket, market_server: EmbeddedServer) -> Iterator[tuple[Dsns, Dsns]]:
    """Two markets of the same population, each with its logbook."""
    with ExitStack() as stack:
        markets = [copy(loaded_market.dsns, market_server, stack) for _ in range(2)]
        for dsns in markets:
            logbook.create(dsns, metering_points=POINTS, seed=SEED)
        yield markets[0], markets[1]


class Killed(BaseException):
    """Ends a workload at once, as a kill -9 would."""


@contextmanager
def killed_after(commits: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a workload end when it has committed to its sources so many times."""
    commit, left = Writer._commit, iter(range(commits))

    def commit_or_die(writer: Writer, source: Source, transactions: list[Transaction]) -> int:
        if next(left, None) is None:
            raise Killed
        return commit(writer, source, transactions)

    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr(Writer, "_commit", commit_or_die)
        yield
        pytest.fail("the workload ended before it was killed")


def work(dsns: Dsns) -> None:
    with ResumingWriter(dsns) as writer:
        run = Workload(writer, PLAN)
        writer.follow(lambda: run.summary().faults)
        drawn = 0
        while drawn < DRAWS:
            drawn += run.advance(DRAWS - drawn)
        writer.close_book()


def written_rows(dsns: Dsns) -> int:
    return sum(working.written(dsns).rows.values())


@pytest.mark.parametrize("commits", [0, 2, 4])
def test_a_batch_that_was_cut_short_is_finished(
    two_markets: tuple[Dsns, Dsns], commits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = two_markets
    with ResumingWriter(whole) as writer:
        run = Workload(writer, PLAN)
        writer.follow(lambda: run.summary().faults)
        run.advance(DRAWS)
    with killed_after(commits, monkeypatch):
        work(cut)
    ResumingWriter(cut).__exit__(None, None, None)
    ResumingWriter(cut).__exit__(None, None, None)

    assert content(cut) == content(whole)
    assert [fault.source_key for fault in logbook.list_faults(cut)] == [
        fault.source_key for fault in logbook.list_faults(whole)
    ]


def test_the_logbook_counts_the_rows_that_were_changed(two_markets: tuple[Dsns, Dsns]) -> None:
    dsns, _ = two_markets
    work(dsns)
    before = written_rows(dsns)
    work(dsns)

    assert working.written(dsns).is_whole
    assert 0 < before < written_rows(dsns)


def test_rows_are_not_said_to_be_counted_when_some_were_missed(
    two_markets: tuple[Dsns, Dsns], monkeypatch: pytest.MonkeyPatch
) -> None:
    dsns, _ = two_markets
    with killed_after(2, monkeypatch):
        work(dsns)
    work(dsns)

    assert not working.written(dsns).is_whole


def test_nothing_lawful_happens_to_points_that_an_earlier_run_has_spoiled(two_markets: tuple[Dsns, Dsns]) -> None:
    dsns, _ = two_markets
    for _ in range(2):
        run = working.Working(dsns, Plan(seed=5, changes=800, faults=0.3))
        run.start()
        run.join()
    faulty = logbook.list_linked(dsns, {mpan for fault in logbook.list_faults(dsns) for mpan in fault.mpans})
    differing = {key[:13] for key in agreement.differences(dsns)["key"]}

    assert differing <= faulty


def test_the_logbook_is_not_published(two_markets: tuple[Dsns, Dsns]) -> None:
    dsns, _ = two_markets
    with db.connect(dsns[KEEPER]) as connection:
        connection.execute("create publication seen for tables in schema public")
        schemas = connection.execute("select distinct schemaname from pg_publication_tables").fetchall()

    assert schemas == [("public",)]
