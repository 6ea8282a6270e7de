"""Reads golden records by id, all that are asked for at the same moment with one query, and writes the reads down.

While one query is under way, further requests gather for the next one: a single request waits for nobody, and many
share the cost of a round trip and, where identifying values are read, of the commit that records it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
import psycopg

from golden_records import catalogue
from golden_records.catalogue import Classification, Item, ItemType
from mdm.api.connections import Pool

_MASK = "***"

# A service's key sees a golden record if it belongs to a row of one of the service's views.
_ROW = "select from hub.view v join hub.view_row r using (view_id) where v.recipient = asked.recipient and"
_VISIBLE = {
    "metering_point": f"exists ({_ROW} r.golden_id = g.golden_id)",
    "meter": f"exists ({_ROW} r.golden_id = g.metering_point_id)",
    "address": f"""exists (select from golden.metering_point p where p.address_id = g.golden_id
                           and exists ({_ROW} r.golden_id = p.golden_id))""",
    "contract": f"""exists (select from golden.appointment a where a.contract_id = g.golden_id
                            and exists ({_ROW} r.golden_id = a.golden_id))""",
    "appointment": f"exists ({_ROW} r.golden_id = g.golden_id)",
}

_READ = """
with asked as (
    select * from unnest(%(places)s::int[], %(golden_ids)s::bigint[], %(keys)s::int[], %(recipients)s::text[],
                         %(actions)s::text[], %(identified)s::bool[])
        asked (place, golden_id, key_id, recipient, action, is_identified)
), found as materialized (
    select asked.place, asked.key_id, asked.action, asked.is_identified, g.golden_id, g.version, g.updated_at, {columns}
    from asked join golden.{entity} g using (golden_id)
    where asked.recipient is null or {visible}
), recorded as (
    insert into hub.access_log (key_id, action, entity, golden_id)
    select key_id, action, '{entity}', golden_id from found where is_identified
)
select place, golden_id, version, updated_at, {names} from found
"""

_FIND_POINT = "select golden_id from golden.metering_point where mpan = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A request for one golden record: by which key, confined to whom, with identifying values or masked."""

    golden_id: int
    key_id: int
    recipient: str | None
    is_identified: bool
    action: str = "read"


@dataclass(frozen=True, slots=True)
class Record:
    """A golden record as it may be shown."""

    version: int
    document: bytes


