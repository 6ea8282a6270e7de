"""The shipped source mappings, held against the market's own databases."""

import json
from collections import defaultdict
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import polars as pl
import pytest

from mdm import db
from mdm.capture import sources
from mdm.capture.frames import Batch
from mdm.capture.mapping import Mapper
from mdm.demo.market import Dsns, Source
from mdm.settings import SHIPPED_SOURCES
from tests.integration.demo.conftest import LoadedMarket
from tests.unit.capture.factories import batch, change, relation, table_changes

DECLARED = sources.load_all(sorted(SHIPPED_SOURCES.glob("*.yaml")))

COLUMNS = """
select c.relname, a.attname, case when t.typtype = 'd' then t.typbasetype else t.oid end,
       coalesce(a.attnum = any(i.indkey), false)
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 join pg_type t on t.oid = a.atttypid
left join pg_index i on i.indrelid = c.oid and i.indisprimary
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by c.relname, a.attnum
"""


@pytest.mark.parametrize("source", list(Source))
def test_every_table_is_mapped_by_its_primary_key(loaded_market: LoadedMarket, source: Source) -> None:
    keys: dict[str, list[str]] = defaultdict(list)
    with db.connect(loaded_market.dsns[source]) as connection:
        for table, column, _, is_key in connection.execute(COLUMNS):
            keys[f"public.{table}"] += [column] if is_key else []
    assert {name: sorted(table.key) for name, table in DECLARED[source].tables.items()} == {
        name: sorted(columns) for name, columns in keys.items()
    }


@pytest.fixture(scope="module")
def records(loaded_market: LoadedMarket) -> pl.DataFrame:
    """All records that the mappings make of the market, each with its source."""
    return pl.concat(list(mapped(loaded_market.dsns)))


def mapped(dsns: Dsns) -> Iterator[pl.DataFrame]:
    for number, source in enumerate(Source, start=1):
        found = Mapper(source=DECLARED[source], source_id=number).map(snapshot(dsns[source]))
        assert found.rejects.rows() == []
        assert found.records["key"].null_count() == 0
        yield found.records.with_columns(pl.lit(source.value).alias("source"))


def snapshot(dsn: str) -> Batch:
    """Read all tables as a snapshot prints them."""
    tables: dict[str, dict[str, int]] = defaultdict(dict)
    keys: dict[str, list[str]] = defaultdict(list)
    changes = []
    with db.connect(dsn) as connection:
        for table, column, type_oid, is_key in connection.execute(COLUMNS).fetchall():
            tables[table][column] = type_oid
            keys[table] += [column] if is_key else []
        for table, columns in tables.items():
            read = [change("r", row) for row in printed(connection, table)]
            changes.append(table_changes(relation(table, columns, key=keys[table]), read))
    return batch(*changes)


def printed(connection: db.Connection, table: str) -> list[dict[str, str | None]]:
    """Return a table's rows as PostgreSQL prints them."""
    with connection.cursor() as cursor, cursor.copy(f"copy {table} to stdout (format csv, header)") as copy:
        text = b"".join(bytes(block) for block in copy)
    return pl.read_csv(BytesIO(text), infer_schema=False).to_dicts()


def test_every_group_of_the_catalogue_is_fed(records: pl.DataFrame) -> None:
    fed = {tuple(row) for row in records.select("entity", "item_group").unique().rows()}
    assert len(fed) == len({group for _, group in fed}) == 20


def test_mapped_copies_say_the_same_in_every_system(records: pl.DataFrame) -> None:
    """A meter is compared by serial number alone, since MDS knows no make; of dated records the latest counts."""
    by_key = pl.when(pl.col("entity") == "meter").then(pl.col("key").str.split("|").list.first()).otherwise("key")
    latest = (
        records.with_columns(by_key.alias("key"))
        .sort(pl.col("effective_from").fill_null(pl.datetime(9999, 1, 1, time_zone="UTC")))
        .unique(["source", "entity", "item_group", "key", "point_key"], keep="last")
    )
    said: dict[tuple[str, ...], dict[str, Any]] = defaultdict(dict)
    compared = 0
    for entity, group, key, values, address in latest.select(
        "entity", "item_group", "key", "item_values", "address_key"
    ).rows():
        known = said[entity, group, key]
        for item, value in (json.loads(values) | {"address": address}).items():
            assert known.setdefault(item, value) == value, (entity, group, item)
            compared += item in known
    assert compared > 100_000


def test_a_timestamp_and_a_local_day_begin_at_the_same_instant(records: pl.DataFrame) -> None:
    energised = records.filter(pl.col("item_group") == "energisation").select("key", "source", "effective_from")
    instants = energised.group_by("key").agg(pl.col("effective_from").n_unique(), pl.col("source").n_unique())
    assert instants["effective_from"].max() == 1
    assert instants["source"].max() == 3


def test_an_owner_is_declared_for_every_group(records: pl.DataFrame) -> None:
    owned = {
        record.group
        for source in DECLARED.values()
        for table in source.tables.values()
        for record in table.records
        if record.owns
    }
    assert owned == set(records["item_group"].unique())
