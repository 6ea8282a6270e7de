"""The audit of the golden store: what is mastered and what is held back, rule by rule, beside the inline audited."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from golden_records import audited
from mdm.audit import putting
from mdm.audit.asked import Asked
from mdm.audit.findings import SAMPLE, Finding
from mdm.audit.putting import TABLE, Laid, Place
from mdm.stewardship import corrections
from rules.model import Rule, Scope
from rules.row_sources import RowSource

NAME = "golden"


def audit(place: Place, asked: Asked) -> Iterator[Finding]:
    """Put all rules that are asked for to the golden store; yield what each found."""
    audited.prepare(place.session, sample=asked.sample)
    for scope in Scope:
        rules = asked.rules(scope)
        if rules and scope is Scope.MESSAGE:
            yield from _of_messages(place, rules, sample=asked.sample)
        elif rules:
            yield from _of_scope(place, scope, rules, is_sample=asked.sample is not None)


def _of_scope(place: Place, scope: Scope, rules: Sequence[Rule], *, is_sample: bool) -> Iterator[Finding]:
    laid = place.lay_out(TABLE, audited.rows(scope, is_sample=is_sample))
    for finding, rule in zip(place.put(laid, [(rule, audited.condition(rule)) for rule in rules]), rules, strict=True):
        yield _compared(place, laid, rule, finding, is_sample=is_sample)
    place.drop(laid)


def _of_messages(place: Place, rules: Sequence[Rule], *, sample: int | None) -> Iterator[Finding]:
    """Put rules to the messages kept. The inline check refuses what breaks one: all that is found here it missed."""
    columns = frozenset(Scope.MESSAGE.columns)
    replies = RowSource(scope=Scope.MESSAGE, query=corrections.messages(), columns=columns)
    for finding in putting.put_all(place, replies, rules, sample=sample):
        yield replace(finding, inline=0, differing=finding.failed)


def _compared(place: Place, laid: Laid, rule: Rule, finding: Finding, *, is_sample: bool) -> Finding:
    found = audited.compare(place.session, rule, laid.table, is_sample=is_sample, sample=SAMPLE)
    return replace(finding, inline=found.inline, differing=found.differing, sample=tuple(found.sample))
