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


_ROUGH = 20  # a fifth of PostgreSQL's own sample


def renew(connection: psycopg.Connection, *, changed_share: float, is_rough: bool = False) -> int:
    """Analyze the tables of which more than this share has changed since the last time; return how many.

    Outside of a transaction. A table that somebody else analyzes now is left to them. Roughly is enough where it will
    be done again soon.
    """
    tables = connection.execute(_CHANGED, [changed_share, _BY_KEY_ALONE]).fetchall()
    if tables and is_rough:
        connection.execute(f"set default_statistics_target = {_ROUGH}")
    for schema, name in tables:
        connection.execute(sql.SQL("analyze (skip_locked) {}").format(sql.Identifier(schema, name)))
    connection.execute("reset default_statistics_target")
    return len(tables)
