"""The workers that capture the market, one process a source, supervised by a thread of the demo."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mdm.capture import supervisor
from mdm.demo.installation import Installation
from mdm.demo.market import Source
from mdm.demo.processes import ProcessEnded


@dataclass(slots=True)
class Capturing:
    """Workers that are kept running; `check` raises when nothing keeps them running any more."""

    place: Installation
    _stop: threading.Event = field(default_factory=threading.Event)
    _error: BaseException | None = None

    def check(self) -> None:
        """Raise ProcessEnded unless the workers are being looked after."""
        if self._error is not None:
            raise ProcessEnded(f"The workers could not be kept running. See {self.place.log} for why.") from self._error

    def run(self) -> None:
        """Keep the workers running until they are asked to stop."""
        names = [source.value for source in Source]
        try:
            supervisor.run(
                names,
                self._stop,
                match_seconds=self.place.settings.match_seconds,
                environment=self.place.environment,
                log=self.place.log,
            )
        except BaseException as error:  # noqa: BLE001 - told by check(), in the demo's own thread
            self._error = error

    def stop(self) -> None:
        """Ask the workers to end."""
        self._stop.set()


@contextmanager
def capture(place: Installation) -> Iterator[Capturing]:
    """Capture the market until the end of the context; then the workers have ended in order."""
    capturing = Capturing(place)
    thread = threading.Thread(target=capturing.run, name="supervisor", daemon=True)
    thread.start()
    try:
        yield capturing
    finally:
        capturing.stop()
        thread.join()
