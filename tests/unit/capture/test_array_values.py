import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm.capture import array_values
from mdm.capture.types import ColumnType, Shape


def _element(shape: Shape, name: str = "text", *, is_enum: bool = False) -> ColumnType:
    return ColumnType(shape=shape, name=name, declared=name, is_enum=is_enum)


def _convert(text: str, element: ColumnType) -> Any:
    converted = array_values.converter(element)(text)
    return None if converted is None else json.loads(converted)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", []),
        ('{a,"b,c",NULL,"NULL",""}', ["a", "b,c", None, "NULL", ""]),
        ('{"quote\\"d","back\\\\slash","{brace}"," "}', ['quote"d', "back\\slash", "{brace}", " "]),
        ("[2:3]={x,y}", ["x", "y"]),
        ("{{a,b},{c,NULL}}", [["a", "b"], ["c", None]]),
        ("1 2 3", []),
    ],
)
def test_array_text_is_read_as_postgresql_wrote_it(text: str, expected: list[Any]) -> None:
    assert array_values.parse(text) == expected


def test_unbalanced_text_is_refused() -> None:
    with pytest.raises(array_values.NotAnArray):
        array_values.parse("{a,{b}")


@pytest.mark.parametrize(
    ("text", "shape", "name", "expected"),
    [
        ("{t,f,NULL}", Shape.BOOLEAN, "bool", [True, False, None]),
        ("{1,-2}", Shape.INTEGER, "int4", [1, -2]),
        ("{1.5,NaN}", Shape.FLOAT8, "float8", [1.5, "NaN"]),
        ("{1.10,5}", Shape.NUMERIC, "numeric", ["1.10", "5"]),
        ("{1.10,NaN}", Shape.NUMERIC, "numeric", None),
        ('{"\\\\x00ff"}', Shape.BYTES, "bytea", ["AP8="]),
        ("{{1,2},{3,4}}", Shape.INTEGER, "int4", [None, None]),
        ("{{a,b}}", Shape.TEXT, "text", ["{a,b}"]),
        ("{'a'}", Shape.TEXT, "tsvector", None),
        ("{}", Shape.TEXT, "tsvector", []),
        ("{1}", Shape.BITS, "bit", None),
        ("", Shape.INTEGER, "int2", None),
        ("1 2", Shape.INTEGER, "int2", []),
    ],
)
def test_array_is_what_debezium_makes_of_it(text: str, shape: Shape, name: str, expected: Any) -> None:
    assert _convert(text, _element(shape, name)) == expected


def test_enum_array_with_a_null_is_null() -> None:
    mood = _element(Shape.TEXT, "mood", is_enum=True)
    assert _convert("{ok,sad}", mood) == ["ok", "sad"]
    assert _convert("{ok,NULL}", mood) is None


def _written(texts: list[str | None]) -> str:
    quoted = ("NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    return "{" + ",".join(quoted) + "}"


@given(st.lists(st.none() | st.text()))
def test_any_text_survives_in_an_array(texts: list[str | None]) -> None:
    assert _convert(_written(texts), _element(Shape.TEXT)) == texts
