"""Due dates: what is dated ahead is looked at again on its day, as a change of the hub's own (source 0)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from golden_records.journal import HUB, change_id

_STANDING = ("contract", "asset")  # their dates are items: nothing else follows from them, but an override ends


def note(connection: psycopg.Connection) -> None:
    """Remember the staged versions that come into force, or run out, after the transaction that brings them."""
    connection.execute(
        """
        insert into golden.due (due_at, golden_id, item_group)
        select distinct d.due_at, v.golden_id, v.item_group
        from stage_version v join stage_tx t using (tx)
        cross join lateral (values (v.effective_from), (v.effective_to)) d (due_at)
        where v.until_tx is null and v.op = 'u' and d.due_at > t.committed_at
          and (v.item_group <> all (%s) or v.source_id = 0)
          and greatest(v.effective_from, v.effective_to) > (select min(committed_at) from stage_tx)
        on conflict do nothing
        """,
        [list(_STANDING)],
    )


def stage(connection: psycopg.Connection, *, now: datetime, block: int, limit: int) -> int:
    """Stage what is due by now as one transaction of the hub; return how many rows. `finish` takes it off the list."""
    taken = connection.execute(
        """
        insert into stage_due
        select due_at, golden_id, item_group from golden.due where due_at <= %(now)s
        order by due_at, golden_id, item_group limit %(limit)s
        """,
        {"now": now, "limit": limit},
    ).rowcount
    if taken:
        connection.execute(
            """
            insert into stage_event (golden_id, entity, item_group, tx, is_aside)
            select distinct t.golden_id, g.entity, t.item_group, 0, false
            from stage_due t join golden.golden_record g using (golden_id)
            """
        )
        stage_hub_transaction(connection, now=now, block=block, cause=Cause(relation="golden.due"))
    return taken


def finish(connection: psycopg.Connection) -> None:
    """Take what was staged off the list: when its golden records are locked, as by whoever puts something on it."""
    connection.execute(
        """
        delete from golden.due d using stage_due s
        where d.due_at = s.due_at and d.golden_id = s.golden_id and d.item_group = s.item_group
        """
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why the hub masters something by its own account: the table that says so, which row of it, what it says."""

    relation: str
    source_key: str | None = None
    payload: Mapping[str, Any] | None = None


def stage_hub_transaction(connection: psycopg.Connection, *, now: datetime, block: int, cause: Cause) -> None:
    """Stage a transaction of the hub's own, number 0, and journal it as one change."""
    connection.execute(
        "insert into stage_tx (tx, source_id, xid, commit_lsn, committed_at)"
        " values (0, %s, pg_current_xact_id()::text::bigint, '0/0'::pg_lsn + %s::numeric, %s)",
        [HUB, block, now],
    )
    connection.execute(
        """
        insert into golden.journal_change (source_id, commit_lsn, ordinal, change_id, xid, committed_at, recorded_at,
                                           relation, op, source_key, payload)
        select %(hub)s, commit_lsn, 1, %(change_id)s, xid, committed_at, clock_timestamp(), %(relation)s, 'h',
               %(source_key)s, %(payload)s
        from stage_tx
        """,
        {
            "hub": HUB,
            "change_id": change_id(block, HUB),
            "relation": cause.relation,
            "source_key": cause.source_key,
            "payload": None if cause.payload is None else Jsonb(cause.payload),
        },
    )
