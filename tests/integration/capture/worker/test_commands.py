"""The commands of capture, as processes: supervised workers, kills, sources listed, checked and loaded anew."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from mdm.capture import supervisor
from mdm.capture.worker import NEEDS_PERSON
from tests.integration.capture.worker.rig import DECLARATION, Rig, wait_for


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs mdm with the declarations of a test."""

    environment: dict[str, str]

    def run(self, *arguments: str, status: int = 0) -> str:
        done = subprocess.run(
            [*supervisor.command("")[:-2], *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def running(self, *arguments: str) -> Iterator[psutil.Process]:
        process = psutil.Popen([*supervisor.command("")[:-2], *arguments], env=self.environment)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture
def rigs(make_rig: Callable[[], Rig]) -> list[Rig]:
    return [make_rig(), make_rig()]


@pytest.fixture
def shell(rigs: list[Rig], tmp_path: Path) -> Shell:
    folder = tmp_path / "sources"
    folder.mkdir()
    environment = os.environ | {
        "MDM_DATABASE_URL": rigs[0].captured.hub_dsn,
        "MDM_DATA_FOLDER": str(tmp_path),
        "MDM_SOURCES": str(folder),
        "PYTHONPATH": str(Path(__file__).parents[4]),
    }
    for rig in rigs:
        name = rig.captured.name
        declared: dict[str, Any] = DECLARATION | {
            "source": name,
            "slot": rig.captured.source.slot,
            "dsn_setting": f"DSN_{name}",
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(declared))
        environment[f"DSN_{name}"] = rig.captured.source_dsn
    return Shell(environment)


def workers(of: psutil.Process) -> list[psutil.Process]:
    return [child for child in of.children() if "capture" in child.cmdline()]


def test_each_source_has_a_worker_that_is_started_again_after_a_kill(shell: Shell, rigs: list[Rig]) -> None:
    for rig in rigs:
        rig.fill(50)
    with shell.running("capture") as process:
        for rig in rigs:
            rig.await_agreement(60)
        killed = workers(process)
        assert len(killed) == 2
        for worker in killed:
            worker.send_signal(signal.SIGKILL)
        for rig in rigs:
            rig.fill(10, first=100)
            rig.await_agreement(60)
        fresh = workers(process)
    assert not any(worker.is_running() for worker in fresh)


def test_workers_end_when_their_supervisor_is_killed(shell: Shell, rigs: list[Rig]) -> None:
    with shell.running("capture") as process:
        wait_for(lambda: all(rig.state() == "streaming" for rig in rigs), seconds=60)
        left = workers(process)
        process.send_signal(signal.SIGKILL)
        wait_for(lambda: not any(worker.is_running() for worker in left), seconds=30)


def test_what_needs_a_person_ends_the_worker_of_one_source(shell: Shell, rigs: list[Rig]) -> None:
    rigs[0].source.execute("drop publication mdm")
    said = shell.run("capture", rigs[0].captured.name, status=NEEDS_PERSON)
    assert "create publication" in said
    (shown,) = json.loads(shell.run("status", "--json", rigs[0].captured.name))
    assert shown["state"] == "failed"
    assert "create publication" in shown["last_error"]


def test_sources_are_listed_checked_added_and_loaded_anew(shell: Shell, rigs: list[Rig]) -> None:
    name, rig = rigs[0].captured.name, rigs[0]
    assert name in shell.run("source", "list")
    assert {one["source"] for one in json.loads(shell.run("source", "list", "--json"))} == {
        each.captured.name for each in rigs
    }
    rig.source.execute("alter publication mdm drop table area")
    assert 'add table "public"."area"' in shell.run("source", "check", name, status=1)
    assert 'add table "public"."area"' in shell.run("source", "add", name)
    assert "ready to be captured" in shell.run("source", "check", name)
    rig.source.execute("alter table area rename column gsp to gsp_group")
    assert "no longer has the mapped column gsp" in shell.run("source", "check", name, status=1)
    rig.source.execute("alter table area rename column gsp_group to gsp")
    rig.fill(20)
    with shell.running("capture", name):
        rig.await_agreement(60)
        assert "Loaded" in shell.run("source", "reload", name, "--table", "public.area", "--wait")
        assert "Loaded" in shell.run("source", "reload", name, "--wait")
        rig.await_agreement(60)
    assert "no captured table" in shell.run("source", "reload", name, "--table", "public.x", status=2)
    assert "No source is declared" in shell.run("source", "check", "nobody", status=2)
    assert name in shell.run("status")


def test_a_crash_point_of_the_environment_ends_the_process_there(shell: Shell, rigs: list[Rig]) -> None:
    rig = rigs[0]
    rig.fill(20)
    crashing = Shell(shell.environment | {"MDM_CRASH_AT": "chunk_committed:2"})
    process = subprocess.run(
        [*supervisor.command(rig.captured.name)],
        env=crashing.environment,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL
    assert rig.one("select count(*) from hub.snapshot_chunk where done_at is not null") >= 1
    with shell.running("capture", rig.captured.name):
        rig.await_agreement(60)


def test_a_terminal_shows_bars_while_sources_are_loaded(shell: Shell, rigs: list[Rig]) -> None:
    for rig in rigs:
        rig.fill(3000)
    controller, terminal = os.openpty()
    shown = b""
    command = [*supervisor.command("")[:-2], "capture"]
    with psutil.Popen(command, env=shell.environment | {"COLUMNS": "160"}, stderr=terminal) as process:
        os.close(terminal)
        while rigs[0].captured.name.encode() not in shown or b"chunks" not in shown:
            shown += os.read(controller, 4096)
        process.terminate()
        process.wait(60)
    os.close(controller)
