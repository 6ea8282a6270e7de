"""The schema can be made, unmade and matches the declared tables."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command

from golden_records.metadata import metadata
from mdm import db

ROOT = Path(__file__).parents[2]


def start_alembic(dsn: str, *arguments: str) -> subprocess.Popen[str]:
    """Run Alembic from the project's root, where a folder bears its name."""
    return subprocess.Popen(
        [sys.executable, "-m", "alembic", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"MDM_DATABASE_URL": dsn},
    )


def tables(dsn: str) -> int:
    with db.connect(dsn) as connection:
        found = connection.execute(
            "select count(*) from pg_tables where schemaname in ('golden', 'hub') and tablename <> 'alembic_version'"
        ).fetchone()
    assert found is not None
    return int(found[0])


def test_command_line_upgrades_from_the_projects_root(market_dsn: str) -> None:
    upgrade = start_alembic(market_dsn, "upgrade", "head")
    told = upgrade.communicate()[1]
    assert upgrade.returncode == 0, told
    assert tables(market_dsn) > 0


def test_downgrade_removes_every_table_and_upgrade_brings_them_back(hub_dsn: str) -> None:
    before = tables(hub_dsn)
    with db.engine(hub_dsn).connect() as connection:
        configuration = db.migrations()
        configuration.attributes["connection"] = connection
        command.downgrade(configuration, "base")
    assert tables(hub_dsn) == 0
    db.upgrade(hub_dsn)
    assert tables(hub_dsn) == before


def test_present_schema_is_seen_without_alembic(hub_dsn: str) -> None:
    program = "import sys; from mdm import db; db.upgrade(sys.argv[1]); print('alembic' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program, hub_dsn], check=True, capture_output=True, text=True).stdout
    assert told == "False\n"


def test_schema_of_an_older_revision_is_upgraded(hub_dsn: str) -> None:
    with db.connect(hub_dsn) as connection:
        connection.execute("drop schema golden, hub cascade")
        assert db.find_revision(connection) is None
        connection.execute("create schema hub")
        assert db.find_revision(connection) is None
        connection.execute("create table hub.alembic_version (version_num text)")
        assert db.find_revision(connection) is None
        connection.execute("drop table hub.alembic_version")
    db.upgrade(hub_dsn)
    with db.connect(hub_dsn) as connection:
        assert db.find_revision(connection) == db.head()


def check(dsn: str) -> None:
    """Fail where the declared tables are not those that the migrations have made, as far as Alembic compares them."""
    with db.engine(dsn).connect() as connection:
        configuration = db.migrations()
        configuration.attributes["connection"] = connection
        command.check(configuration)


def test_declared_tables_are_those_of_the_migrations(hub_dsn: str) -> None:
    check(hub_dsn)


def test_declared_primary_keys_are_those_of_the_migrations(hub_dsn: str) -> None:
    """Alembic compares columns and indexes, but no primary keys."""
    check(hub_dsn)  # which imports all that are declared
    declared = {
        (table.schema, table.name): [column.name for column in table.primary_key] for table in metadata.tables.values()
    }
    with db.connect(hub_dsn) as connection:
        found = connection.execute(
            """
            select n.nspname, c.relname, coalesce(array_agg(a.attname::text order by k.place)
                                                  filter (where a.attname is not null), '{}')
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            left join pg_constraint p on p.conrelid = c.oid and p.contype = 'p'
            left join unnest(p.conkey) with ordinality k (attnum, place) on true
            left join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
            where c.relkind = 'r' and n.nspname in ('golden', 'hub') and c.relname <> 'alembic_version' group by 1, 2
            """
        ).fetchall()
    assert {(schema, name): key for schema, name, key in found} == declared


def test_two_upgrades_at_once_wait_for_each_other(market_dsn: str) -> None:
    upgrades = [start_alembic(market_dsn, "upgrade", "head") for _ in range(2)]
    told = [upgrade.communicate()[1] for upgrade in upgrades]
    assert [upgrade.returncode for upgrade in upgrades] == [0, 0], told
    assert tables(market_dsn) > 0


def test_schema_stands_on_debians_15(postgres15: str) -> None:
    db.upgrade(postgres15)
    assert tables(postgres15) > 0


@pytest.mark.parametrize("schema", ["golden", "hub"])
def test_every_constraint_of_the_schema_has_a_name_of_ours(hub_dsn: str, schema: str) -> None:
    with db.connect(hub_dsn) as connection:
        strays = connection.execute(
            "select conname from pg_constraint where connamespace = %s::regnamespace"
            " and contype in ('p', 'u', 'f', 'c') and conname !~ '_(pk|uq|fk|ck)$' and conname not like 'alembic%%'",
            [schema],
        ).fetchall()
    assert strays == []


def test_what_is_left_to_assemble_survives_the_migrations_of_its_list(hub_dsn: str) -> None:
    with db.connect(hub_dsn) as connection:
        connection.execute(
            "insert into golden.golden_record (golden_id, entity, created_at) values"
            " (6, 'address', now()), (7, 'contract', now()), (8, 'meter', now()), (9, 'metering_point', now())"
        )
        connection.execute(
            "insert into golden.loaded (pass, is_batch, golden_ids, point_ids) values"
            " (0, true, '{6,7}', '{}'), (1, false, '{8,9,10}', '{9,null,9}')"
        )
    listed = "select pass, is_batch, golden_id from golden.loaded, unnest(golden_ids) golden_id order by golden_id"
    with db.engine(hub_dsn).connect() as session:
        configuration = db.migrations()
        configuration.attributes["connection"] = session
        command.downgrade(configuration, "0014")
        session.commit()
        with db.connect(hub_dsn) as connection:
            of_0014 = connection.execute(listed).fetchall()
        command.downgrade(configuration, "0001")
    assert of_0014 == [(2, False, 6), (0, False, 7), (2, False, 8), (3, False, 9), (2, False, 10)]
    with db.connect(hub_dsn) as connection:
        of_0001 = connection.execute("select pass, golden_id from golden.loaded order by golden_id").fetchall()
    assert of_0001 == [(2, 6), (0, 7), (2, 8), (3, 9), (2, 10)]
    db.upgrade(hub_dsn)
    with db.connect(hub_dsn) as connection:
        assert connection.execute(listed).fetchall() == [
            (0, False, 6),
            (0, False, 7),
            (2, False, 8),
            (1, False, 9),
            (1, False, 10),
        ]
