"""From source tables' frames to the canonical changes and records that mastering takes: pure, driven by a declaration.

Nothing raises on a row's content: what cannot be typed is told in `rejects`. Only a table that no longer fits its
mapping raises (SchemaBroken). `change_no` is dense from 1, in the order of (commit LSN, ordinal).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mdm.batches import MappedBatch
from mdm.capture import chunks, compiled, rowwise
from mdm.capture.chunks import Place
from mdm.capture.compiled import CompiledRecord, CompiledTable, SchemaBroken, json_object
from mdm.capture.frames import Batch, FewChanges, Relation, TableChanges
from mdm.capture.lsn import Lsn
from mdm.capture.rowwise import NotOrdinary, RowTable
from mdm.capture.sources import RecordMapping, Source

_UTC = pl.Datetime("us", "UTC")
Schema = Mapping[str, pl.DataType | type[pl.DataType]]

TRANSACTION_SCHEMA: Schema = {"tx": pl.Int32, "xid": pl.Int64, "commit_lsn": pl.String, "committed_at": _UTC}
CHANGE_SCHEMA: Schema = {
    "change_no": pl.Int64,
    "tx": pl.Int32,
    "ordinal": pl.Int64,
    "relation": pl.String,
    "op": pl.String,
    "source_key": pl.String,
    "payload": pl.String,
}
RECORD_SCHEMA: Schema = {
    "change_no": pl.Int64,
    "tx": pl.Int32,
    "op": pl.String,
    "entity": pl.String,
    "item_group": pl.String,
    "key": pl.String,
    "alt_key": pl.String,
    "source_key": pl.String,
    "effective_from": _UTC,
    "effective_to": _UTC,
    "is_partial": pl.Boolean,
    "item_values": pl.String,
    "point_key": pl.String,
    "address_key": pl.String,
    "contract_key": pl.String,
}
REJECT_SCHEMA: Schema = {"change_no": pl.Int64, "reason": pl.String}

_DELETED = {name: pl.lit(None, dtype=dtype) for name, dtype in RECORD_SCHEMA.items()} | {
    "op": pl.lit("d"),
    "is_partial": pl.lit(value=False),
}

_LONGEST_SOURCE_KEY = 2_000  # bytes; three hundred characters and a digest stand for a longer one
_FEW = 500  # keys that are quicker looked through one by one

pl.Series(np.empty(0))  # loads NumPy into Polars: two threads of a load that are first at once would fail

# Our own columns beside a source's: a source column cannot be taken for one.
_CHANGE_NO, _TX, _OP, _UNCHANGED = "mdm:change_no", "mdm:tx", "mdm:op", "mdm:unchanged:"


@dataclass(slots=True, kw_only=True)
class Mapper:
    """Maps the batches of one source; each definition of a table is compiled when it is first seen.

    `offset` makes the hub's positions of the source's LSNs (checkpoint.Checkpoint.offset).
    """

    source: Source
    source_id: int
    offset: int = 0
    compiled_tables: dict[Relation, CompiledTable | None] = field(default_factory=dict)
    row_tables: dict[Relation, RowTable | None] = field(default_factory=dict)

    def map(self, batch: Batch) -> MappedBatch:
        """Map a batch; changes of tables that the source's mapping does not name are left out."""
        tables = self._mapped_tables(batch)
        numbers = _number([table for table, _ in tables])
        changes, records, rejects = [], [], []
        few = _MappedRows()
        for (table, known), change_no in zip(tables, numbers, strict=True):
            if isinstance(table, FewChanges) and self._map_few(table, change_no, few):
                continue
            framed = table.framed() if isinstance(table, FewChanges) else table
            mapped = _map_table(framed, known, pl.Series(_CHANGE_NO, change_no))
            changes.append(mapped.changes)
            records.extend(mapped.records)
            rejects.extend(mapped.rejects)
        changes.append(_framed(few.changes, CHANGE_SCHEMA))
        records.append(_framed(few.records, RECORD_SCHEMA))
        return MappedBatch(
            source_id=self.source_id,
            transactions=self._transactions(batch.transactions),
            changes=_with_short_keys(_stacked(changes, CHANGE_SCHEMA)),
            records=_with_short_keys(_stacked(records, RECORD_SCHEMA)),
            rejects=_stacked(rejects, REJECT_SCHEMA),
        )

    def deletions(self, relation: str, keys: Sequence[str], place: Place) -> MappedBatch:
        """Delete the records of these source keys: what a load of their table no longer found at the source."""
        count = len(keys)
        number = pl.int_range(1, count + 1, dtype=pl.Int64, eager=True)
        rows = pl.DataFrame({_CHANGE_NO: number, "source_key": keys}, schema_overrides={"source_key": pl.String})
        rows = rows.with_columns_seq(pl.lit(0, dtype=pl.Int32).alias(_TX))
        changes = rows.select_seq(
            pl.col(_CHANGE_NO).alias("change_no"),
            pl.col(_TX).alias("tx"),
            (pl.col(_CHANGE_NO) + place.first_ordinal - 1).alias("ordinal"),
            pl.lit(relation).alias("relation"),
            pl.lit("d").alias("op"),
            pl.col("source_key"),
            pl.lit(None, dtype=pl.String).alias("payload"),
        )
        records = [_deletes(rows, pl.col("source_key"), group) for group in self.source.tables[relation].records]
        return MappedBatch(
            source_id=self.source_id,
            transactions=self._transactions(chunks.transaction(place)),
            changes=changes,
            records=_stacked(records, RECORD_SCHEMA),
            rejects=pl.DataFrame(schema=REJECT_SCHEMA),
        )

    def _map_few(self, table: FewChanges, change_no: NDArray[np.int64], few: "_MappedRows") -> bool:
        """Map a table's rows one by one where they are ordinary; tell whether they were."""
        relation = table.relation
        if relation not in self.row_tables:
            mapping = self.source.tables[f"{relation.schema}.{relation.name}"]
            self.row_tables[relation] = rowwise.compile_table(self.source, mapping, relation)
        known = self.row_tables[relation]
        if known is None:
            return False
        try:
            changes, records = rowwise.map_rows(table, known, change_no.tolist())
        except NotOrdinary:
            return False
        few.changes.extend(changes)
        few.records.extend(records)
        return True

    def _transactions(self, transactions: pl.DataFrame) -> pl.DataFrame:
        lsns = [str(Lsn(lsn + self.offset)) for lsn in transactions["commit_lsn"]]
        told = {name: transactions[name] for name in TRANSACTION_SCHEMA}
        return pl.DataFrame(told | {"commit_lsn": pl.Series(lsns, dtype=pl.String)})

    def _mapped_tables(self, batch: Batch) -> list[tuple[TableChanges | FewChanges, CompiledTable]]:
        """Return the tables that are mapped; raises SchemaBroken, with the first transaction that cannot be."""
        tables, broken = [], []
        changed: list[TableChanges | FewChanges] = [*batch.tables, *batch.few]
        for table in changed:
            try:
                known = self._compiled(table.relation)
            except SchemaBroken as error:
                error.tx = int(_places(table)[0][0])
                broken.append(error)
            else:
                tables += [] if known is None else [(table, known)]
        if broken:
            raise min(broken, key=lambda error: error.tx)
        return tables

    def _compiled(self, relation: Relation) -> CompiledTable | None:
        if relation not in self.compiled_tables:
            mapping = self.source.tables.get(f"{relation.schema}.{relation.name}")
            known = None if mapping is None else compiled.compile_table(self.source, mapping, relation)
            self.compiled_tables[relation] = known
        return self.compiled_tables[relation]


