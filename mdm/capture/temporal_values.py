"""Dates and times as Debezium's JSON: the rare ones (BC, infinity, far years) and those in arrays, value by value.

Pure. Elements of arrays pass through java.sql's types in Debezium, which read dates before 15 October 1582 in the
Julian calendar, forget the era of a date and keep only milliseconds of a time; equal values are the aim here.
"""

import re
from dataclasses import dataclass

_MOMENT = re.compile(
    r"(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?)?( BC)?"
)
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?")
_DAY = 86_400
_MILLIS = 3
"""Up to this many fraction digits a time counts in milliseconds, beyond in microseconds."""
_LONG_MAX = 2**63 - 1
_GREGORIAN_FROM = -141_427  # 15 October 1582 in days since 1970
_MISSING = range(-141_437, _GREGORIAN_FROM)  # the ten days that the change of calendar left out
_INFINITE_DATES = {"infinity": -2_147_472_692, "-infinity": -2_147_472_691}
_INFINITE_DATE_ELEMENTS = {"infinity": -622_191_234, "-infinity": -625_821_272}
_INFINITE_MILLIS = {"infinity": 9_223_372_036_825_200, "-infinity": -9_223_372_036_832_400}
_JAVA_PAST = "+292269055-12-02T23:00:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A date of the proleptic Gregorian calendar and a time of day; year 0 is 1 BC, `micros` the second's fraction."""

    year: int
    month: int
    day: int
    seconds: int = 0
    micros: int = 0

    @property
    def epoch_day(self) -> int:
        """Days since 1970 when the date is read in the Gregorian calendar."""
        return days(self.year, self.month, self.day)

    @property
    def hybrid_day(self) -> int:
        """Days since 1970 when a date before 15 October 1582 is read in the Julian calendar."""
        gregorian = self.epoch_day
        return gregorian if gregorian >= _GREGORIAN_FROM else _julian_days(self.year, self.month, self.day)


def parse(text: str) -> Moment:
    """Read a finite date or timestamp; one with an offset is moved to UTC."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError("not a date or timestamp in ISO style")
    year = 1 - int(match[1]) if match[12] else int(match[1])
    moment = Moment(year=year, month=int(match[2]), day=int(match[3]))
    if match[4] is None:
        return moment
    offset = int(match[9] or 0) * 3600 + int(match[10] or 0) * 60 + int(match[11] or 0)
    seconds = int(match[4]) * 3600 + int(match[5]) * 60 + int(match[6]) - (-offset if match[8] == "-" else offset)
    later, seconds = divmod(seconds, _DAY)
    year, month, day = date_of(moment.epoch_day + later)
    return Moment(year=year, month=month, day=day, seconds=seconds, micros=_micros(match[7]))


def _micros(fraction: str | None) -> int:
    return int((fraction or "").ljust(6, "0"))


def days(year: int, month: int, day: int) -> int:
    """Count the days from 1970 to a date of the proleptic Gregorian calendar, in any year."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def _julian_days(year: int, month: int, day: int) -> int:
    year -= month <= 2
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year * 365 + year // 4 + of_year - 719_470


def date_of(day: int) -> tuple[int, int, int]:
    """Return year, month and day of the proleptic Gregorian calendar, so many days from 1970."""
    era, of_era = divmod(day + 719_468, 146_097)
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    of_month = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return era * 400 + year + (month <= 2), month, of_month


def date(text: str) -> str:
    """Return days since 1970."""
    return str(_INFINITE_DATES[text] if text in _INFINITE_DATES else parse(text).epoch_day)


def date_element(text: str) -> str:
    """Return days since 1970 as for a date in an array, or in a snapshot: without its era."""
    if text in _INFINITE_DATE_ELEMENTS:
        return str(_INFINITE_DATE_ELEMENTS[text])
    return str(_era_forgotten(parse(text)).epoch_day)


def _era_forgotten(moment: Moment) -> Moment:
    year, month, day = moment.year, moment.month, moment.day
    if moment.epoch_day in _MISSING:
        year, month, day = date_of(moment.epoch_day + 10)
    year = 1 - year if year <= 0 else year
    return Moment(year=year, month=month, day=day, seconds=moment.seconds, micros=moment.micros)


def timestamp(text: str, precision: int) -> str:
    """Return milliseconds since 1970 up to three fraction digits, microseconds beyond."""
    if text in _INFINITE_MILLIS:
        return _infinite(text, precision)
    moment = parse(text)
    return _counted(moment.epoch_day * _DAY + moment.seconds, moment.micros, precision)


def timestamp_element(text: str, precision: int) -> str:
    """Return a timestamp in an array: before 15 October 1582 the date is read in the Julian calendar."""
    if text in _INFINITE_MILLIS:
        return _infinite(text, precision)
    moment = parse(text)
    return _counted(moment.hybrid_day * _DAY + moment.seconds, moment.micros, precision)


def _infinite(text: str, precision: int) -> str:
    return str(_INFINITE_MILLIS[text] * (1 if precision <= _MILLIS else 1_000))


def _counted(seconds: int, micros: int, precision: int) -> str:
    if precision <= _MILLIS:
        return str(seconds * 1_000 + micros // 1_000)
    # The JVM stops at the largest long when it counts the microseconds of the seconds, then adds and wraps around.
    total = min(seconds * 1_000_000, _LONG_MAX) + micros
    return str(total - 2**64 if total > _LONG_MAX else total)


def timestamp_zoned(text: str, precision: int) -> str:
    """Return an ISO 8601 string in UTC with just so many fraction digits."""
    if text in _INFINITE_MILLIS:
        return f'"{text}"'
    return _iso(parse(text), precision)


def timestamp_zoned_element(text: str, precision: int) -> str:
    """Return a timestamp with time zone in an array: without its era."""
    if text == "-infinity":
        return f'"{_JAVA_PAST}{_fraction(0, precision)}Z"'
    return '"infinity"' if text == "infinity" else _iso(_era_forgotten(parse(text)), precision)


def _iso(moment: Moment, precision: int) -> str:
    year = f"{moment.year:04}" if moment.year >= 0 else f"-{-moment.year:04}"
    year = f"+{year}" if moment.year > 9999 else year
    clock = f"{moment.seconds // 3600:02}:{moment.seconds // 60 % 60:02}:{moment.seconds % 60:02}"
    fraction = _fraction(moment.micros, precision)
    return f'"{year}-{moment.month:02}-{moment.day:02}T{clock}{fraction}Z"'


def _fraction(micros: int, precision: int) -> str:
    return f".{micros:06}"[: precision + 1] if precision else ""


def time_of_day(text: str, precision: int) -> str:
    """Return milliseconds since midnight up to three fraction digits, microseconds beyond; 24:00 is the day's end."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("not a time of day")
    seconds = int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])
    return _counted(seconds, _micros(match[4]), precision)


def time_element(text: str, precision: int) -> str:
    """Return a time of day in an array, in whole milliseconds; 24:00 is midnight."""
    millis = int(time_of_day(text, _MILLIS)) % (_DAY * 1_000)
    return str(millis if precision <= _MILLIS else millis * 1_000)
