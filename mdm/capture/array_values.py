"""Arrays as Debezium's JSON: PostgreSQL's array text to JSON text, element by element.

Pure. Debezium has one dimension only: of a further one it keeps nothing but nulls, or, for text, the name of a Java
object; text keeps PostgreSQL's array text of the inner array here. What it cannot convert at all is null.
"""

import base64
import re
from collections.abc import Callable

from mdm.capture import scalar_values, temporal_values
from mdm.capture.scalar_values import PLACEHOLDER, PLACEHOLDER_BYTES, PLACEHOLDER_UUID
from mdm.capture.types import ColumnType, Shape

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([{}])|([^,{}"]+)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_QUOTED, _BRACE, _BARE = 1, 2, 3
_TEXTS = {Shape.TEXT, Shape.PLAIN_TEXT}
_SPECIAL = {"NaN", "Infinity", "-Infinity"}

_PLACEHOLDER_CODES = "[" + ",".join(str(code) for code in PLACEHOLDER.encode()) + "]"
UNCHANGED: dict[str, str] = {
    **dict.fromkeys(("_text", "_varchar", "_bpchar", "_json", "_jsonb"), f'["{PLACEHOLDER}"]'),
    **dict.fromkeys(("_int4", "_int8", "_date"), _PLACEHOLDER_CODES),
    "_bytea": f"[{PLACEHOLDER_BYTES}]",
    "_uuid": f'["{PLACEHOLDER_UUID}"]',
}
"""What stands for an array that did not change and was left out, by the type's name; null for all others."""

Element = str | None | list["Element"]


class NotAnArray(ValueError):
    """The text is not the output of an array type."""


def converter(element: ColumnType) -> Callable[[str], str | None]:
    """Return what converts an array of such elements."""
    convert = _element_converter(element)

    def array(text: str) -> str | None:
        elements = parse(text)
        if not text or not _is_convertible(elements, element):
            return None
        return "[" + ",".join(_element(one, element, convert) for one in elements) + "]"

    return array


def parse(text: str) -> list[Element]:
    """Read an array's text into nested lists; a type like int2vector, which has another form, has no elements."""
    start = text.find("{") if text.startswith(("{", "[")) else -1
    if start < 0:
        return []
    open_lists: list[list[Element]] = [[]]
    for match in _TOKEN.finditer(text, start):
        _take(match, open_lists)
    outer = open_lists[0]
    if len(open_lists) != 1 or len(outer) != 1 or not isinstance(outer[0], list):
        raise NotAnArray("its braces do not match")
    return outer[0]


def _take(match: re.Match[str], open_lists: list[list[Element]]) -> None:
    match match.lastindex:
        case 1:
            open_lists[-1].append(_ESCAPED.sub(r"\1", match[_QUOTED]))
        case 2 if match[_BRACE] == "{":
            inner: list[Element] = []
            open_lists[-1].append(inner)
            open_lists.append(inner)
        case 2:
            open_lists.pop()
        case _:
            bare = match[_BARE]
            open_lists[-1].append(None if bare == "NULL" else _ESCAPED.sub(r"\1", bare))


def _is_convertible(elements: list[Element], element: ColumnType) -> bool:
    """Tell whether Debezium converts the array; it gives null for the whole when one element is beyond it."""
    if element.shape == Shape.BITS:
        return False
    if element.name == "tsvector":
        return not elements
    if element.shape == Shape.NUMERIC:
        return not any(one in _SPECIAL for one in elements if isinstance(one, str))
    return not (element.is_enum or element.name == "ltree") or None not in elements


def _element(one: Element, element: ColumnType, convert: Callable[[str], str | None]) -> str:
    if isinstance(one, list):
        return scalar_values.string(_text(one)) if element.shape in _TEXTS else "null"
    return "null" if one is None else convert(one) or "null"


def _text(elements: list[Element]) -> str:
    return "{" + ",".join(_text_element(one) for one in elements) + "}"


def _text_element(one: Element) -> str:
    if isinstance(one, list):
        return _text(one)
    if one is None:
        return "NULL"
    is_plain = one != "" and one.upper() != "NULL" and not re.search(r'[\s,{}"\\]', one)
    return one if is_plain else '"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _element_converter(element: ColumnType) -> Callable[[str], str | None]:
    precision = element.precision
    timed: dict[Shape, Callable[[str, int], str]] = {
        Shape.TIME: temporal_values.time_element,
        Shape.TIMESTAMP: temporal_values.timestamp_element,
        Shape.TIMESTAMP_ZONED: temporal_values.timestamp_zoned_element,
    }
    if element.shape in timed:
        convert = timed[element.shape]
        return lambda text: convert(text, precision)
    return _CONVERTERS.get(element.shape, scalar_values.string)


def _bytes(text: str) -> str:
    return f'"{base64.b64encode(bytes.fromhex(text[2:])).decode()}"'


_CONVERTERS: dict[Shape, Callable[[str], str | None]] = {
    Shape.BOOLEAN: lambda text: "true" if text == "t" else "false",
    Shape.INTEGER: str,
    Shape.FLOAT4: scalar_values.float4,
    Shape.FLOAT8: scalar_values.float8,
    Shape.BYTES: _bytes,
    Shape.DATE: temporal_values.date_element,
    Shape.TIME_ZONED: scalar_values.time_zoned_element,
    Shape.GEOMETRY: scalar_values.geometry,
    Shape.HSTORE: scalar_values.hstore,
    Shape.VECTOR: scalar_values.vector,
    Shape.HALF_VECTOR: scalar_values.half_vector,
    Shape.SPARSE_VECTOR: scalar_values.sparse_vector,
}
