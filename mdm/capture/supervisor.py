"""One process for each source and one that matches: restarted with growing pauses when they end, ended with this one.

A worker whose source needs a person is tried again now and then, so that it goes on by itself once that is mended.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from mdm.capture import matcher
from mdm.capture.worker import NEEDS_PERSON

_log = structlog.get_logger(__name__)

SUPERVISED = "MDM_SUPERVISED"
"""Set for a worker whose standard input ends with its supervisor."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_SETTLED_AFTER = 60.0
_GRACE = 15.0
_POLL = 0.1
_MDM = (sys.executable, "-c", "from mdm.cli import main; main()")


@dataclass(slots=True)
class _Child:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path | None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause: float = _SHORTEST_PAUSE
    due_at: float = field(default_factory=time.monotonic)

    def look_after(self, now: float) -> None:
        """Start the process when it is due; note how it ended and when it is due again."""
        if self.process is None and now >= self.due_at:
            self._start(now)
        elif self.process is not None and (status := self.process.poll()) is not None:
            self._ended(status, now)

    def _start(self, now: float) -> None:
        # The other end of its standard input closes with this process, however that ends.
        with ExitStack() as stack:
            told = None if self.log is None else stack.enter_context(self.log.open("ab"))
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=told,
                stderr=told,
                env={**os.environ, **self.environment, SUPERVISED: "1"},
                start_new_session=True,
            )
        self.started_at = now
        _log.info("worker.started", source=self.name, pid=self.process.pid)

    def _ended(self, status: int, now: float) -> None:
        if status == NEEDS_PERSON:
            self.pause = _LONGEST_PAUSE
        elif now - self.started_at > _SETTLED_AFTER:
            self.pause = _SHORTEST_PAUSE
        _log.warning("worker.ended", source=self.name, status=status, again_in=self.pause)
        self._close()
        self.due_at = now + self.pause
        self.pause = min(self.pause * 2, _LONGEST_PAUSE)

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def await_end(self, seconds: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(max(seconds, 0.1))
        except subprocess.TimeoutExpired:
            _log.warning("worker.killed", source=self.name, pid=self.process.pid)
            self.process.kill()
            self.process.wait()
        self._close()

    def _close(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None


def command(name: str) -> list[str]:
    """Return the command line of the worker of one source."""
    return [*_MDM, "capture", name]


def _matching(seconds: int) -> list[str]:
    return [*_MDM, "match", "run", "--every", str(seconds)]


def run(
    names: Sequence[str],
    stop: threading.Event,
    *,
    match_seconds: int = 0,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> None:
    """Keep a worker running for each source until `stop` is set, and a matcher unless its seconds are 0; end them all.

    Workers have this process's environment with the one given on top, and write to `log`, else where this one writes.
    """
    children = [_Child(name, command(name), environment or {}, log) for name in names]
    if match_seconds:
        # Only after its first pause: while workers begin, the machine is theirs.
        due_at = time.monotonic() + match_seconds
        children.append(_Child(matcher.NAME, _matching(match_seconds), environment or {}, log, due_at=due_at))
    try:
        while not stop.wait(_POLL):
            for child in children:
                child.look_after(time.monotonic())
    finally:
        deadline = time.monotonic() + _GRACE
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.await_end(deadline - time.monotonic())


def is_above() -> bool:
    """Tell whether this process was started by a supervisor."""
    return os.environ.get(SUPERVISED) == "1"


def stop_with_supervisor(stop: threading.Event) -> None:
    """Set `stop` when the supervisor of this process is gone."""

    def watch() -> None:
        # Not through sys.stdin: its lock would be held while the interpreter ends.
        while os.read(0, 4096):
            pass
        stop.set()

    threading.Thread(target=watch, name="supervisor", daemon=True).start()
