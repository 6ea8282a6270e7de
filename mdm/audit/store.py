"""Keeping runs of the audit and reading them again: the only SQL on hub.audit_run and hub.audit_result."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from golden_records import rows
from mdm.audit.findings import Finding, Outcome, Run

_COLUMNS = "place, rule, rule_version, outcome, reason, looked_at, failed, inline, differing, sample, seconds"

RUN = 'select run_id, started_at, finished_at, asked_for, "by", passed from hub.audit_run where run_id = %s'
FINDINGS = f"select {_COLUMNS} from hub.audit_result where run_id = %s order by place, rule"

RUNS = """
select run_id, started_at, finished_at, asked_for, "by", passed,
       (select count(*) from hub.audit_result f where f.run_id = r.run_id) as findings,
       (select count(*) from hub.audit_result f where f.run_id = r.run_id and f.outcome = 'failed') as failed,
       (select coalesce(sum(differing), 0)::bigint from hub.audit_result f where f.run_id = r.run_id) as differing
from hub.audit_run r order by run_id desc limit %s
"""

_TREND = """
select f.place, f.rule, r.run_id, r.started_at, f.looked_at, f.failed, f.inline, f.differing
from hub.audit_result f join (select * from hub.audit_run order by run_id desc limit %(runs)s) r using (run_id)
where f.outcome <> 'not looked for' and (%(rule)s::int is null or f.rule = %(rule)s)
order by f.place, f.rule, r.run_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run as it is listed: how many findings it has, how many of them failed, how many records differ."""

    run_id: int
    started_at: datetime
    finished_at: datetime
    asked_for: Mapping[str, Any]
    by: str
    passed: bool
    findings: int
    failed: int
    differing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What one run found of a rule at a place: a point of its trend."""

    place: str
    rule: int
    run_id: int
    started_at: datetime
    looked_at: int
    failed: int
    inline: int | None
    differing: int


def keep(connection: psycopg.Connection, run: Run) -> Run:
    """Keep a run and return it with its id."""
    run_id: int = rows.single(
        connection,
        'insert into hub.audit_run (started_at, finished_at, asked_for, "by", passed) values (%s, %s, %s, %s, %s)'
        " returning run_id",
        [run.started_at, run.finished_at, Jsonb(dict(run.asked_for)), run.by, run.passed],
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            f"insert into hub.audit_result (run_id, {_COLUMNS}) values (%s{', %s' * 11})",
            [(run_id, *_row(finding)) for finding in run.findings],
        )
    return replace(run, run_id=run_id)


def _row(finding: Finding) -> tuple[Any, ...]:
    return tuple(
        list(value) if isinstance(value := getattr(finding, name), tuple) else value for name in _COLUMNS.split(", ")
    )


def list_runs(connection: psycopg.Connection, *, limit: int) -> list[Summary]:
    """Return the last runs, the newest first."""
    with connection.cursor(row_factory=class_row(Summary)) as cursor:
        return cursor.execute(RUNS, [limit]).fetchall()


def list_trend(connection: psycopg.Connection, *, rule: int | None = None, runs: int = 20) -> list[Moment]:
    """Return what the last runs found, by place and rule, the oldest run first."""
    with connection.cursor(row_factory=class_row(Moment)) as cursor:
        return cursor.execute(_TREND, {"rule": rule, "runs": runs}).fetchall()


def find_run(connection: psycopg.Connection, run_id: int) -> Run | None:
    """Return a run with all its findings, or None when there is none of this id."""
    row = connection.execute(RUN, [run_id]).fetchone()
    if row is None:
        return None
    found = connection.execute(FINDINGS, [run_id]).fetchall()
    names = _COLUMNS.split(", ")
    _run_id, started_at, finished_at, asked_for, by, _passed = row
    return Run(
        run_id=run_id,
        started_at=started_at,
        finished_at=finished_at,
        asked_for=asked_for,
        by=by,
        findings=[_finding(dict(zip(names, each, strict=True))) for each in found],
    )


def _finding(row: dict[str, Any]) -> Finding:
    return Finding(**row | {"outcome": Outcome(row["outcome"]), "sample": tuple(row["sample"])})
