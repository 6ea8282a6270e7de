"""Redirects: where a golden record that was merged away leads, as long as its merge stands.

What a source record refers to stays in its item_values under the id of its own; FOLLOWED leads it to the golden
record that stands for it now, when values are chosen. So a split has nothing to put back.
"""

from collections.abc import Sequence

import psycopg

from golden_records import catalogue, rows

REFERENCES = sorted({item.name for _, group in catalogue.load().groups() for item in group.items if item.reference})
REFERRING = sorted(
    {group.name for _, group in catalogue.load().groups() if any(item.reference for item in group.items)}
)


def end_of(golden_id: str) -> str:
    """Write the SQL of where an id leads: itself, unless it is merged into another."""
    return f"coalesce({_end(golden_id)}, {golden_id})"


def followed(item_values: str, item_group: str) -> str:
    """Write the SQL of item values whose references lead to where they end; as they are while nothing is merged."""
    meant = {name: f"({item_values} ->> '{name}')::bigint" for name in REFERENCES}
    ends = ", ".join(f"'{name}', {_end(golden_id)}" for name, golden_id in meant.items())
    groups = ", ".join(f"'{name}'" for name in REFERRING)
    is_any = "(select exists (select from golden.redirect where undone_at is null))"
    return (
        f"case when {item_group} in ({groups}) and {is_any}"
        f" then {item_values} || jsonb_strip_nulls(jsonb_build_object({ends})) else {item_values} end"
    )


def _end(golden_id: str) -> str:
    return f"(select d.end_id from golden.redirect d where d.golden_id = {golden_id} and d.undone_at is null)"


POINT = end_of("(r.item_values ->> 'metering_point_id')::bigint")
"""SQL of the metering point that a source record r refers to."""


def hold(connection: psycopg.Connection) -> None:
    """Keep all merges and splits as they are until the transaction ends, as all mastering does from its start."""
    connection.execute("lock table golden.redirect in access share mode")


def hold_none(connection: psycopg.Connection) -> bool:
    """Hold them, and tell whether there never was any: what a key was once found to be, it is still."""
    hold(connection)
    query = "select not exists (select from golden.redirect) and not exists (select from golden.record_link)"
    return bool(rows.single(connection, query))


def list_ends(connection: psycopg.Connection, golden_ids: Sequence[int]) -> dict[int, int]:
    """Return where each of these that is merged away leads."""
    rows = connection.execute(
        "select golden_id, end_id from golden.redirect where golden_id = any (%s) and undone_at is null",
        [list(golden_ids)],
    )
    return dict(rows.fetchall())
