import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm.capture import scalar_values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", "3.0"),
        ("-0", "-0.0"),
        ("1.5", "1.5"),
        ("1e+23", "1e+23"),
        ("NaN", '"NaN"'),
        ("Infinity", '"Infinity"'),
        ("-Infinity", '"-Infinity"'),
    ],
)
def test_double_is_a_number_unless_it_is_special(text: str, expected: str) -> None:
    assert scalar_values.float8(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("123456.79", 123456.79),
        ("1e-45", 1.4e-45),
        ("1.1754944e-38", 1.17549435e-38),
        ("7.450581e-09", 7.4505806e-9),
        ("1.3179099e+09", 1.31790989e9),
        ("3.4028235e+38", 3.4028235e38),
        ("0.1", 0.1),
    ],
)
def test_single_float_has_the_digits_of_the_jvm(text: str, expected: float) -> None:
    assert json.loads(scalar_values.float4(text)) == expected
    assert json.loads(scalar_values.float4(f"-{text}")) == -expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$1,234.56", "1234.56"),
        ("-$92,233,720,368,547,758.08", "-92233720368547758.08"),
        ("($5.00)", "-5.00"),
        ("$0.00", "0.00"),
    ],
)
def test_money_loses_sign_and_separators(text: str, expected: str) -> None:
    assert json.loads(scalar_values.money(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12:34:56.789012+00", "12:34:56.789012Z"),
        ("12:34:56.7-05:30", "18:04:56.7Z"),
        ("00:00:00+02", "22:00:00Z"),
        ("24:00:00+00", "00:00:00Z"),
        ("01:02:00.120+00", "01:02:00.12Z"),
        ("23:59:59+15:59:59", "08:00:00Z"),
    ],
)
def test_time_with_its_zone_moves_to_utc(text: str, expected: str) -> None:
    assert json.loads(scalar_values.time_zoned(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 year 2 mons 3 days 04:05:06.789012", "P1Y2M3DT4H5M6.789012S"),
        ("-1 years -2 mons +3 days -04:05:06.5", "P-1Y-2M3DT-4H-5M-6.5S"),
        ("00:00:00", "P0Y0M0DT0H0M0S"),
        ("1000000:00:00", "P0Y0M0DT1000000H0M0S"),
        ("1 day -00:00:00.000001", "P0Y0M1DT0H0M-0.000001S"),
        ("-178000000 years", "P-178000000Y0M0DT0H0M0S"),
        ("infinity", "P0Y0M0DT0H0M0S"),
    ],
)
def test_interval_keeps_every_part_and_sign(text: str, expected: str) -> None:
    assert json.loads(scalar_values.interval(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10", "Ag=="), ("101010101", "VQE="), ("00000000", ""), ("", ""), ("1" + "0" * 32, "AAAAAAE=")],
)
def test_bits_are_the_fewest_bytes_least_first(text: str, expected: str) -> None:
    assert json.loads(scalar_values.bits(text)) == expected


def test_point_has_coordinates_and_binary() -> None:
    found = json.loads(scalar_values.point("(1.5,-2.25)"))
    assert found == {"x": 1.5, "y": -2.25, "wkb": "AQEAAAAAAAAAAAD4PwAAAAAAAALA", "srid": None}


def test_geometry_tells_its_reference_system() -> None:
    found = json.loads(scalar_values.geometry("0101000020E6100000000000000000F03F0000000000000040"))
    assert found == {"wkb": "AQEAACDmEAAAAAAAAAAA8D8AAAAAAAAAQA==", "srid": 4326}
    assert json.loads(scalar_values.geometry("010700000000000000"))["srid"] is None


def test_hstore_is_json_in_a_string_in_the_order_of_a_java_map() -> None:
    text = '"a"=>"", "b"=>"2", "z"=>"é", "aa"=>"1", "n"=>NULL, "q"=>"x\\"y\\\\"'
    inner = json.loads(scalar_values.hstore(text))
    assert list(json.loads(inner)) == ["aa", "a", "q", "b", "z", "n"]
    assert json.loads(inner) == {"aa": "1", "q": 'x"y\\', "a": "", "b": "2", "z": "é", "n": None}


def test_vectors_are_arrays_of_numbers() -> None:
    assert json.loads(scalar_values.vector("[1,2.5,-3e+10]")) == [1.0, 2.5, -3e10]
    assert json.loads(scalar_values.sparse_vector("{1:1.5,3:2}/5")) == {"dimensions": 5, "vector": [[1, 1.5], [3, 2.0]]}
    assert json.loads(scalar_values.sparse_vector("{}/5")) == {"dimensions": 5, "vector": []}


@given(st.text())
def test_any_text_survives_as_a_json_string(text: str) -> None:
    assert json.loads(scalar_values.string(text)) == text
