"""What the API serves: a key to it, requests to try, and whether a subscriber gets what the hub holds."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import orjson
from psycopg.rows import dict_row

from mdm import db
from mdm.api import keys
from mdm.api.keys import Grant, Scope
from mdm.demo.checks import Check
from mdm.distribution import digests
from mdm.errors import MdmError

_NAME = "mdm demo"
_METADATA = ("data_sender_id", "data_created_date")

_HELD = """
select v.name, v.recipient, h.last_seq, h.row_count, h.digest::text as digest
from hub.view v join hub.view_head h using (view_id) order by v.name, v.recipient
"""


class ApiSilent(MdmError):
    """The API did not answer as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Where the API listens, and a key to it that sees everything, names and addresses included."""

    url: str
    key: str

    def examples(self, mpan: str) -> list[str]:
        """Return requests to try: what views there are, how one changed, a golden record by its MPAN."""
        curl = f"curl -s -H 'Authorization: Bearer {self.key}'"
        search = f"-H 'Content-Type: application/json' -d '{json.dumps({'mpan': mpan})}'"
        return [
            f"{curl} {self.url}/v1/views",
            f"{curl} '{self.url}/v1/views/mss-appointment/changes?recipient=BOLT&after=0&limit=2'",
            f"{curl} {search} {self.url}/v1/metering-points/search",
        ]


def issue_key(hub: db.Connection) -> str:
    """Issue the demo's key; those of earlier demos hold no longer."""
    for known in keys.list_keys(hub):
        if known.grant.name == _NAME and known.state == "active":
            keys.revoke(hub, known.prefix)
    grant = Grant(name=_NAME, purpose="demonstration", scopes=(Scope.VIEW_READ_ALL, Scope.GOLDEN_READ_IDENTIFIED))
    return keys.create(hub, grant)


def compare(hub: db.Connection, api: Api) -> Check:
    """Take a snapshot of every view over HTTP, and compare its rows with what the hub holds by the published digest."""
    with hub.cursor(row_factory=dict_row) as cursor:
        held = cursor.execute(_HELD).fetchall()
    rows, differing = 0, 0
    for view in held:
        served, digest = _take_snapshot(api, view)
        rows += served
        differing += digest != digests.from_bits(view["digest"])
    return Check(
        name="snapshots of all views over HTTP",
        expected=sum(view["row_count"] for view in held),
        found=rows,
        differences={"views with another digest": differing} if differing else {},
        look="See /v1/views.",
    )


def _take_snapshot(api: Api, view: Mapping[str, Any]) -> tuple[int, str]:
    """Return how many rows a view's snapshot has, and their digest as a subscriber works it out."""
    count, total = 0, 0
    for line in _lines(api, f"/v1/views/{view['name']}/snapshot?recipient={view['recipient']}"):
        entry = orjson.loads(line)
        body = {name: value for name, value in entry["message"].items() if name not in _METADATA}
        total ^= digests.of_row(entry["key"], json.dumps(body, separators=(",", ":"), ensure_ascii=False))
        count += 1
    return count, f"{total:064x}"


def _lines(api: Api, path: str) -> Iterator[bytes]:
    """Yield the rows of a snapshot, after the line that describes it."""
    request = Request(api.url + path, headers={"Authorization": f"Bearer {api.key}"})  # noqa: S310 - our own server
    try:
        with urlopen(request, timeout=60) as answer:  # noqa: S310 - our own server
            next(answer)
            yield from answer
    except (URLError, TimeoutError, StopIteration) as error:
        raise ApiSilent(f"The API at {api.url} did not give a snapshot ({type(error).__name__}).") from None
