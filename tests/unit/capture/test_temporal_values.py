import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm.capture import temporal_values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01", 0),
        ("1969-12-31", -1),
        ("0001-01-01", -719162),
        ("0001-12-31 BC", -719163),
        ("4713-01-01 BC", -2440550),
        ("5874897-12-31", 2145042905),
        ("infinity", -2147472692),
        ("-infinity", -2147472691),
    ],
)
def test_date_counts_days_in_the_gregorian_calendar(text: str, expected: int) -> None:
    assert int(temporal_values.date(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-29", 19782),
        ("0044-03-15 BC", -703383),
        ("1582-10-04", -141438),
        ("1582-10-10", -141422),
        ("1582-10-15", -141427),
        ("infinity", -622191234),
        ("-infinity", -625821272),
    ],
)
def test_date_in_an_array_forgets_its_era(text: str, expected: int) -> None:
    assert int(temporal_values.date_element(text)) == expected


@pytest.mark.parametrize(
    ("text", "precision", "expected"),
    [
        ("2024-02-29 12:34:56.789", 3, 1709210096789),
        ("2024-02-29 12:34:56.789012", 6, 1709210096789012),
        ("1969-12-31 23:59:59.999", 3, -1),
        ("0044-03-15 12:00:00.5 BC", 6, -63517780799500000),
        ("294276-12-31 23:59:59.999999", 6, -9223372036853775810),
        ("294276-12-31 23:59:59.999", 3, 9224318015999999),
        ("infinity", 6, 9223372036825200000),
        ("-infinity", 0, -9223372036832400),
    ],
)
def test_timestamp_counts_in_the_unit_of_its_precision(text: str, precision: int, expected: int) -> None:
    assert int(temporal_values.timestamp(text, precision)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0044-03-15 12:00:00 BC", -63517953600000000),
        ("1582-10-10 00:00:00", -12218860800000000),
        ("1582-10-15 12:00:00", -12219249600000000),
        ("0001-01-01 00:00:00", -62135769600000000),
    ],
)
def test_timestamp_in_an_array_is_read_in_the_calendar_of_its_day(text: str, expected: int) -> None:
    assert int(temporal_values.timestamp_element(text, 6)) == expected


@pytest.mark.parametrize(
    ("text", "precision", "expected"),
    [
        ("2024-02-29 12:34:56+00", 6, "2024-02-29T12:34:56.000000Z"),
        ("2024-02-29 12:34:56.789+00", 3, "2024-02-29T12:34:56.789Z"),
        ("2024-02-29 12:34:56+00", 0, "2024-02-29T12:34:56Z"),
        ("2024-02-29 00:30:00+05:30", 0, "2024-02-28T19:00:00Z"),
        ("0044-03-15 12:00:00+00 BC", 1, "-0043-03-15T12:00:00.0Z"),
        ("0001-12-31 00:00:00+00 BC", 0, "0000-12-31T00:00:00Z"),
        ("10000-01-01 00:00:00+00", 0, "+10000-01-01T00:00:00Z"),
        ("infinity", 6, "infinity"),
        ("-infinity", 6, "-infinity"),
    ],
)
def test_zoned_timestamp_has_all_its_fraction_digits(text: str, precision: int, expected: str) -> None:
    assert temporal_values.timestamp_zoned(text, precision) == f'"{expected}"'


@pytest.mark.parametrize(
    ("text", "precision", "expected"),
    [
        ("0044-03-15 12:00:00+00 BC", 6, "0044-03-15T12:00:00.000000Z"),
        ("1582-10-10 00:00:00+00", 0, "1582-10-20T00:00:00Z"),
        ("infinity", 3, "infinity"),
        ("-infinity", 3, "+292269055-12-02T23:00:00.000Z"),
    ],
)
def test_zoned_timestamp_in_an_array_forgets_its_era(text: str, precision: int, expected: str) -> None:
    assert temporal_values.timestamp_zoned_element(text, precision) == f'"{expected}"'


def test_end_of_the_day_is_midnight_in_an_array_alone() -> None:
    assert temporal_values.time_of_day("24:00:00", 6) == "86400000000"
    assert temporal_values.time_element("24:00:00", 6) == "0"
    assert temporal_values.time_element("10:00:00.123456", 6) == "36000123000"


@given(st.dates())
def test_days_agree_with_the_standard_calendar(day: dt.date) -> None:
    count = (day - dt.date(1970, 1, 1)).days
    assert temporal_values.days(day.year, day.month, day.day) == count
    assert temporal_values.date_of(count) == (day.year, day.month, day.day)


@given(st.integers(-2_500_000, 2_200_000_000))
def test_days_and_dates_are_inverse_in_far_years(count: int) -> None:
    assert temporal_values.days(*temporal_values.date_of(count)) == count
