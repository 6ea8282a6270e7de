"""What a source column's type means: its shape under domains, its precision, length and scale, and its elements.

Pure. A type that Debezium leaves out when `include.unknown.datatypes` is false has the shape OMITTED.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

_HEADER = 4  # a numeric's and a character type's modifier counts the length word of the value
_VARIABLE = 0x7FFFFFFF


class Shape(StrEnum):
    """How the text of a value becomes JSON; one shape may serve many types."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT4 = "float4"
    FLOAT8 = "float8"
    NUMERIC = "numeric"
    MONEY = "money"
    TEXT = "text"
    PLAIN_TEXT = "plain_text"
    NAME = "name"
    BYTES = "bytes"
    DATE = "date"
    TIME = "time"
    TIME_ZONED = "time_zoned"
    TIMESTAMP = "timestamp"
    TIMESTAMP_ZONED = "timestamp_zoned"
    INTERVAL = "interval"
    BITS = "bits"
    POINT = "point"
    GEOMETRY = "geometry"
    HSTORE = "hstore"
    VECTOR = "vector"
    HALF_VECTOR = "half_vector"
    SPARSE_VECTOR = "sparse_vector"
    ARRAY = "array"
    OMITTED = "omitted"


_TEXTS = (
    "char", "bpchar", "varchar", "text", "json", "jsonb", "xml", "citext", "ltree", "tsvector",
    "tsrange", "tstzrange", "daterange", "int4range", "int8range", "numrange",
)  # fmt: skip
_PLAIN_TEXTS = ("uuid", "inet", "cidr", "macaddr", "macaddr8", "isbn")

SHAPES: Mapping[str, Shape] = {
    "bool": Shape.BOOLEAN,
    **dict.fromkeys(("int2", "int4", "int8", "oid"), Shape.INTEGER),
    "float4": Shape.FLOAT4,
    "float8": Shape.FLOAT8,
    "numeric": Shape.NUMERIC,
    "money": Shape.MONEY,
    **dict.fromkeys(_TEXTS, Shape.TEXT),
    **dict.fromkeys(_PLAIN_TEXTS, Shape.PLAIN_TEXT),
    "name": Shape.NAME,
    "bytea": Shape.BYTES,
    "date": Shape.DATE,
    "time": Shape.TIME,
    "timetz": Shape.TIME_ZONED,
    "timestamp": Shape.TIMESTAMP,
    "timestamptz": Shape.TIMESTAMP_ZONED,
    "interval": Shape.INTERVAL,
    **dict.fromkeys(("bit", "varbit"), Shape.BITS),
    "point": Shape.POINT,
    **dict.fromkeys(("geometry", "geography"), Shape.GEOMETRY),
    "hstore": Shape.HSTORE,
    "vector": Shape.VECTOR,
    "halfvec": Shape.HALF_VECTOR,
    "sparsevec": Shape.SPARSE_VECTOR,
}
"""The shape of each base type by its name; PLAIN_TEXT is text that never needs an escape in JSON."""

_OMITTED_ELEMENTS = {"money", "name", "interval", "varbit", "xml", "point"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeFacts:
    """A row of the source's pg_type: `kind` is typtype, `category` typcategory; 0 stands for no base or element."""

    oid: int
    name: str
    kind: str
    category: str
    base_oid: int = 0
    base_modifier: int = -1
    element_oid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnType:
    """A column's type without its domains: `name` is the root type's, `declared` the column's own.

    `precision` counts the fraction digits of a time (6 when not limited), `scale` those of a numeric (None when not
    limited), `length` the bits of a bit string.
    """

    shape: Shape
    name: str
    declared: str
    precision: int = 6
    scale: int | None = None
    length: int = _VARIABLE
    is_enum: bool = False
    element: "ColumnType | None" = None


class Types:
    """The types of one source by oid; `resolve` returns None for one that is not known yet."""

    __slots__ = ("_facts",)

    def __init__(self, facts: Iterable[TypeFacts]) -> None:
        self._facts = {fact.oid: fact for fact in facts}

    def resolve(self, oid: int, modifier: int) -> ColumnType | None:
        """Return what the type of this oid and modifier means, None when the oid is unknown."""
        declared = self._facts.get(oid)
        if declared is None:
            return None
        root, modifier = self._root(declared, modifier)
        if root is None:
            return None
        if root.category == "A":
            return self._array(root, declared, modifier)
        return _scalar(root, declared, modifier)

    def _root(self, facts: TypeFacts, modifier: int) -> tuple[TypeFacts | None, int]:
        root: TypeFacts | None = facts
        while root is not None and root.base_oid:
            modifier = root.base_modifier if modifier < 0 else modifier
            root = self._facts.get(root.base_oid)
        return root, modifier

    def _array(self, root: TypeFacts, declared: TypeFacts, modifier: int) -> ColumnType:
        element = self._facts.get(root.element_oid)
        inner = None if element is None or element.base_oid else _scalar(element, element, modifier)
        is_kept = inner is not None and inner.shape != Shape.OMITTED and inner.name not in _OMITTED_ELEMENTS
        shape = Shape.ARRAY if is_kept else Shape.OMITTED
        return ColumnType(shape=shape, name=root.name, declared=declared.name, element=inner)


def _scalar(root: TypeFacts, declared: TypeFacts, modifier: int) -> ColumnType:
    shape = Shape.TEXT if root.kind == "e" else SHAPES.get(root.name, Shape.OMITTED)
    if root.kind not in {"b", "e"} and root.name not in _TEXTS:
        shape = Shape.OMITTED
    return ColumnType(
        shape=shape,
        name=root.name,
        declared=declared.name,
        precision=modifier if 0 <= modifier <= 6 else 6,
        scale=_scale(modifier) if shape == Shape.NUMERIC and modifier >= _HEADER else None,
        length=modifier if shape == Shape.BITS and modifier > 0 else _VARIABLE,
        is_enum=root.kind == "e",
    )


def _scale(modifier: int) -> int:
    """Return a numeric's scale, eleven bits with a sign since PostgreSQL 15."""
    bits = (modifier - _HEADER) & 0x7FF
    return bits - 0x800 if bits & 0x400 else bits
