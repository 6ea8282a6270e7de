"""What is shown of a source: its state, its lag, what its slot holds, its last error; and the same as metrics."""

import json

from prometheus_client import CollectorRegistry, generate_latest

from mdm.capture import checkpoint, status
from mdm.capture.status import SourceCollector, SourceStatus, Watched
from tests.integration.capture.worker.rig import Rig, wait_for


def look(rig: Rig) -> SourceStatus:
    (found,) = status.collect(rig.hub, [Watched(source=rig.captured.source, dsn=rig.captured.source_dsn)])
    return found


def test_a_new_source_is_shown_as_such(rig: Rig) -> None:
    found = look(rig)
    assert (found.state, found.worker_runs, found.lag_bytes, found.wal_status) == ("new", False, None, None)
    assert (found.tables, found.tables_loaded, found.slot_active) == (2, 0, False)


def test_a_streamed_source_shows_its_slot_its_load_and_its_lag(rig: Rig) -> None:
    rig.fill(30)
    running = rig.start()
    rig.await_agreement()
    wait_for(lambda: rig.state() == "streaming")  # golden records agree a moment before
    found = look(rig)
    assert (found.state, found.worker_runs, found.slot_active) == ("streaming", True, True)
    assert (found.wal_status, found.tables_loaded, found.rows_loaded) == ("reserved", 2, 90)
    assert found.wal_held_bytes is not None
    running.end()
    rig.fill(30, first=100)
    behind = look(rig)
    assert not behind.worker_runs
    assert behind.lag_bytes is not None
    assert behind.lag_bytes > 1000
    assert behind.lag_seconds is not None
    assert json.loads(json.dumps(behind.as_json()))["lag_bytes"] == behind.lag_bytes


def test_a_source_without_changes_has_no_lag_as_soon_as_its_worker_runs_again(rig: Rig) -> None:
    rig.fill(10)
    running = rig.start()
    rig.await_agreement()
    running.end()
    rig.source.execute("create table unpublished as select 1 as id")
    rig.hub.execute("update hub.checkpoint set source_at = source_at - interval '1 hour'")
    away = look(rig)
    assert away.lag_seconds is not None
    assert away.lag_seconds > 3600
    rig.start()
    wait_for(lambda: (found := look(rig)).worker_runs and found.lag_seconds == 0, seconds=5)


def test_what_needs_a_person_is_shown_as_failed_with_the_error(rig: Rig) -> None:
    checkpoint.fail(rig.hub, rig.captured.source_id, error="mend it", needs_person=True)
    assert (look(rig).state, look(rig).last_error) == ("failed", "mend it")
    checkpoint.recover(rig.hub, rig.captured.source_id)
    assert (look(rig).state, look(rig).last_error) == ("new", "mend it")


def test_a_source_that_cannot_be_reached_is_told_and_hides_no_other(rig: Rig) -> None:
    away = Watched(source=rig.captured.source, dsn="host=/nowhere dbname=x")
    near = Watched(source=rig.captured.source, dsn=rig.captured.source_dsn)
    first, second = status.collect(rig.hub, [away, near])
    assert first.source_error is not None
    assert second.source_error is None


def test_metrics_say_the_same(rig: Rig) -> None:
    rig.fill(10)
    rig.start()
    rig.await_agreement()
    registry = CollectorRegistry()
    collector = SourceCollector(
        rig.captured.hub_dsn, [Watched(source=rig.captured.source, dsn=rig.captured.source_dsn)]
    )
    collector.register(registry)
    name = rig.captured.name
    text = wait_for(lambda: name in (text := generate_latest(registry).decode()) and text)
    collector.close()
    assert f'mdm_source_state{{source="{name}",state="streaming"}} 1.0' in text
    assert f'mdm_source_changes_total{{source="{name}"}}' in text
    assert f'mdm_quarantine_open{{source="{name}"}} 0.0' in text
    assert f'mdm_conflicts_open{{owner="distributor",source="{name}"}} 0.0' in text
    assert f'mdm_source_lag_bytes{{source="{name}"}}' in text
    assert f'mdm_source_wal_status{{source="{name}",wal_status="reserved"}} 1.0' in text
