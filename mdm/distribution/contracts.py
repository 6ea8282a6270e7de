"""View contracts: who receives which rows and items, read from one Open Data Contract Standard file each.

Everything about a view follows from its contract: the query that projects it, its JSON Schema, its XSD.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Any

import orjson

from golden_records import declarations
from mdm.errors import MdmError

_FOLDER = resources.files("mdm.distribution").joinpath("views")


class ContractUnknown(MdmError):
    """There is no view of that name."""


class Message(StrEnum):
    """What one row of a view tells of."""

    APPOINTMENT = "appointment"
    METERING_POINT = "metering-point"


class Role(StrEnum):
    """The roles of organisations that receive views; a registration service's is of what it is asked to correct."""

    SMRS = "SMRS"
    MSS = "MSS"
    MSA = "MSA"
    UMSO = "UMSO"
    MDS = "MDS"


class Kind(StrEnum):
    """How an item's value is typed."""

    STRING = "string"
    DATE = "date"
    TIMESTAMP = "timestamp"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    OBJECT = "object"
    ARRAY = "array"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The item of the catalogue that a value comes from."""

    entity: str
    item: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A member of a message. `items` are an object's or an array's own; `element` names an array's elements."""

    name: str
    kind: Kind
    description: str
    required: bool = False
    classification: str = "public"
    origin: Origin | None = None
    pattern: str | None = None
    values: tuple[str, ...] = ()
    items: tuple["Item", ...] = ()
    element: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A view as its recipients may rely on it. `metadata` are the items that say who generated a message and when."""

    name: str
    version: str
    digest: str
    purpose: str
    message: Message
    role: Role
    covers_all: bool
    maximum_bytes: int | None
    metadata: tuple[Item, ...]
    items: tuple[Item, ...]

    def walk(self) -> Iterator[Item]:
        """Yield every item that comes from the catalogue, however deep it stands."""
        yield from _walk(self.items)


def get_contract(name: str) -> Contract:
    """Return the contract of that name; raises ContractUnknown."""
    try:
        return load()[name]
    except KeyError:
        raise ContractUnknown(f"There is no view of that name. The views are {', '.join(load())}.") from None


def read_file(name: str) -> bytes:
    """Return a contract as it is published: its YAML."""
    return _FOLDER.joinpath(f"{get_contract(name).name}.yaml").read_bytes()


@cache
def load() -> dict[str, Contract]:
    """Read the contracts that ship with the package, by name, in the order of their names."""
    files = sorted((file for file in _FOLDER.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    contracts = [parse(declarations.read(file.read_text(encoding="utf-8"))) for file in files]
    return {contract.name: contract for contract in contracts}


def parse(declared: dict[str, Any]) -> Contract:
    """Turn a contract, as its YAML gives it, into ours."""
    own = {custom["property"]: custom["value"] for custom in declared["customProperties"]}
    items = tuple(_item(entry) for entry in declared["schema"][0]["properties"])
    return Contract(
        name=declared["name"],
        version=declared["version"],
        digest=sha256(orjson.dumps(declared, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        purpose=declared["description"]["purpose"],
        message=Message(own["message"]),
        role=Role(own["recipientRole"]),
        covers_all=own["rowScope"] == "all",
        maximum_bytes=own.get("maximumBytes"),
        metadata=tuple(item for item in items if item.origin is None and not item.items),
        items=tuple(item for item in items if item.origin is not None or item.items),
    )


def _item(entry: dict[str, Any]) -> Item:
    element = entry.get("items", {})
    inner = entry.get("properties") or element.get("properties") or ()
    return Item(
        name=entry["name"],
        kind=Kind(entry["logicalType"]),
        description=entry["description"],
        required=entry.get("required", False),
        classification=entry.get("classification", "public"),
        origin=_origin(entry),
        pattern=entry.get("logicalTypeOptions", {}).get("pattern"),
        values=tuple(allowed["value"] for allowed in entry.get("enum", ())),
        items=tuple(_item(member) for member in inner),
        element=element.get("name"),
    )


def _origin(entry: dict[str, Any]) -> Origin | None:
    sources = entry.get("transformSourceObjects")
    if not sources:
        return None
    _schema, entity, item = sources[0].split(".")
    return Origin(entity=entity, item=item)


def _walk(items: tuple[Item, ...]) -> Iterator[Item]:
    for item in items:
        if item.origin:
            yield item
        yield from _walk(item.items)
