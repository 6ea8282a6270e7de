"""What may be one thing is found beside capture, without being asked, and whatever becomes of that, capture goes on."""

import signal
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest

from mdm import db
from tests.integration.capture.worker.rig import Rig, wait_for
from tests.integration.capture.worker.test_commands import Shell, rigs, shell, workers
from tests.integration.golden_records.conftest import Hub, open_hub_session
from tests.integration.matching.test_matching import two_alike

__all__ = ["rigs", "shell"]  # the fixtures

Fast = Callable[[int], Shell]


@pytest.fixture
def fast(shell: Shell) -> Fast:
    """Return a shell whose capture matches every so many seconds."""
    return lambda seconds: Shell(shell.environment | {"MDM_MATCH_SECONDS": str(seconds)})


@pytest.fixture
def hub(rigs: list[Rig]) -> Iterator[Hub]:
    """The hub that the rigs are captured into, for what a test masters itself."""
    with db.connect(rigs[0].captured.hub_dsn) as connection:
        yield open_hub_session(connection)


def matchers(of: psutil.Process) -> list[psutil.Process]:
    """Return the live matcher, if there is one at the moment."""
    alive = [child for child in of.children() if child.status() != psutil.STATUS_ZOMBIE]
    with suppress(psutil.NoSuchProcess):  # one of them ended just now
        return [child for child in alive if "match" in child.cmdline()]
    return []


def await_streaming(rigs: list[Rig]) -> None:
    wait_for(lambda: all(rig.state() == "streaming" for rig in rigs), seconds=60)


def matches(hub: Hub) -> object:
    return hub.value("select count(*) from golden.match where state = 'open'")


def test_what_is_alike_becomes_a_task_by_itself_also_after_a_kill(fast: Fast, rigs: list[Rig], hub: Hub) -> None:
    with fast(1).running("capture") as process:
        await_streaming(rigs)
        wait_for(lambda: matchers(process), seconds=60)
        (killed,) = matchers(process)
        killed.send_signal(signal.SIGKILL)
        two_alike(hub)
        wait_for(lambda: hub.value("select count(*) from hub.task where kind = 'match'") == 1, seconds=60)
        (matcher,) = matchers(process)
        assert matcher.nice() > process.nice()
    assert not matcher.is_running()
    assert "Matching ran last until" in fast(1).run("status")


def test_capture_goes_on_while_matching_fails_and_matching_when_it_no_longer_does(
    fast: Fast, rigs: list[Rig], hub: Hub
) -> None:
    two_alike(hub)
    hub.connection.execute(
        "create function golden.refuse() returns trigger language plpgsql as $$ begin raise 'refused'; end $$;"
        "create trigger refuse before insert on golden.match for each row execute function golden.refuse()"
    )
    with fast(1).running("capture") as process:
        await_streaming(rigs)
        ended = {child.pid for child in wait_for(lambda: matchers(process), seconds=60)}
        wait_for(lambda: {child.pid for child in matchers(process)} - ended, seconds=60)
        captured = workers(process)
        for rig in rigs:
            rig.fill(20)
            rig.await_agreement(60)
        assert (workers(process), matches(hub)) == (captured, 0)
        hub.connection.execute("drop trigger refuse on golden.match")
        wait_for(lambda: matches(hub) == 1, seconds=60)


def test_matchers_end_when_their_supervisor_is_killed(fast: Fast) -> None:
    with fast(1).running("capture") as process:
        wait_for(lambda: matchers(process), seconds=60)
        left = matchers(process)
        process.send_signal(signal.SIGKILL)
        wait_for(lambda: not any(matcher.is_running() for matcher in left), seconds=30)


def test_the_matcher_goes_on_while_there_is_nothing_to_compare(fast: Fast, rigs: list[Rig], hub: Hub) -> None:
    runs = "select coalesce(max(run_id), 0) from golden.match_run"
    with fast(1).running("capture") as process:
        await_streaming(rigs)
        before = matchers_after(process, hub, runs)
        assert matchers_after(process, hub, runs) == before


def matchers_after(process: psutil.Process, hub: Hub, runs: str) -> list[psutil.Process]:
    """Return the matcher when it has run twice more."""
    seen = int(str(hub.value(runs)))
    wait_for(lambda: int(str(hub.value(runs))) >= seen + 2, seconds=60)
    return matchers(process)


def test_nothing_is_matched_where_that_is_switched_off(fast: Fast, rigs: list[Rig]) -> None:
    with fast(0).running("capture") as process:
        await_streaming(rigs)
        assert (len(workers(process)), len(process.children())) == (2, 2)
