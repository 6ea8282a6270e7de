"""The rules document themselves."""

from pathlib import Path

import pytest

from mdm import cli
from rules import documentation, registry
from rules.model import Rule, Severity
from rules.row_sources import RowSource, columns_read

PAGE = Path(__file__).parents[3] / "docs" / "rules.md"


def test_the_page_of_all_rules_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == documentation.page(), "write it anew: mdm rules docs docs/rules.md"


@pytest.mark.parametrize("rule", registry.RULES.values(), ids=lambda rule: str(rule.code))
def test_a_rule_reads_some_column_of_its_scope(rule: Rule) -> None:
    assert columns_read(rule)


def test_rules_are_chosen_by_entity_and_severity() -> None:
    chosen = documentation.choose(entity="address", severity=Severity.WARNING)
    assert {rule.code for rule in chosen} == {34, 35}
    assert len(documentation.choose()) == len(registry.RULES)


def test_a_place_without_a_column_cannot_look_for_a_rule_that_reads_it() -> None:
    rule = registry.get(14)
    rows = RowSource(scope=rule.scope, query="", columns=frozenset({"role", "status"}))
    assert rows.missing(rule) == ("market_segment",)


def test_list_and_show_tell_programs_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["rules", "list", "--json"]) == 0
    assert capsys.readouterr().out.count('"code":') == len(registry.RULES)
    assert cli.run(["rules", "show", "14", "--json"]) == 0
    told = capsys.readouterr().out
    assert all(f'"{name}"' in told for name in ("title", "owner", "mend", "REG1031", "version", "parameters", "is_on"))


def test_show_explains_to_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["rules", "show", "8"]) == 0
    assert "28" in capsys.readouterr().out
    assert cli.run(["rules", "list", "--entity", "meter"]) == 0
    assert "mdm rules show" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "99"], "no rule 99"),
        (["list", "--entity", "house"], "no entity house"),
        (["list", "--severity", "X"], "no severity X"),
        (["try"], "--policy"),
        (["try", "14", "--set", "days=3"], "no parameter days"),
    ],
)
def test_what_there_is_not_is_refused(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["rules", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_the_written_page_is_held_to_the_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "rules.md")
    assert cli.run(["rules", "docs", file]) == 0
    assert cli.run(["rules", "docs", file, "--check"]) == 0
    Path(file).write_text("other")
    assert cli.run(["rules", "docs", file, "--check"]) == 1
    assert "mdm rules docs" in capsys.readouterr().err
