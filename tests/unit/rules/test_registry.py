"""What the rules say of themselves."""

import re

import pytest

from rules import registry
from rules.model import Rule

# The industry's response codes, by rule; the other rules have none.
RESPONSE_CODES = {
    14: ("REG1031",),
    16: ("REG0003",),
    25: ("REG1005", "REG1007", "REG1008", "REG1011"),
}


def test_rules_carry_the_industrys_response_codes() -> None:
    assert {code: rule.response_codes for code, rule in registry.RULES.items() if rule.response_codes} == RESPONSE_CODES


@pytest.mark.parametrize("rule", registry.RULES.values(), ids=lambda rule: str(rule.code))
def test_an_explanation_names_no_response_code_that_the_rule_does_not_carry(rule: Rule) -> None:
    assert set(re.findall(r"REG\d{4}", rule.explanation)) <= set(rule.response_codes)
