"""All rules, by code. Add a rule in the module of what it speaks about and list it here.

A process says once, at its beginning, how its operator has configured them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rules import addresses, appointments, configuration, links, metering_points, meters, records, suppliers
from rules.model import Rule, Scope

_MODULES = (metering_points, suppliers, appointments, meters, links, addresses, records)

RULES: dict[int, Rule] = {
    rule.code: rule for rule in sorted((rule for each in _MODULES for rule in each.RULES), key=lambda rule: rule.code)
}
"""Every rule as it is written, whatever the configuration says."""


@dataclass(slots=True)
class _Configured:
    """The rules as they are in force in this process; `edition` counts how often that was said."""

    rules: dict[int, Rule] = field(default_factory=lambda: dict(RULES))
    edition: int = 0


_configured = _Configured()


def configure(choices: object) -> None:
    """Put the rules in force as they are chosen (rules.configuration); raises RulesMisread."""
    _configured.rules = configuration.chosen(RULES, choices)
    _configured.edition += 1


def edition() -> int:
    """Return a number that changes with the configuration, so that what is made of the rules can be kept until then."""
    return _configured.edition


def configured() -> Sequence[Rule]:
    """Return every rule by code, as it is configured."""
    return tuple(_configured.rules.values())


def list_of_scope(scope: Scope) -> Sequence[Rule]:
    """Return the rules that read rows of this scope and are on, by code."""
    return tuple(rule for rule in configured() if rule.scope is scope and rule.is_on)


def get(code: int) -> Rule:
    """Return the rule of this code as it is configured; KeyError when there is none."""
    return _configured.rules[code]
