"""Upkeep of the views: what a changed contract makes of them, and what is no longer kept of their feeds."""

from datetime import datetime, timedelta

import psycopg

from mdm.distribution import contracts, feed, projection

_IS_OUTDATED = """
select exists (select from hub.view v join unnest(%s::text[], %s::text[]) c (name, digest) using (name)
               where v.contract <> c.digest)
"""
_UPDATE = """
update hub.view v set contract = c.digest from unnest(%s::text[], %s::text[]) c (name, digest)
where v.name = c.name and v.contract <> c.digest
"""


def renew(connection: psycopg.Connection, *, after: int = 0, limit: int = 5_000) -> int | None:
    """Compute the next rows of views whose contract is another than theirs; return where to go on, None at the end.

    Begin with 0, each time in a transaction of its own, which publishes what changed. Until the end is reached the
    views count as outdated, so that a restart begins anew; what is right already stays as it is.
    """
    known = [[contract.name, contract.digest] for contract in contracts.load().values()]
    told = [list(column) for column in zip(*known, strict=True)]
    if connection.execute(_IS_OUTDATED, told).fetchone() != (True,):
        return None
    last = projection.project_next(connection, after=after, limit=limit)
    feed.publish(connection)
    if last is None:
        connection.execute(_UPDATE, told)
    return last


def prune(connection: psycopg.Connection, *, now: datetime, days: float) -> int:
    """Drop superseded entries of the feeds that are older; return how many."""
    return feed.prune(connection, before=now - timedelta(days=days))
