"""mdm rules: what is checked, and trying a rule or a policy before it is switched on."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mdm.errors import MdmError

if TYPE_CHECKING:
    from golden_records.policy_trials import Change
    from golden_records.rule_trials import Trial
    from mdm.db import Connection
    from rules.model import Rule

app = typer.Typer()

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
_Reveal = Annotated[bool, typer.Option("--reveal", help="Show MPANs and what identifies a person, too.")]
_Code = Annotated[int, typer.Argument(help="The rule's number, as 'mdm rules list' shows it.")]


PAGE = Path("docs") / "rules.md"


class RuleUnknown(MdmError):
    """There is no rule of that number."""

    exit_code = 2


@app.command(name="list")
def list_(
    entity: Annotated[str | None, typer.Option(help="Only rules on this entity.")] = None,
    severity: Annotated[str | None, typer.Option(help="Only E (held back) or W (passes, and is told).")] = None,
    as_json: _Json = False,
) -> None:
    """List the rules.

    Example: mdm rules list --entity appointment
    """
    from rules import documentation

    chosen = documentation.choose(entity=_entity(entity), severity=_severity(severity))
    if as_json:
        typer.echo(json.dumps([documentation.describe(rule) for rule in chosen]))
        return
    for rule in chosen:
        codes = f" ({', '.join(rule.response_codes)})" if rule.response_codes else ""
        off = "" if rule.is_on else " [off]"
        typer.echo(f"{rule.code:>3}  {rule.severity}  {rule.entity:15} {rule.title}{codes}{off}")
    typer.echo(f"{len(chosen)} rules. 'mdm rules show CODE' explains one.")


@app.command()
def show(code: _Code, as_json: _Json = False) -> None:
    """Explain a rule: what it says, who is accountable, how to mend what it finds.

    Example: mdm rules show 14
    """
    from rules import documentation

    said = documentation.describe(_get(code))
    if as_json:
        typer.echo(json.dumps(said))
        return
    for name, value in said.items():
        shown = _told(value)
        if shown:
            typer.echo(f"{name.replace('_', ' '):15} {shown}")


@app.command()
def docs(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = PAGE,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail where the file is another.")] = False,
) -> None:
    """Write the page of all rules from their definitions.

    Example: mdm rules docs docs/rules.md
    """
    from rules import documentation

    text = documentation.page()
    if not check:
        file.write_text(text, encoding="utf-8")
        typer.echo(f"{file} is written.")
    elif not file.exists() or file.read_text(encoding="utf-8") != text:
        raise MdmError(f"{file} does not say what the rules say. Write it anew: mdm rules docs {file}")


@app.command(name="try")
def try_(
    code: Annotated[int | None, typer.Argument(help="The rule's number; none with --policy.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Look at so many records, chosen at random, only.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Look at every record, as it does without --sample.")] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter of the rule, as name=value; may be repeated.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="Instead of a rule: a file with changed rankings of sources.")
    ] = None,
    reveal: _Reveal = False,
    as_json: _Json = False,
) -> None:
    """Tell how many records a rule would speak against, or how many golden values another ranking would change.

    Nothing is changed. A policy file has the form of golden_records/catalogue.yaml, of it only the rankings
    (survivorship) that are to be others.

    Examples:
      mdm rules try 8 --set days=14
      mdm rules try --policy ranking.yaml

    """
    if (code is None) == (policy is None) or (sample and all_):
        raise typer.BadParameter("Give a rule's number or --policy FILE, and not both --sample and --all.")
    if policy is not None:
        _try_policy(policy, reveal=reveal, as_json=as_json)
    elif code is not None:
        _try_rule(_with_parameters(_get(code), set_ or []), sample=sample, reveal=reveal, as_json=as_json)


def _try_rule(rule: "Rule", *, sample: int | None, reveal: bool, as_json: bool) -> None:
    from golden_records import rule_trials
    from mdm.stewardship import corrections
    from rules.model import Scope

    stored = corrections.messages if rule.scope is Scope.MESSAGE else None
    with _reading() as connection, _progress(f"rule {rule.code}", as_json=as_json) as advance:
        rule_trials.tune(connection)
        trial = rule_trials.run(connection, rule, sample=sample, advance=advance, stored=stored)
    told = trial.as_json(reveal=reveal)
    typer.echo(json.dumps(told, default=str) if as_json else "\n".join(_rule_lines(rule, trial, told)))


def _rule_lines(rule: "Rule", trial: "Trial", told: dict[str, Any]) -> Iterator[str]:
    yield f"Rule {rule.code}: {rule.title}"
    yield (
        f"It would speak against {trial.failed:,} of {trial.looked_at:,} records"
        f" ({trial.share:.2%}) in {trial.seconds:.1f} s. Nothing was changed."
    )
    for example in told["examples"]:
        values = ", ".join(f"{name}={value}" for name, value in example["values"].items())
        yield f"  {example['record']:24} {values}"


def _try_policy(file: Path, *, reveal: bool, as_json: bool) -> None:
    from golden_records import policy_trials
    from mdm.audit import policies

    groups = policies.read(file)
    with _reading() as connection, _progress("policy", as_json=as_json) as advance:
        changes = policy_trials.run(connection, groups, advance=advance)
    if as_json:
        whole = sum(change.count for change in changes)
        typer.echo(
            json.dumps({"values": whole, "changes": [change.as_json(reveal=reveal) for change in changes]}, default=str)
        )
        return
    for line in _policy_lines(changes, reveal=reveal):
        typer.echo(line)


def _policy_lines(changes: "list[Change]", *, reveal: bool) -> Iterator[str]:
    yield f"{sum(change.count for change in changes):,} golden values would change. Nothing was changed."
    for change in changes:
        yield (
            f"{change.count:>9,}  {change.item} from {change.source_now or 'nobody'} to"
            f" {change.source_then or 'nobody'}"
        )
        for example in change.as_json(reveal=reveal)["examples"]:
            yield f"           golden {example['golden_id']}: {example['now']} would be {example['then']}"


@contextmanager
def _reading() -> Iterator["Connection"]:
    """Open the hub as it is, in a transaction that can change nothing."""
    from mdm import db, hub, settings

    with (
        db.connect(hub.running_dsn(settings.load()), application_name="mdm rules") as connection,
        db.reading(connection),
    ):
        yield connection


@contextmanager
def _progress(title: str, *, as_json: bool) -> Iterator[Callable[[float], None]]:
    """Show how far a long run is on standard error, where a person looks at it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    is_quiet = as_json or not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=is_quiet) as progress:
        task = progress.add_task(title, total=1.0)
        yield lambda share: progress.update(task, completed=share)


