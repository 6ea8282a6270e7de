"""Builders of what mastering takes: transactions of a source, its changes and their canonical records."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl

from mdm.batches import MappedBatch
from mdm.capture.mapping import CHANGE_SCHEMA, RECORD_SCHEMA, REJECT_SCHEMA, TRANSACTION_SCHEMA

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
_PRIMES = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
_lsn = itertools.count(16, 16)


def mpan(number: int, distributor: str = "10") -> str:
    """Return a valid MPAN of this distributor."""
    core = f"{distributor}{number:010d}"
    return core + str(sum(int(digit) * prime for digit, prime in zip(core, _PRIMES, strict=True)) % 11 % 10)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One row change: its source row and the records it becomes."""

    relation: str
    key: str
    records: Sequence[dict[str, Any]] = ()
    op: str = "u"
    reject: str | None = None


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """Changes that one source transaction made."""

    changes: Sequence[Change]
    committed_at: datetime = NOW
    lsn: int = field(default_factory=lambda: next(_lsn))


def record(entity: str, group: str, key: str | None, **values: Any) -> dict[str, Any]:
    """Return a canonical record; `point_key`, `address_key`, `contract_key`, `alt_key`, dates go in `at`."""
    at = values.pop("at", {})
    return {"entity": entity, "item_group": group, "key": key, "item_values": json.dumps(values), **at}


def point(
    key: str, group: str = "registration", *, row: str = "1", op: str = "u", at: Any = None, **values: Any
) -> Change:
    """Return a change of one group of a metering point."""
    said = {"mpan": key, **values} if group == "registration" else values
    return Change(
        relation=f"public.{group}",
        key=f"{key}|{row}",
        op=op,
        records=[record("metering_point", group, key, at=at or {}, **said)],
    )


def contract(reference: str, *, supplier: str = "SUPA", op: str = "u", **values: Any) -> Change:
    """Return a change of a contract that says no more than it is told to."""
    return Change(
        relation="public.contract",
        key=f"{supplier}|{reference}",
        op=op,
        records=[_contract(supplier, reference, **values)],
    )


def _contract(supplier: str, reference: str, **values: Any) -> dict[str, Any]:
    said = {"reference": reference, "supplier_mpid": supplier} | values
    return record("contract", "contract", f"{supplier}|{reference}", **said)


def appointment(
    key: str, *, role: str = "MSS", service: str = "SMAR", op: str = "u", agreed: bool = True, **values: Any
) -> Change:
    """Return a change of an appointment from 2025-01-01 on; where `agreed`, its row tells of the contract too."""
    said = {
        "mpan": key,
        "role": role,
        "service_mpid": service,
        "supplier_mpid": "SUPA",
        "contract_reference": "C1",
        "appointed_from": "2025-01-01",
        "appointed_to": None,
        "status": "active",
    } | values
    reference = said["contract_reference"]
    at = {"point_key": key, "contract_key": f"{said['supplier_mpid']}|{reference}"}
    contracts = [_contract(said["supplier_mpid"], reference)] if agreed and (reference or "").strip() else []
    return Change(
        relation="public.appointment",
        key=f"{key}|{role}|{service}",
        op=op,
        records=[
            record("appointment", "appointment", f"{key}|{role}|{said['appointed_from']}", at=at, **said),
            *contracts,
        ],
    )


def meter(key: str, serial: str, *, make: str | None = "LANDIS", op: str = "u", **values: Any) -> Change:
    """Return a change of a meter fitted at a point."""
    normal = serial.replace(" ", "").upper()
    said = {"meter_id": serial, "make": make, "installation_date": "2025-02-01", "removal_date": None} | values
    at = {"point_key": key, "alt_key": f"{normal}|*" if make else None}
    identity = f"{normal}|{make}" if make else f"{normal}|*"
    return Change(
        relation="public.meter",
        key=f"{key}|{serial}",
        op=op,
        records=[record("meter", "asset", identity, at=at, **said)],
    )


def address(
    key: str, *, uprn: str | None, text: str, row: str = "1", postcode: str = "BA1 1AA", **values: Any
) -> Change:
    """Return a change of the address of a point: the address and the point's reference to it."""
    weak = f"AT:{postcode.replace(' ', '')}|{text.upper()}"
    identity = f"UPRN:{uprn}" if uprn else weak
    said = {"line_1": text, "postcode": postcode, "uprn": uprn} | values
    return Change(
        relation="public.address",
        key=f"{key}|{row}",
        records=[
            record("address", "address", identity, at={"alt_key": weak if uprn else None}, **said),
            record("metering_point", "site", key, at={"address_key": identity}),
        ],
    )


def batch(source_id: int, *transactions: Transaction) -> MappedBatch:
    """Return the batch of these transactions."""
    changes: list[tuple[Any, ...]] = []
    records: list[dict[str, Any]] = []
    rejects: list[tuple[int, str]] = []
    number = 0
    for tx, transaction in enumerate(transactions):
        for ordinal, change in enumerate(transaction.changes, start=1):
            number += 1
            source_key = f"{change.relation}|{change.key}"
            changes.append(
                (number, tx, ordinal, change.relation, change.op, source_key, json.dumps({"key": change.key}))
            )
            if change.reject:
                rejects.append((number, change.reject))
                continue
            op = "d" if change.op == "d" else "u"
            base = {"change_no": number, "tx": tx, "op": op, "source_key": source_key, "is_partial": False}
            records.extend(dict.fromkeys(RECORD_SCHEMA) | base | said for said in change.records)
    return MappedBatch(
        source_id=source_id,
        transactions=pl.DataFrame(
            [(tx, tx, f"0/{each.lsn:X}", each.committed_at) for tx, each in enumerate(transactions)],
            schema=TRANSACTION_SCHEMA,
            orient="row",
        ),
        changes=pl.DataFrame(changes, schema=CHANGE_SCHEMA, orient="row"),
        records=pl.DataFrame(records, schema=RECORD_SCHEMA),
        rejects=pl.DataFrame(rejects, schema=REJECT_SCHEMA, orient="row"),
    )
