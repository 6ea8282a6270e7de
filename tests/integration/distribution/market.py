"""A hub whose golden records a test writes itself, and what its views and feeds then hold."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from golden_records import reference
from golden_records.reference import SourceSystem
from mdm import db
from mdm.distribution import digests, feed, projection
from tests.factories import mpan

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
ADDRESSES, METERS, CONTRACTS, APPOINTMENTS = 1_000_000, 2_000_000, 3_000_000, 4_000_000
SYSTEMS = (
    SourceSystem(name="smrs10", kind="SMRS", participant="EELC", distributors=("10",)),
    SourceSystem(name="smrs20", kind="SMRS", participant="SOUT", distributors=("20",)),
)


@dataclass(frozen=True, kw_only=True)
class Market:
    """One session on a hub under test."""

    dsn: str
    connection: psycopg.Connection

    def put(self, entity: str, golden_id: int, **items: Any) -> int:
        """Write items of a golden record, as mastering would; return its id."""
        names = ", ".join(["golden_id", "version", "lineage", "updated_at", *items])
        values = ", ".join(["%s"] * (len(items) + 4))
        changes = ", ".join(f"{name} = excluded.{name}" for name in items)
        self.connection.execute(
            f"insert into golden.{entity} as g ({names}) values ({values}) "
            f"on conflict (golden_id) do update set version = g.version + 1{', ' + changes if changes else ''}",
            [golden_id, 1, "{}", NOW, *items.values()],
        )
        return golden_id

    def remove(self, entity: str, golden_id: int) -> None:
        """Remove a golden record, as mastering does when its last source record goes."""
        self.connection.execute(f"delete from golden.{entity} where golden_id = %s", [golden_id])

    def add_point(self, number: int, *, distributor: str = "10", **items: Any) -> int:
        """Write a metering point of the smart segment."""
        said = {"mpan": mpan(number, distributor), "mpan_status": "R", "energisation_status": "E"} | items
        return self.put("metering_point", number, **said)

    def appoint(self, point: int, service: str = "BOLT", *, role: str = "MSS", **items: Any) -> int:
        """Write an active appointment to a point; a number tells several appointments to one point apart."""
        number = items.pop("number", 0)
        said = {"status": "active", "appointed_from": "2026-01-01", "contract_reference": "C1", "supplier_mpid": "ACRE"}
        place = {"metering_point_id": point, "role": role, "service_mpid": service}
        return self.put("appointment", APPOINTMENTS + 10 * point + number, **place, **said | items)

    def touch(self, *golden_ids: int) -> None:
        """Note golden records as touched, within the transaction that is open."""
        self.connection.execute(
            "create temp table if not exists touched_point (golden_id bigint, committed_at timestamptz)"
            " on commit delete rows; truncate touched_point"
        )
        self.connection.execute("insert into touched_point select unnest(%s::bigint[])", [list(golden_ids)])
        projection.project(self.connection)

    def publish(self, *golden_ids: int) -> int:
        """Project and publish what these golden records touch, as one transaction; return the count of entries."""
        with db.transaction(self.connection):
            self.touch(*golden_ids)
            return feed.publish(self.connection)

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return self.connection.execute(query, parameters or None).fetchall()

    def entries(self, name: str, recipient: str) -> list[tuple[int, str, int, dict[str, Any] | None]]:
        """Return the feed of a view: sequence number, operation, key, body."""
        rows = self.rows(
            "select seq, operation, golden_id, body from hub.feed join hub.view using (view_id)"
            " where name = %s and recipient = %s order by seq",
            name,
            recipient,
        )
        return [(seq, operation, key, json.loads(body) if body else None) for seq, operation, key, body in rows]

    def content(self, name: str, recipient: str) -> dict[int, dict[str, Any]]:
        """Return what is in a view now: key and body."""
        rows = self.rows(
            "select r.golden_id, f.body from hub.view v join hub.view_row r using (view_id)"
            " join hub.feed f on f.view_id = r.view_id and f.seq = r.seq where v.name = %s and v.recipient = %s",
            name,
            recipient,
        )
        return {key: json.loads(body) for key, body in rows}

    def replay(self, name: str, recipient: str) -> dict[int, dict[str, Any]]:
        """Return what the feed makes of an empty copy."""
        copy: dict[int, dict[str, Any]] = {}
        for _seq, _operation, key, body in self.entries(name, recipient):
            if body is None:
                del copy[key]
            else:
                copy[key] = body
        return copy

    def head(self, name: str, recipient: str) -> tuple[int, int, str]:
        """Return where a view stands: last sequence number, count of rows, digest."""
        ((seq, count, bits),) = self.rows(
            "select last_seq, row_count, digest from hub.view join hub.view_head using (view_id)"
            " where name = %s and recipient = %s",
            name,
            recipient,
        )
        return seq, count, digests.from_bits(bits)


def canonical(copy: dict[int, dict[str, Any]]) -> str:
    """Return the digest of a copy by the published recipe."""
    return digests.of_rows(
        (key, json.dumps(body, separators=(",", ":"), ensure_ascii=False)) for key, body in copy.items()
    )


def open_market(dsn: str, connection: psycopg.Connection) -> Market:
    """Make the registration services known to a hub, and return it."""
    with db.transaction(connection):
        for system in SYSTEMS:
            reference.register(connection, system)
    return Market(dsn=dsn, connection=connection)