def _get(code: int) -> "Rule":
    from rules import registry

    if code not in registry.RULES:
        raise RuleUnknown(f"There is no rule {code}. 'mdm rules list' shows those that there are.")
    return registry.get(code)


def _with_parameters(rule: "Rule", said: list[str]) -> "Rule":
    """Return the rule with other values of its parameters."""
    from dataclasses import replace

    given = dict(each.partition("=")[::2] for each in said)
    if unknown := sorted(set(given) - set(rule.parameters)):
        has = f"It has {', '.join(rule.parameters)}." if rule.parameters else "It has none."
        raise typer.BadParameter(f"Rule {rule.code} has no parameter {', '.join(unknown)}. {has}")
    try:
        return replace(rule, parameters={**rule.parameters, **{name: int(value) for name, value in given.items()}})
    except ValueError:
        raise typer.BadParameter("A parameter's value is a whole number: --set days=14.") from None


def _entity(name: str | None) -> str | None:
    from golden_records import catalogue

    if name is not None and name not in catalogue.load().entities:
        raise typer.BadParameter(f"There is no entity {name}. There are {', '.join(catalogue.load().entities)}.")
    return name


def _severity(name: str | None) -> Any:
    from rules.model import Severity

    if name is None:
        return None
    if name.upper() not in {*Severity}:
        raise typer.BadParameter(f"There is no severity {name}. There are E and W.")
    return Severity(name.upper())


def _told(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(str(each) for each in value)
        case dict():
            return ", ".join(f"{name} = {each}" for name, each in value.items())
        case _:
            return str(value)
