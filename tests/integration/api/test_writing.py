"""Writes over HTTP: once under a key, however often sent, however many at once; nothing of a refused one stays."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from mdm.api import problems, state, writing
from mdm.api.authentication import authenticate
from mdm.api.idempotency import Answer
from mdm.api.keys import Scope
from mdm.api.problems import Problem
from mdm.app import Server
from mdm.db import Connection
from tests.integration.api.conftest import Api, running


def _application(dsn: str) -> FastAPI:
    """Return an application of one write, which notes a name and refuses the name 'refused'."""
    hub = state.make(dsn)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        await hub.open()
        yield
        await hub.close()

    app = FastAPI(lifespan=life)
    app.state.hub = hub
    problems.install(app)

    @app.post("/notes/{name}")
    async def note(request: Request, name: str) -> Response:
        caller = await authenticate(request, hub.keyring, Scope.STEWARD_WRITE)
        return await writing.perform(request, caller, lambda connection: _note(connection, name))

    return app


def _note(connection: Connection, name: str) -> Answer:
    row = connection.execute("insert into note (name) values (%s) returning note_id", [name]).fetchone()
    if name == "refused":
        raise Problem(HTTPStatus.CONFLICT, "It is refused.")
    return writing.answer({"note": row and row[0]}, status=HTTPStatus.CREATED, version=1)


@pytest.fixture(scope="module")
def url(api: Api) -> Iterator[str]:
    api.market.connection.execute("create table note (note_id int generated always as identity, name text)")
    server = Server(_application(api.market.dsn), host="127.0.0.1", port=0)
    with running(server):
        yield server.url


@contextmanager
def _client(api: Api, url: str) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {api.key('steward:write')}"}, timeout=30
    ) as client:
        yield client


def _count(api: Api, name: str) -> int:
    row = api.market.connection.execute("select count(*) from note where name = %s", [name]).fetchone()
    return int(row[0]) if row else 0


def test_a_write_sent_again_under_its_key_is_done_once_and_answered_alike(api: Api, url: str) -> None:
    with _client(api, url) as client:
        first, second = (client.post("/notes/a", headers={"Idempotency-Key": "one"}) for _ in range(2))
    assert first.status_code == second.status_code == HTTPStatus.CREATED
    assert (first.content, first.headers["etag"]) == (second.content, second.headers["etag"])
    assert first.json()
    assert _count(api, "a") == 1


def test_eight_that_send_the_same_write_at_once_do_it_once(api: Api, url: str) -> None:
    with _client(api, url) as client, ThreadPoolExecutor(8) as threads:
        sent = [threads.submit(client.post, "/notes/b", headers={"Idempotency-Key": "many"}) for _ in range(8)]
        answers = {each.result().content for each in sent}
    assert len(answers) == 1
    assert _count(api, "b") == 1


def test_a_key_that_stands_for_another_write_is_refused(api: Api, url: str) -> None:
    with _client(api, url) as client:
        client.post("/notes/c", headers={"Idempotency-Key": "taken"})
        answer = client.post("/notes/d", headers={"Idempotency-Key": "taken"})
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert _count(api, "d") == 0


def test_keys_of_two_callers_have_nothing_to_do_with_each_other(api: Api, url: str) -> None:
    with _client(api, url) as one, _client(api, url) as other:
        assert one.post("/notes/e", headers={"Idempotency-Key": "same"}).status_code == HTTPStatus.CREATED
        assert other.post("/notes/e", headers={"Idempotency-Key": "same"}).status_code == HTTPStatus.CREATED
    assert _count(api, "e") == 2


def test_a_refused_write_leaves_neither_rows_nor_its_key(api: Api, url: str) -> None:
    with _client(api, url) as client:
        answers = [client.post("/notes/refused", headers={"Idempotency-Key": "again"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [HTTPStatus.CONFLICT] * 2
    assert _count(api, "refused") == 0


def test_answers_older_than_a_week_are_let_go(api: Api, url: str) -> None:
    with _client(api, url) as client:
        client.post("/notes/f", headers={"Idempotency-Key": "old"})
        api.market.connection.execute("update hub.idempotency_key set created_at = now() - interval '8 days'")
        client.post("/notes/f", headers={"Idempotency-Key": "new"})
        client.post("/notes/f", headers={"Idempotency-Key": "old"})
    assert _count(api, "f") == 3


@pytest.mark.parametrize("if_match", ["", "x", '"-1"', "99999999999"])
def test_a_version_that_is_none_is_refused(if_match: str) -> None:
    with pytest.raises(Problem):
        writing.version_of(if_match)


def test_the_version_is_that_of_the_etag() -> None:
    assert writing.version_of('"17"') == writing.version_of('W/"17"') == 17
