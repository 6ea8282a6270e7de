"""The form in which a batch of the workload is noted: JSON, with the days and moments in it told from texts."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from typing import Any

import orjson

from mdm.demo.market import Source
from mdm.demo.writing import Statement, Transaction

Places = list[list[Transaction]]
"""A batch in the order in which it is written: what each happening does first, then what each does second, ..."""


def text(places: Places) -> str:
    """Write a batch down, with no more parameters than its statements name."""
    written = [[_written(transaction) for transaction in place] for place in places]
    return orjson.dumps(written, default=_tagged, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def json(counts: Mapping[str, int]) -> str:
    """Write counts down."""
    return orjson.dumps(dict(counts)).decode()


def parse(written: str) -> Places:
    """Read what text() wrote."""
    return [[_transaction(noted) for noted in place] for place in orjson.loads(written)]


def _written(transaction: Transaction) -> dict[str, Any]:
    statements = [
        {"sql": one.sql, "parameters": {name: one.parameters[name] for name in _named(one.sql)}}
        for one in transaction.statements
    ]
    return {"source": transaction.source.value, "statements": statements}


@cache
def _named(sql: str) -> frozenset[str]:
    return frozenset(re.findall(r"%\((\w+)\)s", sql))


def _tagged(value: object) -> dict[str, str]:
    match value:
        case datetime():
            return {"moment": value.isoformat()}
        case date():
            return {"day": value.isoformat()}
        case _:
            raise TypeError(f"a parameter of the type {type(value).__name__} cannot be noted")


def _transaction(noted: Mapping[str, Any]) -> Transaction:
    return Transaction(
        source=Source(noted["source"]),
        statements=tuple(
            Statement(sql=one["sql"], parameters={name: _read(value) for name, value in one["parameters"].items()})
            for one in noted["statements"]
        ),
    )


def _read(value: Any) -> Any:
    match value:
        case {"day": str(day)}:
            return date.fromisoformat(day)
        case {"moment": str(moment)}:
            return datetime.fromisoformat(moment)
        case list():
            return [_read(each) for each in value]
        case _:
            return value
