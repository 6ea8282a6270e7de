"""Writes down who reads identifying values, before they are given (law 11)."""

from collections.abc import Sequence

from mdm.api.connections import Connection
from mdm.api.keys import Caller
from mdm.distribution.reading import Changes, Head

_RECORD = """
insert into hub.access_log (key_id, action, view_id, first_seq, last_seq, rows) values (%s, %s, %s, %s, %s, %s)
"""


async def record_snapshot(connection: Connection, caller: Caller, head: Head) -> None:
    """Write down that a caller takes a view's content as of its head."""
    await connection.execute(_RECORD, [caller.key_id, "snapshot", head.view_id, None, head.sequence, head.count])


async def record_changes(connection: Connection, caller: Caller, changes: Changes) -> None:
    """Write down which entries of a view a caller takes; none are nothing to write down."""
    if changes.entries:
        span = [changes.entries[0].sequence, changes.entries[-1].sequence, len(changes.entries)]
        await connection.execute(_RECORD, [caller.key_id, "changes", changes.head.view_id, *span])


_RECORD_GOLDEN = """
insert into hub.access_log (key_id, action, entity, golden_id)
select %s, 'read', entity, golden_id from unnest(%s::text[], %s::bigint[]) read (entity, golden_id)
"""


async def record_golden(connection: Connection, caller: Caller, read: Sequence[tuple[str, int]]) -> None:
    """Write down that a caller takes values of these golden records (entity, golden id); none are nothing to note."""
    if read:
        entities, golden_ids = zip(*read, strict=True)
        await connection.execute(_RECORD_GOLDEN, [caller.key_id, list(entities), list(golden_ids)])
