"""Each rule against its passing and failing rows, evaluated as mastering evaluates it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm import db
from rules import registry
from rules.model import Rule, Scope
from tests import factories

CASES: dict[int, dict[str, list[dict[str, Any]]]] = yaml.safe_load(
    Path(__file__).with_name("cases.yaml").read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def connection(hub_server: Any) -> Iterator[psycopg.Connection]:
    with db.connect(hub_server.dsn()) as opened:
        yield opened


def _is_violated(connection: psycopg.Connection, rule: Rule, row: dict[str, Any]) -> bool:
    columns = ", ".join(f"%({name})s::{sql_type} as {name}" for name, sql_type in rule.scope.types.items())
    values = {name: row.get(name) for name in rule.scope.columns}
    violated = rule.condition.replace("%", "%%")
    found = connection.execute(f"select ({violated}) is true from (select {columns}) r", values).fetchone()
    return found == (True,)


def _cases(kind: str) -> list[Any]:
    return [
        pytest.param(code, row, id=f"{code}-{number}")
        for code, kinds in CASES.items()
        for number, row in enumerate(kinds[kind])
    ]


def test_every_rule_has_passing_and_failing_cases() -> None:
    assert set(CASES) == set(registry.RULES) == set(range(1, 40))
    assert all(kinds["passes"] and kinds["fails"] for kinds in CASES.values())


@pytest.mark.parametrize(("code", "row"), _cases("passes"))
def test_a_right_row_passes(connection: psycopg.Connection, code: int, row: dict[str, Any]) -> None:
    assert not _is_violated(connection, registry.get(code), row)


@pytest.mark.parametrize(("code", "row"), _cases("fails"))
def test_a_wrong_row_fails(connection: psycopg.Connection, code: int, row: dict[str, Any]) -> None:
    assert _is_violated(connection, registry.get(code), row)


def test_a_case_names_no_column_that_its_scope_does_not_have() -> None:
    assert not {
        (code, column)
        for code, kinds in CASES.items()
        for row in (*kinds["passes"], *kinds["fails"])
        for column in row.keys() - {*registry.get(code).scope.columns}
    }


def test_every_scope_names_its_columns() -> None:
    assert all(scope.columns for scope in Scope)


@given(number=st.integers(0, 10**10 - 1), distributor=st.integers(10, 99))
@settings(max_examples=60, deadline=None)
def test_the_check_digit_agrees_with_its_definition(
    connection: psycopg.Connection, number: int, distributor: int
) -> None:
    right = factories.mpan(number, distributor=str(distributor))
    verdicts = {
        digit: _is_violated(connection, registry.get(1), {"mpan": f"{right[:12]}{digit}"}) for digit in range(10)
    }

    assert verdicts == {digit: str(digit) != right[12] for digit in range(10)}
