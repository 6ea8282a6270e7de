"""From a source's commit until a service holds the entry: milliseconds, at 1,000 row changes a second.

All workers and the API run; the workload is a process of its own. The client asks the feed of the view that covers all
points again and again, waiting at the server while there is nothing (long poll), and notes when each answer is in. An
entry that stands for several source transactions of one batch counts from the first of them. All clocks are this
machine's.
"""

import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from urllib.parse import urlsplit

from mdm import db, embedded, settings
from mdm.api import keys
from mdm.api.keys import Grant, Scope
from mdm.demo import workload
from tests.benchmarks.budgets import Measured
from tests.benchmarks.installation import SOURCES, Installation, NotInTime, python

RATE = 1_000  # row changes a second
_WARM = 5.0  # seconds at the beginning that do not count
_TO_CATCH_UP = 120.0
_MODULE = "tests.benchmarks.feed_latency"

_ENTRIES = """
select seq, extract(epoch from source_committed_at)::float8 from hub.feed
where view_id = %s and seq > %s and source_committed_at >= to_timestamp(%s) order by seq
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The view that the client follows."""

    view_id: int
    name: str
    recipient: str
    last_seq: int


@dataclass(slots=True, kw_only=True)
class Client:
    """Follows a view; `answers` are the last sequence number and the time of each answer that had entries."""

    url: str
    key: str
    view: View
    answers: list[tuple[int, float]] = field(default_factory=list)
    failure: BaseException | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    def follow(self) -> None:
        """Read until stop() is called."""
        try:
            self._follow(HTTPConnection(urlsplit(self.url).netloc, timeout=60))
        except BaseException as failure:  # noqa: BLE001 - raised again by await_answer(), in the thread that measures
            self.failure = failure

    def stop(self) -> None:
        """Have the client end with the answer that it waits for."""
        self._stop.set()

    def await_answer(self, seq: int, *, seconds: float) -> None:
        """Wait until the client has read up to a sequence number; raises what it failed with."""
        deadline = time.monotonic() + seconds
        while not self.answers or self.answers[-1][0] < seq:
            if self.failure is not None:
                raise self.failure
            if time.monotonic() > deadline:
                raise NotInTime(f"The client did not come to the end of the feed within {seconds:.0f} seconds.")
            time.sleep(0.05)

    def _follow(self, connection: HTTPConnection) -> None:
        path = f"/v1/views/{self.view.name}/changes?recipient={self.view.recipient}&wait=2&limit=10000&after="
        headers = {"Authorization": f"Bearer {self.key}", "Accept": "application/x-ndjson"}
        after = self.view.last_seq
        while not self._stop.is_set():
            connection.request("GET", f"{path}{after}", headers=headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise NotInTime(f"The feed answered {answer.status}.")
            reached = int(answer.headers["View-Next"])
            if reached > after:
                self.answers.append((reached, time.time()))
            after = reached


def measure(installation: Installation, seconds: float) -> Measured:
    """Measure for so many seconds; the hub streams all sources already, and no worker runs."""
    installation.start_workers()
    installation.await_mastered(installation.ends(), seconds=_TO_CATCH_UP)
    before = _find_view(installation)
    with _following(installation, before) as client:
        began = time.time()
        rate = _change(installation, seconds)
        installation.await_mastered(installation.ends(), seconds=_TO_CATCH_UP)
        client.await_answer(_find_view(installation).last_seq, seconds=_TO_CATCH_UP)
    installation.stop()
    found = latencies(client.answers, _entries(installation, before, began + _WARM))
    p50, p95, p99 = (percentile(found, share) for share in (0.50, 0.95, 0.99))
    told = f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms, of {len(found):,} entries"
    return Measured(value=p99, notes=(told, f"{rate:,.0f} row changes a second over {len(SOURCES)} sources"))


def latencies(answers: Sequence[tuple[int, float]], entries: Sequence[tuple[int, float]]) -> list[float]:
    """Return the milliseconds from each entry's commit to the answer that it came with, in order of size."""
    reached = [seq for seq, _ in answers]
    placed = ((bisect_left(reached, seq), committed_at) for seq, committed_at in entries)
    return sorted((answers[place][1] - committed_at) * 1000 for place, committed_at in placed if place < len(answers))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the least of the ordered values that so great a share does not exceed."""
    if not ordered:
        raise NotInTime("The feed had no entry to be measured.")
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _change(installation: Installation, seconds: float) -> float:
    """Let the market change at RATE in a process of its own; return the row changes a second that it came to."""
    installation.start("workload", python(_MODULE, str(int(RATE * seconds))))
    installation.await_end("workload", seconds=3 * seconds + _TO_CATCH_UP)
    return float(installation.said("workload").split()[-1])


@contextmanager
def _following(installation: Installation, view: View) -> Iterator[Client]:
    """Run the API and a client of it."""
    with installation.connect_hub() as connection, db.transaction(connection):
        key = keys.create(connection, Grant(name="bench", purpose="measurement", scopes=[Scope.VIEW_READ_ALL]))
    client = Client(url=installation.serve(), key=key, view=view)
    thread = threading.Thread(target=client.follow, name="client")
    thread.start()
    try:
        yield client
    finally:
        client.stop()
        thread.join()


def _find_view(installation: Installation) -> View:
    with installation.connect_hub() as connection:
        row = connection.execute(
            "select view_id, name, recipient, last_seq from hub.view join hub.view_head using (view_id)"
            " where role = 'MDS' and message = 'metering-point'"
        ).fetchone()
    if row is None:
        raise NotInTime("No view covers all metering points.")
    return View(view_id=row[0], name=row[1], recipient=row[2], last_seq=row[3])


def _entries(installation: Installation, view: View, since: float) -> list[tuple[int, float]]:
    with installation.connect_hub() as connection:
        return connection.execute(_ENTRIES, [view.view_id, view.last_seq, since]).fetchall()


def main(changes: int) -> None:
    """Let the market of the data folder change by so many rows at RATE; print the rate that it came to."""
    server = embedded.start(settings.load().market_folder)
    dsns = {source: server.dsn(source) for source in SOURCES}
    done = workload.run(dsns, changes=changes, rate=RATE, seed=23)
    sys.stdout.write(f"{done.changes / done.seconds}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
