"""The rules of the domain, asked of the market's own databases: written anew, so that no error of the hub is shared.

Each query gives the MPANs that break the rule. Rule 38 has nothing to look at here; rule 39 is mdm.demo.agreement.
"""

from collections import defaultdict
from datetime import date
from importlib import resources
from typing import Any

import yaml

from mdm import db
from mdm.demo.market import REGISTRATIONS, Dsns, Source

STANDING = """
create temp table participant (mpid text, role text, valid_from date, valid_to date, distributors text[]);
create temp table area (distributor text, gsp_group text, valid_from date);
"""

VIEWS = """
create temp view segment_now as
    select distinct on (mpan) mpan, market_segment from market_segment order by mpan, effective_from desc;
create temp view connection_now as
    select distinct on (mpan) mpan, connection_type from connection_type order by mpan, effective_from desc;
create temp view direction_now as
    select distinct on (mpan) mpan, energy_direction from energy_direction order by mpan, effective_from desc;
create temp view metered_now as
    select distinct on (mpan) mpan, metered from metered_indicator order by mpan, effective_from desc;
create temp view energised_now as
    select distinct on (mpan) mpan, energisation_status from energisation_status order by mpan, effective_from desc;
create temp view address_now as
    select distinct on (mpan) * from site_address order by mpan, effective_from desc;
create temp view profile_now as
    select distinct on (mpan) * from settlement_profile order by mpan, effective_from desc;
create temp view meter_now as select *, upper(replace(meter_id, ' ', '')) as serial from meter_detail
    where removed_on is null;
create temp view live as select mpan from metering_point where mpan_status = 'R';
create temp view lawful_appointment as select * from appointment where status <> 'LAPSED';
"""

_HISTORIES = (
    *("connection_type", "energy_direction", "metered_indicator", "gsp_group", "duos_tariff", "market_segment"),
    *("energisation_status", "domestic_premises", "settlement_profile", "consent_granularity", "dcc_service_flag"),
    *("supplier_period", "site_address", "appointment"),
)

