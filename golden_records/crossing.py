"""The inline checks across records: the rules put to what a part stages, as of each of its transactions.

What is true of a point, its suppliers, contracts and appointments is what this part says of it until the transaction,
and what is stored besides. A record that a rule of severity E speaks against is noted in stage_violation, for
quarantine to hold; what is wrong of records that stand already is left to the verdicts on the store.
"""

from collections.abc import Set as AbstractSet
from functools import cache

import psycopg

from golden_records import asof, catalogue, checks, doubting, staging
from rules import registry
from rules.model import Scope

_POINT_GROUPS = {
    item.name: group.name
    for group in catalogue.load().entity("metering_point").groups
    for item in group.items
    if item.name in {*Scope.POINT.columns, *Scope.LINK.columns, "created_date", "disconnection_date"}
}
_JUDGED_GROUPS = ("connection", "metered", "direction", "segment", "profile", "consent", "link")
STATE_GROUPS = ("registration", "supplier", *_JUDGED_GROUPS)
"""The groups of a point whose state as of a transaction the rules ask for."""

# Once some records are held back, of what stands at the points in doubt alone; contracts and links are asked for from
# elsewhere, and few.
_SAID = f"""
insert into stage_said
select v.golden_id, v.golden_id, v.item_group, v.source_id, v.source_key, v.tx, v.until_tx, v.effective_from,
       v.effective_to, v.item_values, v.change_id
from stage_version v where v.op = 'u' and v.item_group = any (%(groups)s)
  and (v.item_group = 'link' or {doubting.judged("v.golden_id")})
union all
select v.prior_golden_id, v.prior_golden_id, v.item_group, v.source_id, v.source_key, v.tx, null, null, null, null, null
from stage_version v
where v.prior_golden_id is distinct from v.golden_id and v.prior_golden_id is not null
  and v.item_group = any (%(groups)s)
union all
select * from (
    select case s.item_group when 'contract' then s.golden_id
                             else (s.item_values ->> 'metering_point_id')::bigint end as anchor_id,
           s.golden_id, s.item_group, null::int, null, s.tx,
           lead(s.tx) over (partition by s.golden_id, s.item_group order by s.tx), null::timestamptz, null::timestamptz,
           s.item_values, s.change_id
    from stage_survivor s where s.item_group in ('contract', 'appointment') and not s.is_aside
) s where s.item_group = 'contract' or {doubting.judged("s.anchor_id")}
union all
select a.metering_point_id, s.golden_id, s.item_group, null, null, s.tx, null, null, null, null, null
from stage_survivor s
cross join lateral (select metering_point_id from golden.appointment g where g.golden_id = s.golden_id offset 0) a
where s.item_group = 'appointment' and not s.is_aside and {doubting.judged("a.metering_point_id")}
  and a.metering_point_id is distinct from (s.item_values ->> 'metering_point_id')::bigint
"""

_STATE = f"""
with said as (
    select golden_id, item_group, tx as from_tx, item_values,
           lead(tx) over (partition by golden_id, item_group order by tx) as until_tx
    from stage_survivor where entity = 'metering_point' and item_group = any (%(groups)s)
), subject as (
    select point_id as golden_id, tx from stage_version
    where op = 'u' and item_group in ('appointment', 'asset', 'provider') and {doubting.judged("point_id")}
      and point_id is not null
    union select golden_id, tx from stage_event where entity = 'metering_point' and item_group = any (%(judged)s)
      and (item_group = 'link' or {doubting.judged("golden_id")})
    union select c.golden_id, v.tx from stage_version v
    cross join lateral (select golden_id from golden.crosswalk c where c.entity = 'metering_point'
                        and c.key = v.item_values ->> 'linked_mpan' and c.unlinked_at is null offset 0) c
    where v.op = 'u' and v.item_group = 'link'
)
insert into stage_state (golden_id, tx, said, groups)
select u.golden_id, u.tx, golden.merge(s.item_values), array_agg(s.item_group)
from subject u
join said s on s.golden_id = u.golden_id and s.from_tx <= u.tx and (s.until_tx is null or s.until_tx > u.tx)
group by u.golden_id, u.tx
"""

# Once a rule of an earlier step speaks, what else is wrong is seen when its records are held back.
_UNDISTURBED = """
not exists (select from stage_violation b join stage_version w
            on w.source_id = b.source_id and w.seq = b.change_no and w.source_key = b.source_key
               and w.item_group = b.item_group where b.severity = 'E')"""

