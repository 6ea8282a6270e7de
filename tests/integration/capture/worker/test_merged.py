"""A merge stands whatever capture does: a load of the source anew, with all its rows, undoes nothing."""

from datetime import UTC, datetime
from typing import Any

from mdm import db, mastering, merging
from mdm.merging import Decided, Merge
from tests.integration.capture.worker.rig import Rig, mpan_list, wait_for
from tests.integration.capture.worker.test_reload import reload_source, stream_and_stop


def points(rig: Rig) -> list[tuple[Any, ...]]:
    return rig.hub.execute(
        "select key, golden_id, own_id, origin from golden.crosswalk"
        " where entity = 'metering_point' and unlinked_at is null order by key"
    ).fetchall()


def test_a_reload_of_the_source_undoes_no_merge_and_its_rows_follow_the_split(rig: Rig) -> None:
    rig.fill(4)
    stream_and_stop(rig)
    survivor, retired = (row[1] for row in points(rig)[:2])
    mastering.tune(rig.hub)
    decided = Decided(now=datetime.now(UTC))
    before = points(rig)
    with db.transaction(rig.hub):
        merging.merge(rig.hub, [Merge(survivor=survivor, retired=retired)], decided=decided, is_forced=True)
        mastering.finish(rig.hub)
    merged = points(rig)
    assert merged[1][1:4] == (survivor, retired, "MANUAL")

    reload_source(rig)
    rig.source.execute("update tariff set tariff = 'NEW' where mpan = %s", mpan_list(1, 1))
    running = rig.start()
    wait_for(lambda: rig.one("select duos_tariff from golden.metering_point where golden_id = %s", survivor) == "NEW")
    wait_for(lambda: rig.state() == "streaming")
    running.end()
    assert points(rig) == merged
    with db.transaction(rig.hub):
        merging.split(rig.hub, [retired], decided=decided)
        mastering.finish(rig.hub)
    assert points(rig) == before
    assert rig.one("select duos_tariff from golden.metering_point where golden_id = %s", retired) == "NEW"
