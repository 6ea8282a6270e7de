"""What the rules say of themselves."""

import re

import pytest

from golden_records import catalogue
from rules import registry
from rules.model import Rule

# The industry's response codes, by rule; the other rules have none.
RESPONSE_CODES = {
    4: ("REG1001",),
    5: ("REG1019",),
    6: ("REG1021",),
    7: ("REG1032",),
    8: ("REG1099",),
    9: ("REG1034",),
    10: ("REG1024",),
    12: ("SP001", "SP002"),
    13: ("SP003",),
    14: ("REG1031",),
    15: ("REG1030",),
    16: ("REG0003",),
    19: ("REG1090",),
    20: ("REG1038", "REG1039"),
    21: ("REG1053", "REG1054"),
    22: ("REG1051", "REG1052", "REG1060", "REG1061", "REG1067"),
    23: ("REG1006",),
    25: ("REG1005", "REG1007", "REG1008", "REG1011"),
    26: ("REG1002", "REG1012"),
    27: ("REG1009", "REG1010"),
    28: ("REG1046",),
    29: ("REG1048", "REG1049"),
    30: ("REG1042", "REG1043", "REG1044", "REG1045"),
    31: ("REG1022", "REG1035"),
    36: ("IF-045",),
    37: ("REG1014",),
    38: ("MSG1006",),
}


def test_rules_carry_the_industrys_response_codes() -> None:
    assert {code: rule.response_codes for code, rule in registry.RULES.items() if rule.response_codes} == RESPONSE_CODES


@pytest.mark.parametrize("rule", registry.RULES.values(), ids=lambda rule: str(rule.code))
def test_an_explanation_names_no_response_code_that_the_rule_does_not_carry(rule: Rule) -> None:
    assert set(re.findall(r"REG\d{4}", rule.explanation)) <= set(rule.response_codes)


WARNINGS = {3, 18, 24, 32, 33, 34, 35, 36, 39}


def test_all_rules_of_the_domain_are_there_with_their_severity() -> None:
    assert {code: rule.severity.value for code, rule in registry.RULES.items()} == {
        code: "W" if code in WARNINGS else "E" for code in range(1, 40)
    }


@pytest.mark.parametrize("rule", registry.RULES.values(), ids=lambda rule: str(rule.code))
def test_a_rule_names_items_of_the_catalogue(rule: Rule) -> None:
    known = {item.name for _, group in catalogue.load().groups() for item in group.items}
    assert {*rule.items} <= known


@pytest.mark.parametrize("rule", registry.RULES.values(), ids=lambda rule: str(rule.code))
def test_a_condition_has_its_parameters_filled_in(rule: Rule) -> None:
    assert not re.search(r"\{[a-z]", rule.condition)
    assert all(f"{{{name}}}" in rule.violated for name in rule.parameters)
