"""How PostgreSQL's text output becomes typed, canonical values: column expressions, nothing raises on garbage.

What cannot be typed becomes null. Blank text is no value; an infinite date is an open end, so it is no value either.
Expressions are kept few and cheap: they run for every table of every batch, most of which are small.
"""

import polars as pl

DATE, TIMESTAMP, TIMESTAMPTZ = 1082, 1114, 1184  # type oids of PostgreSQL
NEVER_BLANK = frozenset({16, 20, 21, 23, 700, 701, 1700, 2950, DATE, TIMESTAMP, TIMESTAMPTZ})

_TRUE = ("t", "true", "y", "yes", "1", "on")
_FALSE = ("f", "false", "n", "no", "0", "off")
_FIRST_DAY, _LAST_DAY = pl.date(1, 1, 1), pl.date(9999, 12, 31)
_INT4 = 2**31


def blank_is_null(column: pl.Expr) -> pl.Expr:
    """Trim text; nothing left is no value."""
    trimmed = column.str.strip_chars()
    return pl.when(trimmed != "").then(trimmed)


def boolean(present: pl.Expr) -> pl.Expr:
    """Read the spellings of true and false that PostgreSQL itself accepts."""
    lowered = present.str.to_lowercase()
    return pl.when(lowered.is_in(_TRUE)).then(True).when(lowered.is_in(_FALSE)).then(False)  # noqa: FBT003 - a value


def whole_number(present: pl.Expr) -> pl.Expr:
    """Read an integer of four bytes, also where the source holds it as a numeric with a zero fraction."""
    number = present.str.replace(r"\.0+$", "").str.to_integer(strict=False, dtype=pl.Int64)
    return pl.when(number.is_between(-_INT4, _INT4 - 1)).then(number)


def day(present: pl.Expr, *, type_oid: int, zone: str) -> pl.Expr:
    """Read a calendar day: a date, the day of a timestamp, or the local day of a timestamp with time zone."""
    if type_oid == TIMESTAMPTZ:
        return moment(present).dt.convert_time_zone(zone).dt.date()
    text = present.str.slice(0, 10) if type_oid == TIMESTAMP else present
    date = text.str.to_date("%Y-%m-%d", strict=False)
    return pl.when((date.cast(pl.String) == text) & (date >= _FIRST_DAY)).then(date)


def moment(present: pl.Expr) -> pl.Expr:
    """Read a timestamp with time zone, as a UTC instant."""
    instant = present.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", strict=False, time_unit="us", time_zone="UTC")
    return pl.when(instant.dt.year().is_between(1, 9999)).then(instant)


def local_moment(present: pl.Expr, *, zone: str) -> pl.Expr:
    """Read a timestamp without time zone as what clocks in the zone show, as a UTC instant."""
    naive = present.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us")
    local = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC")


def json_moment(instant: pl.Expr) -> pl.Expr:
    """Write an instant as PostgreSQL's to_jsonb does in UTC."""
    return instant.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").str.replace(r"\.?0*\+00:00$", "+00:00")


def start_of_day(date: pl.Expr, *, zone: str) -> pl.Expr:
    """Return the UTC instant at which a local calendar day begins."""
    local = date.cast(pl.Datetime("us")).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC")


def end_of_day(date: pl.Expr, *, zone: str) -> pl.Expr:
    """Return the UTC instant at which a local calendar day is over; the last day that can be written is an open end."""
    following = pl.when(date < _LAST_DAY).then(date + pl.duration(days=1))
    return start_of_day(following, zone=zone)


def is_infinite(present: pl.Expr) -> pl.Expr:
    """Tell PostgreSQL's infinite dates."""
    return present.is_in(("infinity", "-infinity"))
