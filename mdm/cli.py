"""The command line's composition root: which commands there are, and how an error ends one.

A command group is imported only when it is asked for, so that help answers at once. Its module is named after it in
mdm.commands and holds `app`, a typer.Typer; an app of a single command is that command itself.
"""

import sys
import traceback
from importlib import import_module
from typing import Annotated

import typer

from mdm.errors import MdmError

COMMANDS = {
    "demo": "Run a simulated market through the hub, with live progress.",
    "init": "Prepare the hub's database: the embedded server, or yours, and its schema.",
    "db": "Start, stop and find the embedded PostgreSQL servers.",
    "source": "Add, check, list and reload source systems.",
    "participant": "Load and list the market's participants, which the rules look up.",
    "capture": "Capture changes from a source into the hub, or print them as JSON lines.",
    "serve": "Serve golden records and views over HTTP.",
    "status": "Show each source's state, lag and last error, or how consistent the systems are.",
    "conflict": "Show where the copies of an item differ from its owner's value, and who is accountable.",
    "task": "Work the stewards' queue: list, claim, comment, resolve and dismiss tasks.",
    "decision": "Show what was decided; undo, approve and reject it; decide on many tasks at once.",
    "override": "Show the values of stewards that stand, and end or review them.",
    "correction": "Show what owners are asked to correct, and note their replies.",
    "rules": "List and explain the rules, and try one or a policy before it is switched on.",
    "audit": "Put all rules to all that is stored: golden records, sources, views.",
    "quarantine": "Show what could not be mastered and put it through again.",
    "match": "Find golden records that may be one thing, and meters that seem crossed.",
    "key": "Issue, list and revoke API keys.",
    "bench": "Measure the hub against its budgets.",
}

_HELP = """Master data management for metering: capture changes, master golden records, publish provable views.

Begin with: mdm demo --once --metering-points 2000
"""


def main() -> None:
    """Run the command that the process was started with, and end the process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command; return the exit status. An error is told in one line; --debug adds the traceback."""
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        _app(arguments)(args=arguments, prog_name="mdm")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except MdmError as error:
        return _report(str(error), error.exit_code, debug=debug)
    except Exception as error:  # noqa: BLE001 - the process's outermost edge; the message may hold a record's values
        return _report(_describe(error), 1, debug=debug)
    return 0


def _describe(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error  # SQLAlchemy wraps what psycopg raised
    if "psycopg" in sys.modules and isinstance(cause, sys.modules["psycopg"].Error):
        from mdm import db  # noqa: PLC0415 - what raised this has imported it already

        return db.explain(cause)
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    return f"unexpected {name}. Run the command again with --debug to see where."


def _report(message: str, status: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    sys.stderr.write(f"error: {message}\n")
    return status


def _app(arguments: list[str]) -> typer.Typer:
    """Return the root with the command that the arguments name; of the others it knows only the line of help."""
    root = typer.Typer(
        help=_HELP,
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    root.callback()(_prepare)
    named = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, help_line in COMMANDS.items():
        if name == named:
            _add(root, name, help_line)
        else:
            root.command(name, help=help_line)(_unloaded)
    return root


def _add(root: typer.Typer, name: str, help_line: str) -> None:
    app: typer.Typer = import_module(f"mdm.commands.{name}").app
    if len(app.registered_commands) == 1 and not app.registered_groups and app.registered_callback is None:
        command = app.registered_commands[0]
        command.name = name
        root.registered_commands.append(command)
    else:
        root.add_typer(app, name=name, help=help_line, no_args_is_help=app.registered_callback is None)


def _unloaded() -> None:
    """Stand in for a command that was not asked for."""


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - only this option needs it

        typer.echo(f"mdm {version('mdm-hub')}")
        raise typer.Exit


def _prepare(
    version: Annotated[  # noqa: ARG001 - see _show_version()
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,  # noqa: ARG001 - see run()
) -> None:
    from mdm import settings, telemetry  # noqa: PLC0415 - help needs neither

    chosen = settings.load()
    telemetry.configure(chosen.log_format, chosen.log_level)
    if chosen.rules is not None:
        from mdm import ruleset  # noqa: PLC0415 - most hubs take the rules as they are written

        ruleset.put_in_force(chosen.rules)
