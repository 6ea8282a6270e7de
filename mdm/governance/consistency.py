"""The measure of consistency kept up: counted now and then, and given as Prometheus metrics.

A look takes as long as there are open conflicts, a count of what systems hold as long as there are source records; so
each waits fifty times as long as it took last, and costs 2 % of a processor at most. No metric shows a key or a value.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from golden_records import consistency
from mdm import db
from mdm.db import Connection
from mdm.errors import MdmError

LOOK_EVERY = 15.0  # seconds at least
COUNT_EVERY = 60.0
STALE_AFTER = timedelta(minutes=10)
_PATIENCE = 50

_OPEN = """
select i.entity, i.item, i.owner, count(k.conflict_id), extract(epoch from now() - min(k.opened_at))::float8
from golden.catalogue_item i
left join golden.conflict k on k.item_group = i.item_group and k.item = i.item and k.closed_at is null
where i.comparison <> 'none' group by 1, 2, 3
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """The open conflicts of one item, how many and how old the oldest is."""

    entity: str
    item: str
    owner: str
    count: int
    oldest_seconds: float | None


def look(hub: Connection, *, now: datetime, sources: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the measure as it stands; with sources, only the pairs of systems that one of them is in."""
    queries = (consistency.by_item(sources=sources), consistency.of_address(), consistency.times(now=now))
    pairs, address, times = [hub.execute(*query).fetchall() for query in queries]
    return consistency.describe(pairs, address, times, now=now)


def renew_if_stale(hub: Connection, *, now: datetime) -> None:
    """Count anew what systems hold where that was never done, or long ago."""
    counted = consistency.find_refreshed(hub)
    if counted is None or counted < now - STALE_AFTER:
        with db.transaction(hub):
            consistency.refresh(hub, now=now)


def list_open(hub: Connection) -> list[Open]:
    """Return the open conflicts by item; an item without any is there too, so that it is seen to be mended."""
    return [
        Open(entity=entity, item=item, owner=owner, count=count, oldest_seconds=oldest)
        for entity, item, owner, count, oldest in hub.execute(_OPEN).fetchall()
    ]


def metrics(measure: Mapping[str, Any], opened: list[Open]) -> Iterator[Metric]:
    """Yield Prometheus metrics of the measure and of what is open; pairs of systems are by kind."""
    labels = ["entity", "item", "owner"]
    count = GaugeMetricFamily("mdm_item_conflicts_open", "Copies that differ, by item and its owner", labels=labels)
    age = GaugeMetricFamily(
        "mdm_item_conflict_age_seconds", "Age of the oldest open conflict of an item", labels=labels
    )
    for each in opened:
        count.add_metric([each.entity, each.item, each.owner], each.count)
        age.add_metric([each.entity, each.item, each.owner], each.oldest_seconds or 0.0)
    yield from (count, age)
    yield from _shares(measure)
    yield from _times(measure)


def _shares(measure: Mapping[str, Any]) -> Iterator[Metric]:
    pairs = ["entity", "item", "system", "other"]
    share = GaugeMetricFamily("mdm_consistency_share", "Share of golden records on which two kinds agree", labels=pairs)
    held = GaugeMetricFamily("mdm_consistency_held", "Golden records of which two kinds hold an item", labels=pairs)
    for (entity, item, *kinds), (records, differing) in _by_kind(measure).items():
        agreeing = consistency.share(records, differing)
        held.add_metric([entity, item, *kinds], records)
        if agreeing is not None:
            share.add_metric([entity, item, *kinds], agreeing)
    yield from (share, held)


def _by_kind(measure: Mapping[str, Any]) -> dict[tuple[str, ...], tuple[int, int]]:
    """Return held and differing by entity, item and two kinds; the address of points stands as the item `address`."""
    sums: dict[tuple[str, ...], tuple[int, int]] = {}
    address = [each | {"entity": "metering_point", "item": "address"} for each in measure["address"]]
    for each in (*address, *measure["items"]):
        kinds = sorted(each["kinds"], key=consistency.KINDS.index)
        key = (each["entity"], each["item"], *kinds)
        held, differing = sums.get(key, (0, 0))
        sums[key] = (held + each["held"], differing + each["differing"])
    return sums


def _times(measure: Mapping[str, Any]) -> Iterator[Metric]:
    labels = ["entity", "item"]
    gauge = GaugeMetricFamily(
        "mdm_agreement_seconds", "From the owner's commit until all copies agree", labels=[*labels, "quantile"]
    )
    waiting = GaugeMetricFamily("mdm_agreement_waiting", "Owners' changes that a copy has not followed", labels=labels)
    for each in measure["times"]:
        waiting.add_metric([each["entity"], each["item"]], each["waiting"])
        for quantile, name in (("0.5", "p50_seconds"), ("0.95", "p95_seconds"), ("0.99", "p99_seconds")):
            if each[name] is not None:
                gauge.add_metric([each["entity"], each["item"], quantile], each[name])
    yield from (gauge, waiting)


@dataclass(slots=True)
class _Due:
    """Something to do at least so many seconds apart, and fifty times as long as it takes."""

    every: float
    at: float = field(default_factory=time.monotonic)

    def is_due(self) -> bool:
        return time.monotonic() >= self.at

    def done(self, began: float) -> None:
        now = time.monotonic()
        self.at = now + max(self.every, _PATIENCE * (now - began))


class ConsistencyCollector(Collector):
    """Keeps the measure up and gives it to Prometheus; looks in a thread of its own: no scrape waits."""

    def __init__(self, hub_dsn: str) -> None:
        self._hub_dsn = hub_dsn
        self._metrics: list[Metric] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="consistency", daemon=True)

    def register(self, registry: CollectorRegistry) -> None:
        """Begin to keep the measure up, and to give metrics to this registry."""
        registry.register(self)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._closing.set()
        self._thread.join()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the last look."""
        yield from self._metrics

    def _watch(self) -> None:
        while not self._closing.is_set():
            try:
                with db.connect(self._hub_dsn, application_name="mdm consistency", wait=0) as hub:
                    self._look_again_and_again(hub)
            except (MdmError, psycopg.Error):
                self._metrics = []
                self._closing.wait(LOOK_EVERY)

    def _count_next(self, hub: Connection, groups: list[str]) -> None:
        """Count one group after the other, so that mastering never waits for a core for long."""
        with db.transaction(hub):
            consistency.refresh(hub, now=datetime.now(UTC), groups=[groups.pop()])

    def _look_again_and_again(self, hub: Connection) -> None:
        counting, looking = _Due(0.0), _Due(LOOK_EVERY)
        groups = list(consistency.GROUPS)
        while not self._closing.is_set():
            began = time.monotonic()
            if counting.is_due():
                self._count_next(hub, groups)
                counting.every = 0.0 if groups else COUNT_EVERY
                counting.done(began)
                groups = groups or list(consistency.GROUPS)
            began = time.monotonic()
            if looking.is_due():
                self._metrics = list(metrics(look(hub, now=datetime.now(UTC)), list_open(hub)))
                looking.done(began)
            self._closing.wait(max(min(counting.at, looking.at) - time.monotonic(), 0.1))
