"""Workers of several sources that speak of the same things: they wait for each other, and never deadlock."""

from collections.abc import Callable

from mdm import db
from tests.integration.capture.worker.rig import Rig, wait_for
from tests.integration.capture.worker.test_reload import reload_source
from tests.integration.capture.worker.test_worker import writing


def deadlocks(rig: Rig) -> int:
    """Return how often PostgreSQL had to end a transaction of the hub because of another; connect no worker."""
    with db.connect(rig.captured.hub_dsn) as observer:
        row = observer.execute("select deadlocks from pg_stat_database where datname = current_database()").fetchone()
    return int(row[0]) if row else 0


def test_sources_that_load_anew_side_by_side_while_writers_go_on_never_deadlock(make_rig: Callable[[], Rig]) -> None:
    points = 600
    rigs = [make_rig(), make_rig()]
    for rig in rigs:
        rig.fill(points)
    running = [rig.start(chunk_rows=60) for rig in rigs]
    for rig in rigs:
        rig.await_agreement(60)
    with writing(rigs[0], points) as first, writing(rigs[1], points) as second:
        wait_for(lambda: min(first[0], second[0]) > 20)
        for rig in rigs:
            reload_source(rig)
        loaded = "select count(*) = 4 from hub.table_load where state = 'done' and replaces"
        wait_for(lambda: rigs[0].one(loaded), seconds=120)
    for rig in rigs:
        rig.await_agreement(60)
    for worker in running:
        worker.end()
    assert deadlocks(rigs[0]) == 0
