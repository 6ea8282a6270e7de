"""Does the hub hold what the sources say? An independent comparison in plain SQL, item by item, count by count.

Nothing of mapping, survivorship or assembly is used: what the sources say is in claims.py, who wins is declared here.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from psycopg.rows import dict_row

from mdm import db
from tests.acceptance import claims, golden_state, journal_audit, views
from tests.acceptance.installation import Installation

Item = str | None
Key = tuple[str, str]  # group of items, key
Said = dict[str, Item]

_PARTICIPANT = {"mss": "BOLT", "msa": "DART", "umso": "LAMP"}
_ORDER = {
    "meter": ("smrs", "mss", "msa", "mds", "umso"),
    "provider": ("smrs", "mss", "msa", "mds", "umso"),
    "contract": ("mss", "msa", "umso", "smrs", "mds"),
    "energisation": ("smrs", "mss", "msa", "umso", "mds"),
    "appointment": ("smrs", "mss", "msa", "umso", "mds"),
}
_USUAL = ("smrs", "mds", "mss", "msa", "umso")
_OF_THE_APPOINTED = frozenset({"meter", "provider", "energisation"})
_ATOMIC = frozenset({"address"})
_MPAN = re.compile(r"\d{13}")

_GOLDEN = {
    "meter": "select upper(replace(g.meter_id, ' ', '')) as key, p.mpan, g.* from golden.meter g"
    " left join golden.metering_point p on p.golden_id = g.metering_point_id",
    "contract": "select supplier_mpid || '|' || reference as key, * from golden.contract",
    "appointment": "select concat_ws('|', mpan, role, appointed_from) as key, * from golden.appointment",
    "address": "select p.mpan as key, p.mpan, a.* from golden.metering_point p join golden.address a"
    " on a.golden_id = p.address_id",
    "point": "select mpan as key, * from golden.metering_point where mpan is not null",
}
_GROUPS_OF = {"provider": "meter", "meter": "meter", "contract": "contract", "appointment": "appointment",
              "address": "address"}  # fmt: skip


def differences(
    installation: Installation, *, spoiled: Collection[str] = (), loaded: Mapping[str, int] | None = None
) -> list[str]:
    """Return every way in which sources, golden records, versions, views, feeds and journal disagree.

    Nothing may be in quarantine but what concerns the spoiled points; their values are not compared. Transactions of
    a source up to `loaded` may have come by the initial load instead of the stream.
    """
    found: list[str] = []
    with installation.connect_hub() as hub:
        held = _held_back(hub)
        found += [f"in quarantine without a fault: {held[mpan]}" for mpan in sorted(held.keys() - set(spoiled))]
        found += _values(installation, hub, skipped=held.keys() | set(spoiled))
        found += _counts(installation, hub)
        found += golden_state.differences(hub)
        found += views.differences(hub)
        for source in installation.sources:
            with installation.connect(source) as connection:
                since = (loaded or {}).get(source, 0)
                found += journal_audit.differences(connection, hub, source, loaded=since)
    return found


def assert_equal(
    installation: Installation, *, spoiled: Collection[str] = (), loaded: Mapping[str, int] | None = None
) -> None:
    """Fail with the first differences, if there are any."""
    found = differences(installation, spoiled=spoiled, loaded=loaded)
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:25])


def _held_back(hub: db.Connection) -> dict[str, str]:
    """Return the points of which something is in quarantine, and what that is."""
    query = "select source_key, coalesce(point_key, ''), rule, reason from golden.quarantine where closed_at is null"
    return {
        mpan: f"{source_key} of {mpan}: {rule} {reason}"
        for source_key, point, rule, reason in hub.execute(query.encode())
        for mpan in _MPAN.findall(f"{source_key} {point}") or [source_key]
    }


def _values(installation: Installation, hub: db.Connection, *, skipped: Collection[str]) -> Iterator[str]:
    golden = {name: _golden(hub, query) for name, query in _GOLDEN.items()}
    appointed = _appointed(installation)
    for (group, key), said in _said(installation).items():
        if any(claim["mpan"] in skipped for _, claim in said):
            continue
        known = golden[_GROUPS_OF.get(group, "point")].get(key)
        if known is None:
            yield f"{group} {key}: no golden record"
            continue
        for item, value in _surviving(group, said, appointed).items():
            if known.get(item) != value:
                yield f"{group} {key}: {item} is {known.get(item)!r}, its owner says {value!r}"


def _surviving(group: str, said: list[tuple[str, Said]], appointed: Mapping[str, set[str]]) -> Said:
    """Return what the first in rank says; where it is silent about an item, the next one's."""
    order = _ORDER.get(group, _USUAL)

    def rank(claim: tuple[str, Said]) -> tuple[bool, int]:
        source, items = claim
        kind = claims.kind(source)
        is_owner = _PARTICIPANT.get(kind) in appointed.get(items["mpan"] or "", ())
        return not (group in _OF_THE_APPOINTED and is_owner), order.index(kind)

    ranked = [items for _, items in sorted(said, key=rank)]
    if group in _ATOMIC:
        return ranked[0]
    names = dict.fromkeys(name for items in ranked for name in items)
    return {name: next((items[name] for items in ranked if items.get(name) is not None), None) for name in names}


