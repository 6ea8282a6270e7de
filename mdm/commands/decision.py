"""mdm decision: what stewards decided; undo, approve, reject, and decide on many tasks at once."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from mdm.db import Connection
    from mdm.deciding.orders import About, Terms
    from mdm.stewardship.decisions import Decision, Kind

app = typer.Typer()

_Word = TypeVar("_Word", bound=StrEnum)

_Id = Annotated[int, typer.Argument(help="As 'mdm decision list' shows it.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
_Reveal = Annotated[bool, typer.Option("--reveal", help="Show MPANs and what identifies a person, too.")]
_By = Annotated[str | None, typer.Option("--by", help="Who does it. [default: the operating system's user]")]
_Reason = Annotated[str, typer.Option("--reason", help="Why; it stays with the decision.")]
_Trial = Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")]


@app.command(name="list")
def list_(
    state: Annotated[str | None, typer.Option(help="proposed, applied, rejected or undone.")] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="take, enter, accept, ask, dismiss, retire, review, merge, split, not_a_match, undo."),
    ] = None,
    decided_by: Annotated[str | None, typer.Option(help="Who decided.")] = None,
    golden_id: Annotated[int | None, typer.Option(help="On which golden record.")] = None,
    task: Annotated[int | None, typer.Option(help="On which task.")] = None,
    parent: Annotated[int | None, typer.Option(help="The parts of this bulk decision.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The most to list.")] = 50,
    as_json: _Json = False,
) -> None:
    """List decisions, the newest first; --state proposed shows what waits for approval.

    Example: mdm decision list --state proposed
    """
    from golden_records import rows
    from mdm.deciding import desk, telling
    from mdm.stewardship import decisions
    from mdm.stewardship.decisions import Filter, Kind, State

    chosen = Filter(
        state=_word(State, state),
        kind=_word(Kind, kind),
        decided_by=decided_by,
        golden_id=golden_id,
        task_id=task,
        parent_id=parent,
    )
    with desk.opened("decision") as opened:
        found = rows.ask(opened.connection, decisions.question(chosen, limit=limit))
    if as_json:
        typer.echo(json.dumps([telling.of_decision(each, reveal=False) for each in found], default=str))
        return
    lines = [telling.summary(each) for each in found]
    typer.echo("\n".join(lines) or "There are no such decisions.")


@app.command()
def show(decision_id: _Id, reveal: _Reveal = False, as_json: _Json = False) -> None:
    """Show a decision: what was decided, why, what it did, and whether it was undone.

    Example: mdm decision show 42
    """
    from mdm.deciding import desk
    from mdm.stewardship import decisions

    with desk.opened("decision") as opened:
        found = decisions.get(opened.connection, decision_id)
    _tell(found, reveal=reveal, as_json=as_json)


@app.command()
def undo(decision_id: _Id, reason: _Reason, by: _By = None, as_json: _Json = False) -> None:
    """Undo a decision, once, a bulk one with all its parts. An undo is a decision, and can itself be undone.

    Example: mdm decision undo 42 --reason "the owner was right"
    """
    from mdm.deciding import desk, undoing

    maker = desk.maker(by, reason)
    _do(lambda connection: undoing.undo(connection, decision_id, maker), as_json=as_json)


@app.command()
def approve(decision_id: _Id, by: _By = None, as_json: _Json = False) -> None:
    """Approve what another proposed: it takes effect, unless what it is about has changed since.

    Example: mdm decision approve 42
    """
    from mdm.deciding import approving, desk

    name, now = desk.person(by), datetime.now(UTC)
    _do(lambda connection: approving.approve(connection, decision_id, by=name, at=now), as_json=as_json)


@app.command()
def reject(decision_id: _Id, reason: _Reason, by: _By = None, as_json: _Json = False) -> None:
    """Reject a proposed decision: nothing comes of it. Whoever proposed it may take it back so.

    Example: mdm decision reject 42 --reason "ask the owner first"
    """
    from mdm.deciding import approving, desk

    said = desk.maker(by, reason)
    _do(
        lambda connection: approving.reject(connection, decision_id, by=said.by, at=said.at, because=said.reason),
        as_json=as_json,
    )


@app.command()
def merge(
    golden_id: Annotated[int, typer.Argument(help="The golden record that is merged away.")],
    into: Annotated[int, typer.Option(help="The golden record that stands for both.")],
    reason: _Reason,
    force: Annotated[bool, typer.Option("--force", help="Merge metering points, too.")] = False,
    dry_run: _Trial = False,
    by: _By = None,
    as_json: _Json = False,
) -> None:
    """Merge a golden record into another: its id redirects for ever, and a split brings it back. See 'mdm match merge'.

    Example: mdm decision merge 90210 --into 4711 --reason "one house, written twice" --dry-run
    """
    from mdm.deciding.orders import About, Terms
    from mdm.stewardship.decisions import Kind

    terms = Terms(into=into, is_forced=force)
    decide(Kind.MERGE, About(golden_id=golden_id), terms, (by, reason), dry_run=dry_run, as_json=as_json)


@app.command()
def split(
    golden_id: Annotated[int, typer.Argument(help="The golden record that was merged away.")],
    reason: _Reason,
    dry_run: _Trial = False,
    by: _By = None,
    as_json: _Json = False,
) -> None:
    """Let a golden record that was merged away stand alone again, with what was changed of it since.

    Example: mdm decision split 90210 --reason "two houses after all" --dry-run
    """
    from mdm.deciding.orders import About, Terms
    from mdm.stewardship.decisions import Kind

    decide(Kind.SPLIT, About(golden_id=golden_id), Terms(), (by, reason), dry_run=dry_run, as_json=as_json)


def decide(
    kind: "Kind", about: "About", terms: "Terms", said: tuple[str | None, str], *, dry_run: bool, as_json: bool
) -> None:
    """Decide on identity, or only say what that would do; `said` is by whom and why."""
    from mdm.deciding import desk, telling
    from mdm.deciding.orders import Order

    maker, order = desk.maker(*said), Order(kind=kind, about=about, terms=terms)
    with desk.opened("decision") as opened:
        if not dry_run:
            _tell(opened.decide(order, maker), as_json=as_json)
            return
        told = telling.of_attempt(opened.attempt(order, maker))
    typer.echo(json.dumps(told, default=str) if as_json else telling.attempt_lines(told))


@app.command()
def bulk(
    reason: _Reason,
    kind: Annotated[str | None, typer.Option(help="Which tasks: conflict, violation, override and so on.")] = None,
    entity: Annotated[str | None, typer.Option(help="As metering_point or address.")] = None,
    item: Annotated[str | None, typer.Option(help="As market_segment.")] = None,
    rule: Annotated[int | None, typer.Option(help="The rule's code.")] = None,
    source: Annotated[str | None, typer.Option(help="The system that differs, or errs.")] = None,
    owner: Annotated[str | None, typer.Option(help="Who is accountable.")] = None,
    severity: Annotated[str | None, typer.Option(help="E or W.")] = None,
    take: Annotated[str | None, typer.Option(help="Take the value of this source.")] = None,
    value: Annotated[list[str] | None, typer.Option(help="Enter a value: ITEM=VALUE.")] = None,
    accept_until: Annotated[str | None, typer.Option(help="Accept the differences until a day.")] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Ask the owners to correct: to what --take says.")] = False,
    dismiss: Annotated[bool, typer.Option("--dismiss", help="Dismiss the tasks.")] = False,
    merge: Annotated[bool, typer.Option("--merge", help="Merge the two of each match, of --kind match.")] = False,
    not_a_match: Annotated[bool, typer.Option("--not-a-match", help="Take the two of each match for two.")] = False,
    expires: Annotated[str | None, typer.Option(help="The day on which the overrides end by themselves.")] = None,
    review: Annotated[str | None, typer.Option(help="The day on which somebody should look at them again.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count, and show examples.")] = False,
    reveal: _Reveal = False,
    by: _By = None,
    as_json: _Json = False,
) -> None:
    """Decide on all tasks of a filter that nobody else has: all or nothing, and undone as one.

    Example: mdm decision bulk --owner "metering service" --item location --take mss --reason "seen on site" --dry-run
    """
    from golden_records.subjects import Kind as Subject
    from mdm.deciding import bulk as deciding
    from mdm.deciding import choosing, desk, telling
    from mdm.deciding.bulk import Wanted
    from mdm.stewardship.queue import Filter

    chosen = Filter(
        kind=_word(Subject, kind), entity=entity, item=item, rule=rule, source=source, owner=owner, severity=severity
    )
    wish = choosing.Wish(
        take=take,
        values=desk.values(value, item),
        accept_until=accept_until,
        ask=ask,
        dismiss=dismiss,
        merge=merge,
        not_a_match=not_a_match,
        expires=expires,
        review=review,
    )
    decided, terms = choosing.choose(wish)
    wanted = Wanted(kind=decided, terms=terms, chosen=chosen)
    maker = desk.maker(by, reason)
    with desk.opened("decision") as opened:
        if not dry_run:
            made = opened.do(lambda connection: deciding.decide(connection, wanted, maker, opened.policy))
            _tell(made, as_json=as_json)
            return
        trial = opened.do(lambda connection: deciding.attempt(connection, wanted, maker, opened.policy))
    told = telling.of_trial(trial, reveal=reveal)
    typer.echo(json.dumps(told, default=str) if as_json else telling.trial_lines(told))


def _do(act: Callable[["Connection"], "Decision"], *, as_json: bool) -> None:
    from mdm.deciding import desk

    with desk.opened("decision") as opened:
        decided = opened.do(act)
    _tell(decided, as_json=as_json)


def _tell(decision: "Decision", *, reveal: bool = False, as_json: bool) -> None:
    from mdm.deciding import telling

    told = telling.of_decision(decision, reveal=reveal)
    typer.echo(json.dumps(told, default=str) if as_json else telling.lines(told))


def _word(kind: type[_Word], word: str | None) -> _Word | None:
    """Read one of the words of a closed set; raises Refused, which names them."""
    from mdm.deciding.orders import Refused

    if word is None or word in list(kind):
        return None if word is None else kind(word)
    raise Refused(f"That is not one of the words for it. There are {', '.join(kind)}.")
