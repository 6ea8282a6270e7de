"""Pieces of SQL out of which the rows of scopes are made: the facts across records that rules ask for.

Each is written over names that stand in braces, so that one text serves what is stored and what is staged.
"""

from golden_records import catalogue, journal

DATED_GROUPS = ", ".join(
    f"'{group.name}'"
    for entity, group in catalogue.load().groups()
    if entity.name in {"metering_point", "appointment"} and group.name != "registration"
)
"""The groups whose records begin on a day, as SQL literals."""

IS_PARTICIPANT = """
case when exists (select from golden.participant q where q.role = {role}) then exists (
    select from golden.participant q where q.mpid = {mpid} and q.role = {role} and q.valid_from <= {day}
       and coalesce(q.valid_to, 'infinity') >= {day}) end"""

_DATE = "({record}.item_values ->> '{item}')::date"
_LOCAL = "({record}.effective_from at time zone 'Europe/London')::date"


def _first_day(item: str) -> str:
    return f"coalesce({_DATE.replace('{item}', item)}, {_LOCAL}, '-infinity')"


PARTIES = f"""
('supplier', {{record}}.item_values ->> 'supplier_mpid', 'SUPPLIER', {_first_day("supplier_from")}),
('contract', {{record}}.item_values ->> 'supplier_mpid', 'SUPPLIER', {_first_day("contract_from")}),
('contract', {{record}}.item_values ->> 'service_mpid', {{record}}.item_values ->> 'role', {_first_day("contract_from")}),
('appointment', {{record}}.item_values ->> 'supplier_mpid', 'SUPPLIER', {_first_day("appointed_from")}),
('appointment', {{record}}.item_values ->> 'service_mpid', {{record}}.item_values ->> 'role',
 {_first_day("appointed_from")})"""
"""Whom a record names: rows of item_group, mpid, party_role, on_day."""

GSP_PAIR = """
case when {mpan} is not null and {gsp_group} is not null then exists (
    select from golden.distributor_area d where d.distributor = substr({mpan}, 1, 2) and d.gsp_group = {gsp_group}
       and d.valid_from <= coalesce({day}, d.valid_from) and coalesce(d.valid_to, 'infinity') >= coalesce({day}, '-infinity'))
end"""

RANKED_FIRST = """
join golden.source_rank k on k.source_id = {record}.source_id and k.item_group = '{item_group}' and k.place = 0"""

IS_RANKED_FIRST = f"""
exists (select from golden.source_rank k where k.source_id = {journal.SOURCE_OF.format(change_id="{change_id}")}
        and k.item_group = '{{item_group}}' and k.place = 0)"""

DAY_OF_CHANGE = """
(select (j.committed_at at time zone 'Europe/London')::date from golden.journal j
 where j.change_id = {change_id} and j.op <> 'r')"""
"""The local day on which a source said something; null where an initial load brought it."""


def stored_records(golden_id: str, item_group: str, alias: str = "o") -> str:
    """Select what sources say now of one group of one golden record, up to a where clause that may be added to."""
    return f"""
    select {alias}.* from golden.source_record {alias}
    where {alias}.golden_id = {golden_id} and {alias}.item_group = '{item_group}'"""


def period_columns(record: str) -> str:
    """Write the columns of a supplier period out of its record and the earlier ones, `o`."""
    return f"""
    ({record}.effective_from at time zone 'Europe/London')::date as first_day,
    coalesce(o.last_end > {record}.effective_from, false) as overlaps_earlier,
    coalesce(o.last_end < {record}.effective_from, false) as leaves_gap"""


EARLIER_PERIODS = """
select max(coalesce(e.effective_to, 'infinity')) as last_end from ({records}) e
where e.source_id = {record}.source_id and e.effective_from < {record}.effective_from"""

REGISTERED_SUPPLIER = f"""
(select case when count(*) > 0 then coalesce((array_agg(h.supplier order by h.first_day desc)
                                              filter (where h.first_day <= {{day}} and h.last_day >= {{day}}))[1], '') end
 from (select e.item_values ->> 'supplier_mpid' as supplier, {_first_day("supplier_from").format(record="e")} as first_day,
              coalesce((e.item_values ->> 'supplier_to')::date, 'infinity') as last_day
       from ({{records}}) e {RANKED_FIRST.format(record="e", item_group="supplier")}) h)"""

