"""Source records that a load of their table did not see: the source no longer has them.

A row that is there has shown itself since the load began, in a chunk or in the stream, so the journal has it.
"""

import psycopg

from golden_records import rows

_COLLECT = """
create temp table unseen on commit drop as
select known.source_key, row_number() over (order by known.source_key) as place
from (select source_key from golden.source_record
      where source_id = %(source)s and starts_with(source_key, %(relation)s || '|')
      union
      select source_key from golden.quarantine
      where source_id = %(source)s and starts_with(source_key, %(relation)s || '|') and closed_at is null) known
where not exists (
    select from golden.journal j
    where j.source_id = %(source)s and j.commit_lsn >= %(since)s::pg_lsn and j.relation = %(relation)s
      and j.source_key = known.source_key)
"""


def collect(connection: psycopg.Connection, *, source_id: int, relation: str, since: str) -> int:
    """Find them, for the rest of the transaction; `since` is the LSN at which the load began. Return how many."""
    connection.execute("drop table if exists pg_temp.unseen")
    connection.execute(_COLLECT, {"source": source_id, "relation": relation, "since": since})
    return int(rows.single(connection, "select count(*) from unseen"))


def list_keys(connection: psycopg.Connection, *, after: int, limit: int) -> list[str]:
    """Return the source keys found, by place from `after` on."""
    found = connection.execute(
        "select source_key from unseen where place > %s and place <= %s order by place", [after, after + limit]
    ).fetchall()
    return [row[0] for row in found]
