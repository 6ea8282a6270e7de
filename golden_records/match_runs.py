"""What runs of matching did, with what their limits left out: nothing is cut silently."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row

_COUNTED = ("compared", "pairs", "opened", "closed", "cut_blocks", "cut_pairs", "noted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run, or a step of one. `noted` is how much of the work list it took; `cut_*` what a limit kept from it."""

    started_at: datetime
    ended_at: datetime | None = None
    is_whole: bool = False
    compared: int = 0
    pairs: int = 0
    opened: int = 0
    closed: int = 0
    cut_blocks: int = 0
    cut_pairs: int = 0
    noted: int = 0

    def plus(self, step: "Run") -> Self:
        """Return the run with a further step."""
        return replace(self, **{name: getattr(self, name) + getattr(step, name) for name in _COUNTED})

    def as_json(self) -> dict[str, Any]:
        """Return the run as --json prints it."""
        return asdict(self)


def record(connection: psycopg.Connection, run: Run) -> Run:
    """Keep what a run did; of runs one after another that had nothing to compare, the last alone."""
    if not (run.is_whole or run.noted):
        connection.execute(
            """
            delete from golden.match_run
            where run_id = (select max(run_id) from golden.match_run) and not is_whole
              and (compared, pairs, opened, closed, cut_blocks, cut_pairs) = (0, 0, 0, 0, 0, 0)
            """
        )
    connection.execute(
        """
        insert into golden.match_run (started_at, ended_at, is_whole, compared, pairs, opened, closed, cut_blocks,
                                      cut_pairs)
        values (%(started_at)s, %(ended_at)s, %(is_whole)s, %(compared)s, %(pairs)s, %(opened)s, %(closed)s,
                %(cut_blocks)s, %(cut_pairs)s)
        """,
        asdict(run),
    )
    return run


def find_last(connection: psycopg.Connection) -> dict[str, Any] | None:
    """Return the last run that was recorded."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("select * from golden.match_run order by run_id desc limit 1").fetchone()
