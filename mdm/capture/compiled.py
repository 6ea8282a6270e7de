"""A table's mapping turned into column expressions, once for each definition of the table that the stream announces.

A mapped column that the table does not have is an error here, before any row is read by it: a renamed or dropped
column is never misread.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from golden_records import catalogue
from golden_records.catalogue import Item, ItemType
from mdm.capture import identities
from mdm.capture.errors import CaptureError
from mdm.capture.frames import Relation
from mdm.capture.identities import Identity
from mdm.capture.sources import ColumnValue, ContractReference, RecordMapping, Source, TableMapping, Value
from mdm.capture.stages import Cell, Fault, Stages

_NO_TEXT = pl.lit(None, dtype=pl.String)
_NO_MOMENT = pl.lit(None, dtype=pl.Datetime("us", "UTC"))
_MPAN = Item(name="mpan", type=ItemType.TEXT, definition="", normalisation="upper")


class SchemaBroken(CaptureError):
    """The source's table no longer fits its mapping; capture stands still until the mapping or the table is mended.

    In a batch, `tx` is the first transaction that cannot be mapped.
    """

    tx: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRecord:
    """One group of items of one golden record, as expressions over a row.

    `outputs` are the columns of the record but its items, `item_values` writes those as JSON; `items` are the same one
    by one, and `columns` says which column an item is read from, for rows with unchanged TOAST values.
    """

    entity: str
    group: str
    outputs: Mapping[str, pl.Expr]
    item_values: pl.Expr
    items: Mapping[str, pl.Expr]
    columns: Mapping[str, str]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledTable:
    """A table's source key and records under one definition of the table; `steps` make the columns that they read."""

    name: str
    key: tuple[str, ...]
    source_key: pl.Expr
    steps: tuple[tuple[pl.Expr, ...], ...]
    records: tuple[CompiledRecord, ...]

    @property
    def flags(self) -> tuple[str, ...]:
        """The columns that tell the rows in which something could not be typed."""
        return tuple(dict.fromkeys(fault.flag for record in self.records for fault in record.faults))


def compile_table(source: Source, table: TableMapping, relation: Relation) -> CompiledTable:
    """Compile a mapping for a definition of its table; raises SchemaBroken where the two do not fit."""
    _check_columns(source, table, relation)
    _check_key(source, table, relation)
    name = f"{relation.schema}.{relation.name}"
    source_key = identities.source_key(name, [pl.col(column) for column in table.key])
    stages = Stages(relation=relation, participant=source.participant, zone=source.zone)
    key_faults = () if _has_sure_key(table, relation) else (stages.key_fault(table.key),)
    compiler = _Compiler(table=table, stages=stages, source_key=source_key, key_faults=key_faults)
    records = tuple(compiler.record(record) for record in table.records)
    steps = tuple(tuple(step.values()) for step in stages.steps if step)
    return CompiledTable(name=name, key=table.key, source_key=source_key, steps=steps, records=records)


def json_object(members: Mapping[str, pl.Expr]) -> pl.Expr:
    """Write a JSON object of these members; null stays explicit."""
    if not members:
        return pl.lit("{}")
    return pl.struct(member.alias(name) for name, member in members.items()).struct.json_encode()


def columns_of(table: TableMapping) -> set[str]:
    """Return every column that a mapping reads."""
    named = set(table.key)
    for record in table.records:
        named.update(value.column for value in _values(record) if isinstance(value, ColumnValue))
        named.update(column for column in (record.effective_from, record.effective_to) if column is not None)
    return named


def _values(record: RecordMapping) -> Iterator[Value]:
    yield from record.items.values()
    if isinstance(record.identity, dict):
        yield from record.identity.values()
    if record.references.metering_point is not None:
        yield record.references.metering_point
    if record.references.contract is not None:
        yield record.references.contract.supplier_mpid
        yield record.references.contract.reference


def _check_columns(source: Source, table: TableMapping, relation: Relation) -> None:
    missing = sorted(columns_of(table) - {column.name for column in relation.columns})
    if missing:
        raise SchemaBroken(
            f"Source {source.source}: table {relation.schema}.{relation.name} no longer has the mapped column "
            f"{', '.join(missing)} (renamed, dropped, or left out of the publication). Change the mapping of "
            f"{source.source} to the table's present columns, then start capture again. Or give the column back "
            f"and run 'mdm source reload {source.source} --new-slot': what was written in between cannot be read. "
            "Nothing was skipped."
        )


