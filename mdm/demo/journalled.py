"""Whether the hub has journalled every change of the sources, each once, and every version of its golden records."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from mdm import db
from mdm.demo import frames
from mdm.demo.checks import Check
from mdm.demo.market import Dsns, Source

_TABLES = "select tablename as name from pg_tables where schemaname = 'public'"

_JOURNALLED = """
select s.name as source, j.relation, count(*) filter (where j.op = 'r') as loaded,
       count(*) filter (where j.op in ('c', 'u', 'd')) as changed,
       count(*) filter (where j.op in ('r', 'c')) - count(*) filter (where j.op = 'd') as rows
from golden.journal j join golden.source_system s using (source_id)
where j.source_id > 0 group by s.name, j.relation
"""

_RELOADED = "select exists (select from hub.table_load where replaces)"

_VERSIONS = """
select count(*), coalesce(sum(versions), 0), count(*) filter (where versions <> highest)
from (select golden_id, count(*) as versions, max(version) as highest from golden.golden_version group by golden_id) v
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The rows that the workload changed, by source; `is_whole` when none was missed."""

    rows: Mapping[str, int]
    is_whole: bool


def compare(connection: db.Connection, dsns: Dsns, written: Written) -> Iterator[Check]:
    """Check the journal against the sources' tables and what the workload wrote, and the versions for density."""
    journalled = frames.read_from(connection, _JOURNALLED).with_columns(
        pl.col("loaded", "changed", "rows").cast(pl.Int64)
    )
    if connection.execute(_RELOADED).fetchone() == (False,):
        yield _check_rows(dsns, journalled)
        if written.is_whole:
            yield _check_changes(journalled, written)
    yield _check_versions(connection)


def _check_rows(dsns: Dsns, journalled: pl.DataFrame) -> Check:
    """Rows loaded and inserted, less those deleted, are the rows that each table has now."""
    present = pl.concat(_count_rows(dsns, source) for source in Source)
    both = present.join(journalled, on=("source", "relation"), how="left").with_columns(pl.col("rows").fill_null(0))
    differing = both.filter(pl.col("rows") != pl.col("present"))
    tables = differing.select(pl.format("{} {}", "source", "relation")).to_series().to_list()
    return Check(
        name=f"rows of {present.height} tables, from the journal",
        expected=int(present["present"].sum()),
        found=int(both["rows"].sum()),
        differences=dict.fromkeys(tables, 1) if tables else {},
        look="See golden.journal.",
    )


def _count_rows(dsns: Dsns, source: Source) -> pl.DataFrame:
    tables = frames.read(dsns[source], _TABLES)["name"]
    counts = [f"select 'public.{table}' as relation, count(*) as present from public.{table}" for table in tables]
    counted = frames.read(dsns[source], " union all ".join(counts))
    return counted.with_columns(pl.col("present").cast(pl.Int64), source=pl.lit(source.value))


def _check_changes(journalled: pl.DataFrame, written: Written) -> Check:
    """As many changes stand in the journal as the workload made, by source."""
    found = dict(journalled.group_by("source").agg(pl.col("changed").sum()).iter_rows())
    differing = {name: abs(rows - found.get(name, 0)) for name, rows in written.rows.items()}
    return Check(
        name="changes journalled, each once",
        expected=sum(written.rows.values()),
        found=sum(found.values()),
        differences={name: count for name, count in differing.items() if count},
        look="See golden.journal.",
    )


def _check_versions(connection: db.Connection) -> Check:
    """Each golden record's versions are numbered from 1 on without a gap."""
    row = connection.execute(_VERSIONS).fetchone() or (0, 0, 0)
    _records, versions, sparse = (int(value) for value in row)
    return Check(
        name="versions numbered without a gap",
        expected=versions,
        found=versions,
        differences={"golden records with gaps": sparse} if sparse else {},
        look="See golden.golden_version.",
    )