REGISTRATION_RULES: dict[int, str] = {
    1: """
        select mpan from metering_point
        where (select sum(substr(mpan, place::int, 1)::int * weight)
               from unnest(array[3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43]) with ordinality w (weight, place))
              %% 11 %% 10 <> right(mpan, 1)::int
        """,
    2: "select mpan from metering_point where left(mpan, 2) <> %(distributor)s",
    3: """
        select mpan from gsp_group g where not exists (
            select from area where distributor = left(mpan, 2) and gsp_group = g.gsp_group_id
               and valid_from <= g.effective_from)
        """,
    4: " union all ".join(
        f"select mpan from {table} join metering_point p using (mpan) where effective_from > p.disconnection_date"
        for table in _HISTORIES
    ),
    5: """
        select mpan from (
            select mpan, effective_from, effective_to, p.created_date, p.disconnection_date,
                   lag(effective_to) over w as before, row_number() over w as place,
                   lead(mpan) over w is null as is_last
            from supplier_period join metering_point p using (mpan)
            window w as (partition by mpan order by effective_from)) period
        where (place = 1 and effective_from <> created_date)
           or (place > 1 and effective_from is distinct from before + 1)
           or (is_last and effective_to is distinct from disconnection_date)
        """,
    6: """
        select mpan from appointment a where not exists (
            select from supplier_period s
            where s.mpan = a.mpan and s.supplier_mpid = a.supplier_mpid
              and a.effective_from between s.effective_from and coalesce(s.effective_to, 'infinity'))
        """,
    7: """
        select mpan from (
            select mpan, effective_to, lead(effective_from) over (partition by mpan, service_role
                                                                  order by effective_from) as next_from
            from lawful_appointment) appointed
        where next_from is not null and effective_to is distinct from next_from - 1
        """,
    8: "select mpan from appointment where effective_from > %(today)s::date + 28",
    9: "select mpan from appointment where status in ('PROPOSED', 'ACCEPTED') and effective_from < %(today)s",
    10: """
        select mpan from appointment where effective_from < (requested_at at time zone 'Europe/London')::date - 28
        """,
    11: "select mpan from appointment where contract_reference is null",
    12: """
        select mpan from appointment a where contract_reference is not null and not exists (
            select from service_contract c where c.supplier_mpid = a.supplier_mpid
               and c.reference = a.contract_reference)
        """,
    13: """
        select mpan from appointment a join segment_now using (mpan) join connection_now using (mpan)
        join service_contract c on c.supplier_mpid = a.supplier_mpid and c.reference = a.contract_reference
        where a.status = 'ACTIVE'
          and (c.service_mpid <> a.service_mpid or c.service_role <> a.service_role
               or position(market_segment in c.segments) = 0 or position(connection_type in c.connection_types) = 0
               or a.effective_from < c.effective_from or c.effective_to < a.effective_from)
        """,
    14: """
        select mpan from appointment join segment_now using (mpan)
        where status in ('ACTIVE', 'PROPOSED', 'ACCEPTED')
          and service_role <> case market_segment when 'S' then 'MSS' when 'A' then 'MSA' else 'UMSO' end
        """,
    15: """
        select mpan from appointment a where service_role = 'UMSO' and not exists (
            select from participant p where p.mpid = a.service_mpid and p.role = 'UMSO'
               and left(a.mpan, 2) = any(p.distributors))
        """,
    16: """
        select mpan from meter_detail join metered_now using (mpan) join segment_now using (mpan)
        where not metered or market_segment = 'U'
        """,
    17: """
        select mpan from metered_now join segment_now using (mpan) join connection_now using (mpan)
        where not ((connection_type = 'U') = (market_segment = 'U') and (market_segment = 'U') = (not metered))
        """,
    18: """
        select mpan from connection_now join segment_now using (mpan)
        where connection_type in ('L', 'H', 'E') and market_segment <> 'A'
        """,
    19: """
        select mpan from (
            select mpan, service_mpid as mpid, service_role as role, effective_from from appointment
            union all select mpan, supplier_mpid, 'SUPPLIER', effective_from from supplier_period
            union all select mpan, provider_mpid, 'MAP', effective_from from meter_asset_provider) named
        where not exists (select from participant p where p.mpid = named.mpid and p.role = named.role
                             and p.valid_from <= named.effective_from)
        """,
    20: """
        select mpan from appointment join linked_metering_point using (mpan) where link_kind in ('IMPORT', 'PRIMARY')
        """,
    21: """
        select l.mpan from linked_metering_point l join direction_now i on i.mpan = l.mpan
        join direction_now e on e.mpan = l.linked_mpan
        where l.link_kind = 'EXPORT' and (i.energy_direction <> 'I' or e.energy_direction <> 'E')
        """,
    22: """
        select mpan from linked_metering_point group by mpan, link_kind having count(*) > 1
        union all select mpan from linked_metering_point join segment_now using (mpan) where market_segment = 'U'
        union all
        select l.mpan from linked_metering_point l
        join direction_now d on d.mpan = l.mpan
        join supplier_period s on s.mpan = l.mpan and s.effective_to is null
        join supplier_period o on o.mpan = l.linked_mpan and o.effective_to is null
        where l.link_kind = 'SECONDARY' and (d.energy_direction <> 'I' or s.supplier_mpid <> o.supplier_mpid)
        """,
    23: """
        select mpan from meter_detail group by mpan, upper(replace(meter_id, ' ', '')) having count(*) > 1
        """,
    25: """
        select mpan from meter_detail join metering_point p using (mpan)
        where removed_on < installed_on or installed_on < p.created_date or installed_on > p.disconnection_date
        union all
        select m.mpan from meter_now m join meter_detail old on old.mpan = m.mpan and old.removed_on > m.installed_on
        """,
    27: """
        select mpan from meter_asset_provider p join meter_detail m using (mpan, meter_id)
        where p.effective_from < m.installed_on
        """,
    28: """
        select mpan from meter_detail
        where meter_type in ('S1', 'S2A', 'S2B') and coalesce(esme_id, '') !~ '^([0-9A-F]{2}-){7}[0-9A-F]{2}$'
        """,
    29: """
        select mpan from meter_detail
        where meter_type not in ('S1', 'S2A', 'S2B', 'N', 'K', 'T', 'H', 'RCAMR', 'NCAMR')
           or location !~ '^[A-PR-Z]$' or displayed_digits not between 0 and 9 or length(meter_id) > 10
        """,
    30: """
        select mpan from profile_now where profile_class !~ '^[0-9]{1,2}$' or ssc !~ '^[0-9]{4}$'
        union all
        select mpan from profile_now join meter_now using (mpan)
        where meter_type in ('N', 'K', 'T') and (profile_class is null or ssc is null)
        """,
    31: """
        select mpan from (select distinct on (mpan) * from consent_granularity order by mpan, effective_from desc) now
        join segment_now using (mpan)
        where granularity <> all(case market_segment when 'S' then array['H', 'D', 'M'] else array['N'] end)
        """,
    32: """
        select mpan from (select distinct on (mpan) * from dcc_service_flag order by mpan, effective_from desc) now
        join live using (mpan)
        where service_flag = 'A' and not exists (
            select from meter_now m where m.mpan = now.mpan and m.meter_type in ('S1', 'S2A', 'S2B'))
        """,
    33: """
        select mpan from live join metered_now using (mpan) join energised_now e using (mpan)
        where metered and energisation_status = 'E' and not exists (select from meter_now m where m.mpan = e.mpan)
        """,
    34: """
        select mpan from address_now
        where coalesce(postcode, '') !~ '^[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][ABD-HJLNP-UW-Z]{2}$'
        """,
    35: """
        select mpan from address_now
        where num_nonnulls(line_2, line_3, line_4, line_5, line_6, line_7, line_8, line_9) = 0
           or concat_ws(' ', line_1, line_2, line_3, line_4) ~* '(unknown|to be confirmed|xxx)'
        """,
    36: """
        select mpan from live where not exists (select from appointment a where a.mpan = live.mpan
                                                   and a.status = 'ACTIVE')
           and not exists (select from linked_metering_point l where l.mpan = live.mpan
                              and l.link_kind in ('IMPORT', 'PRIMARY'))
        """,
    37: """
        select mpan from supplier_period where effective_to < effective_from
        union all select mpan from appointment where effective_to < effective_from
        """,
}

