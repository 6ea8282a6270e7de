"""Population: rows that the demo makes and copies into the market's databases a second, against a fixed rate.

It is timed where the benchmarks fill their market anyway, from the first row to the statistics of the last table.
"""

from tests.benchmarks.budgets import Measured
from tests.benchmarks.installation import SOURCES, Filled

ASKED = 50_000.0  # rows a second


def of(filled: Filled, points: int) -> Measured:
    """Return the rate at which a market of so many metering points was filled."""
    notes = (f"{filled.rows:,} rows of {points:,} metering points in {len(SOURCES)} databases",)
    return Measured(value=filled.rows / filled.seconds, baseline=ASKED, notes=notes)
