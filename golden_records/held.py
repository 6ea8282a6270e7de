"""What is held back in quarantine, as a person reads it: where it came from, why it is held, what it says.

A value that identifies a person, or is restricted, is withheld unless it is asked for.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from golden_records import catalogue, rows
from golden_records.catalogue import Classification
from golden_records.rows import Question

WITHHELD = "withheld"

_MPAN = re.compile(r"(?<!\d)\d{13}(?!\d)")

_SELECT = """
select q.quarantine_id, s.name as source, q.source_key, q.item_group, q.rule, q.reason, q.attempts, q.change_id,
       q.commit_lsn::text, q.ordinal, q.quarantined_at, q.closed_at, q.outcome, q.record
from golden.quarantine q join golden.source_system s using (source_id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A row of quarantine; `record` is None where the change could not be typed, so that only its source can mend it.

    `commit_lsn` and `ordinal` say where the change stands in its source, `change_id` where in the journal.
    """

    quarantine_id: int
    source: str
    source_key: str
    item_group: str
    rule: int | None
    reason: str
    attempts: int
    change_id: int
    commit_lsn: str
    ordinal: int
    quarantined_at: datetime
    closed_at: datetime | None
    outcome: str | None
    record: Mapping[str, Any] | None

    @property
    def is_open(self) -> bool:
        """Whether it is held back now."""
        return self.closed_at is None

    @property
    def relation(self) -> str:
        """The source's table."""
        return self.source_key.partition("|")[0]

    def key(self, *, reveal: bool = False) -> str:
        """Return the source key, without the MPAN in it unless it is asked for."""
        return self.source_key if reveal else without_mpan(self.source_key)

    def items(self, *, reveal: bool = False) -> dict[str, Any]:
        """Return what the record says, item by item; what identifies a person is withheld unless it is asked for."""
        return shown(self.item_group, (self.record or {}).get("item_values", {}), reveal=reveal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which rows of quarantine: each that is set must hold. Only what is held back now, unless `closed`."""

    source: str | None = None
    rule: int | None = None
    before: int | None = None
    closed: bool = False


_CONDITIONS = {
    "source": "s.name = %(source)s",
    "rule": "q.rule = %(rule)s",
    "before": "q.quarantine_id < %(before)s",
}


def page(chosen: Chosen, *, limit: int) -> Question[Held]:
    """Ask for what is held back, the newest first; `before` is the id where another page ended."""
    told = {name: getattr(chosen, name) for name in _CONDITIONS if getattr(chosen, name) is not None}
    conditions = [*(_CONDITIONS[name] for name in told), "true" if chosen.closed else "q.closed_at is null"]
    text = f"{_SELECT} where {' and '.join(conditions)} order by q.quarantine_id desc limit %(limit)s"
    return Question(text=text, parameters=told | {"limit": limit}, row=Held)


def question(quarantine_id: int) -> Question[Held]:
    """Ask for one row of quarantine."""
    return Question(text=f"{_SELECT} where q.quarantine_id = %(id)s", parameters={"id": quarantine_id}, row=Held)


def list_held(connection: psycopg.Connection, *, limit: int, closed: bool = False) -> list[Held]:
    """Return what is held back, the newest first; with `closed` also what no longer is."""
    return rows.ask(connection, page(Chosen(closed=closed), limit=limit))


def find_held(connection: psycopg.Connection, quarantine_id: int) -> Held | None:
    """Return one row of quarantine, or None when there is none of this id."""
    return next(iter(rows.ask(connection, question(quarantine_id))), None)


def count_open(connection: psycopg.Connection) -> int:
    """Return how much is held back."""
    row = connection.execute("select count(*) from golden.quarantine where closed_at is null").fetchone()
    return int(row[0]) if row else 0


def count_mastered(connection: psycopg.Connection, quarantine_ids: Sequence[int]) -> int:
    """Return how many of these were mastered when they were put through again."""
    row = connection.execute(
        "select count(*) from golden.quarantine where quarantine_id = any (%s) and outcome = 'mastered'",
        [list(quarantine_ids)],
    ).fetchone()
    return int(row[0]) if row else 0


def list_retriable(connection: psycopg.Connection, *, after: int, limit: int) -> Sequence[int]:
    """Return the next ids that can be put through again, ascending."""
    rows = connection.execute(
        "select quarantine_id from golden.quarantine where closed_at is null and record is not null"
        " and quarantine_id > %s order by quarantine_id limit %s",
        [after, limit],
    ).fetchall()
    return [row[0] for row in rows]


def without_mpan(text: str) -> str:
    """Return a text with every MPAN in it withheld."""
    return _MPAN.sub(WITHHELD, text)


def shown(item_group: str, values: Mapping[str, Any], *, reveal: bool) -> dict[str, Any]:
    """Return values item by item; what identifies a person is withheld unless it is asked for."""
    return {
        name: value if reveal or value is None or _is_public(item_group, name) else WITHHELD
        for name, value in values.items()
    }


def _is_public(item_group: str, name: str) -> bool:
    """Tell whether a value may be shown; one that the catalogue does not know may not."""
    known = {
        item.name: item for _, group in catalogue.load().groups() if group.name == item_group for item in group.items
    }
    return name in known and known[name].classification is Classification.PUBLIC
