"""A golden store of so many metering points, each with an address, a meter, an appointment and source records.

It is written straight into the tables: mastering a million points takes longer than what is measured on them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from psycopg import sql

from golden_records import reference
from mdm import db
from mdm.demo import reference as market
from mdm.embedded import EmbeddedServer

# One point in a thousand has each fault: no postcode, a segment that does not fit, a meter that was removed too early.
_STATEMENTS = """
insert into golden.source_system (source_id, name, kind, participant, distributors)
values (1, 'smrs10', 'SMRS', 'EELC', array['10']) on conflict do nothing;
insert into golden.source_rank
select distinct 1, item_group, 0, null from golden.catalogue_item on conflict do nothing;
insert into golden.golden_record
select n * 4 + k, (array['metering_point', 'address', 'meter', 'appointment'])[k + 1], now()
from generate_series(1, {records}) n cross join generate_series(0, 3) k;
insert into golden.metering_point (golden_id, version, mpan, mpan_status, registration_status, created_date,
    connection_type, connection_from, energy_direction, direction_from, metered_indicator, metered_from, gsp_group,
    gsp_from, duos_tariff, duos_from, market_segment, segment_from, energisation_status, energisation_from,
    domestic_premises, domestic_from, profile_class, ssc, profile_from, consent_granularity, consent_from,
    dcc_service_flag, dcc_from, supplier_mpid, supplier_from, address_id, lineage, updated_at)
select n * 4, 1, '10' || lpad(n::text, 11, '0'), 'R', 'C', d, case when n % 1000 = 1 then 'L' else 'W' end, d, 'I', d,
       true, d, '_A', d, '1', d, 'S', d, 'E', d, true, d, '01', '0393', d, 'H', d, 'A', d, 'ACRE', d, n * 4 + 1,
       jsonb_build_object('mpan', n * 256 + 1, 'connection_type', n * 256 + 1), now()
from generate_series(1, {records}) n cross join (select date '2020-01-01' as d) day;
insert into golden.address (golden_id, version, line_1, line_4, line_7, postcode, lineage, updated_at)
select n * 4 + 1, 1, n::text, 'MILL LANE', 'BATH', case when n % 1000 <> 2 then 'BA1 1AA' end,
       jsonb_build_object('line_1', n * 256 + 1, 'postcode', n * 256 + 1), now()
from generate_series(1, {records}) n;
insert into golden.meter (golden_id, version, meter_id, meter_type, make, esme_id, location, installation_date,
    removal_date, metering_point_id, lineage, updated_at)
select n * 4 + 2, 1, 'L' || lpad(n::text, 9, '0'), 'S2A', 'LANDIS', '00-11-22-33-44-55-66-77', 'K', '2021-02-01',
       case when n % 1000 = 3 then date '2021-01-01' end, n * 4, jsonb_build_object('meter_id', n * 256 + 1), now()
from generate_series(1, {records}) n;
insert into golden.appointment (golden_id, version, mpan, metering_point_id, role, service_mpid, supplier_mpid,
    contract_reference, appointed_from, status, lineage, updated_at)
select n * 4 + 3, 1, '10' || lpad(n::text, 11, '0'), n * 4, 'MSS', 'BOLT', 'ACRE', 'C1', '2021-01-01', 'active',
       jsonb_build_object('role', n * 256 + 1, 'status', n * 256 + 1), now()
from generate_series(1, {records}) n;
insert into golden.crosswalk (entity, key, golden_id, origin, linked_at)
select 'metering_point', '10' || lpad(n::text, 11, '0'), n * 4, 'AUTO', now() from generate_series(1, {records}) n;
insert into golden.source_record
select n * 4, 'supplier', 1, 'public.supplier_period|' || n, '2020-01-01', null,
       '{{"supplier_mpid": "ACRE", "supplier_from": "2020-01-01"}}', n * 256 + 1
from generate_series(1, {records}) n;
insert into golden.source_record
select n * 4 + 2, 'asset', 1, 'public.meter_detail|' || n, null, null,
       jsonb_build_object('meter_id', 'L' || lpad(n::text, 9, '0'), 'metering_point_id', n * 4), n * 256 + 1
from generate_series(1, {records}) n;
"""


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
            for statement in _STATEMENTS.format(records=records).split(";\n"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute("vacuum (analyze)")
