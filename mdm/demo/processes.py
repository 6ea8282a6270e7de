"""The commands that the demo runs beside itself: each a process of mdm that ends when the demo does, however that ends.

The demo holds the other end of its standard input. A process ends in order when asked to, and when that end is gone.
"""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from mdm.errors import MdmError

_PROGRAM = "from mdm.demo import processes; processes.end_with_parent(); from mdm import cli; cli.main()"
_GRACE = 40.0
_PATIENCE = 120.0


class ProcessEnded(MdmError):
    """A process that the demo needs has ended by itself, or did not begin."""


@dataclass(slots=True)
class Running:
    """A command of mdm in a process of its own; what it tells goes to a log, but what it prints is read here."""

    name: str
    process: subprocess.Popen[str]
    log: Path

    def check(self) -> None:
        """Raise ProcessEnded unless it still runs."""
        if self.process.poll() is not None:
            raise ProcessEnded(
                f"'mdm {self.name}' ended by itself (status {self.process.returncode}). See {self.log} for why."
            )

    def read_line(self) -> str:
        """Return the next line that it prints; raises ProcessEnded where none comes."""
        output = self.process.stdout
        deadline = time.monotonic() + _PATIENCE
        while output is not None and time.monotonic() < deadline:
            if select.select([output], [], [], 0.5)[0]:
                line = output.readline()
                if line:
                    return line.strip()
            self.check()
        raise ProcessEnded(f"'mdm {self.name}' does not begin. See {self.log} for why, then try again.")

    def stop(self) -> None:
        """Ask it to end in order, and wait until it has; what does not end is killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(*arguments: str, log: Path, environment: Mapping[str, str]) -> Running:
    """Start a command of mdm; the process does not get the terminal's Ctrl-C, which is for the demo to pass on."""
    with log.open("ab") as told:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=told,
            env={**os.environ, **environment},
            start_new_session=True,
            text=True,
        )
    return Running(arguments[0], process, log)


def end_with_parent() -> None:
    """End this process in order when its standard input ends."""
    threading.Thread(target=_end_with_input, name="parent", daemon=True).start()


def _end_with_input() -> None:
    # Not through sys.stdin, whose lock a thread that waits would hold while the interpreter shuts down.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
