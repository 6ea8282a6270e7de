"""Great Expectations at work: each rule is one Expectation, made from its one definition, over the rows of its scope.

Its import takes seconds, so this module is imported only when an audit runs. Nothing leaves the machine and nothing is
written to a folder: the context lives in memory and usage statistics are off.
"""

import logging
import os
import re
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.pool import StaticPool

from mdm.audit.snapshot import Snapshot
from mdm.errors import MdmError

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at its import
logging.getLogger("great_expectations").setLevel(logging.CRITICAL)  # its messages are many, and may hold values

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports modules that Python has deprecated
    import great_expectations as gx
    from great_expectations import expectations as gxe
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

# What SQLAlchemy takes for a parameter, and the backslash that tells it that there is none.
_TAKEN = re.compile(r"(?<![:\w\\]):(?=\w+(?![:\w]))|\\(?=:\w*(?![:\w]))")
_ROWS = "unexpected_rows_query.row_count"

# The session is opened by ourselves: Great Expectations knows no address and no password.
_NO_ADDRESS = "postgresql+psycopg://hub@hub/hub"


class ExpectRuleToHold(gxe.UnexpectedRowsExpectation):  # type: ignore[misc]  # it has no types that we can check
    """Expects that a rule speaks against no row. Counts the rows that it does speak against, and fetches none."""

    code: int
    metric_dependencies = (_ROWS,)

    def _validate(self, metrics: Mapping[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        failed = metrics[_ROWS]
        return {"success": failed == 0, "result": {"observed_value": failed}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A rule to be held against a table: its condition over the table's columns."""

    code: int
    violated: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many rows a rule speaks against, and how long the counting took."""

    failed: int
    seconds: float


class RuleUnevaluable(MdmError):
    """Great Expectations could not put a rule to a place."""


def query_of(violated: str) -> str:
    """Return the query of the rows that a condition speaks against, as Great Expectations takes it.

    It fills in what stands in braces, and SQLAlchemy what follows a colon: the condition's own are kept from both.
    """
    condition = _TAKEN.sub(r"\\\g<0>", violated.replace("{", "{{").replace("}", "}}"))
    return f"select distinct record from {{batch}} where ({condition})"


class Auditor:
    """Great Expectations over one session; `validate` puts rules to a table that the session sees."""

    def __init__(self, session: Snapshot) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)  # so that it makes no folder
            self._context = gx.get_context(
                mode="ephemeral", project_config=DataContextConfig(store_backend_defaults=stores)
            )
            self._tables = 0
            self._context.variables.progress_bars = {"globally": False, "metric_calculations": False}
            self._source = self._context.data_sources.add_postgres(
                "audited",
                connection_string=_NO_ADDRESS,
                create_temp_table=False,
                kwargs={"creator": lambda: session, "poolclass": StaticPool},
            )

    def validate(self, table: str, expected: Sequence[Expected]) -> dict[int, Counted]:
        """Return how many rows of a table each rule speaks against."""
        began = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = self._run(table, expected)
        seconds = (time.monotonic() - began) / max(len(expected), 1)
        return {code: Counted(failed=failed, seconds=seconds) for code, failed in map(_counted, results)}

    def _run(self, table: str, expected: Sequence[Expected]) -> Sequence[Any]:
        self._tables += 1  # tables of one name follow each other
        name = f"{table} {self._tables}"
        suite = self._context.suites.add(
            gx.ExpectationSuite(
                name,
                expectations=[
                    ExpectRuleToHold(code=each.code, unexpected_rows_query=query_of(each.violated)) for each in expected
                ],
            )
        )
        asset = self._source.add_table_asset(name, table_name=table)
        batch = asset.add_batch_definition_whole_table("all")
        definition = self._context.validation_definitions.add(
            gx.ValidationDefinition(name=name, data=batch, suite=suite)
        )
        results: Sequence[Any] = definition.run(result_format="BASIC").results
        return results


def _counted(result: Any) -> tuple[int, int]:
    code = int(result.expectation_config.kwargs["code"])
    if result.exception_info.get("raised_exception") or "observed_value" not in result.result:
        raise RuleUnevaluable(
            f"Rule {code} could not be put to a place: PostgreSQL refuses its condition. "
            f"'mdm rules try {code} --debug' shows why; mend the rule."
        )
    return code, int(result.result["observed_value"])
