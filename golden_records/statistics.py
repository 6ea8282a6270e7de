"""What PostgreSQL knows of the tables' contents: renewed when a load has changed much of it, so that plans fit.

Autovacuum would do it too, but only after a minute; by then a load into empty tables has gone through its worst plans.
"""

import psycopg
from psycopg import sql

_CHANGED = """
select schemaname, relname from pg_stat_user_tables
where schemaname in ('golden', 'hub') and n_mod_since_analyze > %s * n_live_tup + 1000
    and relname <> all (%s)
"""

# These are only added to, and found by key alone: what is known of their contents changes no plan of mastering.
_BY_KEY_ALONE = ["journal_change", "journal_block", "golden_version", "feed"]


def renew(connection: psycopg.Connection, *, changed_share: float) -> int:
    """Analyze the tables of which more than this share has changed since the last time; return how many.

    Outside of a transaction. A table that somebody else analyzes now is left to them.
    """
    tables = connection.execute(_CHANGED, [changed_share, _BY_KEY_ALONE]).fetchall()
    for schema, name in tables:
        connection.execute(sql.SQL("analyze (skip_locked) {}").format(sql.Identifier(schema, name)))
    return len(tables)