SMART_SERVICE_RULES: dict[int, str] = {
    26: """
        select mpxn from device where not exists (
            select from appointment a where a.mpxn = device.mpxn and a.state = 'LIVE')
        """,
    28: """
        select mpxn from device
        where device_type in ('S1', 'S2A', 'S2B') and coalesce(esme_guid, '') !~ '^([0-9A-F]{2}-){7}[0-9A-F]{2}$'
        """,
    29: "select mpxn from device where device_type not in ('S1', 'S2A', 'S2B', 'N', 'K', 'T')",
}

# Rule 24 looks across systems: a meter that registration and MDS place at different points is crossed.
METERS_NOW = {
    **dict.fromkeys(
        REGISTRATIONS.values(),
        "select mpan, upper(replace(meter_id, ' ', '')) from meter_detail where removed_on is null",
    ),
    Source.MDS: "select mpan, upper(replace(meter_serial, ' ', '')) from settlement_meter where to_date is null",
}

RULES = sorted({*REGISTRATION_RULES, *SMART_SERVICE_RULES, 24})


def violations(dsns: Dsns, today: date) -> dict[int, set[str]]:
    """Return the MPANs that break each rule, over all registrations and the smart service."""
    found: dict[int, set[str]] = {rule: set() for rule in RULES}
    for distributor, source in REGISTRATIONS.items():
        with db.connect(dsns[source]) as connection:
            _write_standing(connection)
            for rule, query in REGISTRATION_RULES.items():
                found[rule] |= _mpans(connection, query, {"today": today, "distributor": distributor})
    with db.connect(dsns[Source.MSS]) as connection:
        for rule, query in SMART_SERVICE_RULES.items():
            found[rule] |= _mpans(connection, query, {})
    found[24] = _sharing_a_meter(dsns)
    return found


def _sharing_a_meter(dsns: Dsns) -> set[str]:
    points: dict[str, set[str]] = defaultdict(set)
    for source, query in METERS_NOW.items():
        with db.connect(dsns[source]) as connection:
            for mpan, serial in connection.execute(query):
                points[serial].add(mpan)
    return {mpan for sharing in points.values() if len(sharing) > 1 for mpan in sharing}


def _mpans(connection: db.Connection, query: str, parameters: dict[str, Any]) -> set[str]:
    return {mpan for (mpan,) in connection.execute(query, parameters)}


def _write_standing(connection: db.Connection) -> None:
    connection.execute(STANDING)
    connection.execute(VIEWS)
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into participant values (%s, %s, %s, %s, %s)",
            [
                (each["mpid"], each["role"], each["valid_from"], each.get("valid_to"), each.get("distributors", []))
                for each in _standing("mdm.demo", "participants.yaml")
            ],
        )
        cursor.executemany(
            "insert into area values (%s, %s, %s)",
            [
                (each["distributor"], group, each["valid_from"])
                for each in _standing("golden_records", "reference/gsp_groups.yaml")
                for group in each["gsp_groups"]
            ],
        )


def _standing(package: str, path: str) -> list[dict[str, Any]]:
    text = resources.files(package).joinpath(*path.split("/")).read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = yaml.safe_load(text)
    return entries
