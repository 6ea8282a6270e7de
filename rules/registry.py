"""All rules, by code. Add a rule in the module of what it speaks about and list it here."""

from collections.abc import Iterable

from rules import addresses, appointments, metering_points, meters
from rules.model import Rule, Scope

RULES: dict[int, Rule] = {
    rule.code: rule
    for rule in sorted(
        (*metering_points.RULES, *appointments.RULES, *meters.RULES, *addresses.RULES), key=lambda rule: rule.code
    )
}


def list_of_scope(scope: Scope) -> Iterable[Rule]:
    """Return the rules that read rows of this scope, by code."""
    return tuple(rule for rule in RULES.values() if rule.scope is scope)


def get(code: int) -> Rule:
    """Return the rule of this code; KeyError when there is none."""
    return RULES[code]
