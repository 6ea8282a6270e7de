"""mdm audit: the rules put to all that is stored, beside what the inline checks found, and the trend of it."""

import getpass
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mdm.errors import MdmError

if TYPE_CHECKING:
    from mdm.audit.findings import Finding, Run
    from mdm.audit.source_audits import SourcePlace
    from mdm.settings import Settings

app = typer.Typer()

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]

_NOT_PASSED = 3


class AuditUnknown(MdmError):
    """There is no audit of that number, or what was asked for cannot be asked for together."""

    exit_code = 2


@app.callback(invoke_without_command=True)
def audit(
    context: typer.Context,
    source: Annotated[str | None, typer.Option(help="Only this source's own database.")] = None,
    view: Annotated[str | None, typer.Option(help="Only this view: NAME, or NAME/RECIPIENT.")] = None,
    entity: Annotated[str | None, typer.Option(help="Only rules on this entity.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Look at so many records of each kind, at random.")] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="The share of failing records above which it does not pass."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the result as a page of its own, too.")] = None,
    by: Annotated[str | None, typer.Option(help="Who asks. [default: the operating system's user]")] = None,
    as_json: _Json = False,
) -> None:
    """Put all rules to all that is stored: the golden records, the sources' databases, the views.

    Each rule is counted by Great Expectations and compared with what the inline checks found: conflicts, violations,
    quarantine. The status is 3 when the two differ, when a view does not equal the golden records, or when more fails
    than --threshold allows. Results are kept without values; 'mdm audit list' and 'mdm audit trend' show them.

    Example: mdm audit --entity appointment --html audit.html
    """
    if context.invoked_subcommand is not None:
        return
    if source and view:
        raise AuditUnknown("Ask for a source or for a view, not for both.")
    run = _run(source=source, view=view, entity=entity, sample=sample, threshold=threshold, by=by, is_quiet=as_json)
    if html is not None:
        _write_page(run, html)
    if as_json:
        typer.echo(json.dumps(run.as_json(), default=str))
    else:
        _print(run)
    if not run.passed:
        raise typer.Exit(_NOT_PASSED)


def _run(
    *,
    source: str | None,
    view: str | None,
    entity: str | None,
    sample: int | None,
    threshold: float | None,
    by: str | None,
    is_quiet: bool,
) -> "Run":
    from golden_records import catalogue
    from mdm import db, hub, settings
    from mdm.audit import auditing, store
    from mdm.audit.asked import Asked

    if entity is not None and entity not in catalogue.load().entities:
        raise typer.BadParameter(f"There is no entity {entity}. There are {', '.join(catalogue.load().entities)}.")
    chosen = settings.load()
    dsn = hub.running_dsn(chosen)
    asked = Asked(source=source, view=view, entity=entity, sample=sample, threshold=threshold)
    with _progress(is_quiet=is_quiet) as note:
        run = auditing.run(dsn, _sources(chosen, dsn, asked.source, view), asked, by=by or getpass.getuser(), note=note)
    with db.connect(dsn, application_name="mdm audit") as connection, db.transaction(connection):
        return store.keep(connection, run)


def _sources(chosen: "Settings", hub_dsn: str, source: str | None, view: str | None) -> "list[SourcePlace]":
    """Return the sources to be audited: one that is named must be there, of all only those that are."""
    from mdm.audit.source_audits import SourcePlace
    from mdm.capture import registration

    if view is not None:
        return []
    watched = registration.watch(chosen, [source] if source else [])
    if source and watched[0].dsn is None:
        raise AuditUnknown(f"The source {source} is nowhere: set its address, or start the market with 'mdm db start'.")
    return [SourcePlace(source=each.source, dsn=each.dsn, hub_dsn=hub_dsn) for each in watched if each.dsn is not None]


def _write_page(run: "Run", file: Path) -> None:
    from mdm import db, hub, settings
    from mdm.audit import page, store

    with db.connect(hub.running_dsn(settings.load()), application_name="mdm audit") as connection:
        text = page.write(run, store.list_trend(connection))
    file.write_text(text, encoding="utf-8")
    typer.echo(f"{file} is written.", err=True)


