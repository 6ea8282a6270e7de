"""The source systems that are declared in YAML: what is captured of each, and what its columns mean.

A declaration is checked as a whole when it is read; a fault names the file, the line and what to do. The format is
described in mdm/sources/README.md.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from golden_records import catalogue, declarations
from golden_records.catalogue import Group
from mdm.errors import MdmError

TABLES_SUFFIX = ".tables.yaml"
ZONE = "Europe/London"

_IDENTITY_PARTS: Mapping[str, tuple[set[str], set[str]]] = {
    "metering_point": ({"mpan"}, set()),
    "meter": ({"meter_id"}, {"make"}),
    "contract": ({"supplier_mpid", "reference"}, set()),
    "appointment": ({"mpan", "role", "appointed_from"}, set()),
}  # entity -> the parts of its identity that must be named, and those that may be


class DeclarationFault(MdmError):
    """A source system's YAML file says something that cannot be meant; the message names file, line and remedy."""


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnValue(_Declared):
    """A column's value, through `map` where it has one: a code that the map lacks is rejected."""

    column: str
    map: dict[str, str | bool | int] | None = None


class ConstantValue(_Declared):
    """The same value in every row."""

    value: str | bool | int


class SystemValue(_Declared):
    """A value of the source system's own declaration."""

    source: Literal["participant"]


_FORMS: Mapping[str, type[_Declared]] = {"column": ColumnValue, "value": ConstantValue, "source": SystemValue}


def _read_value(declared: object) -> object:
    if isinstance(declared, str):
        return ColumnValue(column=declared)
    form = next((name for name in _FORMS if name in declared), None) if isinstance(declared, dict) else None
    if form is None:
        raise ValueError("write a column's name, {column: c, map: {...}}, {value: v} or {source: participant}")
    return _FORMS[form].model_validate(declared)


Value = Annotated[ColumnValue | ConstantValue | SystemValue, BeforeValidator(_read_value)]


class ContractReference(_Declared):
    """Which contract a record names."""

    supplier_mpid: Value
    reference: Value


class References(_Declared):
    """Other golden records that a record names; `address` means the address record of the same row."""

    metering_point: Value | None = None
    address: Literal[True] | None = None
    contract: ContractReference | None = None


class RecordMapping(_Declared):
    """What one row says of one group of items of one golden record."""

    entity: str
    group: str
    owns: bool = False
    identity: dict[str, Value] | Literal["address"]
    effective_from: str | None = None
    effective_to: str | None = None
    items: dict[str, Value] = {}
    references: References = References()

    @property
    def declared(self) -> Group:
        """The group as the catalogue has it."""
        groups = catalogue.load().entity(self.entity).groups
        return next(group for group in groups if group.name == self.group)

    @property
    def dated_item(self) -> str | None:
        """The item that holds the effective-from as a calendar day, where the group has one."""
        name = f"{self.group}_from"
        return name if any(item.name == name for item in self.declared.items) else None

    @model_validator(mode="after")
    def _follows_the_catalogue(self) -> Self:
        entities = catalogue.load().entities
        if self.entity not in entities:
            raise ValueError(f"no entity {self.entity!r} in the catalogue; it has {', '.join(entities)}")
        groups = [group.name for group in entities[self.entity].groups]
        if self.group not in groups:
            raise ValueError(f"{self.entity} has no group {self.group!r}; it has {', '.join(groups)}")
        _refuse("items", set(self.items) - {item.name for item in self.declared.items}, f"of the group {self.group}")
        self._check_identity()
        return self

    def _check_identity(self) -> None:
        if (self.identity == "address") != (self.entity == "address"):
            raise ValueError("identity: address is for records of the entity address, and for all of them")
        if isinstance(self.identity, dict):
            needed, allowed = _IDENTITY_PARTS[self.entity]
            if missing := needed - set(self.identity):
                raise ValueError(f"identity of a {self.entity} needs {', '.join(sorted(missing))}")
            _refuse("identity parts", set(self.identity) - needed - allowed, f"of a {self.entity}")


class TableMapping(_Declared):
    """A captured table: the columns that make its source key, and the records that each row gives."""

    key: tuple[str, ...]
    records: tuple[RecordMapping, ...]

    @model_validator(mode="after")
    def _is_one_record_a_group(self) -> Self:
        if not self.key:
            raise ValueError("key needs at least one column: those of the table's primary key")
        groups = [record.group for record in self.records]
        if twice := {group for group in groups if groups.count(group) > 1}:
            raise ValueError(f"a row gives at most one record a group; named twice: {', '.join(sorted(twice))}")
        named = {record.group for record in self.records}
        if any(record.references.address for record in self.records) and "address" not in named:
            raise ValueError("references: {address: true} needs an address record in the same table")
        return self


class Source(_Declared):
    """A source system as its file declares it."""

    source: str
    kind: Literal["SMRS", "MSS", "MSA", "UMSO", "MDS"]
    participant: str | None = None
    distributors: tuple[str, ...] = ()
    dsn_setting: str | None = None
    publication: str = "mdm"
    slot: str
    zone: str = ZONE
    tables: dict[str, TableMapping]


def load_all(files: Iterable[Path]) -> dict[str, Source]:
    """Read every source system that these files declare, by name; raises DeclarationFault at the first fault."""
    declared: dict[str, Source] = {}
    for path in files:
        if path.name.endswith(TABLES_SUFFIX):
            continue
        source = load(path)
        if source.source in declared:
            raise DeclarationFault(f"{path}: the source {source.source} is declared twice. Rename or remove one.")
        declared[source.source] = source
    return declared


def load(path: Path) -> Source:
    """Read one source system's file, with the tables file that it names."""
    declared = _read(path)
    tables = declared.get("tables") if isinstance(declared, dict) else None
    tables_path = path
    if isinstance(declared, dict) and isinstance(tables, str):
        tables_path = path.parent / tables
        declared = declared | {"tables": _read(tables_path)}
    try:
        return Source.model_validate(declared)
    except ValidationError as error:
        # A misspelt name is also a missing one: say the former.
        fault = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        raise DeclarationFault(_explain(fault, path, tables_path)) from None


def _read(path: Path) -> object:
    try:
        return declarations.read(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeclarationFault(f"{path}: cannot be read ({error.strerror}). Name a file that exists.") from error
    except yaml.YAMLError as error:
        raise DeclarationFault(f"{path}: not YAML. {' '.join(str(error).split())}") from error


def _explain(fault: ErrorDetails, path: Path, tables_path: Path) -> str:
    place = tuple(fault["loc"])
    if place[:1] == ("tables",) and tables_path != path:
        path, place = tables_path, place[1:]
    where = " > ".join(str(step) for step in place) or "the file"
    said = fault["msg"].removeprefix("Value error, ")
    return f"{path}, line {_line(path, place)}: {where}: {said}. The format is described in mdm/sources/README.md."


def _line(path: Path, place: tuple[int | str, ...]) -> int:
    node = yaml.compose(path.read_text(encoding="utf-8"))
    for step in place:
        child = _child(node, step)
        if child is None:
            break
        node = child
    return 1 if node is None else int(node.start_mark.line) + 1


def _child(node: yaml.Node | None, step: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        child: yaml.Node = node.value[step]
        return child
    return None


def _refuse(what: str, unknown: set[str], whose: str) -> None:
    if unknown:
        raise ValueError(f"no {what} {whose}: {', '.join(sorted(unknown))}")
