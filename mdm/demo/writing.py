"""Writing to the market's databases: transactions sent through pipelines, all sources side by side."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import psycopg

from mdm import db
from mdm.demo import registry
from mdm.demo.market import Dsns, MarketError, Source
from mdm.demo.systems.system import Action, TableRows

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement and its parameters."""

    sql: str
    parameters: Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """Statements that one source commits together."""

    source: Source
    statements: tuple[Statement, ...]


Step = tuple[Action, Parameters]


def acting(source: Source | None, *steps: Step) -> list[Transaction]:
    """Return the transaction by which a source does these steps; nothing where it has no part in them."""
    if source is None:
        return []
    actions = registry.SYSTEMS[source].actions
    statements = tuple(
        Statement(sql=text, parameters=parameters) for action, parameters in steps for text in actions.get(action, ())
    )
    return [Transaction(source=source, statements=statements)] if statements else []


def inserting(tables: Iterable[TableRows]) -> tuple[Statement, ...]:
    """Return an insertion for each row, in the order given."""
    return tuple(
        Statement(sql=_insertion(table), parameters=row) for table in tables for row in table.rows.iter_rows(named=True)
    )


def _insertion(table: TableRows) -> str:
    columns = table.rows.columns
    values = ", ".join(f"%({column})s" for column in columns)
    return f"insert into {table.table} ({', '.join(columns)}) values ({values})"


def _refusal(source: Source, error: psycopg.Error) -> str:
    reason = error.diag.constraint_name or error.sqlstate or "no connection"
    return (
        f"The market's database {source} refused a change ({type(error).__name__}, {reason}). See whether it runs, and "
        "whether something else writes to it; then run the workload again."
    )


def _open(dsn: str, stack: ExitStack) -> db.Connection:
    connection = stack.enter_context(db.connect(dsn, application_name="mdm-market"))
    connection.execute("set synchronous_commit = off")
    return connection


class Writer:
    """Connections to all sources; each has a thread that alone writes through it."""

    def __init__(self, dsns: Dsns) -> None:
        with ExitStack() as stack:
            self._threads = stack.enter_context(ThreadPoolExecutor(len(Source), "market"))
            self._connections = {source: _open(dsns[source], stack) for source in Source}
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def connection(self, source: Source) -> db.Connection:
        """Return the connection to a source; for reading, between two writes."""
        return self._connections[source]

    def write(self, happenings: Iterable[Sequence[Transaction]]) -> dict[Source, int]:
        """Commit each happening's transactions one after the other, happenings side by side; return rows changed.

        The n-th transactions of all happenings are committed before any that comes after its own n-th, and each
        source commits in the order of the happenings.
        """
        changed: dict[Source, int] = defaultdict(int)
        waiting = [list(transactions) for transactions in happenings]
        for place in range(max(map(len, waiting), default=0)):
            batches: dict[Source, list[Transaction]] = defaultdict(list)
            for transactions in waiting:
                if place < len(transactions):
                    batches[transactions[place].source].append(transactions[place])
            for source, rows in zip(
                batches, self._threads.map(self._commit, *zip(*batches.items(), strict=True)), strict=True
            ):
                changed[source] += rows
        return changed

    def _commit(self, source: Source, transactions: list[Transaction]) -> int:
        connection = self._connections[source]
        cursors = []
        try:
            with connection.pipeline():
                for transaction in transactions:
                    connection.execute("begin")
                    cursors += [connection.execute(one.sql, one.parameters) for one in transaction.statements]
                    connection.execute("commit")
        except psycopg.Error as error:
            raise MarketError(_refusal(source, error)) from None  # its text may hold values of the row
        return sum(max(cursor.rowcount, 0) for cursor in cursors)
