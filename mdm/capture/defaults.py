"""What stands for null in a column: its default where Debezium understands one, else a zero where null is not allowed.

Pure. Debezium's JSON gives a column's default for a null, in a deleted row's missing columns and for real nulls alike,
and fills a column that is declared not null. A default that is a function call stands as a zero of its type.
"""

import re
import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from mdm.capture import scalar_values, temporal_values
from mdm.capture.types import ColumnType, Shape

_LITERAL = re.compile(r"'([^']*(?:''[^']*)*)'")
_FUNCTION = re.compile(r"^[(]?[A-Za-z0-9_.]+\((?:.+(?:, ?.+)*)?\)")
_NOW = {"current_timestamp", "current_time", "current_date", "localtime", "localtimestamp"}
_NULL = "NULL::"
_EPOCH = "1970-01-01"
_RANGES = {"int2": 2**15, "int4": 2**31, "int8": 2**63}
# The JVM's farthest date and time, cut down to the integer that holds it.
_FARTHEST = {"date": "169560311", "timestamp": "-9223372036853775810"}

_ZEROS: dict[Shape, str] = {
    Shape.BOOLEAN: "false",
    **dict.fromkeys((Shape.INTEGER, Shape.DATE, Shape.TIME, Shape.TIMESTAMP), "0"),
    **dict.fromkeys((Shape.FLOAT4, Shape.FLOAT8), "0.0"),
    Shape.MONEY: '"0.00"',
    **dict.fromkeys((Shape.TEXT, Shape.PLAIN_TEXT, Shape.NAME, Shape.BYTES), '""'),
    Shape.TIME_ZONED: '"00:00:00Z"',
    Shape.TIMESTAMP_ZONED: '"1970-01-01T00:00:00Z"',
    Shape.INTERVAL: scalar_values.interval(""),
    Shape.POINT: scalar_values.point("(0,0)"),
    Shape.GEOMETRY: scalar_values.geometry("010700000000000000"),
    Shape.HSTORE: '"{}"',
    **dict.fromkeys((Shape.VECTOR, Shape.HALF_VECTOR, Shape.ARRAY), "[]"),
    Shape.SPARSE_VECTOR: "null",
    Shape.OMITTED: "null",
}


def null_text(column: ColumnType, *, not_null: bool, default: str | None) -> str:
    """Return the JSON that stands for null in a column with such a default expression."""
    known = None if default is None else parse(default, column)
    if known is not None:
        return known
    return _zero(column) if not_null else "null"


def _zero(column: ColumnType) -> str:
    if column.shape == Shape.BITS:
        return "false" if column.length == 1 else '""'
    if column.shape == Shape.NUMERIC:
        return '"0"' if not column.scale or column.scale < 0 else f'"{Decimal(0).scaleb(-column.scale):f}"'
    return _ZEROS[column.shape]


def parse(expression: str, column: ColumnType) -> str | None:
    """Return a default expression's value as JSON, None where Debezium would not understand it."""
    if column.is_enum and column.declared == column.name:
        return _enum_literal(expression, column.name)
    rule = _RULES.get(column.declared)
    if rule is None:
        return None
    placeholder, convert = rule
    literal = _literal(expression.strip() if column.shape != Shape.TEXT else expression, placeholder)
    if literal is None:
        return None
    try:
        return convert(literal, column)
    except (ValueError, InvalidOperation):
        return None


def _literal(expression: str, placeholder: str) -> str | None:
    """Return the first quoted text of the expression, or all of it where nothing is quoted."""
    if _FUNCTION.match(expression) or expression.lower() in _NOW:
        return placeholder
    quoted = _LITERAL.search(expression)
    if quoted is not None:
        return quoted[1].replace("''", "'")
    return None if expression.startswith(_NULL) or "'" in expression else expression


def _enum_literal(expression: str, name: str) -> str | None:
    literal, _, cast = expression.rpartition("::")
    is_quoted = len(literal) >= 2 and literal.startswith("'") and literal.endswith("'")
    return scalar_values.string(literal[1:-1]) if is_quoted and cast.split(".")[-1].strip('"') == name else None


def _string(literal: str, _: ColumnType) -> str:
    return scalar_values.string(literal)


def _boolean(literal: str, _: ColumnType) -> str:
    return "true" if literal.lower() == "true" else "false"


def _integer(literal: str, column: ColumnType) -> str:
    value, limit = int(literal), _RANGES[column.name]
    if not -limit <= value < limit:
        raise ValueError("beyond the type's range")
    return str(value)


def _float(literal: str, _: ColumnType) -> str:
    return scalar_values.float8({"nan": "NaN"}.get(literal.lower(), repr(float(literal))))


def _numeric(literal: str, column: ColumnType) -> str:
    value = Decimal(literal)
    if not value.is_finite():
        raise ValueError("not a number")
    if column.scale is None:
        return f'"{value:f}"'
    scaled = value.quantize(Decimal(1).scaleb(-column.scale))
    if scaled != value:
        raise ValueError("more digits than the column holds")
    return f'"{scaled:f}"'


def _bits(literal: str, column: ColumnType) -> str:
    is_single = len(literal) == 1 if column.name == "bit" else column.length == 1
    return (scalar_values.bit(literal) or "null") if is_single else scalar_values.bits(literal)


def _uuid(literal: str, _: ColumnType) -> str:
    return f'"{uuid.UUID(literal)}"'


def _date(literal: str, _: ColumnType) -> str:
    return _FARTHEST["date"] if literal == "infinity" else temporal_values.date(literal)


def _time(literal: str, column: ColumnType) -> str:
    return temporal_values.time_of_day(literal, column.precision)


def _timestamp(literal: str, column: ColumnType) -> str:
    return _FARTHEST["timestamp"] if literal == "infinity" else temporal_values.timestamp(literal, column.precision)


def _timestamp_zoned(literal: str, column: ColumnType) -> str:
    return temporal_values.timestamp_zoned(literal, column.precision)


def _interval(literal: str, _: ColumnType) -> str:
    return scalar_values.interval(literal)


_RULES: dict[str, tuple[str, Callable[[str, ColumnType], str]]] = {
    "bit": ("00", _bits),
    "varbit": ("0", _bits),
    "bool": ("false", _boolean),
    **dict.fromkeys(("bpchar", "varchar", "text", "xml"), ("", _string)),
    **dict.fromkeys(("json", "jsonb"), ("{}", _string)),
    "numeric": ("0.0", _numeric),
    **dict.fromkeys(("float4", "float8"), ("0.0", _float)),
    **dict.fromkeys(("int2", "int4", "int8"), ("0", _integer)),
    "uuid": ("00000000-0000-0000-0000-000000000000", _uuid),
    "date": (_EPOCH, _date),
    "time": ("00:00:00", _time),
    "timestamp": (_EPOCH, _timestamp),
    "timestamptz": (_EPOCH, _timestamp_zoned),
    "interval": ("epoch", _interval),
}
"""For each type its placeholder for a function's result, and what converts a literal."""
