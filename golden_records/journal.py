"""The journal: every change once, by (source, commit LSN, ordinal). Its primary key refuses a second coming (law 1)."""

import psycopg

from golden_records import rows
from golden_records.tables import CHANGES_PER_BLOCK

SOURCE_BITS = 10  # the lowest bits of a change id are its source, so that a value's lineage is one number
CHANGE_ID = f"((%(block)s + {{number}}) << {SOURCE_BITS} | {{source}})"
SOURCE_OF = f"({{change_id}} & {(1 << SOURCE_BITS) - 1})::int"
HUB = 0  # source_id of the hub itself, for what it does by its own account


def next_block(connection: psycopg.Connection) -> int:
    """Reserve CHANGES_PER_BLOCK numbers for changes; return the first."""
    block: int = rows.single(connection, "select nextval('golden.change_block')")
    return block * CHANGES_PER_BLOCK


def record(connection: psycopg.Connection, *, source_id: int, block: int) -> int:
    """Write the staged changes; return how many. A change that stands already raises UniqueViolation."""
    change_id = CHANGE_ID.format(number="c.change_no", source="%(source)s")
    return connection.execute(
        f"""
        insert into golden.journal (source_id, commit_lsn, ordinal, change_id, xid, committed_at, recorded_at,
                                    relation, op, source_key, payload)
        select %(source)s, t.commit_lsn, c.ordinal, {change_id}, t.xid, t.committed_at,
               clock_timestamp(), c.relation, c.op, c.source_key, c.payload
        from stage_change c join stage_tx t using (tx)
        order by c.change_no
        """,
        {"source": source_id, "block": block},
    ).rowcount