def _print(run: "Run") -> None:
    from mdm.audit.findings import Outcome

    absent = [finding for finding in run.findings if finding.outcome is Outcome.ABSENT]
    typer.echo(f"{'place':32} rule {'looked at':>11} {'failed':>9} {'inline':>9} {'differing':>9}")
    for finding in run.findings:
        if finding.failed or finding.differing:
            typer.echo(_line(finding))
    passed = sum(finding.outcome is Outcome.PASSED for finding in run.findings)
    typer.echo(
        f"Audit {run.run_id}: {passed} rules passed, {len(run.findings) - passed - len(absent)} failed,"
        f" {len(absent)} could not be looked for (--json says why)."
    )
    typer.echo("It passes." if run.passed else "It does not pass: see above what differs or is over the threshold.")


def _line(finding: "Finding") -> str:
    inline = "" if finding.inline is None else f"{finding.inline:,}"
    counts = f"{finding.looked_at:>11,} {finding.failed:>9,} {inline:>9} {finding.differing:>9,}"
    return f"{finding.place:32} {finding.rule or '=':>4} {counts}  {', '.join(finding.sample[:3])}"


@contextmanager
def _progress(*, is_quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show on standard error what is being looked at, where a person sees it."""
    from rich.console import Console

    if is_quiet or not sys.stderr.isatty():
        yield lambda _place: None
        return
    with Console(stderr=True).status("Great Expectations is being loaded ...") as status:
        yield lambda place: status.update(f"Looking at {place} ...")


@app.command(name="list")
def list_(
    limit: Annotated[int, typer.Option(min=1, help="The most to list, the newest first.")] = 20, as_json: _Json = False
) -> None:
    """List the audits that were made.

    Example: mdm audit list
    """
    from dataclasses import asdict

    from mdm import db, hub, settings
    from mdm.audit import store

    with db.connect(hub.running_dsn(settings.load()), application_name="mdm audit") as connection:
        runs = store.list_runs(connection, limit=limit)
    if as_json:
        typer.echo(json.dumps([asdict(run) for run in runs], default=str))
        return
    for run in runs:
        asked = ", ".join(f"{name} {value}" for name, value in run.asked_for.items()) or "everything"
        verdict = "passed" if run.passed else "not passed"
        typer.echo(
            f"{run.run_id:>5}  {run.started_at:%Y-%m-%d %H:%M}  {verdict:10}  {run.failed} of {run.findings} failed,"
            f" {run.differing:,} differ  {asked}, by {run.by}"
        )
    typer.echo(f"{len(runs)} audits. 'mdm audit show ID' shows one again, 'mdm audit trend' how rules develop.")


@app.command()
def show(
    run_id: Annotated[int, typer.Argument(help="As 'mdm audit list' shows it.")],
    html: Annotated[Path | None, typer.Option(help="Write it as a page, too.")] = None,
    as_json: _Json = False,
) -> None:
    """Show an audit again.

    Example: mdm audit show 3 --html audit.html
    """
    from mdm import db, hub, settings
    from mdm.audit import store

    with db.connect(hub.running_dsn(settings.load()), application_name="mdm audit") as connection:
        run = store.find_run(connection, run_id)
    if run is None:
        raise AuditUnknown(f"There is no audit {run_id}. 'mdm audit list' shows those that there are.")
    if html is not None:
        _write_page(run, html)
    if as_json:
        typer.echo(json.dumps(run.as_json(), default=str))
    else:
        _print(run)


@app.command()
def trend(
    rule: Annotated[int | None, typer.Option(help="Only this rule.")] = None,
    runs: Annotated[int, typer.Option(min=1, help="How many of the last audits.")] = 20,
    as_json: _Json = False,
) -> None:
    """Show how many records each rule spoke against, audit by audit, the oldest first.

    Example: mdm audit trend --rule 34
    """
    from dataclasses import asdict
    from itertools import groupby

    from mdm import db, hub, settings
    from mdm.audit import store

    with db.connect(hub.running_dsn(settings.load()), application_name="mdm audit") as connection:
        moments = store.list_trend(connection, rule=rule, runs=runs)
    if as_json:
        typer.echo(json.dumps([asdict(moment) for moment in moments], default=str))
        return
    for (place, code), found in groupby(moments, key=lambda moment: (moment.place, moment.rule)):
        counts = [moment.failed for moment in found]
        if any(counts):
            typer.echo(f"{place:32} {code or '=':>4}  {' '.join(f'{count:,}' for count in counts)}")
