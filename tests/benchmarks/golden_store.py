"""A golden store of so many metering points, each with an address, a meter, an appointment and source records.

It is written straight into the tables: mastering a million points takes longer than what is measured on them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from psycopg import sql

from golden_records import journal, reference
from mdm import db
from mdm.demo import reference as market
from mdm.embedded import EmbeddedServer

# One point in a thousand has each fault: a segment that does not fit, no postcode, a meter that was removed too early,
# another supplier at MDS.
_STATEMENTS = """
insert into golden.source_system (source_id, name, kind, participant, distributors)
values (1, 'smrs10', 'SMRS', 'EELC', array['10']), (2, 'mds', 'MDS', 'SETL', null);
insert into golden.source_rank
select distinct s, item_group, s - 1, null from golden.catalogue_item cross join generate_series(1, 2) s;
create temp table point on commit drop as
select n, core || (({weighted}) % 11 % 10) as mpan
from (select n, '10' || lpad(n::text, 10, '0') as core from generate_series(1, {records}) n) c;
insert into golden.golden_record values (1, 'contract', now());
insert into golden.contract (golden_id, version, reference, supplier_mpid, service_mpid, role, contract_from,
    connection_types, segments, lineage, updated_at)
values (1, 1, 'C1', 'ACRE', 'BOLT', 'MSS', '2019-01-01', 'WL', 'SA', '{{}}', now());
insert into golden.golden_record
select n * 4 + k, (array['metering_point', 'address', 'meter', 'appointment'])[k + 1], now()
from generate_series(1, {records}) n cross join generate_series(0, 3) k;
insert into golden.metering_point (golden_id, version, mpan, mpan_status, registration_status, created_date,
    connection_type, connection_from, energy_direction, direction_from, metered_indicator, metered_from, gsp_group,
    gsp_from, duos_tariff, duos_from, market_segment, segment_from, energisation_status, energisation_from,
    domestic_premises, domestic_from, profile_class, ssc, profile_from, consent_granularity, consent_from,
    dcc_service_flag, dcc_from, supplier_mpid, supplier_from, address_id, lineage, updated_at)
select n * 4, 1, mpan, 'R', 'C', d, case when n % 1000 = 1 then 'L' else 'W' end, d, 'I', d,
       true, d, '_A', d, '1', d, 'S', d, 'E', d, true, d, '01', '0393', d, 'H', d, 'A', d, 'ACRE', d, n * 4 + 1,
       jsonb_build_object('mpan', n * {block} + 1, 'supplier_mpid', n * {block} + 1), now()
from point cross join (select date '2020-01-01' as d) day;
insert into golden.address (golden_id, version, line_1, line_4, line_7, postcode, lineage, updated_at)
select n * 4 + 1, 1, n::text, 'MILL LANE', 'BATH', case when n % 1000 <> 2 then 'BA1 1AA' end,
       jsonb_build_object('line_1', n * {block} + 1, 'postcode', n * {block} + 1), now()
from generate_series(1, {records}) n;
insert into golden.meter (golden_id, version, meter_id, meter_type, make, esme_id, location, installation_date,
    removal_date, metering_point_id, lineage, updated_at)
select n * 4 + 2, 1, 'L' || lpad(n::text, 9, '0'), 'S2A', 'LANDIS', '00-11-22-33-44-55-66-77', 'K', '2021-02-01',
       case when n % 1000 = 3 then date '2021-01-01' end, n * 4, jsonb_build_object('meter_id', n * {block} + 1), now()
from generate_series(1, {records}) n;
insert into golden.appointment (golden_id, version, mpan, metering_point_id, role, service_mpid, supplier_mpid,
    contract_reference, contract_id, appointed_from, status, lineage, updated_at)
select n * 4 + 3, 1, mpan, n * 4, 'MSS', 'BOLT', 'ACRE', 'C1', 1, '2021-01-01', 'active',
       jsonb_build_object('role', n * {block} + 1, 'status', n * {block} + 1), now()
from point;
insert into golden.crosswalk (entity, key, golden_id, origin, linked_at)
select 'metering_point', mpan, n * 4, 'AUTO', now() from point;
insert into golden.source_record
select n * 4, 'supplier', s, 'public.supplier_period|' || n, '2020-01-01', null,
       jsonb_build_object('supplier_mpid', case when s = 2 and n % 1000 = 4 then 'BRIM' else 'ACRE' end,
                          'supplier_from', '2020-01-01'), n * {block} + s
from generate_series(1, {records}) n cross join generate_series(1, 2) s;
insert into golden.source_record
select n * 4 + 2, 'asset', 1, 'public.meter_detail|' || n, null, null,
       jsonb_build_object('meter_id', 'L' || lpad(n::text, 9, '0'), 'metering_point_id', n * 4), n * {block} + 1
from generate_series(1, {records}) n;
"""


_PRIMES = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
_WEIGHTED = " + ".join(f"{prime} * substr(core, {place}, 1)::int" for place, prime in enumerate(_PRIMES, start=1))


@contextmanager
def filled(server: EmbeddedServer, records: int) -> Iterator[str]:
    """Give the DSN of a hub database of its own with so many metering points, and drop it in the end."""
    name = f"golden_store_{uuid4().hex[:8]}"
    dsn = server.ensure_database(name)
    try:
        fill(dsn, records)
        yield dsn
    finally:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def fill(dsn: str, records: int) -> None:
    """Write the golden store into an empty hub database."""
    db.upgrade(dsn)
    with db.connect(dsn) as connection:
        with db.transaction(connection):
            reference.write_standing(connection)
            market.register_participants(connection)
            parameters = {"records": records, "block": journal.change_id(1, 0), "weighted": _WEIGHTED}
            for statement in _STATEMENTS.format(**parameters).split(";\n"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute("vacuum (analyze)")
