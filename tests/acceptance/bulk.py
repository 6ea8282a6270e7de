"""How many rows the tests of bulk change at a registration, and a table that a statement changes many rows of.

MDM_TEST_ROWS sets how many in all, MDM_TEST_ROWS=1000000 being the size that law 2 names; the way is the same.
"""

import os

from tests.acceptance.installation import Installation

ROWS = int(os.environ.get("MDM_TEST_ROWS", "40000"))
PATIENCE = 300 + ROWS // 200  # seconds; a limit, not a budget
_ROUNDS = 50  # a transaction reads again what it has written before: many rounds over few rows take it very long

_WIDEN = """
insert into duos_tariff
select mpan, date '1980-01-01' + place, 'A01' from metering_point, generate_series(1, %s) place
"""


def rounds(installed: Installation, source: str) -> tuple[int, int]:
    """Return how many rows duos_tariff has, and how often to change them all so that ROWS rows are changed."""
    with installed.connect(source) as connection:
        row = connection.execute("select count(*) from duos_tariff").fetchone()
    assert row is not None
    return row[0], -(-ROWS // row[0])


def widen(installed: Installation, source: str) -> None:
    """Give each point so many dated tariffs, all in the past, that few rounds over them change ROWS rows."""
    with installed.connect(source) as connection:
        row = connection.execute("select count(*) from metering_point").fetchone()
        assert row is not None
        connection.execute(_WIDEN, [ROWS // _ROUNDS // row[0]])
