"""The demo as a stranger runs it: one market on one data folder, kept from run to run, whatever ended the last."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from mdm import db, embedded, hub

pytestmark = pytest.mark.acceptance

POINTS = 400


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A demo that has ended: its exit status, its summary, what it said."""

    status: int
    summary: dict[str, Any]
    said: str

    def check(self, name: str) -> dict[str, Any]:
        """Return the check of a name."""
        (found,) = [check for check in self.summary["checks"] if check["name"] == name]
        return dict(found)


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Demos on one data folder."""

    folder: Path

    def once(self, *arguments: str) -> Ended:
        """Run a demo to its end."""
        with self.begin("--once", "--json", *arguments) as process:
            printed, said = process.communicate(timeout=280)
        return Ended(status=process.returncode, summary=json.loads(printed or "{}"), said=said)

    @contextmanager
    def begin(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Begin a demo; it is asked to end at the end of the context if it still runs."""
        process = subprocess.Popen(
            [sys.executable, "-c", "from mdm.cli import main; main()", "demo", f"--data={self.folder}", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if not name.startswith("MDM_")},
            text=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=60)

    def fill(self) -> None:
        """Have a market on the folder, whichever test is the first."""
        if not self.folder.exists():
            self.once(f"--metering-points={POINTS}", "--changes=10")

    def list_left_over(self) -> list[psutil.Process]:
        """Return the processes that a demo on this folder has started and that still run."""
        return [process for process in psutil.process_iter() if self._is_of_folder(process)]

    def _is_of_folder(self, process: psutil.Process) -> bool:
        try:
            is_server = process.name() == "postgres" and Path(process.cwd()).parent == self.folder
            return is_server or process.environ().get("MDM_DATA_FOLDER") == str(self.folder)
        except psutil.Error:
            return False


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    """Demos on one data folder; whichever test comes first fills its market."""
    # Not below pytest's own folder: that is closed to the server's account whenever another session begins.
    with tempfile.TemporaryDirectory(prefix="mdm-demo-", ignore_cleanup_errors=True) as place:
        folder = Path(place) / "kept"
        yield Runs(folder=folder)
        for name in ("hub", "market"):
            embedded.stop(folder / name)


def test_a_demo_ends_by_itself_in_agreement_and_leaves_nothing_running(runs: Runs) -> None:
    ended = runs.once(f"--metering-points={POINTS}", "--changes=600")

    assert ended.status == 0, ended.said
    assert ended.summary["agrees"]
    assert ended.summary["changes"] >= 600
    assert ended.check("metering points")["found"] >= POINTS
    assert {"copies at the sources", "values of meters", "views of SETL", "digests of all views"} <= {
        check["name"] for check in ended.summary["checks"]
    }
    assert runs.list_left_over() == []


def test_planted_faults_are_found_and_nothing_else_differs(runs: Runs) -> None:
    runs.fill()
    ended = runs.once("--changes=600", "--faults=0.1")

    assert ended.status == 0, ended.said
    faults = {kind["kind"]: kind for kind in ended.summary["faults"]}
    assert faults["no contract reference"]["found"] == faults["no contract reference"]["planted"] > 0
    assert faults["address differs at MDS"]["finding"] == "conflicts"


def test_a_worker_that_is_killed_is_started_again(runs: Runs) -> None:
    runs.fill()
    with runs.begin("--once", "--json", "--changes=600", "--rate=100") as process:
        await_line(process, "market: ")
        (worker,) = [
            each for each in psutil.Process(process.pid).children() if each.cmdline()[-2:] == ["capture", "mss"]
        ]
        worker.kill()
        printed, said = process.communicate(timeout=200)

    assert process.returncode == 0, said
    assert json.loads(printed)["agrees"]


def test_a_demo_that_is_killed_is_gone_on_with(runs: Runs) -> None:
    runs.fill()
    with runs.begin("--once", "--changes=100000", "--rate=200") as process:
        await_line(process, "market: ")
        process.send_signal(signal.SIGKILL)
        process.wait()
    ended = runs.once("--changes=100")

    assert ended.status == 0, ended.said
    assert ended.summary["agrees"]
    assert runs.list_left_over() == []


def test_a_golden_value_that_differs_from_its_owners_is_told(runs: Runs) -> None:
    runs.fill()
    with meddling(runs.folder) as connection:
        chosen = "select golden_id from golden.metering_point where gsp_group is not null order by golden_id limit 1"
        connection.execute(f"update golden.metering_point set gsp_group = '_X' where golden_id = ({chosen})")
    ended = runs.once("--changes=10")

    with meddling(runs.folder) as connection:
        connection.execute("update golden.metering_point set gsp_group = '_A' where gsp_group = '_X'")
    assert ended.status == 1
    assert not ended.summary["agrees"]
    assert ended.check("values of metering points")["differences"] == {"gsp_group": 1}


def test_another_market_than_the_one_that_is_there_is_refused(runs: Runs) -> None:
    runs.fill()
    refused = runs.once("--metering-points=99")

    assert refused.status == 2
    assert f"{POINTS:,} metering points" in refused.said
    assert "--fresh" in refused.said


@contextmanager
def meddling(folder: Path) -> Iterator[db.Connection]:
    """Give a session in the hub of a data folder while no demo runs."""
    with embedded.start(folder / "hub") as server, db.connect(server.dsn(hub.DATABASE)) as connection:
        yield connection


def await_line(process: subprocess.Popen[str], words: str) -> None:
    """Wait until a demo says a line with these words."""
    output = process.stderr if "--json" in process.args else process.stdout  # type: ignore[operator]
    assert output is not None
    for line in output:
        if words in line:
            return
    raise AssertionError(f"the demo ended without saying {words!r}")
