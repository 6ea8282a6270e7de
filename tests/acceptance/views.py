"""Do the views hold what the golden records say, and do their feeds, replayed from nothing, give the same?"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mdm import db

_FEEDS = "select view_id, seq, golden_id, operation, body from hub.feed order by view_id, seq"
_HEADS = """
select v.view_id, v.name, v.message, v.role, v.recipient, h.last_seq, h.row_count, h.digest::text
from hub.view v join hub.view_head h using (view_id)
"""
_ROWS = "select view_id, golden_id, seq from hub.view_row"

# Of each appointment that stands: its point and what its message must say.
_STANDING = """
select a.golden_id, a.role, a.service_mpid, p.golden_id as point_id, p.mpan,
       jsonb_strip_nulls(jsonb_build_object('mpan_core', p.mpan, 'contract_reference', a.contract_reference,
           'supplier_mpid', a.supplier_mpid, 'appointed_from', a.appointed_from, 'status', a.status)) as said
from golden.appointment a join golden.metering_point p on p.golden_id = a.metering_point_id
where a.status in ('accepted', 'active') and coalesce(a.appointed_to, 'infinity') >= current_date
  and a.service_mpid is not null and p.mpan is not null
"""
_POINTS = """
select p.golden_id, jsonb_strip_nulls(jsonb_build_object(
    'mpan_core', p.mpan, 'supplier_mpid', p.supplier_mpid, 'energisation_status', p.energisation_status,
    'market_segment', p.market_segment, 'energy_direction', p.energy_direction)) as said,
    jsonb_strip_nulls(jsonb_build_object('line_1', a.line_1, 'line_3', a.line_3, 'line_4', a.line_4,
        'postcode', a.postcode, 'uprn', a.uprn)) as address,
    array(select m.meter_id from golden.meter m
          where m.metering_point_id = p.golden_id and m.removal_date is null and m.meter_id is not null
          order by m.meter_id) as meters
from golden.metering_point p left join golden.address a on a.golden_id = p.address_id where p.mpan is not null
"""

Content = dict[int, str]  # golden id -> body


@dataclass(slots=True, kw_only=True)
class _Replayed:
    """What a reader holds who followed a feed from its first entry on."""

    content: Content
    placed: dict[int, int]
    gaps: int
    last_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Golden:
    """What the golden records say that each view should hold."""

    standing: list[tuple[int, str, str, int, str, dict[str, Any]]]
    points: dict[int, tuple[dict[str, Any], dict[str, Any], list[str]]]

    def expected(self, message: str, role: str, recipient: str) -> dict[int, dict[str, Any]]:
        """Return the keys of a view, each with what its body must say."""
        mine = [each for each in self.standing if role == "MDS" or each[1:3] == (role, recipient)]
        if message == "appointment":
            return {golden_id: said for golden_id, *_, said in mine}
        point_ids = self.points if role == "MDS" else {each[3] for each in mine}
        return {point_id: self.points[point_id][0] for point_id in point_ids}


def differences(hub: db.Connection) -> Iterator[str]:
    """Return how views, feeds and golden records disagree."""
    replayed = _replay(hub)
    rows = _rows(hub)
    golden = _golden(hub)
    for view_id, name, message, role, recipient, last_seq, row_count, digest in hub.execute(_HEADS).fetchall():
        reader = replayed.get(view_id, _Replayed(content={}, placed={}, gaps=0, last_seq=0))
        where = f"view {name} of {recipient}"
        if reader.gaps or reader.last_seq != last_seq:
            yield f"{where}: the feed is not dense up to {last_seq}"
        if rows.get(view_id, {}) != reader.placed:
            yield f"{where}: its rows are not what its feed gives"
        if (row_count, int(digest, 2)) != (len(reader.content), _digest(reader.content)):
            yield f"{where}: count or digest of its head is not that of its rows"
        yield from (f"{where}: {problem}" for problem in _content(golden, message, (role, recipient), reader.content))


def _content(golden: _Golden, message: str, who: tuple[str, str], content: Content) -> Iterator[str]:
    expected = golden.expected(message, *who)
    if missing := expected.keys() - content.keys():
        yield f"{len(missing)} rows are missing, such as {min(missing)}"
    if surplus := content.keys() - expected.keys():
        yield f"{len(surplus)} rows too many, such as {min(surplus)}"
    for key in expected.keys() & content.keys():
        body = json.loads(content[key])
        if any(body.get(item) != value for item, value in expected[key].items() if item in body or who[0] == "MDS"):
            yield f"row {key} does not say what its golden record does"
        if message == "metering-point" and not _says(body, golden.points[key]):
            yield f"row {key}: its address or meters are not those of the golden records"


def _says(body: dict[str, Any], point: tuple[dict[str, Any], dict[str, Any], list[str]]) -> bool:
    _, address, meters = point
    told = body.get("address", {})
    return all(told.get(item) == value for item, value in address.items()) and (
        "meters" not in body or sorted(meter["meter_id"] for meter in body["meters"]) == meters
    )


def _replay(hub: db.Connection) -> dict[int, _Replayed]:
    replayed: dict[int, _Replayed] = {}
    for view_id, seq, golden_id, operation, body in hub.execute(_FEEDS):
        reader = replayed.setdefault(view_id, _Replayed(content={}, placed={}, gaps=0, last_seq=0))
        reader.gaps += seq != reader.last_seq + 1
        reader.last_seq = seq
        if operation == "upsert":
            reader.content[golden_id], reader.placed[golden_id] = body, seq
        elif reader.content.pop(golden_id, None) is None:
            reader.gaps += 1  # a delete of what the reader never had
        else:
            del reader.placed[golden_id]
    return replayed


def _rows(hub: db.Connection) -> dict[int, dict[int, int]]:
    rows: dict[int, dict[int, int]] = defaultdict(dict)
    for view_id, golden_id, seq in hub.execute(_ROWS):
        rows[view_id][golden_id] = seq
    return rows


def _golden(hub: db.Connection) -> _Golden:
    points = {golden_id: (said, address, meters) for golden_id, said, address, meters in hub.execute(_POINTS)}
    return _Golden(standing=hub.execute(_STANDING).fetchall(), points=points)


def _digest(content: Content) -> int:
    total = 0
    for key, body in content.items():
        total ^= int.from_bytes(hashlib.sha256(f"{key} {body}".encode()).digest())
    return total
