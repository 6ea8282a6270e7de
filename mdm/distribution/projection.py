"""Projection: what each view holds, recomputed from the golden records that a transaction touched.

All transactions that project take one lock and hold it until they commit, and the golden records are read only under
it. So the last of several that touch a point sees what the others wrote, and no row is ever left behind.
"""

from functools import cache

import psycopg

from golden_records import staging
from mdm.distribution import composition, contracts

_LOCK = 0x6D646D76  # "mdmv", a key of PostgreSQL's advisory locks

_TABLE = """
create temp table if not exists projection_point (golden_id bigint, committed_at timestamptz) on commit delete rows
"""

# A golden id is of one entity alone, so the ids of addresses and contracts may stand among those of points.
_FOLLOW = """
insert into projection_point
select p.golden_id, t.committed_at from projection_point t
cross join lateral (select golden_id from golden.metering_point g where g.address_id = t.golden_id offset 0) p
union
select a.metering_point_id, t.committed_at from projection_point t
cross join lateral (select metering_point_id from golden.appointment g
                    where g.contract_id = t.golden_id and g.metering_point_id is not null offset 0) a
"""

# Participants, and those whose own databases are sources, have their views from the moment on that they are known; any
# other recipient from its first appointment on.
_REGISTER = """
with registered as (
    insert into hub.view (name, message, role, recipient, contract)
    select c.name, c.message, c.role, r.recipient, c.contract
    from unnest(%(names)s::text[], %(messages)s::text[], %(roles)s::text[], %(digests)s::text[])
        c (name, message, role, contract)
    join (select role, mpid as recipient from golden.participant
          union select kind, participant from golden.source_system where participant is not null
          {appointed}) r using (role)
    where not exists (select from hub.view v where v.name = c.name and v.recipient = r.recipient)
    group by c.name, c.message, c.role, r.recipient, c.contract
    order by r.recipient, c.name
    returning view_id, name
), headed as (
    insert into hub.view_head (view_id) select view_id from registered
)
select count(*) filter (where name = any (%(covering)s)) > 0 from registered
"""

_APPOINTED = f"""
union select g.role, g.service_mpid from (select distinct golden_id from projection_point) t
join golden.appointment g on g.metering_point_id = t.golden_id
where {composition.STANDS} and g.service_mpid is not null
"""  # noqa: S608 - made of constants

_NEXT = """
with noted as (
    insert into projection_point (golden_id)
    select golden_id from golden.metering_point where golden_id > %(after)s order by golden_id limit %(limit)s
    returning golden_id
)
select max(golden_id) from noted
"""

_ALL = "insert into projection_point (golden_id) select golden_id from golden.metering_point"


def digest(row: str) -> str:
    """Write the digest of the row of that name, as digests.of_row() makes it."""
    return f"('x' || encode(sha256(convert_to({row}.golden_id || ' ' || {row}.body, 'UTF8')), 'hex'))::bit(256)"


def project(connection: psycopg.Connection) -> None:
    """Take note of the golden records in the temporary table touched_point, for feed.publish() to project.

    May be called for each part of a transaction. The ids may be of metering points, addresses and contracts; a meter or
    appointment that left a point must be told by that point.
    """
    prepare(connection)
    note(connection)


def note(connection: psycopg.Connection) -> None:
    """Do the same where the session has the temporary tables."""
    connection.execute("insert into projection_point select golden_id, committed_at from touched_point")


def project_next(connection: psycopg.Connection, *, after: int, limit: int) -> int | None:
    """Take note of the next metering points by golden id, as a contract that has changed requires.

    Returns the last id, after which to go on; None when there was none left.
    """
    prepare(connection)
    row = connection.execute(_NEXT, {"after": after, "limit": limit}).fetchone()
    return row[0] if row else None


def prepare(connection: psycopg.Connection) -> None:
    """Make the temporary table where the session has none yet."""
    if _octets_noted(connection) is None:
        connection.execute(_TABLE)


def begin(connection: psycopg.Connection) -> bool:
    """Take the lock of projection, which is held until the transaction ends, and find all points that are touched.

    Returns whether there is any.
    """
    if not _octets_noted(connection):
        return False
    with staging.pipelined(connection):
        lock(connection)
        connection.execute(_FOLLOW)
        registered = _register(connection)
    if registered.fetchone() == (True,):
        connection.execute(_ALL)
        register_appointed(connection)
    return True


def register_appointed(connection: psycopg.Connection) -> None:
    """Give the services that touched points have appointed their views, where they have none."""
    _register(connection, appointed=_APPOINTED)


def recompute(connection: psycopg.Connection) -> None:
    """Fill the temporary table projected with the rows of all points, to be compared with what the views hold.

    It locks nothing: the caller's transaction sees golden records and views as of one moment.
    """
    prepare(connection)
    connection.execute("truncate projection_point; drop table if exists pg_temp.projected")
    connection.execute(_ALL)
    with staging.frames_only(connection):
        connection.execute(f"create temp table projected on commit drop as {rows()}")


def lock(connection: psycopg.Connection) -> None:
    """Take the lock of projection until the transaction ends."""
    connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])


def _octets_noted(connection: psycopg.Connection) -> int | None:
    """Return how large the table of noted records is, which is emptied at each commit; None where there is none yet."""
    row = connection.execute("select pg_relation_size(to_regclass('pg_temp.projection_point'))").fetchone()
    return row[0] if row else None


def _register(connection: psycopg.Connection, *, appointed: str = "") -> psycopg.Cursor:
    """Give every recipient that has come into sight its views; fetch whether one must be filled with all points."""
    declared = contracts.load().values()
    parameters = {
        "names": [contract.name for contract in declared],
        "messages": [contract.message.value for contract in declared],
        "roles": [contract.role.value for contract in declared],
        "digests": [contract.digest for contract in declared],
        "covering": [contract.name for contract in declared if contract.covers_all],
    }
    query = _REGISTER.format(appointed=appointed)
    return connection.execute(query, parameters)


@cache
def rows() -> str:
    """Return the query of the rows of all touched points in all views; one without a view has no view_id."""
    query = composition.rows(list(contracts.load().values()))
    columns = "view_id, golden_id, point_id, sender, body, committed_at"
    return f"select {columns}, {digest('r')} as digest from ({query}) r"  # noqa: S608 - made of the contracts alone
