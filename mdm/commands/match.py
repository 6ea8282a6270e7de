"""mdm match: golden records that may be one thing, meters that seem crossed, and looking for more of them."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mdm.errors import MdmError

if TYPE_CHECKING:
    from golden_records.match_runs import Run
    from golden_records.match_states import Match
    from mdm.db import Connection

app = typer.Typer()

_Word = TypeVar("_Word", bound=StrEnum)

_YIELDING = 10

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
_Reveal = Annotated[bool, typer.Option("--reveal", help="Show what identifies a person, too.")]
_Id = Annotated[int, typer.Argument(help="As 'mdm match list' shows it.")]
_By = Annotated[str | None, typer.Option("--by", help="Who does it. [default: the operating system's user]")]
_Reason = Annotated[str, typer.Option("--reason", help="Why; it stays with the decision.")]
_Trial = Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")]
_Seen = Annotated[
    int | None, typer.Option("--version", help="Refuse unless the match is at this version. [default: as it is now]")
]


class MatchUnknown(MdmError):
    """There is no match of that id."""

    exit_code = 2


class MatchingUnderWay(MdmError):
    """Another run of matching is at it."""


@app.command(name="list")
def list_(
    state: Annotated[str, typer.Option(help="open, merged, not_a_match, gone, or all.")] = "open",
    kind: Annotated[str | None, typer.Option(help="possible, duplicate or crossed.")] = None,
    entity: Annotated[str | None, typer.Option(help="address, meter or metering_point.")] = None,
    score: Annotated[int, typer.Option(min=0, max=100, help="The least score.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="The most to list, the most alike first.")] = 100,
    as_json: _Json = False,
) -> None:
    """List possible matches, the most alike first.

    Example: mdm match list --entity address --score 90
    """
    from golden_records import match_runs, match_states
    from golden_records.match_states import Filter, MatchKind, MatchState

    chosen = Filter(
        state=None if state == "all" else _word(MatchState, state, "--state"),
        kind=None if kind is None else _word(MatchKind, kind, "--kind"),
        entity=entity,
        least_score=score,
    )
    with _hub() as connection:
        found = match_states.list_matches(connection, chosen, limit=limit)
        last = match_runs.find_last(connection)
    if as_json:
        typer.echo(json.dumps({"matches": [match.summary() for match in found], "last_run": last}, default=str))
        return
    for match in found:
        typer.echo(_line(match))
    typer.echo(_about(last))


@app.command()
def show(
    match_id: _Id,
    reveal: _Reveal = False,
    as_json: _Json = False,
) -> None:
    """Show a match: how alike each part is, and both golden records.

    Example: mdm match show 17
    """
    from golden_records import match_states, matches

    with _hub() as connection:
        match = match_states.find(connection, match_id)
        if match is None:
            raise MatchUnknown(
                f"There is no match {match_id}. 'mdm match list --state all' shows those that there are."
            )
        ids = [match.left_id, match.right_id]
        items = {} if match.entity == "metering_point" else matches.read_facts(connection, match.entity, ids)
    sides = {
        golden_id: _shown(match.entity, items[golden_id], reveal=reveal) for golden_id in ids if golden_id in items
    }
    if as_json:
        typer.echo(json.dumps(match.document() | {"records": sides}, default=str))
        return
    typer.echo(_line(match))
    for part in match.explanation["parts"]:
        typer.echo(f"  {part['part']:36} {part['verdict']:28} {part['likeness']:4}  weight {part['weight']}")
    for name in ("points", "meters", "told_by"):
        if name in match.explanation:
            typer.echo(f"  {name.replace('_', ' '):36} {', '.join(map(str, match.explanation[name]))}")
    for golden_id, shown in sides.items():
        typer.echo(f"{match.entity} {golden_id}: " + "; ".join(f"{name} {value}" for name, value in shown.items()))


@app.command()
def merge(
    match_id: _Id,
    reason: _Reason,
    into: Annotated[int | None, typer.Option(help="Which stands for both. [default: the one of the lower id]")] = None,
    version: _Seen = None,
    dry_run: _Trial = False,
    by: _By = None,
    as_json: _Json = False,
) -> None:
    """Merge the two golden records of a match: a decision, which can be undone. The match's task closes.

    Example: mdm match merge 17 --reason "one house, written twice" --dry-run
    """
    from mdm.commands import decision
    from mdm.deciding.orders import About, Terms
    from mdm.stewardship.decisions import Kind

    about, terms = About(match_id=match_id, version=version), Terms(into=into)
    decision.decide(Kind.MERGE, about, terms, (by, reason), dry_run=dry_run, as_json=as_json)


@app.command()
def dismiss(
    match_id: _Id,
    reason: _Reason,
    version: _Seen = None,
    dry_run: _Trial = False,
    by: _By = None,
    as_json: _Json = False,
) -> None:
    """Take the two golden records of a match for two: it is not proposed again unless the facts change.

    Example: mdm match dismiss 17 --reason "two flats of one house"
    """
    from mdm.commands import decision
    from mdm.deciding.orders import About, Terms
    from mdm.stewardship.decisions import Kind

    about = About(match_id=match_id, version=version)
    decision.decide(Kind.NOT_A_MATCH, about, Terms(), (by, reason), dry_run=dry_run, as_json=as_json)


@app.command()
def run(
    whole: Annotated[bool, typer.Option("--all", help="Compare everything, not only what has changed.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="The most others under one key to compare with.")] = None,
    every: Annotated[float | None, typer.Option(min=1, help="Run again after so many seconds, until Ctrl-C.")] = None,
    as_json: _Json = False,
) -> None:
    """Look for possible matches and crossed meters among what has changed since the last run.

    What the limit keeps from being compared is counted and told. 'mdm capture' of several sources does so by itself,
    every MDM_MATCH_SECONDS; beside workers that are run one by one, let 'mdm match run --every 60' run.

    Example: mdm match run --all
    """
    from mdm import mastering, settings
    from mdm.stewardship import terms

    with _hub() as connection:
        mastering.tune(connection, terms=terms.of(settings.load()))
        if whole or every is None:
            _tell(_run(connection, is_whole=whole, limit=limit), as_json=as_json)
        if every is not None:
            _keep(connection, every, limit, as_json=as_json)


def _keep(connection: "Connection", every: float, limit: int | None, *, as_json: bool) -> None:
    """Run again and again until a signal, or the end of the supervisor that started this process."""
    import os
    import threading

    from mdm import matching
    from mdm.capture import matcher, supervisor
    from mdm.commands import capture

    stop = threading.Event()

    def match() -> None:
        if supervisor.is_above():
            matcher.match(connection, stop, limit=limit or matching.LIMIT)
        else:
            _tell(_run(connection, is_whole=False, limit=limit, is_over=stop.is_set), as_json=as_json)

    with capture.stopped_by_signals(stop):
        if supervisor.is_above():
            os.nice(_YIELDING)  # mastering goes first
            supervisor.stop_with_supervisor(stop)
        matcher.keep(connection, stop, every=every, match=match)


def _run(
    connection: "Connection", *, is_whole: bool, limit: int | None, is_over: Callable[[], bool] = lambda: False
) -> "Run":
    from rich.console import Console
    from rich.progress import Progress

    from mdm import matching

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("matching", total=None)

        def tell(step: str, done: int, total: int) -> None:
            bar.update(task, description=step, completed=done, total=total)

        scope = matching.Scope(is_whole=is_whole, limit=limit or matching.LIMIT, progress=tell, is_over=is_over)
        done = matching.run(connection, scope)
    if done is None:
        raise MatchingUnderWay("Another run of matching is at it. Wait for its end, then look at 'mdm match list'.")
    return done


def _tell(done: "Run", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(done.as_json(), default=str))
        return
    typer.echo(f"{done.compared:,} golden records compared, {done.pairs:,} pairs scored.")
    typer.echo(f"{done.opened:,} matches opened or changed, {done.closed:,} gone.")
    if done.cut_blocks:
        typer.echo(f"The limit left {done.cut_pairs:,} pairs of {done.cut_blocks:,} large groups out: raise --limit.")


@contextmanager
def _hub() -> Iterator["Connection"]:
    from mdm import db, hub, settings
    from mdm.capture import supervisor

    chosen = settings.load()
    dsn = hub.dsn(chosen) if supervisor.is_above() else hub.initialise(chosen)
    with db.connect(dsn, application_name="mdm match") as connection:
        yield connection


def _word(words: type[_Word], text: str, option: str) -> _Word:
    if text not in [*words]:
        raise typer.BadParameter(f"'{text}' is none of {', '.join(words)}.", param_hint=option)
    return words(text)


def _line(match: "Match") -> str:
    return (
        f"{match.match_id:>8}  {match.score:>3}  {match.kind:9} {match.entity:14} {match.left_id} and {match.right_id}"
        + ("" if match.state == "open" else f" ({match.state})")
    )


def _about(last: dict[str, Any] | None) -> str:
    if last is None:
        return "Nothing was compared yet: run 'mdm match run --all'."
    cut = f" Its limit left {last['cut_pairs']:,} pairs out." if last["cut_pairs"] else ""
    return f"Compared last at {last['ended_at']:%Y-%m-%d %H:%M}.{cut} 'mdm match show ID' tells more."


def _shown(entity: str, items: dict[str, Any], *, reveal: bool) -> dict[str, Any]:
    from golden_records import catalogue
    from golden_records.catalogue import Classification
    from golden_records.held import WITHHELD

    public = {
        item.name for item in catalogue.load().entity(entity).items if item.classification is Classification.PUBLIC
    }
    return {
        name: value if reveal or name in public else WITHHELD
        for name, value in items.items()
        if value is not None and name not in ("golden_id", "address_id")
    }
