"""The market's logbook, in a schema of its own beside what the systems hold: it is not published, so no hub sees it.

It says how the market was filled, which batch of the workload is under way, and which faults were planted. A batch is
noted before it is written, with a commit that reaches the disk and takes all earlier ones with it; each source counts
the transactions of the batch that it has committed, in the transaction itself. So a batch that a kill cut short can be
gone on with, each transaction once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from psycopg.rows import class_row, dict_row

from mdm import db
from mdm.demo import noted_batches
from mdm.demo.ledger import Fault
from mdm.demo.market import REGISTRATIONS, Dsns, Source
from mdm.demo.noted_batches import Places
from mdm.demo.writing import Statement, Transaction

KEEPER = Source.SMRS10
"""The source whose database keeps what concerns the whole market."""

_TABLES = """
create schema demo;
create table demo.written (batch bigint not null, transactions int not null);
insert into demo.written values (0, 0);
"""

_KEPT = """
create table demo.market (
    metering_points int not null, seed bigint not null, runs int not null default 0, filled_at timestamptz);
create table demo.batch (
    number bigint not null, places json not null, written jsonb not null, is_whole boolean not null);
insert into demo.batch values (0, '[]', '{}', true);
create table demo.fault (
    fault_id bigint generated always as identity primary key,
    kind text not null, rule int, source text not null, relation text not null, source_key text not null,
    mpan text not null, item text not null, planted_at timestamptz not null, neighbour text);
"""

# It counts its transaction, and is no row among those that the transaction reports as changed.
_COUNT = """
with counted as (
    update demo.written set batch = %(batch)s, transactions = %(transactions)s returning batch
) select batch from counted where false
"""

_FAULT_COLUMNS = tuple(field.name for field in fields(Fault))


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What the market was filled with, how often a workload began, and when it was filled: None while it is not."""

    metering_points: int
    seed: int
    runs: int
    filled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The last batch. `written` counts the rows that those before it changed, by source: all of them if `is_whole`."""

    number: int
    places: Places
    written: Mapping[str, int]
    is_whole: bool


def create(dsns: Dsns, *, metering_points: int, seed: int) -> None:
    """Begin the logbook of a market that is about to be filled."""
    for source in Source:
        with db.connect(dsns[source]) as connection, db.transaction(connection):
            connection.execute(_TABLES)
            if source is KEEPER:
                connection.execute(_KEPT)
                connection.execute(
                    "insert into demo.market (metering_points, seed) values (%s, %s)", [metering_points, seed]
                )


def wipe(dsns: Dsns) -> None:
    """Empty the databases of a market that was not filled to the end; its logbook goes last."""
    for source in sorted(Source, key=lambda source: source is KEEPER):
        with db.connect(dsns[source]) as connection, db.transaction(connection):
            connection.execute("drop schema if exists demo cascade; drop schema public cascade; create schema public")


def find_market(dsns: Dsns) -> Market | None:
    """Return what the logbook says of the market, or None where there is no logbook."""
    with db.connect(dsns[KEEPER]) as connection:
        if connection.execute("select to_regclass('demo.market') is null").fetchone() == (True,):
            return None
        with connection.cursor(row_factory=class_row(Market)) as cursor:
            return cursor.execute("select metering_points, seed, runs, filled_at from demo.market").fetchone()


def note_filled(dsns: Dsns) -> None:
    """Note that the market is full; the commit reaches the disk, and with it all that filled it."""
    with db.connect(dsns[KEEPER]) as connection:
        connection.execute("update demo.market set filled_at = now()")


def begin_run(dsns: Dsns) -> int:
    """Count another run of the workload; return how many there were before it."""
    with db.connect(dsns[KEEPER]) as connection:
        row = connection.execute("update demo.market set runs = runs + 1 returning runs - 1").fetchone()
    return int(row[0]) if row else 0


def get_batch(connection: db.Connection) -> Batch:
    """Return the last batch that was noted, from the keeper's database."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute("select number, places::text, written, is_whole from demo.batch").fetchone() or {}
    return Batch(**row | {"places": noted_batches.parse(row["places"])})


def find_batch(dsns: Dsns) -> Batch:
    """Return the last batch that was noted."""
    with db.connect(dsns[KEEPER]) as connection:
        return get_batch(connection)


def note_batch(connection: db.Connection, batch: Batch, planted: Iterable[Fault] = ()) -> None:
    """Note a batch that is about to be written, with the faults that it plants, in the keeper's database."""
    with db.transaction(connection):
        connection.execute("set local synchronous_commit = on")
        connection.execute(
            "update demo.batch set number = %s, places = %s, written = %s, is_whole = %s",
            [batch.number, noted_batches.text(batch.places), noted_batches.json(batch.written), batch.is_whole],
        )
        for fault in planted:
            _note_fault(connection, fault)


def _note_fault(connection: db.Connection, fault: Fault) -> None:
    values = ", ".join(f"%({name})s" for name in _FAULT_COLUMNS)
    connection.execute(
        f"insert into demo.fault ({', '.join(_FAULT_COLUMNS)}) values ({values})",
        {name: getattr(fault, name) for name in _FAULT_COLUMNS},
    )


def counting(transaction: Transaction, *, batch: int, number: int) -> Transaction:
    """Have a transaction note that it is the n-th of its batch that its source commits."""
    count = Statement(sql=_COUNT, parameters={"batch": batch, "transactions": number})
    return Transaction(source=transaction.source, statements=(*transaction.statements, count))


def count_committed(connection: db.Connection, batch: int) -> int:
    """Return how many transactions of a batch this source has committed."""
    row = connection.execute("select transactions from demo.written where batch = %s", [batch]).fetchone()
    return int(row[0]) if row else 0


def list_faults(dsns: Dsns) -> list[Fault]:
    """Return every fault that was planted, in order."""
    with db.connect(dsns[KEEPER]) as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(f"select {', '.join(_FAULT_COLUMNS)} from demo.fault order by fault_id").fetchall()
    return [_fault(row) for row in rows]


def _fault(row: Mapping[str, Any]) -> Fault:
    return Fault(**{**row, "source": Source(row["source"])})


def list_linked(dsns: Dsns, mpans: Iterable[str]) -> set[str]:
    """Return these metering points with those that are linked to them."""
    known = list(mpans)
    query = "select linked_mpan from linked_metering_point where mpan = any(%s)"
    found = set(known)
    for source in REGISTRATIONS.values():
        with db.connect(dsns[source]) as connection:
            found |= {mpan for (mpan,) in connection.execute(query, [known])}
    return found
