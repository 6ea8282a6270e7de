import hashlib

import numpy as np
import polars as pl
import pytest

from golden_records import catalogue
from mdm.demo import points, population
from mdm.demo.draws import Draws


def digest(count: int, seed: int) -> str:
    """Digest every row that every system would hold."""
    found = hashlib.sha256()
    for chunk in population.chunks(count, seed=seed):
        for source, table in population.rows(chunk):
            found.update(f"{source}.{table.table}\n{table.rows.write_csv()}".encode())
    return found.hexdigest()


@pytest.fixture(scope="module")
def generated() -> pl.DataFrame:
    return pl.concat([chunk.points for chunk in population.chunks(20_000, seed=1)])


def test_a_seed_makes_the_same_rows_again() -> None:
    assert digest(600, seed=1) == digest(600, seed=1) != digest(600, seed=2)


def test_a_seed_makes_the_same_rows_on_every_machine() -> None:
    """The digest changes only when the population is changed on purpose: then write the new one here."""
    assert digest(600, seed=1) == "d96bdd013cec7e93d5c9c73a43f4f271645480fd3ec3f05bd92ee871c7e18a94"


def test_points_do_not_depend_on_the_chunk_that_they_are_made_in() -> None:
    draws = Draws(seed=3)
    whole = points.generate("10", np.arange(1_000), draws)
    parts = [points.generate("10", np.arange(start, start + 200), draws) for start in range(0, 1_000, 200)]
    assert whole.equals(pl.concat(parts))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 999, 45_000])
def test_there_are_as_many_points_as_asked_for(count: int) -> None:
    chunks = list(population.chunks(count, seed=1))
    assert sum(chunk.points.height for chunk in chunks) == count
    linked = pl.concat([chunk.points for chunk in chunks])["linked_mpan"].drop_nulls() if chunks else pl.Series([])
    assert len(linked) % 2 == 0


def share(generated: pl.DataFrame, condition: pl.Expr) -> float:
    return generated.filter(condition).height / generated.height


def test_the_market_is_mixed_as_in_life(generated: pl.DataFrame) -> None:
    assert 0.01 < share(generated, pl.col("market_segment") == "U") < 0.02
    assert 0.06 < share(generated, pl.col("market_segment") == "A") < 0.10
    assert 0.025 < share(generated, pl.col("is_subsidiary")) < 0.04
    assert 0.85 < share(generated, pl.col("uprn").is_not_null()) < 0.98
    assert 0.005 < share(generated, pl.col("gone").is_not_null()) < 0.012
    assert 0.1 < share(generated, pl.col("meter_id").str.contains(" ")) < 0.2
    assert 0.1 < share(generated, pl.col("line_1").str.starts_with("Flat")) < 0.25
    assert share(generated, pl.col("line_1").str.starts_with("Plot")) > 0.03
    assert share(generated, pl.col("line_1") == "Landlord Supply") > 0.003
    mss = generated.filter(pl.col("role") == "MSS")["service"].value_counts().sort("count", descending=True)
    assert mss["service"].to_list() == ["BOLT", "KITE"]


def test_a_premises_has_a_uprn_of_its_own_and_a_link_shares_one(generated: pl.DataFrame) -> None:
    alone = generated.filter(~pl.col("is_subsidiary"))["uprn"].drop_nulls()
    assert alone.n_unique() == len(alone)
    pairs = generated.filter(pl.col("is_subsidiary")).join(generated, left_on="linked_mpan", right_on="mpan")
    same = ("uprn", "postcode", "line_1", "line_4", "supplier", "supplied_from", "created")
    assert pairs.height > 500
    for column in same:
        assert pairs[column].eq_missing(pairs[f"{column}_right"]).all()


def test_no_two_premises_have_one_address(generated: pl.DataFrame) -> None:
    written = generated.filter(~pl.col("is_subsidiary")).select(
        pl.concat_str(pl.selectors.starts_with("line_"), "postcode", separator="|", ignore_nulls=True)
    )
    assert written.n_unique() == written.height


def test_meter_ids_differ_even_without_their_spaces(generated: pl.DataFrame) -> None:
    ids = generated["meter_id"].drop_nulls()
    assert ids.str.replace_all(" ", "").n_unique() == len(ids)
    assert ids.str.len_chars().max() == 10


def test_kinds_of_links_and_types_and_digits_of_meters_are_valid(generated: pl.DataFrame) -> None:
    point, meter = (catalogue.load().entity(name) for name in ("metering_point", "meter"))
    known = {item.name: item for item in (*point.items, *meter.items)}
    assert set(generated["link_kind"].drop_nulls()) == set(known["link_kind"].values)
    assert generated["meter_type"].drop_nulls().str.contains(known["meter_type"].format or "").all()
    assert generated["displayed_digits"].drop_nulls().is_between(0, 9).all()
