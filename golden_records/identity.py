"""Identity: which golden record a key names. A key is claimed in the crosswalk by whoever presents it first.

Some records have a strong key (UPRN; serial number with manufacturer) and a weak one (`alt_key`: normalised
address; serial number alone). A strong key that is new adopts the golden record of its weak key while that one has
no strong key of its own; a record that has only the weak key finds whoever claimed it first.
What a merge has led elsewhere keeps its own id beside (own_id), by which keys are claimed as if it never had been.
Keys are claimed in one order by everybody, so two sources that race wait for each other and never deadlock here.
"""

from collections.abc import Set as AbstractSet

import psycopg

from golden_records import redirects, rows, staging
from golden_records.routines import Routine, frames, hashed, locked, when

Key = tuple[str, str]
"""An entity and a key of one of its golden records."""

# Keys are found by the index, each for itself: what is known of a crosswalk that is being filled misleads the planner
# to read it whole.
_COLLECT = """
insert into stage_key (entity, key, alt_key, golden_id, alt_golden_id, own_id, alt_own_id)
select k.entity, k.key, k.alt_key, c.golden_id, w.golden_id, c.own_id, w.own_id
from (
    select entity, key, max(alt_key) as alt_key from (
        select entity, key, alt_key from stage_record where op = 'u'
        union all select 'metering_point', point_key, null from stage_record where op = 'u' and point_key is not null
        union all select 'address', address_key, null from stage_record where op = 'u' and address_key is not null
        union all select 'contract', contract_key, null from stage_record where op = 'u' and contract_key is not null
    ) presented group by entity, key
) k
left join lateral (select golden_id, own_id from golden.crosswalk l
                   where l.entity = k.entity and l.key = k.key and l.unlinked_at is null offset 0) c on true
left join lateral (select golden_id, own_id from golden.crosswalk l
                   where l.entity = k.entity and l.key = k.alt_key and l.unlinked_at is null offset 0) w
    on k.alt_key is not null
"""

# A record that a steward took for another thing than its key says: its row says the link's key of itself, and refers
# to it by that key.
_FOLLOW_LINKS = """
with said as (
    select r.ctid as at, max(l.key) filter (where l.entity = r.entity) as key,
           max(l.link_id) filter (where l.entity = r.entity) as link_id,
           max(l.key) filter (where l.entity = 'address') as address_key, max(r.key) as said_key
    from golden.record_link l join stage_record r on r.source_id = l.source_id and r.source_key = l.source_key
    where l.unlinked_at is null and r.op = 'u' group by r.ctid
), noted as (
    update golden.record_link l set said_key = s.said_key
    from said s where l.link_id = s.link_id and s.said_key <> l.key
), linked as (
    update stage_record r
    set key = coalesce(s.key, r.key), alt_key = case when s.key is null then r.alt_key end,
        address_key = case when r.address_key is not null then coalesce(s.address_key, r.address_key) end
    from said s where r.ctid = s.at and (s.key is not null or s.address_key is not null)
)
delete from stage_key
"""

_COUNT_NEW = """
select count(*) filter (where golden_id is null), count(*) filter (where alt_key is not null and alt_golden_id is null)
into _found, _more from stage_key
"""

_IS_STRONG = """(case {0}.entity when 'meter' then right({0}.key, 2) <> '|*'
                 when 'address' then left({0}.key, 5) = 'UPRN:' else true end)"""

# In one statement, so that keys are claimed in one order: for a golden record that is known already, or for a new one.
_CLAIM = """
with missing as materialized ({missing}), claimed as (
    insert into golden.crosswalk (entity, key, golden_id, own_id, origin, linked_at)
    select m.entity, m.key, coalesce(d.end_id, m.known_id, nextval('golden.golden_id')), d.golden_id,
           case when d.golden_id is null then 'AUTO' else 'MANUAL' end, clock_timestamp()
    from (select * from missing order by entity, key) m
    left join golden.redirect d on d.golden_id = m.known_id and d.undone_at is null
    order by m.entity, m.key
    on conflict (entity, key) where unlinked_at is null do nothing
    returning entity, golden_id, own_id
)
insert into golden.golden_record (golden_id, entity, created_at)
select golden_id, entity, clock_timestamp() from claimed
where own_id is null and golden_id not in (select known_id from missing where known_id is not null)
"""

_MISSING_WEAK = f"""
select entity, key, min(known_id) as known_id from (
    select entity, alt_key as key, coalesce(own_id, golden_id) as known_id from stage_key
    where alt_key is not null and alt_golden_id is null
    union all
    select entity, key, null from stage_key k where golden_id is null and not {_IS_STRONG.format("k")}
) weak group by entity, key
"""

_OWN_ALT = "coalesce(a.alt_own_id, a.alt_golden_id)"

