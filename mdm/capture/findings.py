"""What is open, counted for Prometheus: records held back, copies that differ, tasks. No metric shows a key."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric

from golden_records import unjudged
from mdm.db import Connection
from mdm.stewardship import queue

_QUARANTINED = """
select s.name, count(q.quarantine_id)
from golden.source_system s left join golden.quarantine q on q.source_id = s.source_id and q.closed_at is null
where s.kind <> 'HUB' group by s.name
"""

# Every source stands beside every owner, so that what was mended is seen to be 0 and does not merely vanish.
_CONFLICTS = """
select s.name, o.owner, count(c.conflict_id)
from golden.source_system s cross join (select distinct owner from golden.catalogue_item) o
     left join golden.conflict c on c.source_id = s.source_id and c.owner = o.owner and c.closed_at is null
where s.kind <> 'HUB' group by s.name, o.owner
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """How much is open: records held back by source; conflicts by the source that differs and the item's owner.

    Tasks that are open or claimed by severity and by who is accountable; golden records that are yet to be judged.
    """

    quarantined: Mapping[str, int]
    conflicts: Mapping[tuple[str, str], int]
    tasks: Mapping[tuple[str, str], int]
    unjudged: int


def count(hub: Connection) -> Findings:
    """Count what is open now."""
    return Findings(
        quarantined=dict(hub.execute(_QUARANTINED).fetchall()),
        conflicts={(source, owner): found for source, owner, found in hub.execute(_CONFLICTS)},
        tasks=queue.count_waiting(hub),
        unjudged=unjudged.count(hub),
    )


def metrics(findings: Findings) -> Iterator[Metric]:
    """Yield Prometheus metrics of these findings."""
    held = GaugeMetricFamily("mdm_quarantine_open", "Records held back, by source", labels=["source"])
    for source, found in findings.quarantined.items():
        held.add_metric([source], found)
    differing = GaugeMetricFamily(
        "mdm_conflicts_open",
        "Copies that differ from the golden value, by the source that differs and the item's owner",
        labels=["source", "owner"],
    )
    for labels, found in findings.conflicts.items():
        differing.add_metric(labels, found)
    waiting = GaugeMetricFamily(
        "mdm_tasks_open", "Tasks that are open or claimed, by severity and owner", labels=["severity", "owner"]
    )
    for labels, found in findings.tasks.items():
        waiting.add_metric(labels, found)
    unjudged_records = GaugeMetricFamily(
        "mdm_unjudged", "Golden records that are mastered and yet to be judged by the rules", value=findings.unjudged
    )
    yield from (held, differing, waiting, unjudged_records)
