"""What is open is counted by source and owner, and shown without a key or a value."""

from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from mdm.capture import findings
from mdm.capture.findings import Findings
from tests.factories import NOW, mpan
from tests.integration.capture.worker.rig import Rig

POINT = mpan(1)


def hold(rig: Rig, number: int, closed_at: datetime | None = None) -> None:
    """Hold a record of the source back."""
    rig.hub.execute(
        """insert into golden.quarantine (source_id, source_key, item_group, change_id, commit_lsn, ordinal, reason,
                                          point_key, quarantined_at, closed_at)
           values (%s, %s, 'duos', 1, '0/1', %s, 'rule 11', %s, %s, %s)""",
        [rig.captured.source_id, f"tariff|{POINT}|{number}", number, POINT, NOW, closed_at],
    )


def differ(rig: Rig, number: int, owner: str, closed_at: datetime | None = None) -> None:
    """Let the source's copy of an item differ."""
    rig.hub.execute(
        """insert into golden.conflict (golden_id, item_group, item, source_id, change_id, value, owner_source_id,
                                        owner_change_id, owner_value, owner, opened_at, closed_at)
           values (%s, 'duos', 'duos_tariff', %s, 1, '"ODD"', 0, 1, '"EVEN"', %s, %s, %s)""",
        [number, rig.captured.source_id, owner, NOW, closed_at],
    )


def wait_for_steward(rig: Rig, number: int, owner: str, severity: str) -> None:
    """Open a task."""
    rig.hub.execute(
        """insert into hub.task (kind, subject_id, owner, severity, facts, state, due_at, visible_from, opened_at)
           values ('match', %s, %s, %s, 1, 'open', %s, %s, %s)""",
        [number, owner, severity, NOW, NOW, NOW],
    )


def shown(found: Findings) -> str:
    """Return the metrics as Prometheus reads them."""

    class Given(Collector):
        def collect(self) -> list[Metric]:
            return list(findings.metrics(found))

    registry = CollectorRegistry()
    registry.register(Given())
    return generate_latest(registry).decode()


def test_what_is_open_is_counted_by_source_and_owner(rig: Rig) -> None:
    hold(rig, 1)
    hold(rig, 2)
    hold(rig, 3, closed_at=NOW)
    differ(rig, 1, "distributor")
    differ(rig, 2, "supplier", closed_at=NOW)
    wait_for_steward(rig, 1, "distributor", "E")
    wait_for_steward(rig, 2, "nobody known", "W")
    rig.hub.execute("insert into golden.unjudged (kind, golden_ids, committed_at) values ('point', '{1,2,3}', now())")
    name, found = rig.captured.name, findings.count(rig.hub)
    assert found.quarantined == {name: 2}
    assert found.conflicts[name, "distributor"] == 1
    assert found.conflicts[name, "supplier"] == 0
    assert (found.tasks["E", "distributor"], found.tasks["W", "distributor"]) == (1, 0)
    assert 'mdm_tasks_open{owner="nobody known",severity="W"} 1.0' in shown(found)
    assert "mdm_unjudged 3.0" in shown(found)
    assert f'mdm_quarantine_open{{source="{name}"}} 2.0' in shown(found)
    assert f'mdm_conflicts_open{{owner="distributor",source="{name}"}} 1.0' in shown(found)


def test_metrics_show_neither_key_nor_value(rig: Rig) -> None:
    hold(rig, 1)
    differ(rig, 1, "distributor")
    text = shown(findings.count(rig.hub))
    assert not any(secret in text for secret in (POINT, "ODD", "EVEN"))
