"""A snapshot is whole, as of one sequence number, and the changes after it lead on."""

import hashlib
import json
import random
import threading
from http import HTTPStatus
from typing import Any

import httpx

from mdm import db
from tests.integration.api.conftest import Api, ndjson
from tests.integration.distribution.market import Market, canonical

COPY = dict[int, dict[str, Any]]


def digest(copy: COPY) -> str:
    """Compute a view's digest as its documentation tells services to, apart from the hub's own code."""
    total = 0
    for key, message in copy.items():
        body = {name: message[name] for name in message if name not in {"data_sender_id", "data_created_date"}}
        text = f"{key} {json.dumps(body, separators=(',', ':'), ensure_ascii=False)}"
        total ^= int.from_bytes(hashlib.sha256(text.encode()).digest())
    return f"{total:064x}"


def apply(copy: COPY, entries: list[dict[str, Any]]) -> None:
    """Bring a copy up to date, as a service does."""
    for entry in entries:
        if entry["operation"] == "upsert":
            copy[entry["key"]] = entry["message"]
        else:
            del copy[entry["key"]]


def test_snapshot_begins_with_sequence_count_and_digest(api: Api, service: httpx.Client) -> None:
    head, *rows = ndjson(service.get("/v1/views/mss-appointment/snapshot"))
    seq, count, said = api.market.head("mss-appointment", "BOLT")
    assert (head["sequence"], head["count"], head["digest"]) == (seq, count, said)
    assert len(rows) == count


def test_digest_of_a_snapshot_can_be_computed_by_anybody(service: httpx.Client) -> None:
    for name in ("mss-appointment", "mss-metering-point"):
        head, *rows = ndjson(service.get(f"/v1/views/{name}/snapshot"))
        assert digest({row["key"]: row["message"] for row in rows}) == head["digest"]


def test_rows_have_the_same_bytes_in_snapshot_and_changes(service: httpx.Client) -> None:
    _head, *rows = service.get("/v1/views/mss-metering-point/snapshot").content.splitlines()
    accept = {"Accept": "application/x-ndjson"}
    lines = service.get("/v1/views/mss-metering-point/changes", headers=accept).content.splitlines()
    document = service.get("/v1/views/mss-metering-point/changes").content
    assert set(rows) <= set(lines)
    assert all(row in document for row in rows)


def test_snapshot_is_compressed_for_those_who_take_it(service: httpx.Client) -> None:
    packed = service.get("/v1/views/mss-appointment/snapshot", headers={"Accept-Encoding": "gzip"})
    plain = service.get("/v1/views/mss-appointment/snapshot", headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.text == plain.text


def test_empty_view_has_a_snapshot(api: Api) -> None:
    with api.service("HALO", "MSA") as client:
        (head,) = ndjson(client.get("/v1/views/msa-appointment/snapshot"))
    assert (head["sequence"], head["count"], int(head["digest"], 16)) == (0, 0, 0)


def test_snapshot_is_to_be_had_as_ndjson_alone(service: httpx.Client) -> None:
    refused = service.get("/v1/views/mss-appointment/snapshot", headers={"Accept": "text/csv"})
    assert refused.status_code == HTTPStatus.NOT_ACCEPTABLE


def stir(dsn: str, is_over: threading.Event) -> None:
    """Change points 1 to 3 until told to stop."""
    chance = random.Random(1)
    with db.connect(dsn) as connection:
        market = Market(dsn=dsn, connection=connection)
        while not is_over.is_set():
            point = chance.randint(1, 3)
            market.add_point(point, energisation_status=chance.choice("EDU"))
            market.appoint(point, status=chance.choice(["active", "lapsed"]))
            market.publish(point)


def test_snapshot_and_changes_equal_the_view_at_any_moment_under_writers(api: Api, service: httpx.Client) -> None:
    """Copies begun at different moments, brought up to date at their own pace, prove themselves and end alike."""
    is_over = threading.Event()
    writer = threading.Thread(target=stir, args=[api.market.dsn, is_over])
    writer.start()
    copies: list[tuple[int, COPY]] = []
    try:
        for _ in range(10):
            head, *rows = ndjson(service.get("/v1/views/mss-metering-point/snapshot"))
            copy = {row["key"]: row["message"] for row in rows}
            assert (len(copy), digest(copy)) == (head["count"], head["digest"])
            copies.append((head["sequence"], copy))
    finally:
        is_over.set()
        writer.join()
    seq, count, said = api.market.head("mss-metering-point", "BOLT")
    for after, copy in copies:
        position = after
        while position < seq:
            answer = service.get(f"/v1/views/mss-metering-point/changes?after={position}&limit=7").json()
            assert [entry["sequence"] for entry in answer["entries"]] == list(range(position + 1, answer["next"] + 1))
            apply(copy, answer["entries"])
            position = answer["next"]
        assert (len(copy), digest(copy)) == (count, said)
    assert canonical(api.market.content("mss-metering-point", "BOLT")) == said
