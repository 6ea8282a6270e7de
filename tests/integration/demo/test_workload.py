import hashlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from random import Random

import pytest

from mdm import db
from mdm.demo import agreement, faults, market, transfer, workload
from mdm.demo.ledger import Fault, Summary
from mdm.demo.market import REGISTRATIONS, Dsns, MarketError, Source
from mdm.demo.stock import MeterStock
from mdm.demo.transfer import Portfolio
from mdm.demo.workload import Plan, Workload
from mdm.demo.writing import Writer
from mdm.embedded import EmbeddedServer
from tests import databases
from tests.integration.demo import lawfulness
from tests.integration.demo.conftest import LoadedMarket, copy

CHANGES = 6_000


@pytest.fixture(scope="module")
def lawful_dsns(loaded_market: LoadedMarket, market_server: EmbeddedServer) -> Iterator[Dsns]:
    """A market to which only lawful things happen, one test after another, in whatever order."""
    with ExitStack() as stack:
        yield copy(loaded_market.dsns, market_server, stack)


def test_lawful_changes_leave_all_copies_agreeing_and_no_rule_broken(lawful_dsns: Dsns) -> None:
    done = workload.run(lawful_dsns, changes=CHANGES, rate=None, seed=3)
    assert agreement.differences(lawful_dsns).rows() == []
    broken = {
        rule: mpans for rule, mpans in lawfulness.violations(lawful_dsns, workload.local_today()).items() if mpans
    }
    assert broken == {}
    assert set(done.happenings) >= {
        *("supplier switch", "energisation", "address correction", "meter exchange", "appointment proposed"),
        *("service change", "tariff change", "new connection", "disconnection", "portfolio transfer"),
    }
    assert done.faults == ()


def test_a_second_run_goes_on_lawfully_from_the_first(lawful_dsns: Dsns) -> None:
    for seed in (4, 4, 5):
        workload.run(lawful_dsns, changes=1_500, rate=None, seed=seed)
    assert agreement.compare(lawful_dsns).disagreements == 0
    assert not any(lawfulness.violations(lawful_dsns, workload.local_today()).values())


def test_a_meter_that_its_service_alone_knows_is_not_fitted_again(market_dsns: Dsns) -> None:
    with Writer(market_dsns) as writer:
        stock = MeterStock("20", writer.connection)
        fitted = [stock.take(("S2A",), Random(number)) for number in (1, 2)]
        mss = writer.connection(Source.MSS)
        for meter in fitted:  # as an exchange of which a crash left the first transaction alone
            mss.execute("update device set serial_no = %s where serial_no = (select min(serial_no) from device)",
                        [meter["meter_id"]])  # fmt: skip
        mss.commit()
        assert MeterStock("20", writer.connection).take(("S2A",), Random(3))["meter_id"] == f"SW{len(fitted) + 1:07d}"


def test_changes_are_the_row_changes_that_the_sources_publish(lawful_dsns: Dsns) -> None:
    market.publish(lawful_dsns)
    for source in Source:
        with db.connect(lawful_dsns[source]) as connection:
            connection.execute("select pg_create_logical_replication_slot(current_database(), 'pgoutput')")
    done = workload.run(lawful_dsns, changes=2_000, rate=None, seed=6)
    assert {source: published_rows(lawful_dsns[source]) for source in Source} == done.changes_by_source
    assert done.changes == sum(done.changes_by_source.values()) >= 2_000


def published_rows(dsn: str) -> int:
    query = """
        select count(*) from pg_logical_slot_get_binary_changes(current_database(), null, null, 'proto_version', '1',
                                                                'publication_names', 'mdm')
        where substr(data, 1, 1) in ('I', 'U', 'D')
        """
    with db.connect(dsn) as connection:
        connection.execute("checkpoint")  # the workload does not wait for its commits to be flushed
        row = connection.execute(query).fetchone()
        connection.execute("select pg_drop_replication_slot(current_database())")
    return row[0] if row else 0


def test_a_seed_makes_the_same_changes_in_batches_of_any_size_and_another_seed_others(
    loaded_market: LoadedMarket, market_server: EmbeddedServer
) -> None:
    contents = []
    for seed, batch in ((7, 256), (7, 7), (8, 256)):
        with ExitStack() as stack:
            dsns = copy(loaded_market.dsns, market_server, stack)
            advance(dsns, Plan(seed=seed, faults=0.1), draws=150, batch=batch)
            contents.append(content(dsns))
    assert contents[0] == contents[1] != contents[2]


def advance(dsns: Dsns, plan: Plan, *, draws: int, batch: int) -> None:
    with Writer(dsns) as writer:
        run = Workload(writer, plan)
        while draws > 0:
            draws -= run.advance(min(batch, draws))


ROWS = """
select string_agg(written, e'\\n' order by written)
from (select (to_jsonb(t) - array['last_updated', 'loaded_at', 'requested_at', 'received_at', 'first_seen_at',
                                  'last_modified', 'last_certified'])::text as written from {table} t) r
"""


def content(dsns: Dsns) -> str:
    """Digest all rows of all sources, moments of writing aside."""
    digest = hashlib.sha256()
    for source in Source:
        with db.connect(dsns[source]) as connection:
            tables = connection.execute("select tablename from pg_tables where schemaname = 'public' order by 1")
            for (table,) in tables.fetchall():
                rows = connection.execute(ROWS.format(table=table)).fetchone()
                digest.update(f"{table}:{rows}".encode())
    return digest.hexdigest()


def test_a_rate_is_kept(lawful_dsns: Dsns) -> None:
    done = workload.run(lawful_dsns, changes=300, rate=400, seed=9)
    assert 0.6 <= done.seconds <= 3
    assert 300 <= done.changes < 400


