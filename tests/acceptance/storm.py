"""Kills at random moments, drawn by a seeded generator: of workers, their supervisor, both servers."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from psutil import Process

from mdm import db
from mdm.capture import checkpoint
from mdm.capture.checkpoint import State
from mdm.db import DatabaseUnreachable
from tests.acceptance import journal_audit, waiting
from tests.acceptance.installation import Installation
from tests.acceptance.supervised import Supervised

_BETWEEN_KILLS = 0.3, 1.7  # seconds
_SERVER_IS_DOWN = 0.0, 2.0
_PATIENCE = 120.0
_UNKNOWN = "hub is down"
_STATES = """
select s.name, c.source_id, c.state, c.commit_lsn is not null, c.changes
from hub.checkpoint c join golden.source_system s using (source_id)
"""


class Victim(StrEnum):
    """What is killed."""

    WORKER = "worker"
    SUPERVISOR = "supervisor"
    HUB = "server of the hub"
    MARKET = "server of the market"


HAND = (*(Victim.WORKER,) * 7, Victim.SUPERVISOR, Victim.HUB, Victim.MARKET)
"""How ten kills are shared out."""


@dataclass(slots=True, kw_only=True)
class Storm:
    """Kills what it draws and has it run again, while a market changes.

    `killed` counts the kills by victim and by where capture stood; `boundary` is the youngest transaction of each
    source that may have come by the initial load; `advances` counts the kills since which the hub has gone on.
    """

    installation: Installation
    supervised: Supervised
    rng: Random
    killed: Counter[tuple[Victim, str]] = field(default_factory=Counter)
    boundary: dict[str, int] = field(default_factory=dict)
    advances: int = 0
    reloads: int = 0
    _states: dict[str, str] = field(default_factory=dict)
    _changes: int = 0
    _due: dict[Victim, float] = field(default_factory=dict)  # servers that are down, until when

    def rage(self, kills: int, *, reload: bool = False) -> None:
        """Kill so often; with `reload`, have a source loaded anew now and then, as an operator may."""
        for number, victim in enumerate(self._draw(kills)):
            time.sleep(self.rng.uniform(*_BETWEEN_KILLS))
            self._revive()
            before, states = self._changes, self.look()
            self.advances += bool(states) and self._changes > before
            if reload and number % len(HAND) == 0:
                self._ask_for_reload()
            self._kill(victim)

    def settle(self) -> None:
        """Have everything run again."""
        self._due = dict.fromkeys(self._due, 0.0)
        self._revive()

    def look(self) -> dict[str, str]:
        """Find out where the capture of each source stands; nothing while the hub is down.

        Fails when a worker called for a person, or ended by an error that it did not expect.
        """
        fatal = self.supervised.events("capture.failed", "capture.crashed")
        assert not fatal, f"capture did not go on by itself: {fatal}"
        try:
            with db.connect(self.installation.hub_dsn, wait=0 if Victim.HUB in self._due else 10) as hub:
                rows = hub.execute(_STATES).fetchall()
        except DatabaseUnreachable:
            self._states = {}
            return {}
        self._changes = sum(row[4] for row in rows)
        self._states = {name: state for name, _, state, *_ in rows}
        for name in [name for name, _, _, is_begun, _ in rows if is_begun and name not in self.boundary]:
            self._note_boundary(name)
        return self._states

    def told(self) -> str:
        """Say what was killed, and where."""
        lines = [f"{count:5d}  {victim} ({state})" for (victim, state), count in sorted(self.killed.items())]
        lines.append(f"{self.killed.total():5d}  kills; {self.advances} times the hub had gone on since the last one")
        return "\n".join([*lines, f"{self.reloads:5d}  reloads asked for meanwhile"])

    def count(self, *states: str) -> int:
        """Return how many kills met capture in these states."""
        return sum(count for (_, told), count in self.killed.items() if set(states) & set(told.split(", ")))

    def _draw(self, kills: int) -> Iterator[Victim]:
        for first in range(0, kills, len(HAND)):
            yield from self.rng.sample(HAND, len(HAND))[: kills - first]

    def _kill(self, victim: Victim) -> None:
        state = ", ".join(sorted(set(self._states.values()))) or _UNKNOWN
        match victim:
            case Victim.WORKER:
                state = self._kill_worker()
            case Victim.SUPERVISOR:
                self.supervised.kill()
            case Victim.HUB | Victim.MARKET:
                self._revive(at_once=victim)
                server = self.installation.hub if victim is Victim.HUB else self.installation.market
                self.installation.kill_server(server)
                self._due[victim] = time.monotonic() + self.rng.uniform(*_SERVER_IS_DOWN)
        self.killed[victim, state] += 1

    def _kill_worker(self) -> str:
        """Kill one worker; return where the capture of its source stood."""

        def live() -> dict[str, Process]:
            self._revive()
            return self.supervised.workers()

        workers = waiting.until(live, seconds=_PATIENCE, what=f"a worker to be killed\n{self.supervised.said()}")
        source = self.rng.choice(sorted(workers))
        workers[source].kill()
        return self._states.get(source, _UNKNOWN)

    def _revive(self, *, at_once: Victim | None = None) -> None:
        """Start again what has been down for long enough."""
        for victim in [victim for victim, due in self._due.items() if victim is at_once or due <= time.monotonic()]:
            if victim is Victim.HUB:
                self.installation.revive_hub()
            else:
                self.installation.revive_market()
            del self._due[victim]
        self.supervised.ensure()

    def _ask_for_reload(self) -> None:
        streaming = sorted(source for source, state in self._states.items() if state == State.STREAMING)
        if not streaming:
            return
        with self.installation.connect_hub() as hub:
            name = self.rng.choice(streaming)
            row = hub.execute("select source_id from golden.source_system where name = %s", [name]).fetchone()
            assert row is not None
            checkpoint.request_reload(hub, row[0])
            self.reloads += 1

    def _note_boundary(self, source: str) -> None:
        if Victim.MARKET not in self._due:
            with self.installation.connect(source) as connection:
                self.boundary[source] = journal_audit.newest(connection)
