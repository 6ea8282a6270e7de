"""Counts every row change at the sources, by triggers that commit with it, and compares the journal with the counts.

Law 1, told without the hub: for each transaction, table and kind of change, as many journal entries as rows changed.
"""

from collections import Counter

from mdm import db

_SCHEMA = """
create schema if not exists audit;
create table if not exists audit.change (xid bigint, relation text, op text, changes bigint);
create or replace function audit.note() returns trigger language plpgsql as $body$
declare
    changed bigint := 1;
begin
    if tg_op in ('INSERT', 'UPDATE') then
        select count(*) into changed from new_rows;
    elsif tg_op = 'DELETE' then
        select count(*) into changed from old_rows;
    end if;
    if changed > 0 then
        insert into audit.change values (
            (pg_current_xact_id()::text::numeric % 4294967296)::bigint, tg_table_schema || '.' || tg_table_name,
            case tg_op when 'INSERT' then 'c' when 'UPDATE' then 'u' when 'DELETE' then 'd' else 't' end, changed);
    end if;
    return null;
end
$body$;
"""

_TRIGGERS = {
    "insert": "referencing new table as new_rows",
    "update": "referencing new table as new_rows",
    "delete": "referencing old table as old_rows",
    "truncate": "",
}

_TABLES = "select tablename from pg_tables where schemaname = 'public' order by 1"
_CHANGED = "select xid, relation, op, sum(changes)::bigint from audit.change group by 1, 2, 3"
_JOURNALLED = """
select xid, relation, op, count(*) from golden.journal join golden.source_system using (source_id)
where name = %s and op in ('c', 'u', 'd', 't') and xid is not null group by 1, 2, 3
"""

Counts = Counter[tuple[int, str, str]]


def install(connection: db.Connection) -> None:
    """Count from now on what changes in every table of the schema public."""
    connection.execute(_SCHEMA)
    for (table,) in connection.execute(_TABLES).fetchall():
        for event, referencing in _TRIGGERS.items():
            statement = (
                f"create or replace trigger audit_{event} after {event} on public.{table} {referencing}"
                " for each statement execute function audit.note()"
            )
            connection.execute(statement.encode())


def newest(connection: db.Connection) -> int:
    """Return the youngest transaction that has changed anything so far."""
    row = connection.execute("select coalesce(max(xid), 0) from audit.change").fetchone()
    return int(row[0]) if row else 0


def differences(source: db.Connection, hub: db.Connection, name: str, *, loaded: int = 0) -> list[str]:
    """Compare the changes of a source with its journal; transactions up to `loaded` may have been loaded instead."""
    changed = _counts(source.execute(_CHANGED).fetchall())
    journalled = _counts(hub.execute(_JOURNALLED, [name]).fetchall())
    found = [
        f"{name}: transaction {key[0]}, {key[1]} {key[2]}: {journalled[key]} in the journal, {count} at the source"
        for key, count in changed.items()
        if journalled[key] != count and not (key[0] <= loaded and not journalled[key])
    ]
    return found + [f"{name}: in the journal, not at the source: {key}" for key in journalled.keys() - changed.keys()]


def _counts(rows: list[tuple[int, str, str, int]]) -> Counts:
    return Counter({(xid, relation, op): count for xid, relation, op, count in rows})
