"""The audit of the golden store: what is mastered and what is held back, rule by rule, beside the inline audited."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from golden_records import audited
from mdm.audit.asked import Asked
from mdm.audit.findings import SAMPLE, Finding
from mdm.audit.putting import TABLE, Laid, Place
from rules.model import Rule, Scope

NAME = "golden"


def audit(place: Place, asked: Asked) -> Iterator[Finding]:
    """Put all rules that are asked for to the golden store; yield what each found."""
    audited.prepare(place.session, sample=asked.sample)
    for scope in Scope:
        if rules := asked.rules(scope):
            yield from _of_scope(place, scope, rules, is_sample=asked.sample is not None)


def _of_scope(place: Place, scope: Scope, rules: Sequence[Rule], *, is_sample: bool) -> Iterator[Finding]:
    query = audited.rows(scope, is_sample=is_sample)
    if query is None:
        yield from (place.absent(rule, f"The golden store keeps no rows of the scope '{scope}'.") for rule in rules)
        return
    laid = place.lay_out(TABLE, query)
    for finding, rule in zip(place.put(laid, [(rule, audited.condition(rule)) for rule in rules]), rules, strict=True):
        yield _compared(place, laid, rule, finding, is_sample=is_sample)
    place.drop(laid)


def _compared(place: Place, laid: Laid, rule: Rule, finding: Finding, *, is_sample: bool) -> Finding:
    found = audited.compare(place.session, rule, laid.table, is_sample=is_sample, sample=SAMPLE)
    return replace(finding, inline=found.inline, differing=found.differing, sample=tuple(found.sample))