_BROKEN = """
select distinct r.source_id, r.seq, r.source_key, r.item_group, v.rule, v.severity
from ({rows} offset 0) r cross join lateral (values {rules}) v (rule, severity, violated)
where v.violated
"""

# What a rule says of a survivor, it says of the records that it comes from, as far as they came in that transaction.
_FROM_RECORD = """
(v.change_id = s.change_id or exists (select from jsonb_each_text(s.spoken) i where i.value = v.change_id::text))"""

_BROKEN_SURVIVOR = f"""(
with broken as materialized (
    select r.golden_id, r.tx, v.rule, v.severity
    from ({{rows}}) r cross join lateral (values {{rules}}) v (rule, severity, violated) where v.violated
)
select distinct v.source_id, v.seq, v.source_key, v.item_group, b.rule, b.severity
from broken b
join (values {{groups}}) i (rule, item_group) using (rule)
join (select * from stage_survivor where golden_id in (select golden_id from broken)) s
    on s.golden_id = b.golden_id and s.tx = b.tx and s.item_group = i.item_group
join (select * from stage_version where golden_id in (select golden_id from broken)) v
    on v.golden_id = s.golden_id and v.tx = s.tx and v.item_group = s.item_group and v.op = 'u' and v.source_id <> 0
where not s.is_aside and {_FROM_RECORD})
"""


def _of_point(name: str, *, state: str = "st", golden: str = "g") -> str:
    """Write an item of the point as of the transaction: what this part says, else the golden record."""
    cast = "::date" if name.endswith("_date") else "::boolean" if name == "metered_indicator" else ""
    said = f"({state}.said ->> '{name}'){cast}"
    return f"case when '{_POINT_GROUPS[name]}' = any ({state}.groups) then {said} else {golden}.{name} end"


_POINT = f"""
    select u.golden_id, u.tx, {
    ", ".join(
        f"{_of_point(name)} as {name}"
        for name in _POINT_GROUPS
        if name in Scope.POINT.columns and name != "mpan_status"
    )
},
           null::boolean as gsp_is_of_distributor, null::text as mpan_status, null::boolean as is_served,
           (select coalesce(array_agg(coalesce(m.meter_type, '?')), '{{}}'::text[]) from golden.meter m
            where m.metering_point_id = u.golden_id and m.removal_date is null) as fitted_types
    from (select distinct golden_id, tx from stage_event
          where entity = 'metering_point' and not is_aside
            and item_group in ({", ".join(repr(group) for group in _JUDGED_GROUPS)})
            and {doubting.judged("golden_id", Scope.POINT)}) u
    left join stage_state st on st.golden_id = u.golden_id and st.tx = u.tx
    left join lateral (select * from golden.metering_point g where g.golden_id = u.golden_id offset 0) g on true"""

_SUPPLIER_PERIOD = f"""
    select r.source_id, r.seq, r.source_key, r.item_group, {asof.period_columns("r")}
    from stage_version r {asof.RANKED_FIRST.format(record="r", item_group="supplier")}
    {asof.said("sp", "r.golden_id", "supplier")}
    left join lateral ({
    asof.EARLIER_PERIODS.format(records=asof.staged_records("r.golden_id", "supplier", told="sp.told"), record="r")
}) o on true
    where r.op = 'u' and r.item_group = 'supplier' and {doubting.judged("r.golden_id", Scope.SUPPLIER_PERIOD)}"""

_PARTNER = {"state": "sl", "golden": "l"}
_LINK = f"""
    select r.source_id, r.seq, r.source_key, r.item_group,
           r.item_values ->> 'link_kind' as link_kind, r.item_values ->> 'linked_mpan' as linked_mpan,
           exists ({asof.staged_records("r.partner_id", "link", told="ll.told", alias="b")}
                   and b.source_id = r.source_id
                   and b.item_values ->> 'link_kind' = {asof.opposite("r.item_values ->> 'link_kind'")}
                   and b.item_values ->> 'linked_mpan' <> r.mpan) as is_linked_to_other,
           {_of_point("connection_type")} as connection_type, {_of_point("energy_direction")} as energy_direction,
           {_of_point("supplier_mpid")} as supplier_mpid,
           {_of_point("connection_type", **_PARTNER)} as linked_connection_type,
           {_of_point("energy_direction", **_PARTNER)} as linked_direction,
           {_of_point("supplier_mpid", **_PARTNER)} as linked_supplier
    from (select v.*, (
                     select key from (select * from golden.crosswalk c where c.golden_id = v.golden_id offset 0) c
                     where c.entity = 'metering_point' and c.unlinked_at is null limit 1) as mpan,
                 (select golden_id from golden.crosswalk c where c.entity = 'metering_point'
                  and c.key = v.item_values ->> 'linked_mpan' and c.unlinked_at is null) as partner_id
          from stage_version v where v.op = 'u' and v.item_group = 'link') r
    {asof.RANKED_FIRST.format(record="r", item_group="link")}
    {asof.said("ll", "r.partner_id", "link")}
    left join stage_state st on st.golden_id = r.golden_id and st.tx = r.tx
    left join stage_state sl on sl.golden_id = r.partner_id and sl.tx = r.tx
    left join lateral (select * from golden.metering_point g where g.golden_id = r.golden_id offset 0) g on true
    left join lateral (select * from golden.metering_point l where l.golden_id = r.partner_id offset 0) l on true
    where {doubting.judged("r.golden_id", Scope.LINK)} or {doubting.judged("r.partner_id", Scope.LINK)}"""

