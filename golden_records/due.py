"""Due dates: what is dated ahead is looked at again on its day, as a change of the hub's own (source 0)."""

from datetime import datetime

import psycopg

from golden_records.journal import HUB, change_id

_STANDING = ("contract", "asset")  # their dates are items: nothing else follows from them when a day has come


def note(connection: psycopg.Connection) -> None:
    """Remember the staged versions that come into force, or run out, after the transaction that brings them."""
    connection.execute(
        """
        insert into golden.due (due_at, golden_id, item_group)
        select distinct d.due_at, v.golden_id, v.item_group
        from stage_version v join stage_tx t using (tx)
        cross join lateral (values (v.effective_from), (v.effective_to)) d (due_at)
        where v.until_tx is null and v.op = 'u' and d.due_at > t.committed_at and v.item_group <> all (%s)
        on conflict do nothing
        """,
        [list(_STANDING)],
    )


def stage(connection: psycopg.Connection, *, now: datetime, block: int, limit: int) -> int:
    """Take what is due by now off the list and stage it as one transaction of the hub; return how many rows."""
    taken = connection.execute(
        """
        with taken as (
            delete from golden.due where (due_at, golden_id, item_group) in (
                select due_at, golden_id, item_group from golden.due where due_at <= %(now)s
                order by due_at, golden_id, item_group limit %(limit)s for update skip locked)
            returning golden_id, item_group
        )
        insert into stage_event (golden_id, entity, item_group, tx, is_aside)
        select distinct t.golden_id, g.entity, t.item_group, 0, false
        from taken t join golden.golden_record g using (golden_id)
        """,
        {"now": now, "limit": limit},
    ).rowcount
    if taken:
        stage_hub_transaction(connection, now=now, block=block, relation="golden.due")
    return taken


def stage_hub_transaction(connection: psycopg.Connection, *, now: datetime, block: int, relation: str) -> None:
    """Stage a transaction of the hub's own, number 0, and journal it as one change."""
    connection.execute(
        "insert into stage_tx (tx, xid, commit_lsn, committed_at)"
        " values (0, pg_current_xact_id()::text::bigint, '0/0'::pg_lsn + %s::numeric, %s)",
        [block, now],
    )
    connection.execute(
        """
        insert into golden.journal (source_id, commit_lsn, ordinal, change_id, xid, committed_at, recorded_at,
                                    relation, op)
        select %(hub)s, commit_lsn, 1, %(change_id)s, xid, committed_at, clock_timestamp(), %(relation)s, 'h'
        from stage_tx
        """,
        {"hub": HUB, "change_id": change_id(block, HUB), "relation": relation},
    )
