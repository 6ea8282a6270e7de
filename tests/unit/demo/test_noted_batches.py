"""A batch that is noted reads as it was written."""

from datetime import UTC, date, datetime

import pytest

from mdm.demo import noted_batches
from mdm.demo.market import Source
from mdm.demo.writing import Statement, Transaction


def batch(sql: str, **parameters: object) -> noted_batches.Places:
    return [[Transaction(source=Source.MDS, statements=(Statement(sql=sql, parameters=parameters),))], []]


@pytest.mark.parametrize(
    "value",
    [None, "2025-03-30", 7, True, date(2025, 3, 30), datetime(2025, 3, 30, 1, 2, 3, 4, tzinfo=UTC), [date(2025, 1, 1)]],
)
def test_values_keep_their_type(value: object) -> None:
    noted = batch("insert into t values (%(day)s)", day=value)

    assert noted_batches.parse(noted_batches.text(noted)) == noted


def test_parameters_that_no_statement_names_are_left_out() -> None:
    noted = noted_batches.parse(noted_batches.text(batch("delete from t where a = %(a)s", a=1, b=2)))

    assert noted[0][0].statements[0].parameters == {"a": 1}


def test_a_value_that_cannot_be_noted_is_refused() -> None:
    with pytest.raises(TypeError, match="complex"):
        noted_batches.text(batch("insert into t values (%(a)s)", a=1j))
