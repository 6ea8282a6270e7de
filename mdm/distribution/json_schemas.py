"""JSON Schemas (2020-12) of messages and of documents of changes, made from the view contracts (pure)."""

from typing import Any

from mdm.distribution.contracts import Contract, Item, Kind

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TYPES = {
    Kind.STRING: {"type": "string"},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.TIMESTAMP: {"type": "string", "format": "date-time"},
    Kind.INTEGER: {"type": "integer"},
    Kind.BOOLEAN: {"type": "boolean"},
}


def of_message(contract: Contract) -> dict[str, Any]:
    """Return the schema of a view's message; a member without a value is absent."""
    return {
        "$schema": DIALECT,
        "$id": f"urn:mdm:{contract.name}:{contract.version}:message",
        "title": contract.name,
        "description": contract.purpose,
        **_object((*contract.metadata, *contract.items)),
    }


def of_entry(contract: Contract) -> dict[str, Any]:
    """Return the schema of an entry of a view's feed: a line of NDJSON, a member of a document of changes."""
    return {
        "$schema": DIALECT,
        "$id": f"urn:mdm:{contract.name}:{contract.version}:entry",
        "title": f"{contract.name}: entry",
        "type": "object",
        "properties": {
            "sequence": {"type": "integer", "minimum": 1, "description": "Dense: an entry that is missing shows."},
            "operation": {"enum": ["upsert", "delete"]},
            "key": {"type": "integer", "description": "Golden id of the row that is put or removed."},
            "message": {"type": "object"},
        },
        "required": ["sequence", "operation", "key", "message"],
        "additionalProperties": False,
        "if": {"properties": {"operation": {"const": "upsert"}}},
        "then": {"properties": {"message": _object((*contract.metadata, *contract.items))}},
        "else": {"properties": {"message": _object(contract.metadata)}},
    }


def of_changes(contract: Contract) -> dict[str, Any]:
    """Return the schema of a document of changes."""
    entry = {name: value for name, value in of_entry(contract).items() if not name.startswith("$")}
    position = {"type": "integer", "minimum": 0}
    return {
        "$schema": DIALECT,
        "$id": f"urn:mdm:{contract.name}:{contract.version}:changes",
        "title": f"{contract.name}: changes",
        "type": "object",
        "properties": {
            "view": {"const": contract.name},
            "recipient": {"type": "string"},
            "after": {**position, "description": "The position asked for."},
            "next": {**position, "description": "The position to ask for next."},
            "head": {**position, "description": "The view's last sequence number."},
            "entries": {"type": "array", "items": entry},
        },
        "required": ["view", "recipient", "after", "next", "head", "entries"],
        "additionalProperties": False,
    }


def _object(items: tuple[Item, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {item.name: _schema(item) for item in items},
        "required": [item.name for item in items if item.required],
        "additionalProperties": False,
    }


def _schema(item: Item) -> dict[str, Any]:
    described = {"description": item.description}
    match item.kind:
        case Kind.OBJECT:
            return described | _object(item.items)
        case Kind.ARRAY:
            return described | {"type": "array", "items": _object(item.items)}
        case _:
            pattern = {"pattern": item.pattern} if item.pattern else {}
            return described | _TYPES[item.kind] | pattern | ({"enum": list(item.values)} if item.values else {})
