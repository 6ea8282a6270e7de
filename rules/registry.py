"""All rules, by code. Add a rule in the module of what it speaks about and list it here."""

from collections.abc import Iterable, Sequence

from rules import addresses, appointments, links, metering_points, meters, records, suppliers
from rules.model import Rule, Scope

_MODULES = (metering_points, suppliers, appointments, meters, links, addresses, records)

RULES: dict[int, Rule] = {
    rule.code: rule for rule in sorted((rule for each in _MODULES for rule in each.RULES), key=lambda rule: rule.code)
}
"""Every rule as it is written, whatever the configuration says."""


def list_of_scope(scope: Scope) -> Iterable[Rule]:
    """Return the rules that read rows of this scope and are on, by code."""
    return tuple(rule for rule in configured() if rule.scope is scope and rule.is_on)


def configured() -> Sequence[Rule]:
    """Return every rule by code, as it is configured."""
    return tuple(RULES.values())


def get(code: int) -> Rule:
    """Return the rule of this code as it is configured; KeyError when there is none."""
    return RULES[code]