# Few points are terminated or disconnected, and few of the records are theirs.
_RECORD_AT_POINT = f"""
    with ended as materialized (
        select * from (
            select g.golden_id, -1 as from_tx,
                   (select min(s.tx) from stage_survivor s
                    where s.golden_id = g.golden_id and s.item_group = 'registration') as until_tx,
                   g.mpan_status, g.disconnection_date
            from (select distinct coalesce(point_id, golden_id) as golden_id from stage_version
                  where op = 'u' and {doubting.judged("coalesce(point_id, golden_id)", Scope.RECORD_AT_POINT)}) u
            cross join lateral (select * from golden.metering_point g where g.golden_id = u.golden_id offset 0) g
            union all
            select golden_id, tx, lead(tx) over (partition by golden_id order by tx), item_values ->> 'mpan_status',
                   (item_values ->> 'disconnection_date')::date
            from stage_survivor where item_group = 'registration'
        ) p where mpan_status in ('T', 'X') and {doubting.judged("golden_id", Scope.RECORD_AT_POINT)}
    )
    select r.source_id, r.seq, r.source_key, r.item_group,
           (r.effective_from at time zone 'Europe/London')::date as first_day,
           case r.item_group when 'appointment' then r.item_values ->> 'status' end as appointment_status,
           p.mpan_status, p.disconnection_date
    from ended p
    join (select * from stage_version r
          where op = 'u' and source_id <> 0 and item_group in ({asof.DATED_GROUPS})
            and coalesce(point_id, golden_id) in (select golden_id from ended) offset 0) r
        on coalesce(r.point_id, r.golden_id) = p.golden_id
        and p.from_tx <= r.tx and (p.until_tx is null or p.until_tx > r.tx)"""

# How much a meter's record says of its meter is known before it is known what survives of it.
_METER_AT_POINT = f"""
    select r.source_id, r.seq, r.source_key, r.item_group, r.item_values ->> 'meter_id' as meter_id,
           {_of_point("connection_type")} as connection_type,
           (r.item_values ->> 'installation_date')::date as installation_date,
           (r.item_values ->> 'removal_date')::date as removal_date,
           {_of_point("created_date")} as created_date, {_of_point("disconnection_date")} as disconnection_date,
           exists ({asof.staged_records("r.golden_id", "asset", told="sm.told")}
                   and {asof.SAID_BEFORE.format(one="o", other="r")}
                   and {asof.SAME_FITTING.format(one="o", other="r")}) as is_twice_at_point,
           case when w.kind in ('MSS', 'MSA', 'UMSO') and {
    asof.WRITES_UNAPPOINTED.format(
        appointments=asof.staged_appointments("r.point_id", told="sa.told"), writer="w.participant", day="d.day"
    )
}
                then w.participant end as unappointed_writer
    from stage_version r
    join golden.source_system w on w.source_id = r.source_id
    {asof.said("sm", "r.golden_id", "asset")}
    {asof.said("sa", "r.point_id", "appointment")}
    left join lateral (select case when w.kind in ('MSS', 'MSA', 'UMSO') then {
    asof.DAY_OF_CHANGE.format(change_id="r.change_id")
} end as day) d on true
    left join stage_state st on st.golden_id = r.point_id and st.tx = r.tx
    left join lateral (select * from golden.metering_point g where g.golden_id = r.point_id offset 0) g on true
    where r.op = 'u' and r.item_group = 'asset' and r.source_id <> 0 and {doubting.judged("r.golden_id")}"""

