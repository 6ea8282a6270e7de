"""What may be chosen of the rules, and how a wrong choice is told."""

import pytest

from rules import configuration, registry
from rules.configuration import RulesMisread


def test_a_parameter_is_set_and_stands_in_the_condition() -> None:
    rules = configuration.chosen(registry.RULES, {8: {"parameters": {"days_ahead": 30}}})

    assert "asked_on + 30" in rules[8].condition
    assert rules[7] == registry.RULES[7]


def test_a_rule_is_switched_off() -> None:
    assert not configuration.chosen(registry.RULES, {18: {"is_on": False}})[18].is_on


def test_an_empty_choice_leaves_a_rule_as_it_is() -> None:
    assert configuration.chosen(registry.RULES, {8: {}}) == registry.RULES


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ([8], "no mapping of rule codes"),
        ({40: {"is_on": False}}, "there is no rule 40"),
        ({"8": {"is_on": False}}, "there is no rule 8"),
        ({8: False}, "rule 8: it says neither is_on nor parameters"),
        ({8: {"on": False}}, "rule 8: on is neither is_on nor parameters"),
        ({8: {"is_on": "no"}}, "rule 8: is_on is neither true nor false"),
        ({8: {"parameters": {"days": 3}}}, "rule 8: it has no parameter days (it has days_ahead)"),
        ({7: {"parameters": {"days": 3}}}, "rule 7: it has no parameter days (it has none)"),
        ({8: {"parameters": {"days_ahead": -1}}}, "rule 8: days_ahead is no whole number from 0 up"),
        ({8: {"parameters": {"days_ahead": True}}}, "rule 8: days_ahead is no whole number from 0 up"),
        ({8: {"parameters": [30]}}, "rule 8: parameters is no mapping"),
    ],
)
def test_a_wrong_choice_is_told(choices: object, told: str) -> None:
    with pytest.raises(RulesMisread) as refused:
        configuration.chosen(registry.RULES, choices)

    assert told in str(refused.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(RulesMisread, match=r"there is no rule 40; rule 8: on is"):
        configuration.chosen(registry.RULES, {40: {}, 8: {"on": True}})