# The keys of a golden record are found by its id: without the offset, all live keys may be gone through for each.
_MISSING_STRONG = f"""
select k.entity, k.key, adopted.known_id from stage_key k
left join (
    select distinct on (a.entity, {_OWN_ALT}) a.entity, a.key, {_OWN_ALT} as known_id from stage_key a
    where a.golden_id is null and a.alt_golden_id is not null and not exists (
        select from (select * from golden.crosswalk c where c.golden_id = a.alt_golden_id offset 0) s
        where s.unlinked_at is null and s.own_id is not distinct from a.alt_own_id and {_IS_STRONG.format("s")})
    order by a.entity, {_OWN_ALT}, a.key
) adopted using (entity, key)
where k.golden_id is null
"""

_FIND = """
update stage_key k set ({found}, {own}) = (
    select c.golden_id, c.own_id from golden.crosswalk c
    where c.entity = k.entity and c.key = k.{key} and c.unlinked_at is null)
where k.{found} is null and k.{key} is not null
"""

# The link of the weak key is locked, not its golden record: who has claimed all its keys locks golden records, and may
# hold a strong key that is still to be claimed here.
_LOCK_ADOPTED = """
select from (select distinct entity, alt_key from stage_key where golden_id is null and alt_golden_id is not null) k
join golden.crosswalk c on c.entity = k.entity and c.key = k.alt_key and c.unlinked_at is null
order by c.entity, c.key for no key update of c
"""


# The weak keys, which all who present one thing share, are claimed and found first; one strong key may have each of
# them, the others are new.
_CLAIM_STRONG = (
    _FIND.format(found="golden_id", own="own_id", key="key"),
    _FIND.format(found="alt_golden_id", own="alt_own_id", key="alt_key"),
    locked(_LOCK_ADOPTED, total="_more"),
    _CLAIM.format(missing=_MISSING_STRONG),
    _FIND.format(found="golden_id", own="own_id", key="key"),
)

RESOLVE = Routine(
    name="resolve_keys",
    statements=(
        _FOLLOW_LINKS,
        *hashed(_COLLECT),
        _COUNT_NEW,
        when("_found > 0 or _more > 0", [_CLAIM.format(missing=_MISSING_WEAK)]),
        when("_found > 0", _CLAIM_STRONG),
    ),
)

_UNKNOWN = """
select k.entity, k.key from unnest(%s::text[], %s::text[]) k (entity, key)
where not exists (select from golden.crosswalk c where c.entity = k.entity and c.key = k.key and c.unlinked_at is null)
"""


def find_unknown(connection: psycopg.Connection, keys: AbstractSet[Key]) -> set[Key]:
    """Return which of these keys name no golden record yet."""
    if not keys:
        return set()
    entities, values = [entity for entity, _ in keys], [key for _, key in keys]
    return {*connection.execute(_UNKNOWN, [entities, values])}


def resolve(connection: psycopg.Connection) -> None:
    """Fill stage_key with the golden id of every key and reference staged, claiming those that are new."""
    redirects.hold(connection)
    RESOLVE.call(connection)


_OWNED = """
select entity, key, golden_id from stage_key where golden_id is not null
union select entity, alt_key, alt_golden_id from stage_key where alt_golden_id is not null
"""


def list_owned(connection: psycopg.Connection) -> list[tuple[str, str, int]]:
    """Return entity, key and golden id of all keys that resolve() found."""
    return connection.execute(_OWNED).fetchall()


# Each golden record is looked up by itself: the staged rows are joined by hashing, however many the planner expects.
_LOCK = """
with touched as ({touched})
select 1 from (select distinct golden_id from touched order by golden_id) t
cross join lateral (select 1 from golden.golden_record g where g.golden_id = t.golden_id
                    offset 0 for {strength}) g
"""

# What a record merely refers to is not locked, but for points: what their appointments say follows to them.
_STAGED = """
    select golden_id from stage_key k where entity = 'metering_point' or exists (
        select from stage_record r where r.op = 'u' and r.entity = k.entity and r.key = k.key)
    union all
    select r.golden_id from stage_record s
    cross join lateral (select golden_id from golden.source_record r where r.source_id = s.source_id
                        and r.source_key = s.source_key and r.item_group = s.item_group offset 0) r
    where {of}
    union all
"""
_ALL, _DELETED = _STAGED.format(of="true"), _STAGED.format(of="s.op = 'd'")

_METERS = """
    select m.golden_id from (select distinct point_key from stage_record where entity = 'appointment') s
    join stage_key k on k.entity = 'metering_point' and k.key = s.point_key
    cross join lateral (select golden_id from golden.meter m where m.metering_point_id = k.golden_id offset 0) m
"""