_PROVIDER = f"""
    select r.source_id, r.seq, r.source_key, r.item_group, p.mpid as asset_provider_mpid,
           p.day as asset_provider_from,
           {asof.IS_PARTICIPANT.format(mpid="p.mpid", role="'MAP'", day="p.day")} as is_provider,
           (select min((a.item_values ->> 'installation_date')::date)
            from ({asof.staged_records("r.golden_id", "asset", told="sm.told")}) a
            where a.source_id = r.source_id) as installation_date
    from stage_version r
    {asof.said("sm", "r.golden_id", "asset")}
    cross join lateral (select r.item_values ->> 'asset_provider_mpid' as mpid,
                               (r.item_values ->> 'asset_provider_from')::date as day offset 0) p
    where r.op = 'u' and r.item_group = 'provider' and p.mpid is not null
      and r.source_id <> 0 and {doubting.judged("r.golden_id")}"""

_SAID_OF = "s.item_values ->> '{0}' as {0}"
_CHANGE_OF = "coalesce((s.spoken ->> '{0}')::bigint, s.change_id)"
_APPOINTMENT_AT_POINT = f"""
    select s.golden_id, s.tx, {
    ", ".join(
        _SAID_OF.format(name) for name in ("role", "status", "service_mpid", "supplier_mpid", "contract_reference")
    )
},
           s.appointed_from, (s.item_values ->> 'appointed_to')::date as appointed_to,
           {asof.IS_RANKED_FIRST.format(change_id=_CHANGE_OF.format("role"), item_group="appointment")}
               as is_registered,
           {_of_point("market_segment")} as market_segment, {_of_point("connection_type")} as connection_type,
           {
    asof.REGISTERED_SUPPLIER.format(
        records=asof.staged_records("s.point_id", "supplier", told="sp.told", tx="s.tx"), day="s.appointed_from"
    )
}
               as registered_supplier,
           c.golden_id is not null as contract_is_known, c.supplier_mpid as contract_supplier,
           c.service_mpid as contract_service, c.contract_from, c.contract_to,
           c.connection_types as contract_connection_types, c.segments as contract_segments,
           {
    asof.SERVES_DISTRIBUTOR.format(
        mpid="s.item_values ->> 'service_mpid'",
        role="s.item_values ->> 'role'",
        mpan="s.item_values ->> 'mpan'",
        day="s.appointed_from",
    )
}
               as serves_distributor,
           coalesce(o.overlap, false) as overlaps_earlier, coalesce(o.gap, false) as leaves_gap,
           ({_of_point("link_kind")}) is not distinct from 'IMPORT' as is_linked_export,
           ({_of_point("link_kind")}) is not distinct from 'PRIMARY' as is_related_secondary,
{
    asof.DAY_ASKED.format(
        change_id="coalesce(b.asked_id, " + _CHANGE_OF.format("appointed_from") + ")", first_day="s.appointed_from"
    )
}
               as asked_on,
           {asof.DAY_OF_CHANGE.format(change_id="coalesce(b.said_id, " + _CHANGE_OF.format("status") + ")")} as said_on
    from (
        select s.*, (s.item_values ->> 'metering_point_id')::bigint as point_id, s.item_values ->> 'role' as role,
               (s.item_values ->> 'contract_id')::bigint as contract_id,
               (s.item_values ->> 'appointed_from')::date as appointed_from
        from stage_survivor s
        where s.item_group = 'appointment' and not s.is_aside and s.item_values is not null
          and {doubting.judged("s.golden_id", Scope.APPOINTMENT_AT_POINT)} and exists (
            select from stage_version v where v.golden_id = s.golden_id and v.tx = s.tx
                and v.item_group = s.item_group and v.op = 'u' and v.source_id <> 0 and {_FROM_RECORD})
        offset 0) s
    left join lateral (
        select (b.lineage ->> 'appointed_from')::bigint as asked_id,
               case when b.status = s.item_values ->> 'status' then (b.lineage ->> 'status')::bigint end as said_id
        from golden.appointment b where b.golden_id = s.golden_id offset 0) b on true
    {asof.said("sp", "s.point_id", "supplier")}
    {asof.said("sa", "s.point_id", "appointment")}
    {asof.said("sc", "s.contract_id", "contract")}
    left join lateral ({asof.staged_contract("s.contract_id", told="sc.told", tx="s.tx")} limit 1) c on true
    left join lateral ({
    asof.EARLIER_APPOINTMENTS.format(
        appointments=asof.staged_appointments("s.point_id", told="sa.told", tx="s.tx"), appointment="s"
    )
}) o on true
    left join stage_state st on st.golden_id = s.point_id and st.tx = s.tx
    left join lateral (select * from golden.metering_point g where g.golden_id = s.point_id offset 0) g on true"""


