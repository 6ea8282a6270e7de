"""What the demo shows while it runs: a table that renews itself on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mdm.capture.status import SourceStatus
from mdm.demo.ledger import Summary
from mdm.demo.looks import Look
from mdm.demo.population import Progress

_BETWEEN_LINES = 5.0
_NAMES = {
    "metering_point": "metering points",
    "meter": "meters",
    "address": "addresses",
    "contract": "contracts",
    "appointment": "appointments",
}


class Display(Protocol):
    """Shows what goes on."""

    def say(self, text: str) -> None:
        """Show a line that stays."""

    def fill(self, progress: Progress) -> None:
        """Show how far the market is filled."""

    def show(self, look: Look, work: Summary | None = None) -> None:
        """Show what is there now, and what the workload has done."""

    def close(self) -> None:
        """Show nothing more that renews itself."""


@dataclass(slots=True)
class Lines:
    """Plain lines, as a log takes them."""

    stream: TextIO
    _began_at: float = field(default_factory=time.monotonic)
    _said_at: float = 0.0

    def say(self, text: str) -> None:
        """Write the line, with the seconds since the beginning."""
        self._said_at = time.monotonic()
        first, *rest = text.splitlines() or [""]
        said = [f"[{time.monotonic() - self._began_at:6.1f} s] {first}", *(f"           {line}" for line in rest)]
        self.stream.write("\n".join(said) + "\n")
        self.stream.flush()

    def fill(self, progress: Progress) -> None:
        """Write a line every few seconds."""
        self._say_now_and_then(f"filling the market: {progress.points:,} of {progress.total:,} metering points")

    def show(self, look: Look, work: Summary | None = None) -> None:
        """Write a line every few seconds."""
        self._say_now_and_then(
            "; ".join(part for part in (_progress(look), _held(look), _published(look), _worked(work)) if part)
        )

    def close(self) -> None:
        """Do nothing: there is nothing that renews itself."""

    def _say_now_and_then(self, text: str) -> None:
        if time.monotonic() - self._said_at >= _BETWEEN_LINES:
            self.say(text)


class Terminal:
    """A table that renews itself, below the lines that stay."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()
        self._fill_began_at: float | None = None

    def say(self, text: str) -> None:
        """Print the line above the table."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)

    def fill(self, progress: Progress) -> None:
        """Show a bar, with the rows written a second."""
        self._fill_began_at = self._fill_began_at or time.monotonic()
        rate = progress.rows / max(time.monotonic() - self._fill_began_at, 0.05)
        bar = Table.grid(padding=(0, 1))
        told = f"{progress.points:,} of {progress.total:,} metering points, {rate:,.0f} rows/s"
        bar.add_row("Filling the market", ProgressBar(progress.total, progress.points, width=40), told)
        self._live.update(bar, refresh=True)

    def show(self, look: Look, work: Summary | None = None) -> None:
        """Show the sources, then what the hub holds."""
        below = [Text(line) for line in (_held(look), _published(look), _worked(work)) if line]
        self._live.update(Group(_sources(look), *below), refresh=True)

    def close(self) -> None:
        """Take the table away."""
        self._live.update(Text(""), refresh=True)
        self._live.stop()


def _sources(look: Look) -> Table:
    table = Table(box=box.SIMPLE)
    for name in ("source", "state", "rows loaded", "changes", "lag", "rate"):
        table.add_column(name, justify="left" if name in {"source", "state"} else "right")
    for source in look.sources:
        table.add_row(
            source.source,
            _state(source),
            f"{source.rows_loaded:,}",
            f"{source.changes:,}",
            "?" if source.lag_bytes is None else f"{source.lag_bytes / 1024:,.0f} kB",
            f"{source.rate:,.0f}/s",
        )
    return table


def _state(source: SourceStatus) -> str:
    if not source.worker_runs:
        return "starting"
    return f"loading {source.chunks_loaded}/{source.chunks}" if source.state == "loading" else source.state


def _progress(look: Look) -> str:
    if not any(source.worker_runs for source in look.sources):
        return "the workers of the six sources start"
    waiting = [f"{source.source} {_state(source)}" for source in look.sources if source.state != "streaming"]
    return ", ".join(waiting) if waiting else f"{look.lag_bytes / 1024:,.0f} kB behind"


def _held(look: Look) -> str:
    return _counted("golden", {_NAMES[entity]: count for entity, count in look.golden.items()})


def _published(look: Look) -> str:
    found = {"conflicts": look.conflicts, "violations": look.violations, "in quarantine": look.quarantined}
    return _counted("hub", {"feed entries": look.feed} | found)


def _counted(what: str, counts: Mapping[str, int]) -> str:
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return f"{what}: {told}" if told else ""


def _worked(work: Summary | None) -> str:
    if work is None:
        return ""
    rate = work.changes / max(work.seconds, 0.1)
    return f"market: {work.changes:,} changes in {work.transactions:,} transactions ({rate:,.0f}/s)"
