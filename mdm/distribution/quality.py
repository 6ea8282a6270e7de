"""The rules that guard a view, as the `quality` section of its contract (Open Data Contract Standard).

They are made from the rules' definitions, so that a contract never says anything else than what is checked.
"""

from functools import cache
from typing import Any

import yaml

from golden_records import catalogue, declarations
from mdm.distribution import contracts
from mdm.distribution.contracts import Contract
from rules import registry
from rules.model import Rule, Severity

_SEVERITIES = {Severity.ERROR: "error", Severity.WARNING: "warning"}


def guarding(contract: Contract) -> list[Rule]:
    """Return the rules that speak of an item which the view carries, by code; those switched off guard nothing."""
    carried = {(item.origin.entity, item.origin.item) for item in contract.walk() if item.origin}
    names = {item for _, item in carried}
    return [
        rule
        for rule in registry.configured()
        if rule.is_on and any(_is_carried(rule, item, carried, names) for item in rule.items)
    ]


def _is_carried(rule: Rule, item: str, carried: set[tuple[str, str]], names: set[str]) -> bool:
    """Tell whether a view carries an item of a rule: its entity's, else that of another that has an item so named."""
    own = {each.name for each in catalogue.load().entity(rule.entity).items}
    return (rule.entity, item) in carried if item in own else item in names


def write_contract(name: str) -> bytes:
    """Return a contract as it is published: its YAML, with the rules that guard it as the schema's `quality`."""
    return _written(name, registry.edition())


@cache
def _written(name: str, _edition: int) -> bytes:
    contract = contracts.get_contract(name)
    declared: dict[str, Any] = declarations.read(contracts.read_file(name).decode())
    declared["schema"][0]["quality"] = [_entry(rule) for rule in guarding(contract)]
    return yaml.safe_dump(declared, sort_keys=False, allow_unicode=True, width=120).encode()


def _entry(rule: Rule) -> dict[str, Any]:
    return {
        "id": f"rule-{rule.code}",
        "name": rule.title,
        "description": rule.explanation,
        "type": "custom",
        "engine": "great-expectations",
        "implementation": {
            "type": "expect_rule_to_hold",
            "kwargs": {"code": rule.code, "version": rule.version, "parameters": dict(rule.parameters)},
        },
        "severity": _SEVERITIES[rule.severity],
        "customProperties": [
            {"property": "rule", "value": rule.code},
            {"property": "items", "value": list(rule.items)},
            {"property": "owner", "value": rule.owner},
            {"property": "mend", "value": rule.mend},
            {"property": "responseCodes", "value": list(rule.response_codes)},
        ],
    }