class Reader:
    """Reads golden records of one entity. At most one query is under way; what arrives meanwhile goes with the next."""

    def __init__(self, pool: Pool, entity: str) -> None:
        self._pool = pool
        self._entity = entity
        self._query = _query(entity)
        self._gathered: list[tuple[Read, asyncio.Future[Record | None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def find(self, read: Read) -> Record | None:
        """Return the golden record, or None when there is none that the key may see."""
        answer: asyncio.Future[Record | None] = asyncio.get_running_loop().create_future()
        self._gathered.append((read, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._answer_all())
        return await answer

    async def _answer_all(self) -> None:
        while self._gathered:
            batch, self._gathered = self._gathered, []
            try:
                rows = await self._fetch_again([read for read, _ in batch])
            except Exception as error:  # noqa: BLE001 - whoever waits is told, and acts on it
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for place, (read, answer) in enumerate(batch):
                if not answer.done():
                    row = rows.get(place)
                    shown = None if row is None else render(self._entity, row, is_identified=read.is_identified)
                    answer.set_result(shown)
        self._task = None

    async def _fetch_again(self, reads: Sequence[Read]) -> dict[int, tuple[Any, ...]]:
        """Fetch, once more where the session turns out to be broken: sessions are not tried before each query."""
        try:
            return await self._fetch(reads)
        except psycopg.OperationalError:
            await self._pool.check()
            return await self._fetch(reads)

    async def _fetch(self, reads: Sequence[Read]) -> dict[int, tuple[Any, ...]]:
        parameters = {
            "places": list(range(len(reads))),
            "golden_ids": [read.golden_id for read in reads],
            "keys": [read.key_id for read in reads],
            "recipients": [read.recipient for read in reads],
            "actions": [read.action for read in reads],
            "identified": [read.is_identified for read in reads],
        }
        async with self._pool.connection() as connection:
            cursor = await connection.execute(self._query, parameters)
            return {row[0]: row[1:] for row in await cursor.fetchall()}


async def find_point(pool: Pool, mpan: str) -> int | None:
    """Return the golden id of the metering point with this MPAN."""
    async with pool.connection() as connection:
        row = await (await connection.execute(_FIND_POINT, [mpan])).fetchone()
    return None if row is None else int(row[0])


_FIND_END = """
select d.end_id from golden.redirect d join golden.golden_record g using (golden_id)
where d.golden_id = %s and d.undone_at is null and g.entity = %s
"""


async def find_end(pool: Pool, entity: str, golden_id: int) -> int | None:
    """Return the golden id that a retired one leads to; None where it leads nowhere."""
    async with pool.connection() as connection:
        row = await (await connection.execute(_FIND_END, [golden_id, entity])).fetchone()
    return None if row is None else int(row[0])


def render(entity: str, row: tuple[Any, ...], *, is_identified: bool) -> Record:
    """Make the document of a golden record from golden id, version, time of update and items in catalogue order."""
    items, sensitive = _items(entity)
    values = dict(zip(items, row[3:], strict=True))
    masked = [] if is_identified else [name for name in sensitive if values[name] is not None]
    for name in masked:
        values[name] = None if sensitive[name] else _MASK
    document = {
        "golden_id": row[0],
        "entity": entity,
        "version": row[1],
        "updated_at": row[2],
        "masked": masked,
        "items": values,
    }
    return Record(row[1], orjson.dumps(document, option=orjson.OPT_UTC_Z))


@cache
def _items(entity: str) -> tuple[list[str], dict[str, bool]]:
    """Return the names of an entity's items, and of the sensitive ones whether null must stand for them."""
    items = catalogue.load().entity(entity).items
    sensitive = [item for item in items if item.classification is not Classification.PUBLIC]
    return [item.name for item in items], {item.name: item.type is not ItemType.TEXT for item in sensitive}


def _query(entity: str) -> str:
    names = _items(entity)[0]
    columns = ", ".join(f"g.{name}" for name in names)
    return _READ.format(entity=entity, visible=_VISIBLE[entity], columns=columns, names=", ".join(names))


def schema(entity: str) -> dict[str, Any]:
    """Return the JSON Schema of an entity's document."""
    items = catalogue.load().entity(entity).items
    return {
        "type": "object",
        "properties": {
            "golden_id": {"type": "integer"},
            "entity": {"const": entity},
            "version": {"type": "integer", "minimum": 1},
            "updated_at": {"type": "string", "format": "date-time"},
            "masked": {"type": "array", "items": {"type": "string"}, "description": "Items whose values are withheld."},
            "items": {
                "type": "object",
                "properties": {item.name: _schema(item) for item in items},
                "required": [item.name for item in items],
                "additionalProperties": False,
            },
        },
        "required": ["golden_id", "entity", "version", "updated_at", "masked", "items"],
        "additionalProperties": False,
    }


_TYPES: dict[ItemType, dict[str, Any]] = {
    ItemType.TEXT: {"type": ["string", "null"]},
    ItemType.BOOL: {"type": ["boolean", "null"]},
    ItemType.INT: {"type": ["integer", "null"]},
    ItemType.DATE: {"type": ["string", "null"], "format": "date"},
    ItemType.TIMESTAMPTZ: {"type": ["string", "null"], "format": "date-time"},
    ItemType.GOLDEN_ID: {"type": ["integer", "null"]},
}


def _schema(item: Item) -> dict[str, Any]:
    return _TYPES[item.type] | {"description": item.definition}
