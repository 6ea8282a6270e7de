"""The server goes on when its sessions with the database are cut."""

import threading
from http import HTTPStatus
from typing import Any

from tests.integration.api.conftest import Api, readers
from tests.waiting import wait_for

POINT, VIEW = "/v1/metering-points/1", "/v1/views/mss-metering-point"


def cut(api: Api) -> int:
    """Cut all sessions of the server; return how many there were."""
    rows = api.market.rows(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where application_name like 'mdm serve%' and datname = current_database()"
    )
    return len(rows)


def listens(api: Api) -> bool:
    (row,) = api.market.rows(
        "select count(*) from pg_stat_activity where application_name = 'mdm serve listener' and state = 'idle'"
        " and datname = current_database() and query ilike 'listen%mdm_key%'"
    )
    return bool(row[0])


def test_reads_go_on_after_the_sessions_were_cut(api: Api) -> None:
    with api.service() as client:
        for _ in range(3):
            assert client.get(POINT).status_code == HTTPStatus.OK
            assert cut(api) >= 2
            assert client.get(POINT).status_code == HTTPStatus.OK
            assert client.get(VIEW).status_code == HTTPStatus.OK


def test_long_poll_is_woken_after_the_listener_was_cut(api: Api) -> None:
    head = api.market.head("mss-metering-point", "BOLT")[0]
    with api.service() as client:
        answers: list[Any] = []
        wait_for(lambda: listens(api))
        waiting = threading.Thread(
            target=lambda: answers.append(client.get(f"{VIEW}/changes", params={"after": head, "wait": 20}).json())
        )
        waiting.start()
        wait_for(lambda: readers(api.url) == 1)
        cut(api)
        wait_for(lambda: listens(api))
        api.market.add_point(1, energisation_status="D")
        api.market.publish(1)
        waiting.join(timeout=10)
    assert [entry["sequence"] for entry in answers[0]["entries"]] == [head + 1]
