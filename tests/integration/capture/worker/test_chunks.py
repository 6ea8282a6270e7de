"""A chunk holds a table's rows exactly as the stream would print them."""

import polars as pl
import pytest

from mdm.capture import catalog, chunks
from mdm.capture.catalog import CapturedTable
from mdm.capture.errors import TableMissing
from mdm.db import Connection
from tests.integration.capture.worker.rig import Rig

TYPES = """
create type mood as enum ('fine', 'so-so');
create domain short as varchar(5);
create type pair as (a int, b text);
create table thing (
    id int primary key, flag bool, padded char(5), host inet, net cidr, words text, day date, at timestamptz,
    local timestamp, raw bytea, real float8, exact numeric(10, 3), span interval, many text[], range int4range,
    feeling mood, name short, doc jsonb, key uuid, bits bit(3), both_ pair, cash money);
alter publication mdm add table thing;
"""
VALUES = (
    r"(1, true, 'ab', '1.2.3.4', '10.0.0.0/8', E'a\tb\nc\\d\\N\r', 'infinity', '2024-07-01 12:00+05', '-infinity',"
    r" '\xdead', 0.1, 'NaN', '1 mon -2 days', "
    """'{a,NULL,"b,c"}', '[1,5)', 'so-so', 'abc', '{"a": null}',"""
    """ '00000000-0000-0000-0000-000000000001', '101', '(1,"x,y")', 12.5)"""
)


def table(connection: Connection, name: str) -> CapturedTable:
    return catalog.list_tables(connection, "mdm", [f"public.{name}"])[0]


def read_all(rig: Rig, name: str, *, rows: int = chunks.ROWS) -> pl.DataFrame:
    with chunks.connect(rig.captured.source_dsn) as source:
        captured = table(source, name)
        with source.transaction():
            return pl.concat([chunks.read(source, captured, chunk) for chunk in chunks.plan(captured, rows=rows)])


def test_values_of_every_type_are_those_of_the_stream(rig: Rig) -> None:
    rig.source.execute(TYPES)
    rig.source.execute(f"insert into thing values {VALUES}")
    rig.source.execute("insert into thing (id, words) values (2, ''), (3, null)")
    rows = read_all(rig, "thing")
    first, empty, null = rows.iter_rows(named=True)
    assert (first["flag"], first["padded"], first["host"], first["net"]) == ("t", "ab   ", "1.2.3.4", "10.0.0.0/8")
    assert first["words"] == "a\tb\nc\\d\\N\r"
    assert (first["day"], first["local"], first["at"]) == ("infinity", "-infinity", "2024-07-01 07:00:00+00")
    assert (first["raw"], first["real"], first["exact"], first["span"]) == ("\\xdead", "0.1", "NaN", "1 mon -2 days")
    assert (first["many"], first["both_"]) == ('{a,NULL,"b,c"}', '(1,"x,y")')
    assert (empty["words"], null["words"]) == ("", None)


def test_chunks_cover_a_table_once(rig: Rig) -> None:
    rig.fill(3000)
    rows = read_all(rig, "area", rows=200)
    assert rows.height == rows["mpan"].n_unique() == 3000


def test_an_empty_table_is_one_chunk_without_rows(rig: Rig) -> None:
    assert read_all(rig, "ignored").height == 0
    with chunks.connect(rig.captured.source_dsn) as source:
        assert len(chunks.plan(table(source, "ignored"))) == 1


def test_only_published_columns_and_rows_are_read(rig: Rig) -> None:
    rig.fill(10)
    rig.source.execute("alter publication mdm drop table area")
    rig.source.execute("update area set gsp = '_Z' where mpan = (select min(mpan) from area)")
    rig.source.execute("alter table area add column secret text default 'x'")
    rig.source.execute("alter publication mdm add table area (mpan, gsp) where (gsp <> '_Z')")
    rows = read_all(rig, "area")
    assert rows.columns == ["mpan", "gsp"]
    assert rows.height == 9


def test_row_security_is_an_error_rather_than_missing_rows(rig: Rig) -> None:
    with chunks.connect(rig.captured.source_dsn) as source:
        assert source.execute("show row_security").fetchone() == ("off",)


def test_a_table_that_the_publication_lacks_is_told(rig: Rig) -> None:
    with chunks.connect(rig.captured.source_dsn) as source, pytest.raises(TableMissing, match=r"public\.nowhere"):
        catalog.list_tables(source, "mdm", ["public.nowhere"])


def test_the_publication_of_postgresql_15_is_read_too(postgres15: str) -> None:
    with chunks.connect(postgres15) as source:
        source.execute("create table a (x int primary key, y bool); create publication mdm for table a")
        source.execute("insert into a values (1, true)")
        captured = table(source, "a")
        with source.transaction():
            (chunk,) = chunks.plan(captured)
            assert chunks.read(source, captured, chunk).rows() == [("1", "t")]
