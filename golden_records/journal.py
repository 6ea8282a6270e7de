"""The journal: every change once, by (source, commit LSN, ordinal). Its primary key refuses a second coming (law 1)."""

import polars as pl
import psycopg

from golden_records import rows, staging

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


def next_block(connection: psycopg.Connection) -> int:
    """Reserve CHANGES_PER_BLOCK numbers for changes; return the first."""
    block: int = rows.single(connection, "select nextval('golden.change_block')")
    return block * CHANGES_PER_BLOCK


def change_id(number: int, source_id: int) -> int:
    """Return the id of the change that has this number, block included, and this source."""
    return number << SOURCE_BITS | source_id


def change_ids(block: int, source_id: int) -> pl.Expr:
    """Return the ids of changes from their numbers in the part."""
    return (block + pl.col("change_no")) * (1 << SOURCE_BITS) + source_id


def record(
    connection: psycopg.Connection, changes: pl.DataFrame, transactions: pl.DataFrame, *, source_id: int, block: int
) -> None:
    """Write the changes of a part. A change that stands already raises UniqueViolation."""
    if changes.height >= CHANGES_PER_BLOCK:
        raise ValueError(f"a part holds at most {CHANGES_PER_BLOCK - 1} changes")
    if changes.is_empty():
        return
    numbered = changes.join(transactions, on="tx", how="left", maintain_order="left").with_columns_seq(
        source_id=pl.lit(source_id), change_id=change_ids(block, source_id)
    )
    staging.copy_in(connection, "golden.journal", numbered.select_seq(_COLUMNS))
