"""The audit of a million metering points with all rules, against the same counts written as one SQL statement.

Both read the same rows; the audit also compares what it finds with the inline verdicts.
"""

import time

from golden_records import rule_trials
from mdm import db
from mdm.audit import auditing
from mdm.audit.asked import Asked
from mdm.audit.findings import Finding
from rules import registry
from rules.model import Scope
from tests.benchmarks.budgets import Measured


def measure(dsn: str) -> Measured:
    """Return the rows a second of the audit and of the one statement."""
    looked_at, one_statement = _one_statement(dsn)
    began = time.monotonic()
    run = auditing.run(dsn, [], Asked(), by="bench", note=str.strip)
    seconds = time.monotonic() - began
    found = [finding for finding in run.findings if finding.place == "golden"]
    return Measured(
        value=looked_at / seconds,
        baseline=looked_at / one_statement,
        notes=(
            f"{len(found)} rules on {looked_at:,} rows in {seconds:.1f} s, one statement in {one_statement:.1f} s",
            f"{_all_rows(found):,} verdicts, {sum(finding.failed for finding in found):,} records failed",
        ),
    )


def _all_rows(findings: list[Finding]) -> int:
    return sum(finding.looked_at for finding in findings)


def _one_statement(dsn: str) -> tuple[int, float]:
    """Count every row of every scope and what each rule speaks against, in one statement; return rows and seconds."""
    with db.connect(dsn) as connection, db.reading(connection):
        connection.execute("set local jit = off; set local work_mem = '128MB'")
        began = time.monotonic()
        rows = connection.execute(_statement()).fetchall()
        return sum(counted for counted, _ in rows), time.monotonic() - began


def _statement() -> str:
    counted = [
        f"select count(*), array[{', '.join(f'count(*) filter (where {rule.condition})' for rule in rules)}]"
        f" from ({rule_trials.select(scope)}) r"
        for scope in Scope
        if scope is not Scope.MESSAGE and (rules := list(registry.list_of_scope(scope)))
    ]
    return " union all ".join(counted)
