"""The command line answers at once and tells errors in one line."""

import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest
import typer

from mdm import cli, commands
from mdm.errors import MdmError

HEAVY = {
    "polars",
    "psycopg",
    "sqlalchemy",
    "alembic",
    "fastapi",
    "pydantic",
    "structlog",
    "great_expectations",
    "numpy",
}


class Refused(MdmError):
    """A refusal of its own exit status."""

    exit_code = 2


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> dict[str, Exception]:
    """A command `status` that raises what the test puts under "with"."""
    raised: dict[str, Exception] = {}
    module = ModuleType("mdm.commands.status")
    app = typer.Typer()

    @app.command()
    def status() -> None:
        raise raised["with"]

    module.app = app  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mdm.commands.status", module)
    return raised


def test_help_imports_nothing_heavy() -> None:
    program = "import sys; from mdm import cli; cli.run(['--help']); print('modules:', *sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    imported = {name.partition(".")[0] for name in shown.partition("modules:")[2].split()}
    assert "Begin with" in shown
    assert imported.isdisjoint(HEAVY)


def test_every_listed_command_can_be_loaded_and_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for name in cli.COMMANDS:
        assert cli.run([name, "--help"]) == 0
        assert "Usage: mdm" in capsys.readouterr().out


def test_every_command_there_is_is_listed() -> None:
    there = {module.name for module in pkgutil.iter_modules(commands.__path__)}
    assert there == set(cli.COMMANDS)


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("mdm ")


def test_an_error_of_ours_is_one_line(failing: dict[str, Exception], capsys: pytest.CaptureFixture[str]) -> None:
    failing["with"] = Refused("The folder is full. Free some space.")
    assert cli.run(["status"]) == 2
    assert capsys.readouterr().err == "error: The folder is full. Free some space.\n"


def test_debug_adds_the_traceback(failing: dict[str, Exception], capsys: pytest.CaptureFixture[str]) -> None:
    failing["with"] = MdmError("The folder is full.")
    assert cli.run(["status", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_unexpected_error_tells_no_values(failing: dict[str, Exception], capsys: pytest.CaptureFixture[str]) -> None:
    failing["with"] = ValueError("mpan 1012345678901")
    assert cli.run(["status"]) == 1
    said = capsys.readouterr().err
    assert "builtins.ValueError" in said
    assert "1012345678901" not in said


def test_an_option_for_printing_does_not_begin_to_capture(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["capture", "--dsn", "postgresql://localhost/shop"]) != 0
    assert "add --print" in capsys.readouterr().err


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MDM_API_PORT", "ninety")
    assert cli.run(["db", "show"]) == 2
    assert "MDM_API_PORT" in capsys.readouterr().err
