"""What a worker's process takes up while one source transaction of a million rows passes through it.

The transaction inserts so many metering points into a registration. While it is mastered, no change of it may be
visible; afterwards all must be (law 2).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import psutil

from mdm import db
from mdm.demo import mpans
from tests.benchmarks.budgets import Measured
from tests.benchmarks.installation import Installation, NotInTime

_SOURCE = "smrs10"
_FIRST = 500_000_000  # index of an MPAN that no population reaches
_MEGABYTE = 1 << 20
_BETWEEN_LOOKS = 0.05
_LONGEST = 3600.0

_COPY = """copy metering_point (mpan, mpan_status, registration_status, created_date) from stdin (format csv)"""


class HalfVisible(Exception):
    """Some changes of a transaction were visible before all were."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """Looks at a process now and then: its resident memory, in bytes."""

    process: psutil.Process
    sizes: list[int] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until stop() is called."""
        while not self._stop.wait(_BETWEEN_LOOKS):
            self.sizes.append(self.process.memory_info().rss)

    def stop(self) -> None:
        """End the looking."""
        self._stop.set()


def measure(installation: Installation, rows: int) -> Measured:
    """Measure with a transaction of so many rows; the hub streams all sources already, and no worker runs."""
    before = installation.changes()
    write(installation.dsns[_SOURCE], rows)
    ends = {_SOURCE: installation.ends()[_SOURCE]}
    installation.start_workers([_SOURCE])
    with _watched(installation.process(_SOURCE)) as watch, _seen_at_once(installation, rows):
        installation.await_mastered(ends, seconds=_LONGEST)
    installation.stop()
    if (mastered := installation.changes() - before) != rows:
        raise NotInTime(f"{mastered:,} changes were mastered, not {rows:,}.")
    return Measured(value=max(watch.sizes) / _MEGABYTE, notes=(_told(watch.sizes), f"one transaction of {rows:,} rows"))


def write(dsn: str, rows: int) -> None:
    """Insert so many metering points in one transaction."""
    numbers = mpans.of_indexes("10", np.arange(_FIRST, _FIRST + rows))
    frame = pl.DataFrame({"mpan": numbers}).with_columns(
        status=pl.lit("R"), registration=pl.lit("C"), created=pl.lit("2020-01-01")
    )
    with db.connect(dsn) as connection, connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for block in frame.iter_slices(50_000):
            copy.write(block.write_csv(include_header=False))


def _told(sizes: list[int]) -> str:
    half = len(sizes) // 2
    first, second = (max(part) / _MEGABYTE for part in (sizes[:half], sizes[half:]))
    return f"at most {first:.0f} MB in the first half of the time, {second:.0f} MB in the second"


@contextmanager
def _watched(process: psutil.Process) -> Iterator[Watch]:
    watch = Watch(process=process)
    thread = threading.Thread(target=watch.run, name="watch")
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join()


@contextmanager
def _seen_at_once(installation: Installation, rows: int) -> Iterator[None]:
    """Count the transaction's changes in the journal all the while; raises HalfVisible at the end of the block."""
    counts: set[int] = set()
    stop = threading.Event()
    thread = threading.Thread(target=_count, args=(installation, counts, stop), name="count")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if not counts <= {0, rows}:
        raise HalfVisible(f"Of {rows:,} changes, {sorted(counts)} were visible at one time.")


def _count(installation: Installation, counts: set[int], stop: threading.Event) -> None:
    with installation.connect_hub() as connection:
        row = connection.execute("select coalesce(max(change_id), 0) from golden.journal_change").fetchone()
        while not stop.wait(0.5):
            found = connection.execute(
                "select count(*) from golden.journal_change"
                " where change_id > %s and relation = 'public.metering_point'",
                row,
            ).fetchone()
            counts.add(found[0] if found else 0)
