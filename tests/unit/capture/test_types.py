import pytest

from mdm.capture.types import Shape, TypeFacts, Types

_TYPES = Types(
    [
        TypeFacts(oid=23, name="int4", kind="b", category="N"),
        TypeFacts(oid=25, name="text", kind="b", category="S"),
        TypeFacts(oid=1700, name="numeric", kind="b", category="N"),
        TypeFacts(oid=1114, name="timestamp", kind="b", category="D"),
        TypeFacts(oid=1560, name="bit", kind="b", category="V"),
        TypeFacts(oid=3904, name="int4range", kind="r", category="R"),
        TypeFacts(oid=4451, name="int4multirange", kind="m", category="R"),
        TypeFacts(oid=600, name="point", kind="b", category="G", element_oid=701),
        TypeFacts(oid=1007, name="_int4", kind="b", category="A", element_oid=23),
        TypeFacts(oid=1115, name="_timestamp", kind="b", category="A", element_oid=1114),
        TypeFacts(oid=9001, name="price", kind="d", category="N", base_oid=1700, base_modifier=(8 << 16 | 3) + 4),
        TypeFacts(oid=9002, name="dear_price", kind="d", category="N", base_oid=9001),
        TypeFacts(oid=9003, name="_price", kind="b", category="A", element_oid=9001),
        TypeFacts(oid=9004, name="mood", kind="e", category="E"),
        TypeFacts(oid=9005, name="_mood", kind="b", category="A", element_oid=9004),
        TypeFacts(oid=9006, name="pair", kind="c", category="C"),
        TypeFacts(oid=9007, name="_point", kind="b", category="A", element_oid=600),
        TypeFacts(oid=9008, name="numbers", kind="d", category="A", base_oid=1007),
        TypeFacts(oid=9009, name="text", kind="c", category="C"),
    ]
)


@pytest.mark.parametrize(
    ("oid", "shape"),
    [
        (23, Shape.INTEGER),
        (25, Shape.TEXT),
        (3904, Shape.TEXT),
        (4451, Shape.OMITTED),
        (600, Shape.POINT),
        (1007, Shape.ARRAY),
        (9002, Shape.NUMERIC),
        (9003, Shape.OMITTED),
        (9004, Shape.TEXT),
        (9005, Shape.ARRAY),
        (9006, Shape.OMITTED),
        (9007, Shape.OMITTED),
        (9008, Shape.ARRAY),
    ],
)
def test_type_has_the_shape_of_its_root(oid: int, shape: Shape) -> None:
    found = _TYPES.resolve(oid, -1)
    assert found is not None
    assert found.shape == shape


@pytest.mark.parametrize(
    ("oid", "modifier", "scale"),
    [(1700, -1, None), (1700, (8 << 16 | 2) + 4, 2), (1700, (5 << 16 | 0x7FE) + 4, -2), (9002, -1, 3)],
)
def test_numeric_has_its_scale_also_under_domains(oid: int, modifier: int, scale: int | None) -> None:
    found = _TYPES.resolve(oid, modifier)
    assert found is not None
    assert found.scale == scale


def test_elements_have_the_columns_precision() -> None:
    found = _TYPES.resolve(1115, 3)
    assert found is not None
    assert found.element is not None
    assert found.element.precision == 3


def test_bit_string_has_its_length() -> None:
    found = _TYPES.resolve(1560, 1)
    assert found is not None
    assert found.length == 1


def test_unknown_type_is_none() -> None:
    assert _TYPES.resolve(12345, -1) is None
