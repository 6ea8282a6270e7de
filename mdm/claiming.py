"""Claiming: the keys of what a batch may bring for the first time are linked before the batch is mastered."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import psycopg

from golden_records import checks, identity, known_keys, quarantine, staging
from golden_records.identity import Key
from golden_records.known_keys import Owned
from mdm import parts
from mdm.batches import MappedBatch

_KEYS = ["entity", "key", "alt_key", "point_key", "address_key", "contract_key"]
_REKEYED = ("address", "meter")  # whose keys are made of items, so that an update may bring a new one


def claim(connection: psycopg.Connection, batch: MappedBatch) -> None:
    """Claim the keys that a batch may bring for the first time, in a transaction of its own before the batch's.

    So no worker waits for a whole batch of another that brings the same new thing. A claim of which nothing comes is
    harmless: the key waits for its record; one that is lost in a crash is made again, so its commit waits for no disk.
    """
    created = {number for number, op in batch.changes[["change_no", "op"]].iter_rows() if op == "c"}
    presented = [
        _presented(keys)
        if op == "u" and keys[1] and (number in created or keys[0] in _REKEYED or keys[4])
        else frozenset[Key]()
        for number, op, *keys in batch.records[["change_no", "op", *_KEYS]].iter_rows()
    ]
    unknown = identity.find_unknown(connection, frozenset().union(*presented))
    if not unknown:
        return
    _claim(connection, batch, [not unknown.isdisjoint(keys) for keys in presented])


def claim_loaded(connection: psycopg.Connection, batch: MappedBatch, chosen: Sequence[bool]) -> list[Owned]:
    """Claim the keys that the chosen ones of a load's marked records present, in a transaction of its own, too.

    Returns whose they are, but for those that a rule speaks against.
    """
    _claim(connection, replace(batch, records=known_keys.with_unknown_references(batch.records)), chosen, is_dated=True)
    return identity.list_owned(connection)


def _claim(
    connection: psycopg.Connection, batch: MappedBatch, chosen: Sequence[bool], *, is_dated: bool = False
) -> None:
    """Put the rules on keys to the chosen records' and claim the others; by the day of their transaction if dated."""
    connection.execute("set local synchronous_commit = off")
    is_few = sum(chosen) <= staging.FEW
    if is_few:
        connection.execute("set local plan_cache_mode = force_generic_plan")
    with staging.pipelined(connection) if is_few else nullcontext():
        parts.prepare(connection)
        if is_dated:
            parts.stage_transactions(connection, batch)
        staging.fill_keys(connection, batch.records, chosen, source_id=batch.source_id)
        checks.check_records(connection)
        quarantine.drop_violating(connection)
        identity.resolve(connection)


def _presented(keys: Sequence[str | None]) -> frozenset[Key]:
    """Return the keys (_KEYS) that a record presents, those that it refers to included."""
    entity, key, alternative, point, address, contract = keys
    named = ((entity, key), (entity, alternative), ("metering_point", point), ("address", address))
    return frozenset((kind, value) for kind, value in (*named, ("contract", contract)) if kind and value)
