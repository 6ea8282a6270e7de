"""Trying a rule on what is stored: how many records it would speak against. Nothing is written."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from golden_records import catalogue, copies, held, rows, scopes
from golden_records.catalogue import Classification
from rules.model import Rule, Scope

EXAMPLES = 5
"""The most records that a trial shows."""

_STEPS, _LEAST_STEP = 32, 20_000

_COUNT = """
select count(*), count(*) filter (where ({condition}) is true)
from ({rows}) r where r.golden_id > %(after)s and r.golden_id <= %(until)s
"""

_SHOW = """
select * from ({rows}) r where r.golden_id > %(after)s and r.golden_id <= %(until)s and ({condition}) limit %(limit)s
"""

_IDENTITY = {"record", "golden_id", "source_id", "source_key", "item_group"}

_MPAN = re.compile(r"mpan$")


Rows = Callable[[str | None], str]
"""Returns the select of a scope's rows, of the golden ids that a SQL subselect chooses or, without it, of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A record that the rule would speak against, with what it read of it."""

    golden_id: int
    source_id: int | None
    item_group: str | None
    values: Mapping[str, Any]

    def as_json(self, *, reveal: bool) -> dict[str, Any]:
        """Return the example; what identifies a person is withheld unless it is asked for."""
        return {
            "record": f"golden {self.golden_id}",
            "golden_id": self.golden_id,
            "source_id": self.source_id,
            "group": self.item_group,
            "values": {
                name: value if reveal or value is None or is_public(name) else held.WITHHELD
                for name, value in self.values.items()
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a rule would do: so many of the records looked at it would speak against."""

    rule: Rule
    looked_at: int
    failed: int
    examples: Sequence[Example]
    seconds: float

    @property
    def share(self) -> float:
        """The share of what was looked at that would fail."""
        return self.failed / self.looked_at if self.looked_at else 0.0

    def as_json(self, *, reveal: bool = False) -> dict[str, Any]:
        """Return the trial as programs read it."""
        return {
            "code": self.rule.code,
            "parameters": dict(self.rule.parameters),
            "looked_at": self.looked_at,
            "failed": self.failed,
            "share": self.share,
            "seconds": round(self.seconds, 3),
            "examples": [example.as_json(reveal=reveal) for example in self.examples],
        }


def is_public(column: str) -> bool:
    """Tell whether a column that a rule reads may be shown: one that is no item of the catalogue must be no MPAN."""
    known = [item for _, group in catalogue.load().groups() for item in group.items if item.name == column]
    if column in {"copy_value", "owner_value", "reference", "meter_id"} or _MPAN.search(column):
        return column == "meter_id"
    return all(item.classification is Classification.PUBLIC for item in known)


def run(
    connection: psycopg.Connection,
    rule: Rule,
    *,
    sample: int | None,
    advance: Callable[[float], None],
    stored: Rows | None = None,
) -> Trial:
    """Put a rule to all that is stored, or to so many golden records chosen at random.

    `advance` is told the share that has been looked at. `stored` gives the rows of a scope of which the golden store
    has none. Tune the session with tune() before.
    """
    began, last = time.monotonic(), _find_last_id(connection)
    chosen = _chosen(connection, f"golden.{rule.scope.entity}" if stored is None else f"({stored(None)}) r", sample)
    query = select(rule.scope, chosen) if stored is None else stored(chosen)
    looked_at, failed, examples = 0, 0, list[Example]()
    for ids in _ranges(last):
        seen, wrong = _count(connection, query, rule, ids)
        looked_at, failed = looked_at + seen, failed + wrong
        if wrong and len(examples) < EXAMPLES:
            examples += _show(connection, query, rule, {**ids, "limit": EXAMPLES - len(examples)})
        advance(min(1.0, ids["until"] / last))
    return Trial(rule=rule, looked_at=looked_at, failed=failed, examples=examples, seconds=time.monotonic() - began)


def tune(connection: psycopg.Connection) -> None:
    """Set the transaction up for reading much at once."""
    connection.execute(
        "set local jit = off; set local work_mem = '64MB'; set local random_page_cost = 1.1;"
        "set local max_parallel_workers_per_gather = 2"
    )


def select(scope: Scope, chosen: str | None = None) -> str:
    """Return the select of a scope's rows, the copies of items included; KeyError when there is none."""
    if scope is Scope.COPY:
        return copies.stored(chosen)
    return scopes.stored(scope, chosen=chosen)


def _chosen(connection: psycopg.Connection, among: str, sample: int | None) -> str | None:
    """Choose golden records at random among those of a table, as a SQL subselect of their ids."""
    if sample is None:
        return None
    query = f"select golden_id from {among} group by golden_id order by random() limit %s"
    ids = [str(golden_id) for (golden_id,) in connection.execute(query, [sample])]
    return f"select unnest(array[{', '.join(ids)}]::bigint[]) as golden_id"


def _ranges(last: int) -> Iterator[dict[str, int]]:
    step = max(_LEAST_STEP, last // _STEPS + 1)
    for after in range(0, last, step):
        yield {"after": after, "until": after + step}


def _count(connection: psycopg.Connection, query: str, rule: Rule, ids: Mapping[str, int]) -> tuple[int, int]:
    row = connection.execute(_written(_COUNT, query, rule), ids).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def _show(connection: psycopg.Connection, query: str, rule: Rule, parameters: Mapping[str, int]) -> list[Example]:
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_written(_SHOW, query, rule), parameters).fetchall()
    return [_example(row) for row in found]


def _written(statement: str, query: str, rule: Rule) -> str:
    """Write a statement; a percent sign of the rule's own stands for itself."""
    return statement.format(rows=query.replace("%", "%%"), condition=rule.condition.replace("%", "%%"))


def _example(row: dict[str, Any]) -> Example:
    golden_id, source_id, item_group = (row[name] for name in ("golden_id", "source_id", "item_group"))
    values = {name: value for name, value in row.items() if name not in _IDENTITY}
    return Example(golden_id=golden_id, source_id=source_id, item_group=item_group, values=values)


def _find_last_id(connection: psycopg.Connection) -> int:
    found: int = rows.single(connection, "select coalesce(max(golden_id), 0) from golden.golden_record")
    return found
