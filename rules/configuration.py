"""What an operator may choose of the rules: which are on, and the values of their parameters.

Written as a mapping of codes: `{8: {parameters: {days_ahead: 30}}, 18: {is_on: false}}`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from rules.model import Rule


class RulesMisread(ValueError):
    """What was chosen is no choice that there is; the message names each mistake."""


def chosen(rules: Mapping[int, Rule], choices: object) -> dict[int, Rule]:
    """Return the rules as they are chosen; raises RulesMisread, which names every mistake at once."""
    if not isinstance(choices, Mapping):
        raise RulesMisread("it is no mapping of rule codes, such as '8: {parameters: {days_ahead: 30}}'")
    if mistakes := [mistake for code, choice in choices.items() for mistake in _mistakes(rules, code, choice)]:
        raise RulesMisread("; ".join(mistakes))
    return {code: _chosen(rule, choices.get(code) or {}) for code, rule in rules.items()}


def _chosen(rule: Rule, choice: Mapping[str, Any]) -> Rule:
    parameters = {**rule.parameters, **choice.get("parameters", {})}
    return replace(rule, is_on=choice.get("is_on", rule.is_on), parameters=parameters)


def _mistakes(rules: Mapping[int, Rule], code: object, choice: object) -> Iterator[str]:
    rule = rules.get(code) if isinstance(code, int) else None
    if rule is None:
        yield f"there is no rule {code}"
    elif not isinstance(choice, Mapping):
        yield f"rule {code}: it says neither is_on nor parameters"
    else:
        yield from (f"rule {code}: {mistake}" for mistake in _mistakes_of(rule, choice))


def _mistakes_of(rule: Rule, choice: Mapping[Any, Any]) -> Iterator[str]:
    for name in choice.keys() - {"is_on", "parameters"}:
        yield f"{name} is neither is_on nor parameters"
    if not isinstance(choice.get("is_on", True), bool):
        yield "is_on is neither true nor false"
    parameters = choice.get("parameters", {})
    if not isinstance(parameters, Mapping):
        yield "parameters is no mapping of names and numbers"
        return
    for name, value in parameters.items():
        if name not in rule.parameters:
            yield f"it has no parameter {name} (it has {', '.join(rule.parameters) or 'none'})"
        elif isinstance(value, bool) or not isinstance(value, int) or value < 0:
            yield f"{name} is no whole number from 0 up"