SERVES_DISTRIBUTOR = """
case when exists (select from golden.operator_area q where q.role = {role}) then exists (
    select from golden.operator_area q where q.mpid = {mpid} and q.role = {role}
       and q.distributor = substr({mpan}, 1, 2) and q.valid_from <= {day}
       and coalesce(q.valid_to, 'infinity') >= {day}) end"""

HAS_LINK = f"""
exists (select from ({{records}}) e {RANKED_FIRST.format(record="e", item_group="link")}
        where e.item_values ->> 'link_kind' = '{{kind}}')"""


def opposite(kind: str) -> str:
    """Write what a link is called at its other end."""
    return (
        f"case {kind} when 'IMPORT' then 'EXPORT' when 'EXPORT' then 'IMPORT'"
        " when 'PRIMARY' then 'SECONDARY' else 'PRIMARY' end"
    )


def appointment_columns(appointment: str) -> str:
    """Write the columns that the appointment itself says."""
    names = ("role", "status", "service_mpid", "supplier_mpid", "contract_reference", "appointed_from", "appointed_to")
    return ", ".join(f"{appointment}.{name}" for name in names)


def stored_appointments(point_id: str) -> str:
    """Select the golden appointments of a point."""
    return f"""
    select o.golden_id, o.role, o.status, o.service_mpid, o.appointed_from, o.appointed_to,
           {IS_RANKED_FIRST.format(change_id="(o.lineage ->> 'role')::bigint", item_group="appointment")} as is_registered
    from golden.appointment o where o.metering_point_id = {point_id}"""


_COUNTED = "e.status in ('accepted', 'active', 'de-appointed') and e.is_registered"


def appointment_neighbours(appointment: str, appointments: str) -> str:
    """Write whether the appointments of a point before this one overlap it, or leave a day before it to nobody."""
    ends = "coalesce(e.appointed_to, 'infinity')"
    return f"""
    exists (select from ({appointments}) e
            where {_COUNTED} and e.role = {appointment}.role and e.appointed_from < {appointment}.appointed_from
              and {ends} >= {appointment}.appointed_from) as overlaps_earlier,
    (select bool_or(e.role = {appointment}.role) and max({ends}) < {appointment}.appointed_from - 1
     from ({appointments}) e
     where {_COUNTED} and e.appointed_from < {appointment}.appointed_from) is true as leaves_gap"""


SAID_BEFORE = """
{one}.source_id = {other}.source_id and {one}.source_key <> {other}.source_key
and ({one}.change_id, {one}.source_key) < ({other}.change_id, {other}.source_key)"""

SAME_FITTING = """
{one}.item_values ->> 'metering_point_id' = {other}.item_values ->> 'metering_point_id'
and coalesce({one}.item_values ->> 'removal_date', 'infinity')::date
    > coalesce({other}.item_values ->> 'installation_date', '-infinity')::date
and coalesce({other}.item_values ->> 'removal_date', 'infinity')::date
    > coalesce({one}.item_values ->> 'installation_date', '-infinity')::date"""

WRITES_UNAPPOINTED = """
(select bool_or(e.service_mpid <> {writer}) and not bool_or(e.service_mpid = {writer})
 from ({appointments}) e
 where e.status not in ('proposed', 'lapsed') and e.appointed_from <= {day}
   and coalesce(e.appointed_to, 'infinity') >= {day})"""
"""Whether another service is appointed on a day, and this one is not; null where the day is."""

SERIAL = "upper(replace({meter_id}, ' ', ''))"
IS_SERIAL = """
upper(regexp_replace({meter_id}, '[^[:alnum:]]', '', 'g')) !~ '^(0*|9+|X+|UNKNOWN|TBC|TBA|NONE|NA|NULL|DUMMY|TEST)$'"""
"""Whether a meter id is one, and no placeholder."""
