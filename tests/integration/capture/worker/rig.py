"""The rig of capture's tests: a source of two tables, its declaration, its hub, and workers in threads of this process.

Whether the hub equals the source is compared here, independently of mastering: row by row against what the golden
store says that this source says.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from mdm import db
from mdm.capture import capturing, registration, worker
from mdm.capture.capturing import Captured
from mdm.capture.crashes import Point
from mdm.capture.sources import Source
from mdm.demo import mpans

SCHEMA = """
create table tariff (
    mpan text, effective_from date, tariff text, note text,
    primary key (mpan, effective_from));
create table area (mpan text primary key, gsp text);
create table ignored (id int primary key);
create publication mdm for table tariff, area, ignored;
"""

DECLARATION: dict[str, Any] = {
    "kind": "SMRS",
    "participant": "EELC",
    "distributors": ["10"],
    "tables": {
        "public.tariff": {
            "key": ["mpan", "effective_from"],
            "records": [
                {
                    "entity": "metering_point",
                    "group": "duos",
                    "identity": {"mpan": "mpan"},
                    "effective_from": "effective_from",
                    "items": {"duos_tariff": "tariff"},
                }
            ],
        },
        "public.area": {
            "key": ["mpan"],
            "records": [
                {
                    "entity": "metering_point",
                    "group": "gsp",
                    "identity": {"mpan": "mpan"},
                    "items": {"gsp_group": "gsp"},
                }
            ],
        },
    },
}


class Crash(BaseException):
    """Stops a worker's thread at a named point, as a kill -9 would."""


def wait_for(condition: Callable[[], Any], *, seconds: float = 20.0) -> Any:
    """Wait until a condition holds and return what it gave; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("the condition did not come to hold in time")


def crash_at(point: Point, *, times: int = 1) -> Callable[[Point], None]:
    """Return what stops a worker when it passes a point for the n-th time, once."""
    passed = 0

    def at(reached: Point) -> None:
        nonlocal passed
        if reached is point:
            passed += 1
            if passed == times:
                raise Crash(point)

    return at


@dataclass(slots=True)
class Running:
    """A worker in a thread; `failure` is what ended it."""

    stop: threading.Event
    has_lock: threading.Event
    thread: threading.Thread
    failure: list[BaseException]

    def end(self) -> None:
        """Ask it to stop and wait until it has."""
        self.stop.set()
        self.join()

    def join(self, seconds: float = 30.0) -> BaseException | None:
        """Wait until it has ended; return what ended it."""
        self.thread.join(seconds)
        assert not self.thread.is_alive()
        return self.failure[0] if self.failure else None


@dataclass(slots=True)
class Rig:
    """One source and its hub."""

    captured: Captured
    source: psycopg.Connection[tuple[Any, ...]]
    hub: psycopg.Connection[tuple[Any, ...]]
    _running: list[Running] = field(default_factory=list)

    @classmethod
    @contextmanager
    def create(cls, hub_dsn: str, source_dsn: str, folder: Path) -> Iterator["Rig"]:
        """Make the source's tables and register it."""
        name = f"s{uuid4().hex[:8]}"
        declared = Source.model_validate(DECLARATION | {"source": name, "slot": f"mdm_{name}"})
        with db.connect(source_dsn) as source, db.connect(hub_dsn) as hub:
            source.execute(SCHEMA)
            captured = Captured(
                source=declared,
                source_id=registration.register(hub, declared),
                source_dsn=source_dsn,
                hub_dsn=hub_dsn,
                hub_id=capturing.hub_id(hub),
                spool_folder=folder / name,
                linger=0.005,
            )
            rig = cls(captured, source, hub)
            try:
                yield rig
            finally:
                for running in rig._running:
                    running.end()
                rig.drop_slot()
                rig.hub.close()

    def drop_slot(self) -> None:
        """Drop the slot, whoever reads it, so that the database can be dropped."""
        slot = [self.captured.source.slot]
        self.source.execute(
            "select pg_terminate_backend(active_pid, 5000) from pg_replication_slots"
            " where slot_name = %s and active_pid is not null",
            slot,
        )
        self.source.execute(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %s", slot
        )

    def start(self, at: Callable[[Point], None] | None = None, **changed: Any) -> Running:
        """Start a worker in a thread."""
        captured = replace(self.captured, **changed) if at is None else replace(self.captured, at=at, **changed)
        stop, has_lock, failure = threading.Event(), threading.Event(), list[BaseException]()

        def run() -> None:
            try:
                worker.run(captured, stop, on_lock=has_lock.set)
            except BaseException as error:  # noqa: BLE001 - told by the test
                failure.append(error)

        running = Running(stop, has_lock, threading.Thread(target=run, daemon=True), failure)
        self._running.append(running)
        running.thread.start()
        return running

    def fill(self, points: int, *, first: int = 0) -> None:
        """Insert points, each with an area and two dated tariffs, in one transaction."""
        with self.source.transaction():
            numbers = mpan_list(first, points)
            with self.source.cursor() as cursor:
                with cursor.copy("copy area from stdin") as copy:
                    for mpan in numbers:
                        copy.write_row((mpan, "_A"))
                with cursor.copy("copy tariff from stdin") as copy:
                    for number, mpan in enumerate(numbers):
                        copy.write_row((mpan, "2020-01-01", f"{number % 900}", "first"))
                        copy.write_row((mpan, "2021-01-01", f"{number % 800}", None))

    def state(self) -> str:
        """Return the checkpoint's state."""
        return str(self.one("select state from hub.checkpoint where source_id = %s", self.captured.source_id))

    def one(self, query: str, *parameters: object) -> Any:
        """Return the one value of a query on the hub."""
        row = self.hub.execute(query, parameters or None).fetchone()
        return None if row is None else row[0]

    def mastered(self) -> set[tuple[Any, ...]]:
        """Return what the golden store says that this source says: group, source key, value."""
        return set(
            self.hub.execute(
                "select item_group, source_key, coalesce(item_values ->> 'duos_tariff', item_values ->> 'gsp_group')"
                " from golden.source_record where source_id = %s",
                [self.captured.source_id],
            )
        )

    def expected(self) -> set[tuple[Any, ...]]:
        """Return what the source says, in the same form."""
        return set(
            self.source.execute(
                "select 'duos', format('public.tariff|%s|%s', mpan, effective_from), upper(nullif(trim(tariff), ''))"
                " from tariff union all select 'gsp', 'public.area|' || mpan, upper(nullif(trim(gsp), '')) from area"
            )
        )

    def agrees(self) -> bool:
        """Tell whether the hub equals the source."""
        return self.mastered() == self.expected()

    def await_agreement(self, seconds: float = 30.0) -> None:
        """Wait until the source is being streamed and the hub equals it."""
        wait_for(lambda: self.state() == "streaming" and self.agrees(), seconds=seconds)

    def confirmed(self) -> str | None:
        """Return how far the slot is confirmed."""
        row = self.source.execute(
            "select confirmed_flush_lsn::text from pg_replication_slots where slot_name = %s",
            [self.captured.source.slot],
        ).fetchone()
        return None if row is None else row[0]


def mpan_list(first: int, count: int) -> list[str]:
    """Return so many valid MPANs of distributor 10."""
    import numpy as np  # noqa: PLC0415

    return list(mpans.of_indexes("10", np.arange(first, first + count)))
