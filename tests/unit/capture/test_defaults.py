import json
from typing import Any

import pytest

from mdm.capture import defaults
from mdm.capture.types import TypeFacts, Types

_BUILT_IN = ["bool", "int2", "int4", "int8", "float8", "numeric", "text", "varchar", "bpchar", "jsonb", "uuid", "date"]
_BUILT_IN += ["time", "timestamp", "timestamptz", "interval", "bit", "varbit", "money", "inet", "bytea"]
_TYPES = Types(
    [
        *(TypeFacts(oid=oid, name=name, kind="b", category="X") for oid, name in enumerate(_BUILT_IN, start=1)),
        TypeFacts(oid=100, name="mood", kind="e", category="E"),
        TypeFacts(oid=101, name="d_text", kind="d", category="S", base_oid=_BUILT_IN.index("text") + 1),
        TypeFacts(oid=102, name="_int4", kind="b", category="A", element_oid=_BUILT_IN.index("int4") + 1),
    ]
)
_OIDS = {name: oid for oid, name in enumerate(_BUILT_IN, start=1)} | {"mood": 100, "d_text": 101, "_int4": 102}


def _null(name: str, default: str | None, *, modifier: int = -1, not_null: bool = False) -> Any:
    column = _TYPES.resolve(_OIDS[name], modifier)
    assert column is not None
    return json.loads(defaults.null_text(column, not_null=not_null, default=default))


@pytest.mark.parametrize(
    ("name", "default", "expected"),
    [
        ("bool", "true", True),
        ("bool", "(1 > 2)", False),
        ("int4", "'-8'::integer", -8),
        ("int4", "(1 + 1)", None),
        ("int4", "nextval('s'::regclass)", 0),
        ("int2", "70000", None),
        ("float8", "'NaN'::double precision", "NaN"),
        ("numeric", "'-1.50'::numeric", "-1.50"),
        ("numeric", "'NaN'::numeric", None),
        ("text", "'it''s'::text", "it's"),
        ("text", "upper('x'::text)", ""),
        ("text", "('a'::text || 'b'::text)", "a"),
        ("text", "NULL::text", None),
        ("varchar", "'vd'::character varying", "vd"),
        ("jsonb", "jsonb_build_object()", "{}"),
        ("uuid", "gen_random_uuid()", "00000000-0000-0000-0000-000000000000"),
        ("date", "'2024-01-02'::date", 19724),
        ("date", "CURRENT_DATE", 0),
        ("time", "'10:00:00.5'::time without time zone", 36000500000),
        ("timestamp", "now()", 0),
        ("timestamptz", "now()", "1970-01-01T00:00:00.000000Z"),
        ("timestamptz", "'2024-01-02 10:00:00.5+00'::timestamp with time zone", "2024-01-02T10:00:00.500000Z"),
        ("interval", "'1 day 02:00:00'::interval", "P0Y0M1DT2H0M0S"),
        ("mood", "'ok'::mood", "ok"),
        ("mood", "'ok'::public.mood", "ok"),
        ("d_text", "'x'::text", None),
        ("money", "'1.50'::money", None),
        ("_int4", "'{1,2}'::integer[]", None),
    ],
)
def test_default_stands_for_null_where_debezium_understands_it(name: str, default: str, expected: Any) -> None:
    assert _null(name, default) == expected


def test_numeric_default_takes_the_columns_scale() -> None:
    assert _null("numeric", "2.5", modifier=(8 << 16 | 2) + 4) == "2.50"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bool", False),
        ("int8", 0),
        ("float8", 0.0),
        ("numeric", "0"),
        ("money", "0.00"),
        ("text", ""),
        ("timestamptz", "1970-01-01T00:00:00Z"),
        ("interval", "P0Y0M0DT0H0M0S"),
        ("bytea", ""),
        ("inet", ""),
        ("mood", ""),
        ("_int4", []),
    ],
)
def test_zero_stands_for_null_where_null_is_not_allowed(name: str, expected: Any) -> None:
    assert _null(name, None, not_null=True) == expected


def test_null_is_null_elsewhere() -> None:
    assert _null("text", None) is None
