"""The demo's workload, running in a thread while a test does what it does to the servers and the workers."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

import psycopg

from mdm.db import DatabaseError
from mdm.demo.market import MarketError
from mdm.demo.workload import Plan, Workload
from mdm.demo.writing import Writer
from tests.acceptance.installation import Installation


class Load:
    """Lets the market change until the end of the block; after a failure of its server it begins again.

    `spoiled` are the points at which faults were planted. What raised and is no failure of a server is raised at the
    end of the block.
    """

    def __init__(self, installation: Installation, *, seed: int, rate: float | None, faults: float = 0.0) -> None:
        self._installation = installation
        self._plan = Plan(seed=seed, rate=rate, faults=faults)
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._workload: Workload | None = None
        self._thread = threading.Thread(target=self._run, name="load")
        self.spoiled: set[str] = set()
        self.runs = 0
        self._changes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(60)
        if self._failure is not None and error is None:
            raise self._failure

    @property
    def changes(self) -> int:
        """How many rows have changed so far."""
        workload = self._workload
        return self._changes + (workload.summary().changes if workload else 0)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._run_once()
        except BaseException as failure:  # noqa: BLE001 - raised again in the test's own thread
            self._failure = failure

    def _run_once(self) -> None:
        self.runs += 1
        try:
            with Writer(self._dsns()) as writer:
                self._workload = Workload(writer, replace(self._plan, seed=self._plan.seed + self.runs))
                self._workload.run(self._stop)
        except (MarketError, DatabaseError, psycopg.Error):
            self._stop.wait(0.1)
        finally:
            self._settle()

    def _settle(self) -> None:
        """Count what a run has done, and remember where it has planted faults."""
        if self._workload is None:
            return
        summary, self._workload = self._workload.summary(), None
        self._changes += summary.changes
        for fault in summary.faults:
            self.spoiled |= {fault.mpan} | ({fault.neighbour} if fault.neighbour else set())

    def _dsns(self) -> Mapping[str, str]:
        return self._installation.dsns
