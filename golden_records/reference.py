"""Reference data in the store: the catalogue, source systems and their ranking, participants, distributors' areas."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from golden_records import catalogue, declarations, rows
from golden_records.catalogue import Entity, Group, Item
from golden_records.journal import HUB
from rules import registry


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSystem:
    """A captured system. `distributors` are the ids whose points an SMRS serves, None for the other kinds."""

    name: str
    kind: str
    participant: str | None = None
    distributors: tuple[str, ...] | None = None


def write_standing(connection: psycopg.Connection) -> None:
    """Write what ships with the package and holds for any hub: the catalogue and the distributors' areas.

    Several commands that start at once do so one after the other; readers go on meanwhile.
    """
    connection.execute("lock table golden.catalogue_item in share row exclusive mode")
    write_catalogue(connection)
    write_policy(connection)
    areas = _shipped("gsp_groups.yaml")
    write_distributor_areas(
        connection, (entry | {"gsp_group": group} for entry in areas for group in entry["gsp_groups"])
    )


def _shipped(name: str) -> list[dict[str, Any]]:
    text = resources.files("golden_records").joinpath("reference", name).read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = declarations.read(text)
    return entries


def write_policy(connection: psycopg.Connection) -> None:
    """Keep the catalogue and the rules as they are now, for what is mastered from now on to name."""
    entities = {name: asdict(entity) for name, entity in catalogue.load().entities.items()}
    rules = {rule.code: asdict(rule) for rule in registry.configured()}
    text = json.dumps([entities, rules], sort_keys=True, default=str)
    connection.execute(
        "insert into golden.policy (digest, catalogue, rules) values (%s, %s, %s) on conflict (digest) do nothing",
        [hashlib.sha256(text.encode()).hexdigest(), *map(Jsonb, json.loads(text))],
    )


def write_catalogue(connection: psycopg.Connection) -> None:
    """Make golden.catalogue_item equal the catalogue, and declare the hub as source 0, above every other (law 5)."""
    connection.execute("delete from golden.catalogue_item")
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into golden.catalogue_item (item_group, item, entity, owner, classification, is_atomic, is_dated,"
            " survivorship, held_by, comparison, grace) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [row for entity, group in catalogue.load().groups() for row in _item_rows(entity, group)],
        )
    connection.execute(
        "insert into golden.source_system (source_id, name, kind) values (%s, 'hub', 'HUB') on conflict do nothing",
        [HUB],
    )
    connection.execute(
        "insert into golden.source_rank (source_id, item_group, place)"
        " select distinct %s, item_group, -1 from golden.catalogue_item on conflict do nothing",
        [HUB],
    )


def _item_rows(entity: Entity, group: Group) -> Iterable[Sequence[Any]]:
    for item in group.items:
        ranking = list(group.survivorship)
        yield (
            *(group.name, item.name, entity.name, group.owner, item.classification),
            *(group.atomic, is_dated(entity, item), ranking, list(group.held_by), item.comparison, item.grace),
        )


def is_dated(entity: Entity, item: Item) -> bool:
    """Tell whether an item is the first or last day of others: copies are not compared by their dates."""
    return entity.name == "metering_point" and item.name.endswith(("_from", "_to"))


def register(connection: psycopg.Connection, source: SourceSystem) -> int:
    """Write a source system and its ranking; return its id, which stays the same for the same name."""
    connection.execute("lock table golden.source_system in share row exclusive mode")
    source_id: int = rows.single(
        connection,
        """
        insert into golden.source_system (source_id, name, kind, participant, distributors)
        select coalesce((select source_id from golden.source_system where name = %(name)s),
                        (select max(source_id) + 1 from golden.source_system), 1),
               %(name)s, %(kind)s, %(participant)s, %(distributors)s
        on conflict (source_id) do update
        set kind = excluded.kind, participant = excluded.participant, distributors = excluded.distributors
        returning source_id
        """,
        {
            "name": source.name,
            "kind": source.kind,
            "participant": source.participant,
            "distributors": None if source.distributors is None else list(source.distributors),
        },
    )
    _rank(connection, source_id, source)
    return source_id


def find_source(connection: psycopg.Connection, name: str) -> int | None:
    """Return the id of a source system, None where there is none of this name."""
    row = connection.execute("select source_id from golden.source_system where name = %s", [name]).fetchone()
    return None if row is None else int(row[0])


def _rank(connection: psycopg.Connection, source_id: int, source: SourceSystem) -> None:
    ranking = [
        (source_id, group.name, place(group, source.kind), source.participant if group.follows_appointment else None)
        for _, group in catalogue.load().groups()
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into golden.source_rank (source_id, item_group, place, participant) values (%s, %s, %s, %s)"
            " on conflict (source_id, item_group) do update"
            " set place = excluded.place, participant = excluded.participant",
            ranking,
        )


def place(group: Group, kind: str) -> int:
    """Return the place of a kind of system in a group's ranking, 0 the best; behind all others where it has none."""
    return group.survivorship.index(kind) if kind in group.survivorship else len(group.survivorship)


def write_participants(connection: psycopg.Connection, entries: Iterable[Mapping[str, Any]]) -> None:
    """Add or renew participants; each row has mpid, role, name, valid_from, valid_to.

    Where a row has `distributors`, the participant may be appointed in that role for their points.
    """
    told = [*entries]
    _upsert(connection, "participant", ("mpid", "role", "valid_from"), ("name", "valid_to"), told)
    areas = [
        row | {"distributor": distributor} for row in map(dict, told) for distributor in row.get("distributors") or ()
    ]
    _upsert(connection, "operator_area", ("mpid", "role", "distributor", "valid_from"), ("valid_to",), areas)


def list_participants(connection: psycopg.Connection) -> list[dict[str, Any]]:
    """Return all participants, each with mpid, role, name, valid_from, valid_to, by role."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select mpid, role, name, valid_from, valid_to from golden.participant order by role, mpid, valid_from"
        ).fetchall()


def write_distributor_areas(connection: psycopg.Connection, entries: Iterable[Mapping[str, Any]]) -> None:
    """Add or renew distributors' areas; each row has distributor, gsp_group, valid_from, valid_to."""
    _upsert(connection, "distributor_area", ("distributor", "gsp_group", "valid_from"), ("valid_to",), entries)


def _upsert(
    connection: psycopg.Connection,
    table: str,
    key: Sequence[str],
    rest: Sequence[str],
    entries: Iterable[Mapping[str, Any]],
) -> None:
    names = (*key, *rest)
    renewal = ", ".join(f"{name} = excluded.{name}" for name in rest)
    values = ", ".join(f"%({name})s" for name in names)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"insert into golden.{table} ({', '.join(names)}) values ({values})"
            f" on conflict ({', '.join(key)}) do update set {renewal}",
            [{name: row.get(name) for name in names} for row in entries],
        )


def list_areas(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    """Return the distributors' areas: distributor, GSP group, first and last day."""
    query = "select distributor, gsp_group, valid_from, valid_to from golden.distributor_area order by 1, 2, 3"
    return connection.execute(query).fetchall()
