"""The commands by which the hub is served and keys are issued, run as an operator runs them."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from mdm import db
from tests.integration.api.conftest import readers
from tests.integration.distribution import market as markets
from tests.waiting import wait_for


def command(dsn: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run mdm to its end."""
    return subprocess.run(
        [sys.executable, "-c", "from mdm.cli import main; main()", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"MDM_DATABASE_URL": dsn},
    )


@contextmanager
def served(dsn: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run mdm serve on a free port; give the process and the address that it printed."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from mdm.cli import main; main()", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"MDM_DATABASE_URL": dsn, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        printed = process.stdout.readline()
        assert printed.startswith("Listening on http://127.0.0.1:")
        yield process, printed.split()[-1]
    finally:
        process.kill()
        process.communicate()


def test_key_is_issued_listed_and_revoked(hub_dsn: str) -> None:
    grant = ["--purpose", "test", "--scope", "view:read", "--role", "mss", "--recipient", "BOLT"]
    issued = command(hub_dsn, "key", "create", "bolt", *grant)
    assert issued.returncode == 0, issued.stderr
    key = issued.stdout.strip()
    (listed,) = json.loads(command(hub_dsn, "key", "list", "--json").stdout)
    assert (listed["name"], listed["state"], listed["recipient"], listed["scopes"]) == (
        "bolt",
        "active",
        "BOLT",
        ["view:read"],
    )
    assert key not in json.dumps(listed)
    assert command(hub_dsn, "key", "revoke", listed["prefix"]).returncode == 0
    assert "revoked" in command(hub_dsn, "key", "list").stdout


def test_key_that_contradicts_itself_is_refused_with_advice(hub_dsn: str) -> None:
    refused = command(hub_dsn, "key", "create", "x", "--purpose", "test", "--scope", "view:read")
    assert refused.returncode == 1
    assert "--recipient" in refused.stderr


def test_server_stops_in_order_and_lets_those_go_who_wait(hub_dsn: str) -> None:
    with db.connect(hub_dsn) as connection:
        markets.open_market(hub_dsn, connection).publish(1)
    grant = ["--purpose", "test", "--scope", "view:read", "--role", "MSS", "--recipient", "BOLT"]
    key = command(hub_dsn, "key", "create", "bolt", *grant).stdout.strip()
    answers: list[httpx.Response] = []

    def wait(url: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        answers.append(httpx.get(f"{url}/v1/views/mss-appointment/changes?wait=60", headers=headers, timeout=30))

    with served(hub_dsn) as (process, url):
        waiting = threading.Thread(target=wait, args=[url])
        waiting.start()
        wait_for(lambda: readers(url) == 1)
        process.send_signal(signal.SIGTERM)
        waiting.join(timeout=10)
        assert answers[0].json()["entries"] == []
        assert process.wait(timeout=10) == 0


def test_address_that_is_taken_is_refused_with_advice(hub_dsn: str) -> None:
    with served(hub_dsn) as (_process, url):
        refused = command(hub_dsn, "serve", "--port", url.rpartition(":")[2])
    assert refused.returncode == 1
    assert "--port" in refused.stderr
