"""The workload of a demo, in a thread of its own: it goes on where the last run was cut short."""

import threading
from dataclasses import dataclass, field, replace

from mdm.demo import logbook
from mdm.demo.journalled import Written
from mdm.demo.ledger import Summary
from mdm.demo.market import Dsns
from mdm.demo.resuming import ResumingWriter
from mdm.demo.workload import Plan, Workload


@dataclass(slots=True)
class Working:
    """A workload that runs; what fails in it is raised to whoever checks it."""

    dsns: Dsns
    plan: Plan
    _stop: threading.Event = field(default_factory=threading.Event)
    _workload: Workload | None = None
    _error: BaseException | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="workload", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether it has made all the changes that were asked for; raises what went wrong."""
        if self._error is not None:
            raise self._error
        return self._thread is not None and not self._thread.is_alive()

    @property
    def summary(self) -> Summary | None:
        """What has been done so far; None before anything."""
        return None if self._workload is None else self._workload.summary()

    def join(self) -> None:
        """Wait until it has ended; raises what went wrong."""
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End after the batch that is being written, whatever went wrong."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            with ResumingWriter(self.dsns) as writer:
                self._workload = Workload(writer, self._adapted())
                writer.follow(lambda: self._workload.summary().faults if self._workload else ())
                self._workload.run(self._stop)
                writer.close_book()
        except BaseException as error:  # noqa: BLE001 - raised again by is_done, in the demo's own thread
            self._error = error

    def _adapted(self) -> Plan:
        """Have another run make other changes, and leave points with a fault alone."""
        runs = logbook.begin_run(self.dsns)
        faults = logbook.list_faults(self.dsns)
        spoiled = logbook.list_linked(self.dsns, {mpan for fault in faults for mpan in fault.mpans})
        return replace(self.plan, seed=self.plan.seed + runs, spoiled=frozenset(spoiled))


def written(dsns: Dsns) -> Written:
    """Return the rows that all runs so far have changed, by source."""
    batch = logbook.find_batch(dsns)
    return Written(rows=batch.written, is_whole=batch.is_whole and not batch.places)
