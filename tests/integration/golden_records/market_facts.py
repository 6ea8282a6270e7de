"""Builders of what several systems tell of a metering point, for tests of rules across records."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests import factories
from tests.factories import Change, appointment, point


def day(year: int, month: int, number: int) -> datetime:
    return datetime(year, month, number, tzinfo=UTC)


Told = tuple[str, Change]


def smrs(change: Change) -> Told:
    return "smrs10", change


def supplied(key: str, supplier: str, since: datetime, until: datetime | None = None, *, op: str = "u") -> Change:
    last = (until - timedelta(days=1)).date().isoformat() if until else None
    return point(
        key,
        "supplier",
        row=since.date().isoformat(),
        op=op,
        at={"effective_from": since, "effective_to": until},
        supplier_mpid=supplier,
        supplier_from=since.date().isoformat(),
        supplier_to=last,
    )


def linked(key: str, other: str, kind: str, *, op: str = "u") -> Change:
    return point(
        key, "link", row=kind, op=op, at={"effective_from": day(2020, 1, 1)}, linked_mpan=other, link_kind=kind
    )


def provided(key: str, serial: str, since: str, mpid: str = "MAPL") -> Change:
    said = {"asset_provider_mpid": mpid, "asset_provider_from": since}
    return Change(
        relation="public.provider",
        key=f"{key}|{serial}",
        records=[factories.record("meter", "provider", f"{serial}|LANDIS", at={"point_key": key}, **said)],
    )


def later_appointment(key: str, since: str = "2025-06-01", **values: Any) -> Change:
    return replace(appointment(key, service="OTHR", appointed_from=since, **values), key=f"{key}|{since}")
