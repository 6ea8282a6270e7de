"""No reader of a feed ever skips an entry, however many write at once and however late they commit."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from mdm import db
from mdm.distribution import feed
from tests.integration.distribution.market import Market, canonical

WRITERS, TRANSACTIONS, POINTS = 8, 25, 40
VIEWS = (("mss-appointment", "BOLT"), ("mds-metering-point", "SETL"))


def write(dsn: str, seed: int) -> None:
    """Change points again and again, each transaction some, and linger before the commit."""
    chance = random.Random(seed)
    with db.connect(dsn) as connection:
        market = Market(dsn=dsn, connection=connection)
        for _ in range(TRANSACTIONS):
            with db.transaction(connection):
                points = sorted(chance.sample(range(1, POINTS), 4))
                for point in points:
                    market.add_point(point, energisation_status=chance.choice("EDU"))
                    status = chance.choice(["active", "active", "lapsed"])
                    market.appoint(point, chance.choice(["BOLT", "KITE"]), status=status)
                market.touch(*points)
                feed.publish(connection)
                time.sleep(chance.random() * 0.01)  # what a slow commit does


def poll(dsn: str, view: tuple[str, str], is_over: threading.Event) -> list[int]:
    """Read the feed after the last entry that was seen, until the writers are done and nothing is left."""
    seen: list[int] = []
    with db.connect(dsn) as connection:
        market = Market(dsn=dsn, connection=connection)
        while True:
            last_look = is_over.is_set()
            after = seen[-1] if seen else 0
            rows = market.rows(
                "select seq from hub.feed join hub.view using (view_id)"
                " where name = %s and recipient = %s and seq > %s order by seq limit 50",
                *view,
                after,
            )
            seen.extend(seq for (seq,) in rows)
            if last_look and not rows:
                return seen


def run_all(jobs: list[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(len(jobs)) as pool:
        for finished in [pool.submit(job) for job in jobs]:
            finished.result()


def test_pollers_miss_nothing_while_eight_write(market: Market) -> None:
    market.publish(market.add_point(POINTS))
    is_over = threading.Event()
    with ThreadPoolExecutor(len(VIEWS)) as pool:
        pollers = [pool.submit(poll, market.dsn, view, is_over) for view in VIEWS]
        try:
            run_all([lambda seed=seed: write(market.dsn, seed) for seed in range(WRITERS)])  # type: ignore[misc]
        finally:
            is_over.set()
        read = [poller.result() for poller in pollers]
    for view, seen in zip(VIEWS, read, strict=True):
        seq, count, digest = market.head(*view)
        content = market.content(*view)
        assert seen == list(range(1, seq + 1))
        assert market.replay(*view) == content
        assert (count, digest) == (len(content), canonical(content))


def test_view_equals_the_golden_records_after_concurrent_writers(market: Market) -> None:
    run_all([lambda seed=seed: write(market.dsn, seed) for seed in range(4)])  # type: ignore[misc]
    golden = dict(market.rows("select golden_id, energisation_status from golden.metering_point"))
    shown = {key: body["energisation_status"] for key, body in market.content("mds-metering-point", "SETL").items()}
    assert shown == golden
