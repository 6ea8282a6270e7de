"""The feed: what changed in each view, numbered densely in the order of commits (law 3)."""

from datetime import datetime
from functools import cache

import psycopg

from golden_records import staging
from mdm.distribution import composition, projection

CHANNEL = "mdm_feed"
"""PostgreSQL's channel on which the ids of views with new entries are told, comma-separated; empty for all."""

# Rows are worked out and published in one statement, so that they need not be written down in between. Where one has no
# view yet nothing is published. Laterals loop; frames are hashed, not paired, and rows that are gone found by place.
_PUBLISH = """
with projected as materialized ({rows}), fitting as materialized (
    select coalesce(bool_and(view_id is not null), true) as fits from projected
), before as (
    select r.*, t.committed_at
    from (select golden_id, min(committed_at) as committed_at from projection_point group by golden_id) t
    cross join lateral (select r.*, r.ctid as place from hub.view_row r where r.point_id = t.golden_id offset 0) r
), change as (
    select coalesce(n.view_id, b.view_id) as view_id, coalesce(n.golden_id, b.golden_id) as golden_id, n.point_id,
           coalesce(n.committed_at, b.committed_at) as committed_at, n.sender, n.body, n.digest,
           b.digest as digest_before, b.place
    from projected n full join before b on b.view_id = n.view_id and b.golden_id = n.golden_id
    where n.digest is distinct from b.digest and (select fits from fitting)
), numbered as materialized (
    select c.*, h.last_seq + row_number() over (partition by c.view_id order by c.golden_id) as seq
    from change c join hub.view_head h using (view_id)
), fed as (
    insert into hub.feed (view_id, seq, golden_id, operation, sender, body, created_at, source_committed_at)
    select view_id, seq, golden_id, case when body is null then 'delete' else 'upsert' end,
           coalesce(sender, %(hub)s), body, statement_timestamp(),
           coalesce(committed_at, %(committed_at)s, statement_timestamp())
    from numbered
), gone as (
    delete from hub.view_row where ctid = any (array(select place from numbered where body is null))
), kept as (
    insert into hub.view_row (view_id, golden_id, point_id, seq, digest)
    select view_id, golden_id, point_id, seq, digest from numbered where body is not null
    on conflict (view_id, golden_id)
    do update set point_id = excluded.point_id, seq = excluded.seq, digest = excluded.digest
), moved as (
    update hub.view_head h
    set last_seq = h.last_seq + s.entries, row_count = h.row_count + s.rows, updated_at = statement_timestamp(),
        digest = h.digest # s.digest
    from (select view_id, count(*) as entries, count(digest) - count(digest_before) as rows,
                 coalesce(bit_xor(digest), repeat('0', 256)::bit(256))
                     # coalesce(bit_xor(digest_before), repeat('0', 256)::bit(256)) as digest
          from numbered group by view_id) s
    where h.view_id = s.view_id
    returning h.view_id, s.entries
)
select (select fits from fitting), entries,
       case when entries > 0 then pg_notify(%(channel)s, case when length(views) < 8000 then views else '' end) end
from (select coalesce(sum(entries), 0)::bigint as entries, string_agg(view_id::text, ',' order by view_id) as views
      from moved) told
"""

# What is in a view now stays for its snapshot, however old.
_HORIZON = """
select view_id, seq
from hub.view_head h cross join lateral (
    select coalesce(min(f.seq) - 1, h.last_seq) as seq from (
        select f.seq from hub.feed f
        where f.view_id = h.view_id and f.seq > h.retained_after and f.created_at >= %s
        order by f.seq limit 1) f) y
where seq > h.retained_after
"""
_PRUNE = """
delete from hub.feed f using unnest(%s::int[], %s::bigint[]) h (view_id, seq)
where f.view_id = h.view_id and f.seq <= h.seq
  and not exists (select from hub.view_row r
                  where r.view_id = f.view_id and r.golden_id = f.golden_id and r.seq = f.seq)
"""
_RETAIN = """
update hub.view_head v set retained_after = h.seq from unnest(%s::int[], %s::bigint[]) h (view_id, seq)
where v.view_id = h.view_id
"""


def publish(connection: psycopg.Connection, *, committed_at: datetime | None = None) -> int:
    """Write to the feeds what changed in all views, as the last step before the commit; return how many entries.

    An entry says when the source committed what it tells of, the first of several transactions; `committed_at`, or now,
    stands where that is not known. A row that changed more than once in this transaction has one entry, the last; a
    row that is again what it was has none.
    """
    if not projection.begin(connection):
        return 0
    entries = _publish(connection, committed_at)
    if entries is None:
        projection.register_appointed(connection)
        entries = _publish(connection, committed_at)
    return entries or 0


def _publish(connection: psycopg.Connection, committed_at: datetime | None) -> int | None:
    """Publish and return how many entries; None, and nothing published, where a row has no view yet."""
    parameters = {"committed_at": committed_at, "hub": composition.HUB_SENDER, "channel": CHANNEL}
    with staging.frames_only(connection):
        published = connection.execute(_statement(), parameters)
    fits, entries, _ = published.fetchone() or (True, 0, None)
    return int(entries) if fits else None


@cache
def _statement() -> str:
    return _PUBLISH.format(rows=projection.rows().replace("%", "%%"))


def prune(connection: psycopg.Connection, *, before: datetime) -> int:
    """Drop superseded entries that are older; return how many. Readers that are so far behind take a snapshot."""
    horizon = connection.execute(_HORIZON, [before]).fetchall()
    ends = [[view_id for view_id, _ in horizon], [seq for _, seq in horizon]]
    pruned = connection.execute(_PRUNE, ends).rowcount
    projection.lock(connection)  # heads are moved under it alone, or two that move them wait for each other for ever
    connection.execute(_RETAIN, ends)
    return pruned