def test_an_endless_run_ends_when_it_is_stopped(lawful_dsns: Dsns) -> None:
    stop = threading.Event()
    with Writer(lawful_dsns) as writer:
        run = Workload(writer, Plan(seed=10, rate=200))
        thread = threading.Thread(target=run.run, args=(stop,))
        thread.start()
        while run.summary().changes == 0 and thread.is_alive():
            time.sleep(0.01)
        stop.set()
        thread.join(timeout=10)
    assert not thread.is_alive()
    assert run.summary().changes > 0


def test_a_portfolio_moves_in_one_transaction_of_each_system(lawful_dsns: Dsns) -> None:
    with db.connect(lawful_dsns[Source.SMRS10]) as connection:
        before = transactions_of(connection)
        portfolio = Portfolio(source=Source.SMRS10, leaving="ACRE", points=100)
        changed = transfer.run(lawful_dsns, portfolio, taking="GALE", day=workload.local_today())
        assert transactions_of(connection) - before == {"GALE": 1}
    assert changed[Source.SMRS10] == 400
    assert changed[Source.MDS] == 400
    assert agreement.compare(lawful_dsns).disagreements == 0
    assert not any(lawfulness.violations(lawful_dsns, workload.local_today()).values())


def transactions_of(connection: db.Connection) -> Counter[str]:
    """Count the transactions that wrote the open periods of each supplier."""
    query = "select supplier_mpid, count(distinct xmin::text) from supplier_period where effective_from = %s group by 1"
    return Counter(dict(connection.execute(query, [workload.local_today()]).fetchall()))


@pytest.fixture(scope="module")
def faulty(loaded_market: LoadedMarket, market_server: EmbeddedServer) -> Iterator[tuple[Dsns, Summary]]:
    """A market after a run of which half were faults."""
    with ExitStack() as stack:
        dsns = copy(loaded_market.dsns, market_server, stack)
        yield dsns, workload.run(dsns, changes=CHANGES, rate=None, seed=12, faults=0.5)


def test_every_kind_of_fault_is_planted(faulty: tuple[Dsns, Summary]) -> None:
    planted = {fault.kind for fault in faulty[1].faults}
    assert len(planted) >= len(faults.kinds()) - 3
    assert {fault.source for fault in faulty[1].faults} >= {Source.SMRS10, Source.SMRS20, Source.MSS, Source.MDS}


def test_every_planted_fault_breaks_its_rule(faulty: tuple[Dsns, Summary]) -> None:
    dsns, done = faulty
    broken = lawfulness.violations(dsns, workload.local_today())
    differing = {tuple(row) for row in agreement.differences(dsns).select("source", "key").rows()}
    for fault in done.faults:
        match fault.rule:
            case None:
                assert not any(fault.mpan in mpans for mpans in broken.values()), fault.kind
            case 39:
                assert any(key.startswith(fault.mpan) for _, key in differing), fault.kind
            case rule:
                assert fault.mpan in broken[rule], fault.kind


def test_nothing_is_wrong_that_the_ledger_does_not_name(faulty: tuple[Dsns, Summary]) -> None:
    dsns, done = faulty
    named = {fault.mpan for fault in done.faults} | {fault.neighbour for fault in done.faults}
    broken = lawfulness.violations(dsns, workload.local_today())
    assert set().union(*broken.values()) <= named
    assert {key.partition("|")[0] for key in agreement.differences(dsns)["key"]} <= named


def test_the_ledger_names_the_row_that_is_wrong(faulty: tuple[Dsns, Summary]) -> None:
    dsns, done = faulty
    for source in Source:
        with db.connect(dsns[source]) as connection:
            for fault in done.faults:
                if fault.source is source and fault.rule is not None:
                    assert row_exists(connection, fault), fault.kind


def row_exists(connection: db.Connection, fault: Fault) -> bool:
    relation, *values = fault.source_key.split("|")
    assert relation == fault.relation
    columns = connection.execute(
        """
        select a.attname from pg_index i, unnest(i.indkey) with ordinality k (attnum, place)
        join pg_attribute a on a.attnum = k.attnum
        where i.indrelid = %s::regclass and a.attrelid = i.indrelid and i.indisprimary order by place
        """,
        [relation],
    ).fetchall()
    condition = " and ".join(f"{column}::text = %s" for (column,) in columns)
    return connection.execute(f"select from {relation} where {condition}", values).fetchone() is not None


def test_an_empty_market_cannot_change(market_server: EmbeddedServer) -> None:
    with ExitStack() as stack:
        dsns = {source.value: stack.enter_context(databases.fresh(market_server)) for source in Source}
        market.create(dsns)
        with pytest.raises(MarketError, match="Load a population first"):
            workload.run(dsns, changes=1, rate=None, seed=1)


def test_a_refused_change_is_told_without_its_values(market_dsns: Dsns) -> None:
    with db.connect(market_dsns[Source.MDS]) as connection:
        connection.execute("alter table settlement_supplier add constraint none check (from_date < '2026-01-01')")
    with pytest.raises(MarketError, match="database mds refused a change") as told:
        workload.run(market_dsns, changes=500, rate=None, seed=1)
    assert not any(mpan in str(told.value) for mpan in some_mpans(market_dsns))


def some_mpans(dsns: Dsns) -> list[str]:
    found: list[str] = []
    for source in REGISTRATIONS.values():
        with db.connect(dsns[source]) as connection:
            found += [mpan for (mpan,) in connection.execute("select mpan from metering_point")]
    return found
