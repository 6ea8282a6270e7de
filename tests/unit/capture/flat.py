"""Batches laid flat: one entry a change, in the order in which the source made them, to be compared as a whole."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mdm.capture.assembly import Assembly
from mdm.capture.backlog import Limits
from mdm.capture.frames import Batch, TableChanges
from mdm.capture.wire import Wire
from tests.unit.capture.encoder import UNCHANGED, Value


class Unfinished(Exception):
    """The stream ended in the middle of a transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change with its position."""

    xid: int
    commit_lsn: int
    ordinal: int
    table: str
    op: str
    columns: tuple[str, ...]
    after: tuple[Value, ...]
    before: tuple[Value, ...]
    before_kind: str | None


def decode(payloads: Iterable[bytes], folder: Path, *, chunk: int = 10**9, limits: Limits | None = None) -> list[Batch]:
    """Feed a stream in chunks of so many messages; take all the batches that it makes."""
    assembly, listed = Assembly(folder, limits), list(payloads)
    try:
        batches = list(_batches(assembly, listed, chunk))
        if not assembly.is_idle:
            raise Unfinished
        return batches
    finally:
        assembly.close()


def changes(batches: Iterable[Batch]) -> list[Change]:
    """Lay the changes of batches flat."""
    return [
        change for batch in batches for change in sorted(_flat(batch), key=lambda one: (one.commit_lsn, one.ordinal))
    ]


def _batches(assembly: Assembly, payloads: list[bytes], chunk: int) -> Iterator[Batch]:
    for start in range(0, len(payloads), chunk):
        assembly.feed(Wire.pack(payloads[start : start + chunk]))
        while (batch := assembly.take(eager=True)) is not None:
            yield batch


def _flat(batch: Batch) -> Iterator[Change]:
    known = batch.transactions.rows(named=True)
    for table in (*batch.tables, *(few.framed() for few in batch.few)):
        kinds = table.before_kind.to_list()
        for row, meta in enumerate(table.meta.rows(named=True)):
            transaction = known[meta["tx"]]
            yield Change(
                xid=transaction["xid"],
                commit_lsn=transaction["commit_lsn"],
                ordinal=meta["ordinal"],
                table=f"{table.relation.schema}.{table.relation.name}",
                op=meta["op"],
                columns=tuple(table.after.columns),
                after=_after(table, row),
                before=table.before.row(row) if table.before.columns else (),
                before_kind=kinds[row],
            )


def _after(table: TableChanges, row: int) -> tuple[Value, ...]:
    left_out = {name for name, mask in table.unchanged.items() if mask[row]}
    found = table.after.row(row) if table.after.columns else ()
    assert not any(
        value is not None for name, value in zip(table.after.columns, found, strict=True) if name in left_out
    )
    return tuple(
        UNCHANGED if name in left_out else value for name, value in zip(table.after.columns, found, strict=True)
    )
