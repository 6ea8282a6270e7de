"""Putting rules to the rows of a scope at a place: a temporary table of the rows, then Great Expectations over it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from mdm.audit.asked import Note
from mdm.audit.expectations import Auditor, Expected
from mdm.audit.findings import SAMPLE, Finding, Outcome
from mdm.audit.snapshot import Snapshot
from rules.model import Rule
from rules.row_sources import RowSource

TABLE = "audited_rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """A temporary table with the rows of a scope."""

    table: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an audit looks: its name, the session on it, and Great Expectations over that session."""

    name: str
    session: Snapshot
    auditor: Auditor
    note: Note

    def lay_out(self, table: str, query: str) -> Laid:
        """Write the rows of a query into a temporary table, which is gone with the session."""
        self.note(self.name)
        rows = self.session.execute(f"create temp table {table} on commit drop as {query}").rowcount
        return Laid(table=table, rows=rows)

    def drop(self, laid: Laid) -> None:
        """Drop a temporary table: of a scope that is done with."""
        self.session.execute(f"drop table {laid.table}")

    def put(self, laid: Laid, expected: Sequence[tuple[Rule, str]]) -> Iterator[Finding]:
        """Put rules, each with its condition over the table, to the rows; yield what each found, without a sample."""
        conditions = [Expected(code=rule.code, violated=condition) for rule, condition in expected]
        counted = self.auditor.validate(laid.table, conditions)
        for rule, _ in expected:
            found = counted[rule.code]
            yield Finding(
                place=self.name,
                rule=rule.code,
                rule_version=rule.version,
                outcome=Outcome.FAILED if found.failed else Outcome.PASSED,
                looked_at=laid.rows,
                failed=found.failed,
                seconds=found.seconds,
            )

    def absent(self, rule: Rule, reason: str) -> Finding:
        """Return the finding of a rule that cannot be looked for here."""
        return Finding(
            place=self.name, rule=rule.code, rule_version=rule.version, outcome=Outcome.ABSENT, reason=reason
        )


def put_all(
    place: Place,
    rows: RowSource,
    rules: Sequence[Rule],
    *,
    sample: int | None,
    named: Callable[[Sequence[str]], Sequence[str]] = tuple,
) -> Iterator[Finding]:
    """Put those rules to rows that these have the columns for; the others are told as not looked for.

    `named` turns what the rows are called at the place into the hub's own ids.
    """
    missing = {rule.code: rows.missing(rule) for rule in rules}
    yield from (
        place.absent(rule, f"Not known there: {', '.join(missing[rule.code])}.") for rule in rules if missing[rule.code]
    )
    able = [rule for rule in rules if not missing[rule.code]]
    if not able:
        return
    some = "" if sample is None else f"order by random() limit {int(sample)}"
    laid = place.lay_out(TABLE, f"select * from ({rows.query}) r {some}")
    for finding, rule in zip(place.put(laid, [(rule, rule.condition) for rule in able]), able, strict=True):
        yield replace(finding, sample=tuple(named(_failing(place, laid, rule)))) if finding.failed else finding
    place.drop(laid)


def _failing(place: Place, laid: Laid, rule: Rule) -> list[str]:
    query = f"select distinct record from {laid.table} where ({rule.condition}) order by record limit {SAMPLE}"
    return [record for (record,) in place.session.execute(query)]