def _check_key(source: Source, table: TableMapping, relation: Relation) -> None:
    if relation.replica_identity not in {"d", "i"}:
        return
    sent = {column.name for column in relation.columns if column.is_key}
    if lacking := sorted(set(table.key) - sent):
        raise SchemaBroken(
            f"Source {source.source}: deletes in {relation.schema}.{relation.name} do not carry the mapped key column "
            f"{', '.join(lacking)}. Map the table's primary key, or run at the source: "
            f'alter table "{relation.schema}"."{relation.name}" replica identity full. Nothing was skipped.'
        )


def _has_sure_key(table: TableMapping, relation: Relation) -> bool:
    """Tell whether the source itself keeps the mapped key from being null: a replica identity's columns are never."""
    return relation.replica_identity in {"d", "i"} and any(
        column.is_key for column in relation.columns if column.name in table.key
    )


@dataclass(slots=True, kw_only=True)
class _Compiler:
    """Compiles the records of one table and collects the faults of the one at hand."""

    table: TableMapping
    stages: Stages
    source_key: pl.Expr
    key_faults: tuple[Fault, ...]
    faults: list[Fault] = field(default_factory=list)

    def record(self, record: RecordMapping) -> CompiledRecord:
        self.faults = [*self.key_faults]
        items = {item.name: item for item in record.declared.items}
        values = {name: self._noted(self.stages.cell(value, items[name])) for name, value in record.items.items()}
        if record.effective_from is not None and record.dated_item is not None:
            values.setdefault(record.dated_item, self._noted(self.stages.day(record.effective_from)))
        known = {name: values[name] for name in items if name in values}
        outputs = self._outputs(record)
        return CompiledRecord(
            entity=record.entity,
            group=record.group,
            outputs=outputs,
            item_values=json_object(known),
            items=known,
            columns=_columns(record),
            faults=tuple(dict.fromkeys(self.faults)),
        )

    def _outputs(self, record: RecordMapping) -> dict[str, pl.Expr]:
        identity, references = self._identity(record), record.references
        point, contract = references.metering_point, references.contract
        begin, end = record.effective_from, record.effective_to
        return {
            "op": pl.lit("u"),
            "entity": pl.lit(record.entity),
            "item_group": pl.lit(record.group),
            "key": identity.key,
            "alt_key": _NO_TEXT if identity.alternative is None else identity.alternative,
            "source_key": self.source_key,
            "effective_from": _NO_MOMENT if begin is None else self._noted(self.stages.begin(begin)),
            "effective_to": _NO_MOMENT if end is None else self._noted(self.stages.end(end)),
            "point_key": _NO_TEXT if point is None else self._text(point, _MPAN),
            "address_key": self._address_of_row().key if references.address else _NO_TEXT,
            "contract_key": _NO_TEXT if contract is None else self._contract_key(contract),
        }

    def _noted(self, cell: Cell) -> pl.Expr:
        if cell.fault is not None:
            self.faults.append(cell.fault)
        return cell.value

    def _text(self, value: Value, item: Item) -> pl.Expr:
        return self.stages.cell(value, item).value

    def _identity(self, record: RecordMapping) -> Identity:
        if not isinstance(record.identity, dict):
            return self._address_of_row()
        known = {item.name: item for item in catalogue.load().entity(record.entity).items}
        parts = {part: self._text(value, known[part]) for part, value in record.identity.items()}
        return self._shared(record.entity, identities.of(record.entity, parts))

    def _address_of_row(self) -> Identity:
        record = next(record for record in self.table.records if record.entity == "address")
        items = {item.name: item for item in record.declared.items}
        values = {name: self._text(value, items[name]) for name, value in record.items.items()}
        lines = [values[f"line_{number}"] for number in range(1, 10) if f"line_{number}" in values]
        identity = identities.of_address(
            lines or [_NO_TEXT],
            postcode=values.get("postcode", _NO_TEXT),
            uprn=values.get("uprn", _NO_TEXT),
            source_key=self.source_key,
        )
        return self._shared("address", identity)

    def _shared(self, entity: str, identity: Identity) -> Identity:
        """Work a key out once where several records of the row need it; a key that is a value needs no working out."""
        if entity == "metering_point":
            return identity
        alternative = identity.alternative
        return Identity(
            key=self.stages.key(entity, identity.key),
            alternative=None if alternative is None else self.stages.key(f"{entity}:alternative", alternative),
        )

    def _contract_key(self, contract: ContractReference) -> pl.Expr:
        known = {item.name: item for item in catalogue.load().entity("contract").items}
        supplier = self._text(contract.supplier_mpid, known["supplier_mpid"])
        return identities.joined(supplier, self._text(contract.reference, known["reference"]))


def _columns(record: RecordMapping) -> dict[str, str]:
    columns = {name: value.column for name, value in record.items.items() if isinstance(value, ColumnValue)}
    if record.effective_from is not None and record.dated_item is not None:
        columns.setdefault(record.dated_item, record.effective_from)
    return columns
