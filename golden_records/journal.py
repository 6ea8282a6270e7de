"""The journal: every change once, by (source, commit LSN, ordinal). Its primary keys refuse a second coming (law 1).

What a load reads of a table is kept in blocks of many changes: a row for each, with its indexes, costs as much as five
times its contents. golden.journal shows all changes, golden.journalled(change_id) finds one. The key of a block is that
of its first change: that no chunk of a load is read twice, its mark in the same transaction makes sure.
"""

from collections.abc import Iterator

import polars as pl
import psycopg

from golden_records import json_text, staging

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
_CHANGES = "golden.journal_change"
_PACKED = 256  # changes in a row of journal_block; whoever reads one of them reads them all
_LONGEST = 100_000  # bytes of a payload
_INSERT_BLOCK = """
insert into golden.journal_block (source_id, commit_lsn, first_ordinal, first_change_id, last_change_id, xid,
                                  committed_at, relation, changes)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

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
    connection: psycopg.Connection,
    changes: pl.DataFrame,
    transactions: pl.DataFrame,
    *,
    source_id: int,
    block: int,
    is_whole: bool,
) -> None:
    """Write the changes of a part. A change that stands already raises UniqueViolation.

    What was read of one table is kept in blocks if it `is_whole`: none of it is rejected, or too long to be staged.
    """
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
    told = numbered.select_seq(_COLUMNS)
    if is_whole and _are_of_one_read(changes):
        _record_blocks(connection, told)
    else:
        staging.copy_in(connection, _CHANGES, told)


def _are_of_one_read(changes: pl.DataFrame) -> bool:
    """Tell whether a load has read these of one table, one after the other, and none of them is long."""
    first = changes.row(0, named=True)
    told = changes.select_seq(
        pl.col("op").eq("r").all(),
        *(pl.col(name).eq(first[name]).all() for name in ("tx", "relation")),
        *(pl.col(name).diff().drop_nulls().eq(1).all() for name in ("change_no", "ordinal")),
        pl.col("payload").str.len_bytes().le(_LONGEST).all().alias("is_short"),
    )
    return all(told.row(0))


def _record_blocks(connection: psycopg.Connection, changes: pl.DataFrame) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT_BLOCK, _blocks(changes))


def _blocks(changes: pl.DataFrame) -> Iterator[tuple[object, ...]]:
    source_id, lsn, ordinal, change_id, xid, committed_at, relation, *_ = changes.row(0)
    members = (member.fill_null("null") for member in (_quoted(changes), pl.col("payload")))
    packed = changes.select_seq(pl.format("[{},{}]", *members)).to_series().to_list()
    for start in range(0, len(packed), _PACKED):
        part = packed[start : start + _PACKED]
        first_id, last_id = (change_id + (place << SOURCE_BITS) for place in (start, start + len(part) - 1))
        body = f"[{','.join(part)}]"
        yield source_id, lsn, ordinal + start, first_id, last_id, xid, committed_at, relation, body


def _quoted(changes: pl.DataFrame) -> pl.Expr:
    """Write source keys as JSON: as they are between quotes, unless any has what JSON escapes."""
    key = pl.col("source_key")
    if changes["source_key"].str.contains(json_text.NEEDS_ESCAPE).any():
        return json_text.escaped(key)
    return pl.concat_str(pl.lit('"'), key, pl.lit('"'))


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
    staging.insert(connection, _CHANGES, columns, rows)
