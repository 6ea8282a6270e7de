"""The catalogue: every entity, group and item that the hub masters, read once from catalogue.yaml."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from golden_records import declarations
from rules.agreement import Comparison

GRACE = timedelta(minutes=5)
"""What copies have by default to follow their owner: the market's messages are sent without delay."""

_UNITS = {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1)}


class ItemType(StrEnum):
    """How an item's value is typed; its canonical JSON is what PostgreSQL's to_jsonb gives in UTC."""

    TEXT = "text"
    BOOL = "bool"
    INT = "int"
    DATE = "date"
    TIMESTAMPTZ = "timestamptz"
    GOLDEN_ID = "golden_id"


class Classification(StrEnum):
    """Who may see a value: public, personal (identifies a person), restricted (the MPAN)."""

    PUBLIC = "public"
    PERSONAL = "personal"
    RESTRICTED = "restricted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An attribute of an entity. `reference` names the entity whose golden id it holds.

    `normalisation` is how its values are written when they are mapped, `comparison` what does not matter when copies
    are compared, `grace` how long a copy may differ before anybody has to act.
    """

    name: str
    type: ItemType
    definition: str
    format: str | None = None
    values: tuple[str, ...] = ()
    classification: Classification = Classification.PUBLIC
    normalisation: str | None = None
    critical: bool = False
    reference: str | None = None
    comparison: Comparison = Comparison.CODE
    grace: timedelta = GRACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Items that a source dates and sends together; `survivorship` ranks systems, best first.

    `held_by` are those that speak for the owner: where none of them does, a fallback has survived.
    """

    name: str
    owner: str
    survivorship: tuple[str, ...]
    items: tuple[Item, ...]
    held_by: tuple[str, ...]
    atomic: bool = False

    @property
    def follows_appointment(self) -> bool:
        """Whether the best source is the metering service appointed on the date."""
        return "appointed" in self.survivorship


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A kind of thing of which the hub keeps golden records."""

    name: str
    definition: str
    identity: str
    groups: tuple[Group, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        """All items, in catalogue order."""
        return tuple(item for group in self.groups for item in group.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All entities by name. Group names are unique over all of them."""

    entities: dict[str, Entity]

    def entity(self, name: str) -> Entity:
        """Return the entity of that name; KeyError when the catalogue has none."""
        return self.entities[name]

    def groups(self) -> Iterator[tuple[Entity, Group]]:
        """Yield every group with its entity, in catalogue order."""
        for entity in self.entities.values():
            for group in entity.groups:
                yield entity, group


@cache
def load() -> Catalogue:
    """Read the catalogue that ships with the package."""
    text = resources.files("golden_records").joinpath("catalogue.yaml").read_text(encoding="utf-8")
    declared: dict[str, Any] = declarations.read(text)
    return Catalogue(entities={name: _entity(name, entry) for name, entry in declared.items()})


def _entity(name: str, entry: dict[str, Any]) -> Entity:
    groups = tuple(_group(group, fields) for group, fields in entry["groups"].items())
    return Entity(name=name, definition=entry["definition"], identity=entry["identity"], groups=groups)


def _group(name: str, entry: dict[str, Any]) -> Group:
    survivorship = tuple(entry["survivorship"])
    grace = _span(entry["grace"]) if "grace" in entry else GRACE
    return Group(
        name=name,
        owner=entry["owner"],
        survivorship=survivorship,
        items=tuple(_item(item, {"grace": grace} | fields) for item, fields in entry["items"].items()),
        held_by=tuple(entry.get("held_by", survivorship[:1])),
        atomic=entry.get("atomic", False),
    )


def _item(name: str, entry: dict[str, Any]) -> Item:
    kind = ItemType(entry["type"])
    known = entry | {"type": kind, "values": tuple(entry.get("values", ()))}
    known["classification"] = Classification(entry.get("classification", "public"))
    compared = Comparison.CODE if kind is ItemType.TEXT else Comparison.EXACT
    known["comparison"] = Comparison(entry.get("comparison", compared))
    if isinstance(entry["grace"], str):
        known["grace"] = _span(entry["grace"])
    return Item(name=name, **known)


def _span(text: str) -> timedelta:
    """Read a span as the catalogue writes it, such as '15 minutes'."""
    number, _, unit = text.partition(" ")
    return int(number) * _UNITS[unit]
