"""The work list of matching: golden records that have changed and are yet to be compared with others.

Mastering only ever adds to it, so it waits for nobody; a run takes off it the very rows that it has read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg

ENTITIES = ("address", "meter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """The part of the work list that a run took, and the golden records on it."""

    note_ids: Sequence[int]
    golden_ids: Mapping[str, Sequence[int]]


# A first version is one of all groups: it names none.
_NOTE = """
insert into golden.unmatched (golden_id, entity)
select distinct golden_id, entity from stage_delta
where entity in ('address', 'meter') and (item_group is null or item_group in ('address', 'asset'))
"""


def note(connection: psycopg.Connection) -> None:
    """Put what this part changed of addresses and meters on the work list."""
    connection.execute(_NOTE)


def take(connection: psycopg.Connection, *, limit: int) -> Noted:
    """Take the next of the work list. Only drop() takes them off, so that nothing noted meanwhile is lost."""
    taken = connection.execute(
        "select note_id, golden_id, entity from golden.unmatched order by note_id limit %s", [limit]
    ).fetchall()
    by_entity = {name: sorted({golden_id for _, golden_id, entity in taken if entity == name}) for name in ENTITIES}
    return Noted(note_ids=[note_id for note_id, _, _ in taken], golden_ids=by_entity)


def drop(connection: psycopg.Connection, note_ids: Sequence[int]) -> None:
    """Take what was compared off the work list."""
    connection.execute("delete from golden.unmatched where note_id = any (%s)", [list(note_ids)])


def count(connection: psycopg.Connection) -> int:
    """Return how many changes are yet to be compared."""
    row = connection.execute("select count(*) from golden.unmatched").fetchone()
    return int(row[0]) if row else 0


def clear(connection: psycopg.Connection) -> None:
    """Empty the work list and the keys, for a run that compares everything."""
    connection.execute("delete from golden.unmatched")
    connection.execute("delete from golden.match_key")
