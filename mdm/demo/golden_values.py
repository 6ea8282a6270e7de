"""What the golden records say, in the form of mdm.demo.expectations: read from the golden tables alone."""

import polars as pl

from mdm import db
from mdm.demo import frames
from mdm.demo.expectations import Expected
from mdm.demo.premises import LINES

_POINTS = f"""
select p.*, {", ".join(f"a.{name}" for name in (*LINES, "postcode", "uprn"))}
from golden.metering_point p left join golden.address a on a.golden_id = p.address_id
"""

_METERS = """
select m.*, p.mpan, upper(replace(m.meter_id, ' ', '')) as serial
from golden.meter m left join golden.metering_point p on p.golden_id = m.metering_point_id
"""


def read(connection: db.Connection, expected: Expected) -> Expected:
    """Return what the golden records say of the same items, each with its golden_id."""
    queries = {
        "points": _POINTS,
        "meters": _METERS,
        "contracts": "select * from golden.contract",
        "appointments": "select * from golden.appointment",
    }
    found = {
        name: frames.read_from(connection, _chosen(query, getattr(expected, name))) for name, query in queries.items()
    }
    return Expected(**found)


def _chosen(query: str, expected: pl.DataFrame) -> str:
    return f"select golden_id, {', '.join(expected.columns)} from ({query}) golden"
