"""Where Alembic meets the hub's tables: on a connection that it is given, or on the hub's own database.

The schemas golden and hub belong to the migrations; the version table stands in hub. Two upgrades at once wait for
each other, and one upgrade is one transaction.
"""

from importlib import import_module

from alembic import context
from sqlalchemy import Connection, text

from golden_records.metadata import metadata
from mdm import db, hub, settings

SCHEMAS = ("golden", "hub")
_TABLES = (
    "golden_records.tables",
    "golden_records.conflict_tables",
    "golden_records.override_tables",
    "mdm.stewardship.decision_tables",
    "mdm.stewardship.tables",
    "golden_records.identity_tables",
    "mdm.distribution.tables",
    "mdm.capture.tables",
    "mdm.api.tables",
    "mdm.audit.tables",
)
_UPGRADE_LOCK = 0x6D646D


def _include(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "schema" or name in SCHEMAS


def _configure(**options: object) -> None:
    for module in _TABLES:
        import_module(module)
    context.configure(
        target_metadata=metadata,
        include_schemas=True,
        include_name=_include,
        version_table_schema="hub",
        **options,  # type: ignore[arg-type]  # either a connection or the options of SQL output
    )


def _migrate(connection: Connection) -> None:
    with connection.begin():
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _UPGRADE_LOCK})
        for schema in SCHEMAS:
            connection.execute(text(f"create schema if not exists {schema}"))
        _configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()


def _print_sql() -> None:
    _configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        for schema in SCHEMAS:
            context.execute(f"create schema if not exists {schema}")
        context.run_migrations()


if context.is_offline_mode():
    _print_sql()
elif given := context.config.attributes.get("connection"):
    _migrate(given)
else:
    with db.engine(hub.dsn(settings.load())).connect() as own:
        _migrate(own)