def split(mapped: MappedBatch, *, rows: int) -> Iterator[MappedBatch]:
    """Cut a batch into parts of at most so many changes, each numbered from 1."""
    for start in range(0, max(mapped.changes.height, 1), rows):
        if mapped.changes.height <= rows:
            yield mapped
        else:
            yield _renumbered(mapped, pl.col("change_no").is_between(start + 1, start + rows), start)


def until(mapped: MappedBatch, tx: int) -> MappedBatch:
    """Return the part of a batch up to a transaction, inclusive."""
    return _renumbered(mapped, pl.col("tx") <= tx, 0)


def after(mapped: MappedBatch, tx: int) -> MappedBatch:
    """Return the part of a batch after a transaction."""
    before = mapped.changes.filter(pl.col("tx") <= tx).height
    return _renumbered(mapped, pl.col("tx") > tx, before)


def _renumbered(mapped: MappedBatch, kept: pl.Expr, offset: int) -> MappedBatch:
    changes = mapped.changes.filter(kept)
    numbers = changes["change_no"]
    moved = (pl.col("change_no") - offset).alias("change_no")
    return MappedBatch(
        source_id=mapped.source_id,
        transactions=mapped.transactions.filter(pl.col("tx").is_in(changes["tx"].unique().implode())),
        changes=changes.with_columns_seq(moved),
        records=mapped.records.filter(pl.col("change_no").is_in(numbers.implode())).with_columns_seq(moved),
        rejects=mapped.rejects.filter(pl.col("change_no").is_in(numbers.implode())).with_columns_seq(moved),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _MappedRows:
    changes: list[tuple[Any, ...]] = field(default_factory=list)
    records: list[tuple[Any, ...]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _MappedTable:
    changes: pl.DataFrame
    records: list[pl.DataFrame]
    rejects: list[pl.DataFrame]


def _number(tables: list[TableChanges | FewChanges]) -> list[NDArray[np.int64]]:
    """Give the changes of all tables together their numbers, from 1, by transaction and ordinal; one array a table."""
    if not tables:
        return []
    places = [_places(table) for table in tables]
    tx, ordinal = np.concatenate(places, axis=1)
    numbers = np.empty(len(tx), dtype=np.int64)
    numbers[np.lexsort((ordinal, tx))] = np.arange(1, len(tx) + 1)
    return np.split(numbers, np.cumsum([place.shape[1] for place in places])[:-1])


def _places(table: TableChanges | FewChanges) -> NDArray[np.int64]:
    """Return the transactions of a table's changes, and under these their ordinals."""
    if isinstance(table, FewChanges):
        return np.array([[row.tx for row in table.rows], [row.ordinal for row in table.rows]], np.int64)
    return np.stack([table.meta["tx"].to_numpy().astype(np.int64), table.meta["ordinal"].to_numpy()])


def _map_table(table: TableChanges, known: CompiledTable, change_no: pl.Series) -> _MappedTable:
    ops = set(table.meta["op"].to_list())
    rows = _rows(table, change_no, ops)
    upserts = rows.filter(~pl.col(_OP).is_in(["d", "t"])) if ops & {"d", "t"} else rows
    records, rejects = _upserts(upserts, known) if upserts.height else ([], [])
    deleted = [rows.filter(pl.col(_OP) == "d")] if "d" in ops else []
    if "u" in ops and table.before_kind.null_count() < rows.height:
        deleted.append(_left_keys(table, known, rows))
    return _MappedTable(
        changes=_changes(table, known, rows, ops),
        records=records + [_deletes(part, known.source_key, record) for part in deleted for record in known.records],
        rejects=rejects,
    )


def _changes(table: TableChanges, known: CompiledTable, rows: pl.DataFrame, ops: set[str]) -> pl.DataFrame:
    payload = _payload(table, rows)
    source_key = known.source_key
    if "d" in ops:
        payload = pl.when(pl.col(_OP) == "d").then(json_object({c: pl.col(c) for c in known.key})).otherwise(payload)
    if "t" in ops:
        payload, source_key = (pl.when(pl.col(_OP) != "t").then(column) for column in (payload, source_key))
    return rows.select_seq(
        pl.col(_CHANGE_NO).alias("change_no"),
        pl.col(_TX).alias("tx"),
        table.meta["ordinal"],
        pl.lit(known.name).alias("relation"),
        table.meta["op"],
        source_key.alias("source_key"),
        payload.alias("payload"),
    )


def _payload(table: TableChanges, rows: pl.DataFrame) -> pl.Expr:
    masks = {name: _UNCHANGED + name for name in table.unchanged}
    return _without_unchanged(rows, {name: pl.col(name) for name in table.after.columns}, masks)


def _rows(table: TableChanges, change_no: pl.Series, ops: set[str]) -> pl.DataFrame:
    """Lay a table's changes out as one row each: the row as it is now, or the old key where it was deleted.

    A TOAST value that did not change is taken from the old row where the source sent that whole, and from the old key
    for a key column; elsewhere it stays unknown and its mask says so.
    """
    op = table.meta["op"]
    columns = {name: table.after[name] for name in table.after.columns}
    masks = {}
    for name, mask in table.unchanged.items():
        sent = table.before_kind.is_in(["K", "O"] if _is_key(table.relation, name) else ["O"]).fill_null(value=False)
        columns[name] = table.before[name].zip_with(mask & sent, columns[name])
        masks[_UNCHANGED + name] = mask & ~sent
    if "d" in ops:
        deleted = op == "d"
        columns = {name: table.before[name].zip_with(deleted, column) for name, column in columns.items()}
    return pl.DataFrame({_CHANGE_NO: change_no, _TX: table.meta["tx"], _OP: op} | columns | masks)


def _is_key(relation: Relation, name: str) -> bool:
    return any(column.name == name and column.is_key for column in relation.columns)


def _left_keys(table: TableChanges, known: CompiledTable, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows under their old key where an update changed it: the old key is deleted."""
    moved = (table.meta["op"] == "u") & table.before_kind.is_not_null()
    changed = pl.Series([False]).new_from_index(0, rows.height)
    for column in known.key:
        changed |= table.before[column].ne_missing(rows[column])
    return rows.with_columns_seq(table.before.get_columns()).filter(moved & changed)


def _upserts(rows: pl.DataFrame, known: CompiledTable) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
    """Give each row's records and rejects.

    A record of which a value could not be typed is left out, so that the last good golden value stays.
    """
    frame = rows
    for step in known.steps:
        frame = frame.with_columns_seq(*step)
    if not known.flags or not frame.select_seq(pl.any_horizontal(*known.flags).any()).item():
        return [_record(frame, record) for record in known.records], []
    rejects = [rejected for record in known.records for rejected in _rejects(frame, record)]
    return [_record(_typed(frame, record), record) for record in known.records], rejects


def _typed(frame: pl.DataFrame, record: CompiledRecord) -> pl.DataFrame:
    return frame.filter(~pl.any_horizontal(fault.flag for fault in record.faults)) if record.faults else frame


def _record(frame: pl.DataFrame, record: CompiledRecord) -> pl.DataFrame:
    masks = {item: _UNCHANGED + column for item, column in record.columns.items()}
    masks = {item: mask for item, mask in masks.items() if mask in frame.columns}
    values, is_partial = record.item_values, pl.lit(value=False)
    if masks:
        values, is_partial = _without_unchanged(frame, record.items, masks), pl.any_horizontal(*masks.values())
    told = {"change_no": pl.col(_CHANGE_NO), "tx": pl.col(_TX), "is_partial": is_partial, "item_values": values}
    outputs = {**record.outputs, **told}
    return frame.select_seq(*(outputs[name].alias(name) for name in RECORD_SCHEMA))


def _deletes(rows: pl.DataFrame, source_key: pl.Expr, record: CompiledRecord | RecordMapping) -> pl.DataFrame:
    """Give the deletion of a record for each row; its source key says which, so it has neither keys nor dates."""
    told = {
        "change_no": pl.col(_CHANGE_NO),
        "tx": pl.col(_TX),
        "entity": pl.lit(record.entity),
        "item_group": pl.lit(record.group),
        "source_key": source_key,
    }
    expressions = {**_DELETED, **told}
    return rows.select_seq(*(expressions[name].alias(name) for name in RECORD_SCHEMA))


def _rejects(frame: pl.DataFrame, record: CompiledRecord) -> Iterator[pl.DataFrame]:
    for fault in record.faults:
        rows = frame.filter(pl.col(fault.flag))
        yield rows.select_seq(pl.col(_CHANGE_NO).alias("change_no"), pl.lit(fault.reason).alias("reason"))


def _without_unchanged(frame: pl.DataFrame, members: Mapping[str, pl.Expr], masks: Mapping[str, str]) -> pl.Expr:
    """Write each row of a frame as a JSON object that leaves a member out where its mask is true."""
    if not masks:
        return json_object(members)
    names = list(dict.fromkeys(masks.values()))
    branches = []
    for pattern in frame.select_seq(names).unique().iter_rows(named=True):
        kept = {name: member for name, member in members.items() if name not in masks or not pattern[masks[name]]}
        branches.append(pl.when(*(pl.col(name) == pattern[name] for name in names)).then(json_object(kept)))
    return pl.coalesce(*branches)


def _framed(rows: list[tuple[Any, ...]], schema: Schema) -> pl.DataFrame:
    return pl.DataFrame(sorted(rows, key=_number_of), schema=dict(schema), orient="row")


_number_of = itemgetter(0)


def _stacked(frames: list[pl.DataFrame], schema: Schema) -> pl.DataFrame:
    """Put frames together in the order of the changes."""
    kept = [frame for frame in frames if not frame.is_empty()]
    if len(kept) > 1:
        return pl.concat(kept).sort("change_no")
    return kept[0] if kept else pl.DataFrame(schema=schema)


def _with_short_keys(frame: pl.DataFrame) -> pl.DataFrame:
    """Put a digest in place of the end of a source key that is too long for the hub's indexes."""
    if frame.height <= _FEW and all(len(key or "") * 4 <= _LONGEST_SOURCE_KEY for key in frame["source_key"]):
        return frame
    is_long = pl.col("source_key").str.len_bytes() > _LONGEST_SOURCE_KEY
    if not frame.select_seq(is_long.any()).item():
        return frame
    short = pl.col("source_key").map_elements(_shortened, return_dtype=pl.String)
    return frame.with_columns_seq(pl.when(is_long).then(short).otherwise(pl.col("source_key")).alias("source_key"))


def _shortened(source_key: str) -> str:
    return f"{source_key[:300]}#{hashlib.sha256(source_key.encode()).hexdigest()}"
