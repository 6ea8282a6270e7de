"""The work list of verdicts: golden records that were mastered, and are yet to be judged by the rules.

Where many sources' changes are mastered as one, their verdicts are found right after, by a session beside (law 1 asks
for none of them). Whoever masters only ever adds notes. One transaction judges at a time, and none beside it that
judges what it masters itself, so that what is judged last is judged as it stands last.
"""

from collections.abc import Sequence

import psycopg

from golden_records import rows

_LOCK_CLASS, _LOCK = 0x6D646D, -2  # beside the workers' locks: a source's is its id, the lane's -1
_LONGEST_WAIT = "500ms"

HOLD_OFF = f"select pg_advisory_xact_lock_shared({_LOCK_CLASS}, {_LOCK})"
"""Have nothing of the list judged until the transaction ends, which judges what it masters itself."""

NOTE = """
insert into golden.unjudged (kind, golden_ids, committed_at)
select kind, array_agg(golden_id), (select max(committed_at) from stage_tx) from ({judged}) judged group by kind
"""

# The rules ask for the day: they are put to each as of the last transaction that it was noted for, or a later one.
_TAKE = """
with taken as (
    delete from golden.unjudged where note_id = any (array(
        select note_id from golden.unjudged order by note_id limit %s))
    returning kind, golden_ids, committed_at
), noted as (
    insert into stage_judged (kind, golden_id) select distinct kind, unnest(golden_ids) from taken
)
insert into stage_tx (tx, committed_at) select 0, max(committed_at) from taken having count(*) > 0
"""

_SPLIT = """
with refused as (
    delete from golden.unjudged where note_id = (select min(note_id) from golden.unjudged)
    returning kind, golden_ids, committed_at, cardinality(golden_ids) / 2 as middle
), halves as (
    insert into golden.unjudged (kind, golden_ids, committed_at)
    select kind, half, committed_at from refused
    cross join lateral (values (golden_ids[:middle]), (golden_ids[middle + 1:])) h (half) where middle > 0
)
select kind, golden_ids from refused where middle = 0
"""


def take(connection: psycopg.Connection, *, limit: int) -> bool:
    """Take so many notes off the list, to be judged in this transaction; tell whether there were any.

    Raises LockNotAvailable while others judge what they master, and where any row is waited for longer than a moment:
    those who hold it may be waiting for this transaction.
    """
    if not are_any(connection):
        return False
    connection.execute(f"set local lock_timeout = '{_LONGEST_WAIT}'")
    connection.execute(f"select pg_advisory_xact_lock({_LOCK_CLASS}, {_LOCK})")
    return connection.execute(_TAKE, [limit]).rowcount > 0


def split(connection: psycopg.Connection) -> Sequence[tuple[str, list[int]]]:
    """Halve the first note, which could not be judged; a single record is dropped, and returned with its kind."""
    return connection.execute(_SPLIT).fetchall()


def are_any(connection: psycopg.Connection) -> bool:
    """Tell whether any golden record waits to be judged."""
    return bool(rows.single(connection, "select exists (select from golden.unjudged)"))


def count(connection: psycopg.Connection) -> int:
    """Return how many golden records wait to be judged, each as often as it was noted."""
    return int(rows.single(connection, "select coalesce(sum(cardinality(golden_ids)), 0) from golden.unjudged"))
