"""A run of the demo: the market, the hub and its API come up, the market changes, the hub follows.

With `once` it ends by itself: when the hub has caught up, everything is compared. Whatever ends it, the processes and
embedded servers that it started are ended, and the next run goes on from there.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from mdm import db
from mdm.capture import registration
from mdm.demo import (
    awaiting,
    capturing,
    comparison,
    filling,
    installation,
    processes,
    served,
    telling,
    working,
    workload,
)
from mdm.demo.awaiting import Waiting
from mdm.demo.comparison import Comparison
from mdm.demo.display import Display
from mdm.demo.filling import Filled, Wanted
from mdm.demo.installation import Installation
from mdm.demo.ledger import Summary
from mdm.demo.market import Source
from mdm.demo.processes import Running
from mdm.demo.served import Api
from mdm.demo.summary import Ended
from mdm.demo.working import Working
from mdm.demo.workload import Plan
from mdm.settings import Settings

_LOOPBACK = "127.0.0.1"
_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the user asked for; `changes` None is without end, `rate` None as fast as can be."""

    wanted: Wanted
    changes: int | None
    rate: float | None
    faults: float
    once: bool
    fresh: bool


@dataclass(slots=True)
class Clock:
    """How long each part of the run took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, part: str) -> Iterator[None]:
        """Time a part."""
        began_at = time.monotonic()
        yield
        self.seconds[part] = time.monotonic() - began_at


@dataclass(slots=True, kw_only=True)
class Demo:
    """The demo while it runs."""

    place: Installation
    hub_dsn: str
    serving: Running
    filled: Filled
    waiting: Waiting
    display: Display
    clock: Clock


def run(settings: Settings, asked: Asked, display: Display) -> Ended | None:
    """Run until everything is compared, with `once`; else until KeyboardInterrupt. Raises MdmError."""
    with installation.claim(settings.data_folder), installation.logged(settings):
        if asked.fresh:
            installation.clear(settings)
        with _started(settings, asked, display) as demo:
            with demo.clock.time("initial load"):
                loaded = demo.waiting.until(lambda look: look.is_streaming, what="the initial load")
            display.say(telling.of_load(loaded, demo.filled, demo.clock.seconds["initial load"]))
            api = _open_api(demo)
            if asked.once:
                return _run_once(demo, asked, api)
            display.say(telling.of_api(api, demo.place.dsns))
            with _begun(demo, asked) as work:
                while True:
                    _watch(demo, work)


@contextmanager
def _started(settings: Settings, asked: Asked, display: Display) -> Iterator[Demo]:
    """Start everything; the hub comes up while the market is filled."""
    clock = Clock()
    with ExitStack() as stack:
        display.say("Starting PostgreSQL for the market and for the hub ...")
        with clock.time("servers"):
            place = stack.enter_context(installation.open_market(settings))
            pool = stack.enter_context(ThreadPoolExecutor(1, "hub"))
            opening = pool.submit(lambda: stack.enter_context(installation.open_hub(place.settings)))
        with clock.time("filling"):
            filled = filling.fill(place.dsns, asked.wanted, display.fill)
        display.say(telling.of_market(filled, clock.seconds["filling"]))
        with clock.time("hub"):
            hub_dsn = opening.result()
        capture = stack.enter_context(capturing.capture(place))
        serving = stack.enter_context(
            processes.start("serve", "--host", _LOOPBACK, "--port", "0", log=place.log, environment=place.environment)
        )
        hub = stack.enter_context(db.connect(hub_dsn, application_name="mdm demo"))
        yield Demo(
            place=place,
            hub_dsn=hub_dsn,
            serving=serving,
            filled=filled,
            waiting=_waiting(place, hub, (capture.check, serving.check), display),
            display=display,
            clock=clock,
        )


def _open_api(demo: Demo) -> Api:
    """Wait until the API listens, and issue a key to it."""
    url = demo.serving.read_line().rpartition(" ")[2]
    with db.transaction(demo.waiting.hub) as hub:
        api = Api(url=url, key=served.issue_key(hub))
    demo.display.say(f"The API listens on {api.url}")
    return api


def _waiting(
    place: Installation, hub: db.Connection, checks: Sequence[Callable[[], None]], display: Display
) -> Waiting:
    def check() -> None:
        for each in checks:
            each()

    watched = registration.watch(place.settings, [source.value for source in Source])
    return Waiting(hub=hub, watched=watched, show=display.show, check=check, log=place.log)


def _run_once(demo: Demo, asked: Asked, api: Api) -> Ended:
    with demo.clock.time("changes"):
        work = _work(demo, asked)
    demo.display.say(f"The market has made {work.changes:,} changes in {work.transactions:,} transactions")
    with demo.clock.time("catching up"):
        targets = awaiting.positions(demo.place.dsns)
        last = demo.waiting.until(
            lambda look: look.is_streaming and demo.waiting.has_reached(targets), what="the last changes"
        )
    demo.display.say(telling.of_changes(work, sum(demo.clock.seconds[part] for part in ("changes", "catching up"))))
    with demo.clock.time("comparing"):
        compared = _compare(demo, api)
    return Ended(filled=demo.filled, work=work, last=last, comparison=compared, seconds=demo.clock.seconds)


def _work(demo: Demo, asked: Asked) -> Summary:
    """Let the market change until all is done that was asked for, or the process is interrupted."""
    with _begun(demo, asked) as work:
        while not _watch(demo, work):
            pass
    done = work.summary
    if done is None:
        raise LookupError("a workload that is done has a summary")
    return done


@contextmanager
def _begun(demo: Demo, asked: Asked) -> Iterator[Working]:
    plan = Plan(seed=demo.filled.seed, changes=asked.changes, rate=asked.rate, faults=asked.faults)
    work = Working(demo.place.dsns, plan)
    demo.waiting.show = lambda look: demo.display.show(look, work.summary)
    work.start()
    try:
        yield work
    finally:
        work.stop()


def _compare(demo: Demo, api: Api) -> Comparison:
    compared = comparison.compare(
        demo.hub_dsn, demo.place.dsns, day=workload.local_today(), written=working.written(demo.place.dsns)
    )
    with db.connect(demo.hub_dsn, application_name="mdm demo") as hub:
        return compared.with_check(served.compare(hub, api))


def _watch(demo: Demo, work: Working) -> bool:
    """Look once; return whether the workload has done all that was asked for."""
    demo.waiting.look()
    time.sleep(_BETWEEN_LOOKS)
    return work.is_done
