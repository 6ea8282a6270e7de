"""The real `mdm capture` of every source: a supervisor with a worker process for each, to be killed from outside."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.acceptance import waiting
from tests.acceptance.installation import Installation

_COMMAND = (sys.executable, "-c", "from mdm.cli import main; main()", "capture")
_TO_STOP = 60.0


@dataclass(slots=True)
class Supervised:
    """One supervisor at a time, begun again by whoever asks; workers of killed ones end by themselves."""

    installation: Installation
    _supervisor: subprocess.Popen[bytes] | None = None
    _workers: set[psutil.Process] = field(default_factory=set)

    @property
    def log(self) -> Path:
        """Where supervisors and workers write their log lines."""
        return self.installation.folder / "supervised.log"

    def ensure(self) -> None:
        """Start a supervisor unless one runs: it ends where the hub cannot be reached at its start."""
        if self._supervisor is not None and self._supervisor.poll() is None:
            return
        with self.log.open("ab") as output:
            self._supervisor = subprocess.Popen(
                [*_COMMAND, *self.installation.sources],
                env=self.installation._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def workers(self) -> dict[str, psutil.Process]:
        """Return the live workers of the present supervisor, by source."""
        try:
            children = psutil.Process(self._supervisor.pid).children() if self._supervisor else []
            found = {child.cmdline()[-1]: child for child in children if child.status() != psutil.STATUS_ZOMBIE}
        except (psutil.NoSuchProcess, IndexError):  # somebody ended while we looked
            return {}
        self._workers |= set(found.values())
        return {source: child for source, child in found.items() if source in self.installation.sources}

    def kill(self) -> None:
        """Kill the supervisor with SIGKILL; its workers find out and stop."""
        if self._supervisor is not None:
            self.workers()
            self._supervisor.kill()
            self._supervisor.wait()

    def stop(self) -> None:
        """Stop the supervisor in order; it and every worker that was ever seen must end."""
        if self._supervisor is None:
            return
        self.workers()
        self._supervisor.terminate()
        assert self._supervisor.wait(_TO_STOP) == 0, self.said()
        waiting.until(lambda: not self.alive(), seconds=_TO_STOP, what=f"the end of all workers\n{self.said()}")

    def end(self) -> None:
        """Kill whatever still runs."""
        self.kill()
        for worker in self.alive():
            worker.kill()

    def alive(self) -> list[psutil.Process]:
        """Return the workers that run, those of killed supervisors included."""
        return [worker for worker in self._workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE]

    def events(self, *names: str) -> list[dict[str, Any]]:
        """Return the log lines of these events."""
        lines = self.log.read_text(errors="replace").splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [line for line in told if line.get("event") in names]

    def said(self) -> str:
        """Return the end of the log."""
        return self.log.read_text(errors="replace")[-3000:]
