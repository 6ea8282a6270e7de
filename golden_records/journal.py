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


def change_ids(numbers: pl.Series, *, block: int, source_id: int) -> pl.Series:
    """Return the ids of changes from their numbers in the part, as a column change_id."""
    return ((numbers + block) * (1 << SOURCE_BITS) + source_id).alias("change_id")


def record(
    connection: psycopg.Connection, changes: pl.DataFrame, transactions: pl.DataFrame, *, source_id: int, block: int
) -> None:
    """Write the changes of a part. A change that stands already raises UniqueViolation."""
    if changes.height >= CHANGES_PER_BLOCK:
        raise ValueError(f"a part holds at most {CHANGES_PER_BLOCK - 1} changes")
    if changes.is_empty():
        return
    if max(changes.height, transactions.height) <= staging.FEW:
        _record_few(connection, changes, transactions, source_id=source_id, block=block)
        return
    numbered = changes.join(transactions, on="tx", how="left", maintain_order="left").with_columns_seq(
        source_id=pl.lit(source_id), change_id=change_ids(changes["change_no"], block=block, source_id=source_id)
    )
    staging.copy_in(connection, "golden.journal", numbered.select_seq(_COLUMNS))


def _record_few(
    connection: psycopg.Connection, changes: pl.DataFrame, transactions: pl.DataFrame, *, source_id: int, block: int
) -> None:
    """Do it without the threads that join frames: handing a few rows to them and back takes longer than the work."""
    told = transactions[["tx", "xid", "commit_lsn", "committed_at"]].iter_rows()
    known = {tx: (xid, lsn, at) for tx, xid, lsn, at in told}
    rows = []
    for tx, number, *rest in changes[["tx", "change_no", *_TOLD]].iter_rows():
        rows.append((source_id, change_id(block + number, source_id), *known[tx], *rest))
    columns = ("source_id", "change_id", "xid", "commit_lsn", "committed_at", *_TOLD)
    staging.insert(connection, "golden.journal", columns, rows)
