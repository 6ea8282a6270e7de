"""Entering: whether a value that a person gives can stand, by the catalogue's formats and the rules on records.

What is said of a fault names the item, never the value.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from golden_records import catalogue
from golden_records.catalogue import Entity, Item, ItemType
from golden_records.targets import Target
from rules import registry, row_sources
from rules.model import Rule, Scope, Severity

KEYS = frozenset({"mpan"})
"""Items that say which golden record it is: another value is another golden record, not a correction."""


class Unfit(ValueError):
    """A value that the catalogue does not allow; says why."""


def canonical(item: Item, given: Any) -> Any:
    """Return a value as the hub keeps it, None for an empty one; raises Unfit."""
    if given is None or given == "":
        return None
    value = _typed(item, given)
    if item.values and value not in item.values:
        raise Unfit(f"it is none of {', '.join(item.values)}")
    if item.format and not re.fullmatch(item.format, str(value)):
        raise Unfit(f"it does not have the form {item.format}")
    return value


def check(target: Target, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values as the hub keeps them, None for empty ones, and what is wrong with each item that cannot be."""
    known = {item.name: item for item in target.items}
    values: dict[str, Any] = {}
    faults = {name: "it is no item of what is decided on" for name in given if name not in known}
    for name in known.keys() & given.keys():
        try:
            values[name] = canonical(known[name], given[name])
        except Unfit as unfit:
            faults[name] = str(unfit)
    faults |= dict.fromkeys(KEYS & values.keys(), "it is the key of the golden record")
    return values, faults


def list_violated(connection: psycopg.Connection, target: Target, value: Mapping[str, Any]) -> list[Rule]:
    """Return the rules that speak against a golden record with these values in it: those that read the items alone."""
    items = {item.name for item in target.items}
    return [
        rule
        for scope in Scope
        for rule in _violated(connection, target, value, scope)
        if not items.isdisjoint(rule.items)
    ]


def is_refused(rule: Rule) -> bool:
    """Tell whether a value that the rule speaks against cannot stand."""
    return rule.severity is Severity.ERROR


# The golden record as it would be, and the metering point that it then is at.
_PUT = """
select r.code from (
    select {columns}
    from golden.{entity} g
    cross join lateral jsonb_populate_record(g, %(value)s::jsonb) n
    {point}
    where g.golden_id = %(golden_id)s
) s cross join lateral (values {rules}) r (code, violated) where r.violated
"""


def _violated(connection: psycopg.Connection, target: Target, value: Mapping[str, Any], scope: Scope) -> list[Rule]:
    own = {item.name for item in target.entity.items}
    known = _known_columns(target.entity)
    rules = [rule for rule in registry.list_of_scope(scope) if _is_told(rule, own=own, known=known)]
    if not rules:
        return []
    query = _PUT.format(
        columns=", ".join(f"{'n' if name in own else 'p'}.{name}" for name in scope.columns if name in known),
        entity=target.entity.name,
        point="left join golden.metering_point p on p.golden_id = n.metering_point_id" if known != own else "",
        rules=", ".join(f"({rule.code}, {rule.condition})" for rule in rules).replace("%", "%%"),
    )
    whole = {item.name: None for item in target.items} | dict(value)
    found = connection.execute(query, {"value": Jsonb(whole), "golden_id": target.golden_id})
    codes = {code for (code,) in found}
    return [rule for rule in rules if rule.code in codes]


def _known_columns(entity: Entity) -> set[str]:
    """Return what is known of a golden record of the entity and of the point that it is at."""
    own = {item.name for item in entity.items}
    return own | {item.name for item in catalogue.load().entity("metering_point").items if "metering_point_id" in own}


def _is_told(rule: Rule, *, own: set[str], known: set[str]) -> bool:
    """Tell whether all that a rule reads is known, and some of it of the golden record itself."""
    read = row_sources.columns_read(rule)
    return read <= known and not read.isdisjoint(own)


def _typed(item: Item, given: Any) -> Any:
    try:
        match item.type:
            case ItemType.TEXT:
                return _text(item, given)
            case ItemType.BOOL:
                return {"true": True, "false": False}[str(given).lower()]
            case ItemType.INT | ItemType.GOLDEN_ID:
                return int(str(given))
            case ItemType.DATE:
                return date.fromisoformat(str(given)).isoformat()
            case ItemType.TIMESTAMPTZ:
                return datetime.fromisoformat(str(given)).isoformat()
    except (KeyError, ValueError):
        raise Unfit(f"it is no {item.type}") from None


def _text(item: Item, given: Any) -> str:
    if not isinstance(given, str):
        raise Unfit("it is no text")
    said = given.strip()
    return said.upper() if item.normalisation == "upper" else said
