from datetime import date

import polars as pl
import pytest

from mdm import db
from mdm.demo import agreement, contracts, market, population
from mdm.demo.market import MarketError, Source
from tests.integration.demo import lawfulness
from tests.integration.demo.conftest import POINTS, SEED, LoadedMarket


@pytest.fixture(scope="module")
def violations(loaded_market: LoadedMarket) -> dict[int, set[str]]:
    return lawfulness.violations(loaded_market.dsns, today=date(2026, 1, 1))


@pytest.mark.parametrize("rule", lawfulness.RULES)
def test_no_point_breaks_a_rule(violations: dict[int, set[str]], rule: int) -> None:
    assert violations[rule] == set()


def test_all_copies_agree(loaded_market: LoadedMarket) -> None:
    found = agreement.compare(loaded_market.dsns)
    assert found.disagreements == 0
    assert found.registered["supplier"] == POINTS
    held = {holding.source: holding.held for holding in found.holdings if holding.aspect == "supplier"}
    assert held[Source.MDS] == POINTS
    assert min(held.values()) > 0


def test_things_are_counted_once_however_many_systems_name_them(loaded_market: LoadedMarket) -> None:
    points = pl.concat([chunk.points for chunk in population.chunks(POINTS, seed=SEED)])
    addresses = points.filter(~pl.col("is_subsidiary")).height
    appointed = points.filter(~pl.col("is_subsidiary"))
    assert agreement.count_things(loaded_market.dsns) == {
        "metering_point": POINTS,
        "meter": points["meter_id"].drop_nulls().len(),
        "address": addresses,
        "contract": len(list(contracts.portfolio()))
        + appointed.filter(pl.col("bespoke_reference").is_not_null()).height,
        "appointment": appointed.height + appointed["switched"].drop_nulls().len(),
    }


def test_every_generated_row_is_in_the_databases(loaded_market: LoadedMarket) -> None:
    generated = sum(
        table.rows.height for chunk in population.chunks(POINTS, seed=SEED) for _, table in population.rows(chunk)
    )
    stored = 0
    for source in Source:
        with db.connect(loaded_market.dsns[source]) as connection:
            tables = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
            for (table,) in tables:
                row = connection.execute(f"select count(*) from {table}").fetchone()
                stored += row[0] if row else 0
    assert loaded_market.loaded.rows == stored
    assert stored > generated > 25 * POINTS
    assert loaded_market.reported[-1] == loaded_market.loaded


def test_a_market_with_points_is_not_filled_again(loaded_market: LoadedMarket) -> None:
    with pytest.raises(MarketError, match="hold 3000 metering points already"):
        population.load(loaded_market.dsns, points=10, seed=1)


def test_creating_and_publishing_again_changes_nothing(loaded_market: LoadedMarket) -> None:
    market.create(loaded_market.dsns)
    for _ in range(2):
        market.publish(loaded_market.dsns)
    with db.connect(loaded_market.dsns[Source.MSS]) as connection:
        published = connection.execute("select count(*) from pg_publication_tables where pubname = 'mdm'").fetchone()
    assert published == (6,)
    assert market.count_points(loaded_market.dsns) == POINTS