def _lock(touched: str, strength: str = "no key update") -> str:
    return _LOCK.format(touched=touched, strength=strength)


# The meters are looked for again: some may have come to the points while these were waited for.
LOCK = Routine(name="lock_staged", statements=frames(locked(_lock(_ALL + _METERS)), locked(_lock(_METERS))))
LOCK_HURRIED = Routine(
    name="lock_hurried", statements=frames(locked(_lock(_DELETED + _METERS)), locked(_lock(_METERS)))
)


def lock(connection: psycopg.Connection, *, is_hurried: bool = False) -> None:
    """Lock the golden records that staged records speak of or spoke of, and the meters of appointments' points.

    In one order, so that workers wait for each other and never deadlock here. To look up where each record was takes a
    twentieth of the time of mastering, and nearly always it is where it was: in a hurry, only deletions are looked up.
    """
    (LOCK_HURRIED if is_hurried else LOCK).call(connection)


def lock_more(connection: psycopg.Connection) -> None:
    """Lock what was staged since, out of order, so without waiting; raises SerializationFailure where it cannot."""
    try:
        with staging.frames_only(connection):
            connection.execute(_lock(_ALL + _METERS, "no key update nowait"))
            connection.execute(_lock(_METERS, "no key update nowait"))
    except psycopg.errors.LockNotAvailable as error:
        raise psycopg.errors.SerializationFailure("what may heal now is being mastered: it is tried again") from error


# What the records that a rule across records speaks against wait for, besides their own points.
_LOCK_AWAITED = f"""
with broken as (
    select v.item_group, v.item_values from stage_violation b
    join stage_version v on v.source_id = b.source_id and v.seq = b.change_no and v.source_key = b.source_key
        and v.item_group = b.item_group
    where b.severity = 'E' and v.item_group in ('appointment', 'link')
), awaited as (
    select {redirects.end_of("(item_values ->> 'contract_id')::bigint")} as golden_id
    from broken where item_values ? 'contract_id'
    union
    select c.golden_id from broken b join golden.crosswalk c on c.key = b.item_values ->> 'linked_mpan'
    where c.entity = 'metering_point' and c.unlinked_at is null
)
select count(*) from ({_lock("select golden_id from awaited", "share nowait")}) locked
"""


_CONTRACTS = f"""
select {redirects.end_of("(item_values ->> 'contract_id')::bigint")} as golden_id
from stage_version where item_group = 'appointment' and item_values ? 'contract_id'
"""


_LOCK_CONTRACTS = f"""
select (select count(distinct golden_id) from ({_CONTRACTS}) named), count(*)
from ({_lock(_CONTRACTS, "share skip locked")}) locked
"""


def lock_contracts(connection: psycopg.Connection) -> bool:
    """Keep the contracts that staged appointments name as they are until the transaction ends; tell whether all are.

    Whoever changes one waits, and finds the appointments then. They are locked out of order, so without waiting for one
    that is being changed.
    """
    named, locked_ones = connection.execute(_LOCK_CONTRACTS).fetchone() or (0, 0)
    return bool(named == locked_ones)


def lock_awaited(connection: psycopg.Connection) -> bool:
    """Lock the contracts and linked points that records about to be held back wait for; tell whether there are any.

    Whoever brings these at the same moment either has committed, so that looking again finds them, or waits until what
    is held back can be seen. They are locked out of order, so without waiting; raises SerializationFailure.
    """
    try:
        return connection.execute(_LOCK_AWAITED).fetchone() != (0,)
    except psycopg.errors.LockNotAvailable as error:
        raise psycopg.errors.SerializationFailure("what a record waits for is being mastered: tried again") from error


_OF_OWN = """
    with own as ({own}), point as (
        select r.golden_id from own cross join lateral (
            select {point} as golden_id from golden.source_record r
            where r.golden_id = own.golden_id and r.item_group in ('appointment', 'asset') offset 0) r
    )
    select golden_id from own
    union all
    select golden_id from point
    union all
    select m.golden_id from point p
    cross join lateral (select golden_id from golden.meter m where m.metering_point_id = p.golden_id offset 0) m
"""


def lock_ids(connection: psycopg.Connection, golden_ids: list[int]) -> None:
    """Lock these golden records, the points of the appointments and meters among them, and the meters at those points.

    So whoever masters a point at the same time, and projects it, either sees these or is seen by them.
    """
    own = "select unnest(%s::bigint[]) as golden_id"
    connection.execute(_lock(_OF_OWN.format(own=own, point=redirects.POINT)), [rows.bigints(golden_ids)])


def lock_events(connection: psycopg.Connection) -> None:
    """Do the same for the golden records of the staged events."""
    own = "select distinct golden_id from stage_event"
    connection.execute(_lock(_OF_OWN.format(own=own, point=redirects.POINT)))
