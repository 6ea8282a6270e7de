"""The journal: every change once, by (source, commit LSN, ordinal). Its primary key refuses a second coming (law 1)."""

import polars as pl
import psycopg

from golden_records import staging

CHANGES_PER_BLOCK = 32_768  # change_id = block * CHANGES_PER_BLOCK + change_no
SOURCE_BITS = 10  # the lowest bits of a change id are its source, so that a value's lineage is one number
SOURCE_OF = f"({{change_id}} & {(1 << SOURCE_BITS) - 1})::int"
HUB = 0  # source_id of the hub itself, for what it does by its own account

_COLUMNS = (
    "source_id",
    "commit_lsn",
    "ordinal",
    "change_id",
    "xid",
    "committed_at",
    "relation",
    "op",
    "source_key",
    "payload",
)


_TOLD = ["ordinal", "relation", "op", "source_key", "payload"]


def next_block(connection: psycopg.Connection) -> int:
    """Reserve CHANGES_PER_BLOCK numbers for changes; return the first."""
    return first_of(reserve_block(connection))


def reserve_block(connection: psycopg.Connection) -> psycopg.Cursor:
    """Reserve a block without waiting for it; first_of() reads the outcome."""
    return connection.execute("select nextval('golden.change_block')")


def first_of(reserved: psycopg.Cursor) -> int:
    """Return the first number of a reserved block."""
    row = reserved.fetchone()
    if row is None:
        raise LookupError("a sequence always gives a number")
    return int(row[0]) * CHANGES_PER_BLOCK


def change_id(number: int, source_id: int) -> int:
    """Return the id of the change that has this number, block included, and this source."""
    return number << SOURCE_BITS | source_id


def change_ids(numbers: pl.Series, source_ids: pl.Series, *, block: int) -> pl.Series:
    """Return the ids of changes from their numbers in the part and their sources, as a column change_id."""
    return ((numbers + block) * (1 << SOURCE_BITS) + source_ids).alias("change_id")


def record(connection: psycopg.Connection, changes: pl.DataFrame, transactions: pl.DataFrame, *, most: int) -> None:
    """Write the changes of a part, at `most` so many of one source.

    A change that stands already raises UniqueViolation.
    """
    if most >= CHANGES_PER_BLOCK:
        raise ValueError(f"a part holds at most {CHANGES_PER_BLOCK - 1} changes of a source")
    if changes.is_empty():
        return
    if max(changes.height, transactions.height) <= staging.FEW:
        _record_few(connection, changes, transactions)
        return
    placed = changes.join(transactions.drop("source_id"), on="tx", how="left", maintain_order="left")
    staging.copy_in(connection, "golden.journal", placed.select_seq(_COLUMNS))


def _record_few(connection: psycopg.Connection, changes: pl.DataFrame, transactions: pl.DataFrame) -> None:
    """Do it without the threads that join frames: handing a few rows to them and back takes longer than the work."""
    told = transactions[["tx", "xid", "commit_lsn", "committed_at"]].iter_rows()
    known = {tx: (xid, lsn, at) for tx, xid, lsn, at in told}
    rows = [(*known[tx], *rest) for tx, *rest in changes[["tx", "source_id", "change_id", *_TOLD]].iter_rows()]
    columns = ("xid", "commit_lsn", "committed_at", "source_id", "change_id", *_TOLD)
    staging.insert(connection, "golden.journal", columns, rows)