# The rows of each scope, the groups of items of which any must be staged (None: whatever is), and whether they are what
# survived, not records.
_PUT: dict[Scope, tuple[str, AbstractSet[str] | None, bool]] = {
    Scope.POINT: (_POINT, {*_JUDGED_GROUPS}, True),
    Scope.RECORD_AT_POINT: (_RECORD_AT_POINT, None, False),
    Scope.SUPPLIER_PERIOD: (_SUPPLIER_PERIOD, {"supplier"}, False),
    Scope.LINK: (_LINK, {"link"}, False),
    Scope.APPOINTMENT_AT_POINT: (_APPOINTMENT_AT_POINT, {"appointment"}, True),
    Scope.METER_AT_POINT: (_METER_AT_POINT, {"asset"}, False),
    Scope.PROVIDER: (_PROVIDER, {"provider"}, False),
}
ALL = frozenset(_PUT)
"""The scopes whose rules are put here."""
POINTS = frozenset({Scope.POINT})
"""What a point says of itself; a rule asks which meters are fitted there."""


def check(
    connection: psycopg.Connection,
    groups: AbstractSet[str],
    *,
    scopes: AbstractSet[Scope] = ALL,
    is_state_known: bool = False,
    is_whole: bool = False,
) -> int:
    """Put the rules across records to what is staged, FIRST groups and appointments chosen; return how many broke.

    `is_state_known` says that the states of points are worked out, and that what was chosen of them is the same;
    `is_whole` that all that is stored of the staged golden records is staged.
    """
    queries = _queries(frozenset(groups), frozenset(scopes), registry.edition(), is_whole=is_whole)
    if not queries:
        return 0
    with staging.pipelined(connection):
        if not is_state_known:
            connection.execute(_SAID, {"groups": ["supplier", "link", "asset"]})
        with staging.frames_only(connection):  # what is stored is looked up by its key all the same
            connection.execute("set local enable_sort = off")  # keys are hashed: how many is not known beforehand
            if not is_state_known:
                connection.execute(_STATE, {"groups": list(STATE_GROUPS), "judged": list(_JUDGED_GROUPS)})
            checked = [connection.execute(query) for query in queries]
            connection.execute("set local enable_sort = on")
    staging.wait(connection)
    return sum(cursor.rowcount for cursor in checked)


_FORGET = """
delete from stage_violation b using stage_version v
where b.severity = 'E' and v.source_id = b.source_id and v.seq = b.change_no and v.source_key = b.source_key
    and v.item_group = b.item_group
"""


def check_again(connection: psycopg.Connection, groups: AbstractSet[str], *, scopes: AbstractSet[Scope] = ALL) -> int:
    """Do the same once more, as for the first time: what was waited for may have come meanwhile."""
    with staging.pipelined(connection):
        for statement in (_FORGET, "delete from stage_said", "delete from stage_state"):
            connection.execute(statement)
        return check(connection, groups, scopes=scopes)


@cache
def _queries(groups: frozenset[str], scopes: frozenset[Scope], _edition: int, *, is_whole: bool) -> tuple[str, ...]:
    """Return a statement for each step of which anything is to be put; each but the first only where none spoke yet."""
    steps = (
        " union all ".join(filter(None, (_broken(s, groups) for s in step if s in scopes))) for step in doubting.STEPS
    )
    return tuple(
        f"{checks.INSERT} {asof.SAID} select * from ({query}) put {f'where {_UNDISTURBED}' if place else ''}"
        for place, query in enumerate(step.replace(asof.IS_WHOLE, str(is_whole).lower()) for step in steps)
        if query
    )


def _broken(scope: Scope, groups: frozenset[str]) -> str:
    rows, read, are_survivors = _PUT[scope]
    rules = checks.values(scope)
    if not rules or (read is not None and not groups & read):
        return ""
    if not are_survivors:
        return _BROKEN.format(rows=rows, rules=rules)
    of_rules = ", ".join(
        f"({rule.code}, '{group}')" for rule in registry.list_of_scope(scope) for group in groups_of(rule.items)
    )
    return _BROKEN_SURVIVOR.format(rows=rows, rules=rules, groups=of_rules)


def groups_of(items: tuple[str, ...]) -> list[str]:
    """Return the groups of these items, over all entities."""
    return [group.name for _, group in catalogue.load().groups() if {item.name for item in group.items} & {*items}]
