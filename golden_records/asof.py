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
    select from golden.participant q where q.mpid = {mpid} and q.role = {role}
       and ({day} is null or q.valid_from <= {day} and coalesce(q.valid_to, 'infinity') >= {day})) end"""
"""Whether somebody takes part in a role on a day, or ever where the day is not known; null where nobody does."""

PARTICIPANTS = """
left join (select mpid, role, range_agg(daterange(valid_from, valid_to, '[]')) as days
           from golden.participant group by 1, 2) q on q.mpid = n.mpid and q.role = n.party_role
left join (select distinct role from golden.participant) k on k.role = n.party_role"""
IS_AMONG_PARTICIPANTS = "case when k.role is not null then q.days is not null and (n.on_day <@ q.days) is not false end"
"""The same for many parties, each `n`: joined once."""

_DATE = "({record}.item_values ->> '{item}')::date"
_LOCAL = "({record}.effective_from at time zone 'Europe/London')::date"


def _first_day(item: str) -> str:
    return f"coalesce({_DATE.replace('{item}', item)}, {_LOCAL})"


_ROLE = "{record}.item_values ->> 'role'"
_PARTIES = (
    ("supplier", "supplier_mpid", "'SUPPLIER'", "supplier_from"),
    ("contract", "supplier_mpid", "'SUPPLIER'", "contract_from"),
    ("contract", "service_mpid", _ROLE, "contract_from"),
    ("appointment", "supplier_mpid", "'SUPPLIER'", "appointed_from"),
    ("appointment", "service_mpid", _ROLE, "appointed_from"),
)


NAMING_PARTIES = {group for group, *_ in _PARTIES}
"""The groups whose records name parties."""


def parties(table: str, columns: str, where: str) -> str:
    """Select whom the records `r` of a table name, with these columns of theirs: mpid, party_role, on_day."""
    return " union all ".join(
        f"select {columns}, r.item_values ->> '{mpid}' as mpid, {role.format(record='r')} as party_role,"
        f" {_first_day(first_day).format(record='r')} as on_day"
        f" from {table} r where r.item_group = '{group}' and r.item_values ->> '{mpid}' is not null and {where}"
        for group, mpid, role, first_day in _PARTIES
    )


GSP_PAIR = """
case when {mpan} is not null and {gsp_group} is not null then exists (
    select from golden.distributor_area d where d.distributor = substr({mpan}, 1, 2) and d.gsp_group = {gsp_group}
       and ({day} is null or d.valid_from <= {day} and coalesce(d.valid_to, 'infinity') >= {day}))
end"""

RANKED_FIRST = """
join golden.source_rank k on k.source_id = {record}.source_id and k.item_group = '{item_group}' and k.place = 0"""

_FIRST = """
= any (array(select k.source_id::int from golden.source_rank k where k.item_group = '{item_group}' and k.place = 0))"""
IS_RANKED_FIRST = journal.SOURCE_OF.format(change_id="{change_id}") + _FIRST
"""Whether a change is of a system that comes first for a group; null where there is no change."""

# What loads have read, in blocks or not, was said on no day that is known: single changes alone are looked through.
DAY_OF_CHANGE = """
(select (j.committed_at at time zone 'Europe/London')::date from golden.journal_change j
 where j.change_id = {change_id} and j.op <> 'r')"""
"""The local day on which a source said something; null where an initial load brought it."""

# While a creation is held back, updates of its record renew it: the first of them that named this day asked for it.
# A record in order has none, so that only an update looks for one.
DAY_ASKED = """
(select (case j.op when 'c' then j.committed_at when 'u' then (
            select f.committed_at from golden.journalled((
                select coalesce(min(h.change_id) filter (where h.first_day = {first_day}), j.change_id)
                from (select q.change_id, (q.record -> 'item_values' ->> 'appointed_from')::date as first_day,
                             max(q.change_id) filter (where c.op = 'c') over () as created_id
                      from golden.quarantine q left join golden.journal_change c on c.change_id = q.change_id
                      where q.source_id = j.source_id and q.source_key = j.source_key
                        and q.item_group = 'appointment' and q.outcome = 'superseded'
                        and q.change_id < j.change_id) h
                where h.change_id >= h.created_id having count(*) > 0)) f) end at time zone 'Europe/London')::date
 from golden.journal_change j where j.change_id = {change_id} and j.op <> 'r')"""
"""The local day on which a source first named an appointment's first day; null where the hub did not see it asked for.