def _said(installation: Installation) -> dict[Key, list[tuple[str, Said]]]:
    """Return the claims of all sources that are captured, by what they are about."""
    said: dict[Key, list[tuple[str, Said]]] = defaultdict(list)
    for source in installation.sources:
        with installation.connect(source) as connection:
            for query in claims.OF_KIND[claims.kind(source)]:
                for row in _rows(connection, query):
                    group, key = (row.pop("grp") or "").lower(), row.pop("key") or ""
                    said[group, key].append((source, row))
    return said


def _appointed(installation: Installation) -> dict[str, set[str]]:
    services: dict[str, set[str]] = defaultdict(set)
    for source in installation.sources:
        if claims.kind(source) == "smrs":
            with installation.connect(source) as connection:
                for mpan, service in connection.execute(claims.APPOINTED.encode()).fetchall():
                    services[mpan].add(service)
    return services


def _golden(hub: db.Connection, query: str) -> dict[str, Said]:
    return {row["key"] or "": row for row in _rows(hub, query)}


def _rows(connection: db.Connection, query: str) -> Iterator[Said]:
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(query.encode()):
            yield {name: _normal(value) for name, value in row.items()}


def _normal(value: Any) -> Item:
    """Write a value as text, without regard to case and to spaces around it."""
    return None if value is None else str(value).strip().upper() or None


def _counts(installation: Installation, hub: db.Connection) -> Iterator[str]:
    """Compare how many rows each table has with how many source records the hub keeps of it, quarantine included."""
    for source in installation.sources:
        with installation.connect(source) as connection:
            tables = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
            for (table,) in tables:
                rows = _single(connection, f"select count(*) from public.{table}")
                kept = _single(hub, _KEPT, *(source, f"public.{table}|") * 2)
                groups = claims.GROUPS_OF_TABLE[claims.kind(source)].get(table, 1)
                if kept != [rows, rows * groups]:
                    yield f"{source} {table}: {rows} rows of {groups} groups, the hub keeps {kept}"


_KEPT = """
select array[count(distinct source_key), count(*)] from (
    select source_key, item_group from golden.source_record join golden.source_system using (source_id)
    where name = %s and starts_with(source_key, %s)
    union
    select source_key, item_group from golden.quarantine join golden.source_system using (source_id)
    where name = %s and starts_with(source_key, %s) and closed_at is null
) kept
"""


def _single(connection: db.Connection, query: str, *parameters: object) -> Any:
    row = connection.execute(query.encode(), parameters or None).fetchone()
    return None if row is None else row[0]
