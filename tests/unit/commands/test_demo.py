"""mdm demo asks for a run that ends by itself where its output must end."""

import pytest

from mdm import cli
from mdm.demo import running
from mdm.demo.running import Asked


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """What the command asks to be run; nothing runs."""
    seen: list[Asked] = []

    def run(_settings: object, wanted: Asked, _display: object) -> None:
        seen.append(wanted)

    monkeypatch.setattr(running, "run", run)
    return seen


@pytest.mark.parametrize("options", [["--json"], ["--once"], ["--json", "--once"]])
def test_json_implies_once(asked: list[Asked], options: list[str]) -> None:
    assert cli.run(["demo", *options]) == 0
    (only,) = asked
    assert (only.once, only.changes, only.rate) == (True, 5_000, 0.0)


def test_without_either_the_market_goes_on_without_end(asked: list[Asked]) -> None:
    assert cli.run(["demo"]) == 0
    (only,) = asked
    assert (only.once, only.changes, only.rate) == (False, None, 50.0)


def test_help_says_what_json_implies(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["demo", "--help"]) == 0
    assert "implies --once" in " ".join(capsys.readouterr().out.replace("│", " ").split())
