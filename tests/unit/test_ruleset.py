"""The file by which an operator configures the rules."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mdm import ruleset
from rules import registry


@pytest.fixture(autouse=True)
def _as_written() -> Iterator[None]:
    yield
    registry.configure({})


def test_a_file_puts_its_choices_in_force(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("8: {parameters: {days_ahead: 30}}\n18: {is_on: false}\n")
    before = registry.edition()

    ruleset.put_in_force(file)

    assert registry.get(8).parameters == {"days_ahead": 30}
    assert 18 not in {rule.code for rule in registry.list_of_scope(registry.get(18).scope)}
    assert registry.edition() > before


def test_an_empty_file_chooses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("# nothing yet\n")

    ruleset.put_in_force(file)

    assert [*registry.configured()] == [*registry.RULES.values()]


@pytest.mark.parametrize(
    ("text", "told"),
    [("8: {is_on: 3}", "rule 8: is_on is neither"), ("8: {", "is no YAML"), ("- 8", "no mapping of rule codes")],
)
def test_an_unsound_file_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)

    with pytest.raises(ruleset.RulesUnsound, match=told):
        ruleset.put_in_force(file)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ruleset.RulesUnsound, match="cannot be read"):
        ruleset.put_in_force(tmp_path / "none.yaml")