That is by its creation, or by an update of what is held back since its creation.
"""


def stored_records(golden_id: str, item_group: str, alias: str = "o") -> str:
    """Select what sources say now of one group of one golden record, up to a where clause that may be added to."""
    return f"""
    select {alias}.* from golden.source_record {alias}
    where {alias}.golden_id = {golden_id} and {alias}.item_group = '{item_group}'"""


SAID = """
with said as materialized (
    select anchor_id, item_group, array_agg(s) as told from stage_said s group by anchor_id, item_group)"""
"""What a part says of a golden record, or of what stands at one, as one array: so that it is joined, not searched."""

_NOW = "n.from_tx <= {tx} and coalesce(n.until_tx, 2147483647) > {tx}"


def said(alias: str, anchor_id: str, item_group: str) -> str:
    """Join what this part says of one group, `told`, under an alias."""
    return f"left join said {alias} on {alias}.anchor_id = {anchor_id} and {alias}.item_group = '{item_group}'"


IS_WHOLE = "{is_whole}"
"""Stands for whether all that is stored of what is staged is staged, so that nothing is to be looked for besides."""

# With their offset, few rows of an array are gone through for each row, and no hash table is made of them each time.
_STAGED_RECORDS = f"""
    select * from (
        select n.source_id, n.source_key, n.item_values, n.change_id, n.effective_from, n.effective_to
        from unnest({{told}}) n where n.item_values is not null and {_NOW.format(tx="{tx}")}
        union all
        select b.source_id, b.source_key, b.item_values, b.change_id, b.effective_from, b.effective_to
        from golden.source_record b
        where b.golden_id = {{golden_id}} and b.item_group = '{{item_group}}' and (
            {{told}} is null or not {{is_whole}} and not exists (
                select from unnest({{told}}) n
                where n.source_id = b.source_id and n.source_key = b.source_key and n.from_tx <= {{tx}} offset 0))
    ) {{alias}} where true"""


def staged_records(golden_id: str, item_group: str, *, told: str, tx: str = "r.tx", alias: str = "o") -> str:
    """Select the same as of a staged transaction: what this part says until then, and what is stored besides."""
    return _STAGED_RECORDS.format(
        golden_id=golden_id, item_group=item_group, told=told, tx=tx, alias=alias, is_whole=IS_WHOLE
    )


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
(select case when count(*) > 0 then coalesce((
            array_agg(h.supplier order by h.first_day desc)
            filter (where h.first_day <= {{day}} and h.last_day >= {{day}}))[1], '') end
 from (select e.item_values ->> 'supplier_mpid' as supplier,
              coalesce({_first_day("supplier_from").format(record="e")}, '-infinity') as first_day,
              coalesce((e.item_values ->> 'supplier_to')::date, 'infinity') as last_day
       from ({{records}}) e where e.source_id::int {_FIRST.format(item_group="supplier")}) h)"""

SERVES_DISTRIBUTOR = """
case when exists (select from golden.operator_area q where q.role = {role}) then exists (
    select from golden.operator_area q where q.mpid = {mpid} and q.role = {role}
       and q.distributor = substr({mpan}, 1, 2) and q.valid_from <= {day}
       and coalesce(q.valid_to, 'infinity') >= {day}) end"""


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
           {IS_RANKED_FIRST.format(change_id="(o.lineage ->> 'role')::bigint", item_group="appointment")}
               as is_registered
    from golden.appointment o where o.metering_point_id = {point_id}"""


_STAGED_APPOINTMENTS = f"""
    select n.golden_id, n.item_values ->> 'role' as role, n.item_values ->> 'status' as status,
           n.item_values ->> 'service_mpid' as service_mpid,
           (n.item_values ->> 'appointed_from')::date as appointed_from,
           (n.item_values ->> 'appointed_to')::date as appointed_to,
           {IS_RANKED_FIRST.format(change_id="n.change_id", item_group="appointment")} as is_registered
    from unnest({{told}}) n where n.item_values is not null and {_NOW.format(tx="{tx}")}
    union all
    {stored_appointments("{point_id}")} and not exists (
        select from unnest({{told}}) n where n.golden_id = o.golden_id and n.from_tx <= {{tx}} offset 0)"""


def staged_appointments(point_id: str, *, told: str, tx: str = "r.tx") -> str:
    """Select the same as of a staged transaction."""
    return _STAGED_APPOINTMENTS.format(point_id=point_id, told=told, tx=tx)


_CONTRACT_TEXTS = ("supplier_mpid", "service_mpid", "connection_types", "segments")
_CONTRACT_DATES = ("contract_from", "contract_to")
_STAGED_CONTRACT_ITEMS = ", ".join(
    (
        *(f"n.item_values ->> '{name}' as {name}" for name in _CONTRACT_TEXTS),
        *(f"(n.item_values ->> '{name}')::date as {name}" for name in _CONTRACT_DATES),
    )
)
_STAGED_CONTRACT = f"""
    select n.golden_id, {_STAGED_CONTRACT_ITEMS}
    from unnest({{told}}) n where n.item_values is not null and {_NOW.format(tx="{tx}")}
    union all
    select b.golden_id, {", ".join(f"b.{name}" for name in (*_CONTRACT_TEXTS, *_CONTRACT_DATES))}
    from golden.contract b where b.golden_id = {{contract_id}} and not exists (
        select from unnest({{told}}) n where n.from_tx <= {{tx}})"""


def staged_contract(contract_id: str, *, told: str, tx: str) -> str:
    """Select a contract as of a staged transaction; no row where nobody knows it then."""
    return _STAGED_CONTRACT.format(contract_id=contract_id, told=told, tx=tx)


_COUNTED = "e.status in ('accepted', 'active', 'de-appointed') and e.is_registered"


EARLIER_APPOINTMENTS = f"""
select bool_or(e.role = {{appointment}}.role and coalesce(e.appointed_to, 'infinity') >= {{appointment}}.appointed_from)
           as overlap,
       bool_or(e.role = {{appointment}}.role)
           and max(coalesce(e.appointed_to, 'infinity')) < {{appointment}}.appointed_from - 1 as gap
from ({{appointments}}) e where {_COUNTED} and e.appointed_from < {{appointment}}.appointed_from"""
"""Whether the appointments of a point before this one overlap it, or leave a day before it to nobody."""


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
