"""A small market in which a good part of what happened was wrong, loaded into a hub as its sources stand."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO

import polars as pl

from golden_records import reference
from golden_records.reference import SourceSystem
from mdm import assembling, db, mastering
from mdm.capture import sources
from mdm.capture.frames import Batch
from mdm.capture.mapping import Mapper
from mdm.demo import market, population, workload
from mdm.demo.market import Dsns, Source
from mdm.embedded import EmbeddedServer
from mdm.settings import SHIPPED_SOURCES
from tests import databases
from tests.unit.capture.factories import batch, change, relation, table_changes

DECLARED = sources.load_all(sorted(SHIPPED_SOURCES.glob("*.yaml")))
POINTS, CHANGES, SEED = 160, 600, 23

_COLUMNS = """
select c.relname, a.attname, case when t.typtype = 'd' then t.typbasetype else t.oid end,
       coalesce(a.attnum = any(i.indkey), false)
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 join pg_type t on t.oid = a.atttypid
left join pg_index i on i.indrelid = c.oid and i.indisprimary
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by c.relname, a.attnum
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyMarket:
    """The sources' databases, and the hub's that has mastered them."""

    dsns: Dsns
    hub_dsn: str


@contextmanager
def faulty(market_server: EmbeddedServer, hub_server: EmbeddedServer, hub_template: str) -> Iterator[FaultyMarket]:
    """Fill the market, let happen what is mostly wrong, and load it."""
    with ExitStack() as stack:
        dsns = {each.value: stack.enter_context(databases.fresh(market_server, prefix=each)) for each in Source}
        hub_dsn = stack.enter_context(databases.fresh(hub_server, prefix="audited", template=hub_template))
        market.create(dsns)
        population.load(dsns, points=POINTS, seed=SEED)
        workload.run(dsns, changes=CHANGES, rate=None, seed=SEED, faults=0.7)
        _load(hub_dsn, dsns)
        yield FaultyMarket(dsns=dsns, hub_dsn=hub_dsn)


def _load(hub_dsn: str, dsns: Dsns) -> None:
    with db.connect(hub_dsn) as hub:
        mastering.tune(hub)
        for source in Source:
            declared = DECLARED[source]
            system = SourceSystem(
                name=declared.source,
                kind=declared.kind,
                participant=declared.participant,
                distributors=declared.distributors or None,
            )
            with hub.transaction():
                source_id = reference.register(hub, system)
            with hub.transaction():
                mapped = Mapper(source=declared, source_id=source_id).map(_snapshot(dsns[source]))
                in_order = mapped.changes.with_columns(pl.col("change_no").alias("ordinal"))
                assembling.load(hub, replace(mapped, changes=in_order))
        _assemble(hub)


def _assemble(hub: db.Connection) -> None:
    after: int | None = 0
    while after is not None:
        with hub.transaction():
            after = assembling.assemble(hub, after=after, limit=5_000, now=datetime.now(UTC))
            mastering.finish(hub)


def _snapshot(dsn: str) -> Batch:
    """Read all tables as a snapshot prints them."""
    tables: dict[str, dict[str, int]] = defaultdict(dict)
    keys: dict[str, list[str]] = defaultdict(list)
    changes = []
    with db.connect(dsn) as connection:
        for table, column, type_oid, is_key in connection.execute(_COLUMNS).fetchall():
            tables[table][column] = type_oid
            keys[table] += [column] if is_key else []
        for table, columns in tables.items():
            if read := [change("r", row) for row in _printed(connection, table)]:
                changes.append(table_changes(relation(table, columns, key=keys[table]), read))
    return batch(*changes)


def _printed(connection: db.Connection, table: str) -> list[dict[str, str | None]]:
    with connection.cursor() as cursor, cursor.copy(f"copy {table} to stdout (format csv, header)") as copy:
        text = b"".join(bytes(block) for block in copy)
    return pl.read_csv(BytesIO(text), infer_schema=False).to_dicts()
