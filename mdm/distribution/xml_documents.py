"""XML: documents of changes and the XSD that they keep to, both made from the view contracts (pure).

Elements are named as the members of the JSON, an element without a value is absent, and an array is an element with one
element for each member. A character that XML cannot carry is written as U+FFFD.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from lxml import etree

from mdm.distribution import messages
from mdm.distribution.contracts import Contract, Item, Kind
from mdm.distribution.messages import Entry
from mdm.distribution.reading import Changes

_XSD = "http://www.w3.org/2001/XMLSchema"
_UNFIT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_TYPES = {
    Kind.STRING: "xs:string",
    Kind.DATE: "xs:date",
    Kind.TIMESTAMP: "xs:dateTime",
    Kind.INTEGER: "xs:integer",
    Kind.BOOLEAN: "xs:boolean",
}

_WITHDRAWAL = "withdrawal"


def namespace(contract: Contract) -> str:
    """Return the namespace of a view's documents: it changes with the contract's major version."""
    return f"urn:mdm:{contract.name}:{contract.version.partition('.')[0]}"


def of_changes(contract: Contract, changes: Changes) -> bytes:
    """Return a document of changes."""
    space = namespace(contract)
    root = etree.Element(f"{{{space}}}changes", nsmap=_names(space))
    root.set("view", contract.name)
    root.set("recipient", changes.head.recipient)
    root.set("after", str(changes.after))
    root.set("next", str(changes.next_after))
    root.set("head", str(changes.last_sequence))
    for entry in changes.entries:
        root.append(_entry(contract, space, entry))
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def schema(contract: Contract) -> bytes:
    """Return the XSD of a view's documents."""
    space = namespace(contract)
    root = etree.Element(f"{{{_XSD}}}schema", nsmap=_names(space) | {"xs": _XSD})
    root.set("targetNamespace", space)
    root.set("elementFormDefault", "qualified")
    root.set("version", contract.version)
    changes = _complex(_named(root, "changes"))
    _declare_entry(changes, contract)
    for name in ("view", "recipient"):
        _attribute(changes.getparent(), name, "xs:string")
    for name in ("after", "next", "head"):
        _attribute(changes.getparent(), name, "xs:unsignedLong")
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _names(space: str) -> dict[str, str]:
    """Make a namespace the default one; the stubs know only named ones."""
    return {None: space}  # type: ignore[dict-item]


def _entry(contract: Contract, space: str, entry: Entry) -> etree._Element:
    element = etree.Element(f"{{{space}}}entry")
    element.set("sequence", str(entry.sequence))
    element.set("operation", entry.operation)
    element.set("key", str(entry.key))
    message = orjson.loads(messages.message(entry))
    items = (*contract.metadata, *contract.items)
    name = _message_name(contract) if entry.body is not None else _WITHDRAWAL
    _write(etree.SubElement(element, f"{{{space}}}{name}"), space, items, message)
    return element


def _write(parent: etree._Element, space: str, items: tuple[Item, ...], values: Mapping[str, Any]) -> None:
    for item in items:
        if item.name not in values:
            continue
        element = etree.SubElement(parent, f"{{{space}}}{item.name}")
        match item.kind:
            case Kind.OBJECT:
                _write(element, space, item.items, values[item.name])
            case Kind.ARRAY:
                for member in values[item.name]:
                    _write(etree.SubElement(element, f"{{{space}}}{item.element}"), space, item.items, member)
            case _:
                element.text = _text(values[item.name])


def _text(value: str | int) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case _:
            return _UNFIT.sub("\ufffd", value)


def _message_name(contract: Contract) -> str:
    return contract.message.value.replace("-", "_")


def _declare_entry(changes: etree._Element, contract: Contract) -> None:
    entry = _named(changes, "entry")
    entry.set("minOccurs", "0")
    entry.set("maxOccurs", "unbounded")
    choice = etree.SubElement(etree.SubElement(entry, f"{{{_XSD}}}complexType"), f"{{{_XSD}}}choice")
    _declare(_complex(_named(choice, _message_name(contract))), (*contract.metadata, *contract.items))
    _declare(_complex(_named(choice, _WITHDRAWAL)), contract.metadata)
    for name, kind in (("sequence", "xs:unsignedLong"), ("operation", "xs:string"), ("key", "xs:long")):
        _attribute(choice.getparent(), name, kind)


def _declare(sequence: etree._Element, items: tuple[Item, ...]) -> None:
    for item in items:
        element = _named(sequence, item.name)
        if not item.required:
            element.set("minOccurs", "0")
        match item.kind:
            case Kind.OBJECT:
                _declare(_complex(element), item.items)
            case Kind.ARRAY:
                member = _named(_complex(element), item.element or "member")
                member.set("minOccurs", "0")
                member.set("maxOccurs", "unbounded")
                _declare(_complex(member), item.items)
            case _:
                _type(element, item)


def _type(element: etree._Element, item: Item) -> None:
    if not item.pattern and not item.values:
        element.set("type", _TYPES[item.kind])
        return
    simple = etree.SubElement(element, f"{{{_XSD}}}simpleType")
    restriction = etree.SubElement(simple, f"{{{_XSD}}}restriction", base=_TYPES[item.kind])
    if item.pattern:
        etree.SubElement(restriction, f"{{{_XSD}}}pattern", value=item.pattern.removeprefix("^").removesuffix("$"))
    for value in item.values:
        etree.SubElement(restriction, f"{{{_XSD}}}enumeration", value=value)


def _named(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{_XSD}}}element", name=name)


def _complex(element: etree._Element) -> etree._Element:
    return etree.SubElement(etree.SubElement(element, f"{{{_XSD}}}complexType"), f"{{{_XSD}}}sequence")


def _attribute(parent: etree._Element | None, name: str, kind: str) -> None:
    if parent is not None:
        etree.SubElement(parent, f"{{{_XSD}}}attribute", name=name, type=kind, use="required")
