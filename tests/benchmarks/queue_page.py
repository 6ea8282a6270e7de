"""Pages of the stewards' queue: milliseconds over HTTP at 100,000 open tasks, p99 over every filter and sort.

The tasks are as a market makes them: errors beside warnings, conflicts on some items far more often than on others, a
twentieth claimed, as many closed ones behind them. Each filter alone and in pairs, some that match nothing, each sort,
the first page and the ones after it. One steward asks, then four at once; the four are what counts.
"""

import itertools
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import psycopg
from psycopg import sql

from mdm import db
from mdm.api import keys
from mdm.api.keys import Grant, Scope
from mdm.embedded import EmbeddedServer
from tests.benchmarks import golden_read
from tests.benchmarks.budgets import Measured

TASKS, STEWARDS, ROUNDS, LIMIT = 100_000, 4, 2, 100

_FILL = """
insert into golden.source_system (source_id, name, kind)
select n, 'source' || n, 'SMRS' from generate_series(1, 18) n on conflict do nothing;
insert into hub.task (kind, subject_id, entity, golden_id, item_group, item, rule, source_id, owner, severity, facts,
                      state, assignee, claimed_until, due_at, visible_from, opened_at, closed_at, closed_by, outcome)
select k.kind, n, e.entity, (random() * 50000)::int, 'group', 'item_' || (60 * r * r)::int,
       case k.kind when 'conflict' then 39 else 1 + (37 * r * r)::int end, 1 + (random() * 17)::int,
       (array['distributor', 'registration', 'supplier', 'metering service', 'DCC'])[1 + (4 * r)::int],
       case k.kind when 'quarantine' then 'E' else 'W' end, n,
       case when is_closed then 'resolved' when c < 0.05 then 'claimed' else 'open' end,
       case when c < 0.06 then 'steward ' || (c * 400)::int end,
       case when not is_closed and c < 0.05 then now() + (c - 0.01) * interval '20 hours' end,
       o.opened_at + case k.kind when 'quarantine' then interval '1 day' else interval '5 days' end, o.opened_at,
       o.opened_at, case when is_closed then now() - c * interval '30 days' end, case when is_closed then 'hub' end,
       case when is_closed then 'healed' end
from (select n, random() as r, random() as c, n > %(tasks)s as is_closed from generate_series(1, 2 * %(tasks)s) n) n
cross join lateral (select (array['conflict', 'conflict', 'conflict', 'violation', 'violation', 'quarantine'])
                           [1 + floor(6 * random() + 0 * n)::int] as kind) k
cross join lateral (select (array['metering_point', 'meter', 'address', 'contract', 'appointment'])
                           [1 + floor(5 * random() * random() + 0 * n)::int] as entity) e
cross join lateral (select now() - random() * random() * interval '40 days' + 0 * n * interval '1 day' as opened_at) o
"""

_now = datetime.now(UTC)
FILTERS: dict[str, Sequence[str]] = {
    "state": ("open", "claimed"),
    "kind": ("conflict", "violation", "quarantine", "match"),
    "entity": ("metering_point", "address", "appointment"),
    "item": ("item_0", "item_20", "item_59", "nothing"),
    "rule": ("39", "1", "20", "37"),
    "source": ("source3", "nowhere"),
    "owner": ("distributor", "DCC", "nobody"),
    "severity": ("E", "W"),
    "assignee": ("steward 3", "nobody"),
    "golden_id": ("777",),
    "opened_before": ((_now - timedelta(days=1)).isoformat(), (_now - timedelta(days=39)).isoformat()),
    "opened_after": ((_now - timedelta(hours=2)).isoformat(), (_now - timedelta(days=20)).isoformat()),
    "due_before": (_now.isoformat(), (_now + timedelta(days=2)).isoformat()),
}
SORTS = ("severity", "due", "age")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A page that was asked for, and the milliseconds that its answer took."""

    query: dict[str, str]
    milliseconds: float


def measure(server: EmbeddedServer, *, tasks: int = TASKS, rounds: int = ROUNDS) -> Measured:
    """Measure on a hub database of its own."""
    name = f"queue_page_{uuid4().hex[:8]}"
    dsn = server.ensure_database(name)
    try:
        key = prepare(dsn, tasks)
        with golden_read.served("hub", dsn) as url:
            alone = ask_all(url, key, stewards=1, rounds=1)
            together = ask_all(url, key, stewards=STEWARDS, rounds=rounds)
    finally:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
    return of(alone, together)


def of(alone: Sequence[Asked], together: Sequence[Asked]) -> Measured:
    """Return the measurement of these pages."""
    slowest = max(together, key=lambda asked: asked.milliseconds)
    told = " ".join(f"{name}={value}" for name, value in slowest.query.items() if name not in {"limit", "cursor"})
    return Measured(
        value=_at(together, 0.99),
        notes=(
            f"{len(together):,} pages of {LIMIT} by {STEWARDS} stewards at once: p50 {_at(together, 0.5):.0f} ms",
            f"one steward: p50 {_at(alone, 0.5):.0f} ms, p99 {_at(alone, 0.99):.0f} ms",
            f"slowest {slowest.milliseconds:.0f} ms: {told}",
        ),
    )


def _at(asked: Sequence[Asked], share: float) -> float:
    ordered = sorted(each.milliseconds for each in asked)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def prepare(dsn: str, tasks: int) -> str:
    """Make the tasks and a steward's key; return the key."""
    db.upgrade(dsn)
    grant = Grant(name="bench", purpose="measurement", scopes=[Scope.STEWARD_READ])
    with db.connect(dsn) as connection:
        with db.transaction(connection):
            connection.execute("select setseed(0.5)")
            for statement in _FILL.split(";\n"):
                connection.execute(statement, {"tasks": tasks} if "%(tasks)s" in statement else None)
        connection.execute("vacuum (analyze) hub.task")
        with db.transaction(connection):
            return keys.create(connection, grant)


def queries() -> Iterator[dict[str, str]]:
    """Yield every filter alone, in pairs, and none, each in every sort."""
    single = [(name, value) for name, values in FILTERS.items() for value in values]
    pairs = [pair for pair in itertools.combinations(single, 2) if pair[0][0] != pair[1][0]]
    chosen = random.Random(3).sample(pairs, 60)
    for picked, order in itertools.product([(), *((each,) for each in single), *chosen], SORTS):
        yield {"sort": order, "limit": str(LIMIT), **dict(picked)}


def ask_all(url: str, key: str, *, stewards: int, rounds: int) -> list[Asked]:
    """Let some stewards ask for the pages side by side, each in an order of its own."""

    def ask(steward: int) -> list[Asked]:
        asked = list(queries()) * rounds
        random.Random(steward).shuffle(asked)
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
            client.get("/v1/tasks")
            return [page for query in asked for page in _pages(client, query)]

    with ThreadPoolExecutor(stewards) as threads:
        return [page for pages in threads.map(ask, range(stewards)) for page in pages]


def _pages(client: httpx.Client, query: dict[str, str]) -> Iterator[Asked]:
    """Ask for a page, and for the one after it."""
    place: str | None = None
    for _ in range(2):
        asked = query | ({"cursor": place} if place else {})
        began = time.perf_counter()
        answer = client.get("/v1/tasks", params=asked)
        yield Asked(query=asked, milliseconds=(time.perf_counter() - began) * 1000)
        place = answer.raise_for_status().json()["next"]
        if place is None:
            return
