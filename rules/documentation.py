"""The rules as documentation: what a program reads of one, and the page docs/rules.md, both from the definitions."""

from collections.abc import Iterable, Sequence
from typing import Any

from rules import registry
from rules.model import Rule, Severity

INTRODUCTION = """# Rules

What the hub checks, made from the definitions in `rules/` by `mdm rules docs`. Each rule is written once: the inline
check of a batch, the audit, this page and the contracts of the views all read that one definition.

Severity E: what the rule speaks against is held back in quarantine, the last good golden value stays. Severity W: the
value passes, and the violation stands until somebody mends it. A rule whose condition cannot be told, for want of a
value, does not speak.

`mdm rules show CODE` says the same of one rule, `mdm rules try CODE` how many records it would speak against,
`mdm audit` puts all of them to all that is stored.
"""


def describe(rule: Rule) -> dict[str, Any]:
    """Return everything that a rule says of itself."""
    return {
        "code": rule.code,
        "title": rule.title,
        "severity": rule.severity.value,
        "response_codes": list(rule.response_codes),
        "entity": rule.entity,
        "items": list(rule.items),
        "owner": rule.owner,
        "explanation": rule.explanation,
        "mend": rule.mend,
        "version": rule.version,
        "parameters": dict(rule.parameters),
        "is_on": rule.is_on,
        "scope": rule.scope.value,
        "condition": rule.condition,
    }


def choose(*, entity: str | None = None, severity: Severity | None = None) -> list[Rule]:
    """Return the rules of an entity and a severity, or of all, by code."""
    return [
        rule for rule in registry.configured() if entity in {None, rule.entity} and severity in {None, rule.severity}
    ]


def page(rules: Iterable[Rule] | None = None) -> str:
    """Return the page of these rules, or of all as they are written, in Markdown."""
    listed = list(registry.RULES.values() if rules is None else rules)
    return "\n".join([INTRODUCTION, *_overview(listed), *(line for rule in listed for line in _chapter(rule))])


def _overview(rules: Sequence[Rule]) -> list[str]:
    rows = [
        f"| [{rule.code}](#rule-{rule.code}) | {rule.title} | {rule.severity} | {rule.entity} | {rule.owner} |"
        for rule in rules
    ]
    return ["| rule | says | severity | entity | owner |", "|---|---|---|---|---|", *rows, ""]


def _chapter(rule: Rule) -> list[str]:
    said = [
        ("severity", rule.severity.value + ("" if rule.is_on else ", switched off")),
        ("items", ", ".join(f"`{item}`" for item in rule.items) + f" of {rule.entity}"),
        ("owner", rule.owner),
        ("response codes", ", ".join(rule.response_codes)),
        ("parameters", ", ".join(f"`{name}` = {value}" for name, value in rule.parameters.items())),
        ("version", str(rule.version)),
    ]
    facts = [f"- {name}: {value}" for name, value in said if value]
    return [
        f'<a id="rule-{rule.code}"></a>',
        f"## {rule.code}. {rule.title}",
        "",
        rule.explanation,
        "",
        f"To mend: {rule.mend}",
        "",
        *facts,
        "",
    ]
