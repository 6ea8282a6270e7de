"""mdm task: the stewards' queue, and work on its tasks."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from mdm.errors import MdmError

if TYPE_CHECKING:
    from mdm.db import Connection
    from mdm.deciding.choosing import Wish
    from mdm.deciding.desk import Desk
    from mdm.deciding.orders import About
    from mdm.stewardship.decisions import Maker
    from mdm.stewardship.queue import Filter
    from mdm.stewardship.tasks import Deed
    from mdm.stewardship.terms import Terms

app = typer.Typer()

_Word = TypeVar("_Word", bound=StrEnum)

_Id = Annotated[int, typer.Argument(help="As 'mdm task list' shows it.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
_Reveal = Annotated[bool, typer.Option("--reveal", help="Show MPANs and what identifies a person, too.")]
_By = Annotated[str | None, typer.Option("--by", help="Who does it. [default: the operating system's user]")]
_Seen = Annotated[
    int | None, typer.Option("--version", help="Refuse unless the task is at this version. [default: as it is now]")
]
_Reason = Annotated[str, typer.Option("--reason", help="Why; it stays in the history.")]
_State = Annotated[str | None, typer.Option(help="open, claimed, resolved or dismissed. [default: open and claimed]")]
_Kind = Annotated[str | None, typer.Option(help="conflict, violation, quarantine, match or override.")]
_Entity = Annotated[str | None, typer.Option(help="As metering_point or address.")]
_Item = Annotated[str | None, typer.Option(help="As market_segment.")]
_Rule = Annotated[int | None, typer.Option(help="The rule's code.")]
_Source = Annotated[str | None, typer.Option(help="The system that differs, or errs.")]
_Owner = Annotated[str | None, typer.Option(help="Who is accountable.")]
_Severity = Annotated[str | None, typer.Option(help="E or W.")]


class NotAFilter(MdmError):
    """A word is none of those that there are."""

    exit_code = 2


@app.command(name="list")
def list_(
    state: _State = None,
    kind: _Kind = None,
    entity: _Entity = None,
    item: _Item = None,
    rule: _Rule = None,
    source: _Source = None,
    owner: _Owner = None,
    severity: _Severity = None,
    assignee: Annotated[str | None, typer.Option(help="Who has it.")] = None,
    older_than: Annotated[float | None, typer.Option(min=0, help="Opened more than so many days ago.")] = None,
    due_within: Annotated[float | None, typer.Option(help="Due within so many days; 0 for what is overdue.")] = None,
    sort: Annotated[
        str | None, typer.Option(help="severity, due or age. [default: severity, each by its due date]")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The most to list.")] = 50,
    as_json: _Json = False,
) -> None:
    """List the tasks that match all that is given, the most urgent first.

    Example: mdm task list --owner distributor --older-than 2
    """
    from golden_records import rows
    from mdm.stewardship import queue, tabulation
    from mdm.stewardship.queue import Page, Sort

    now = datetime.now(UTC)
    chosen = _filter(
        state=state,
        kind=kind,
        entity=entity,
        item=item,
        rule=rule,
        source=source,
        owner=owner,
        severity=severity,
        assignee=assignee,
        opened_before=None if older_than is None else now - timedelta(days=older_than),
        due_before=None if due_within is None else now + timedelta(days=due_within),
    )
    order = queue.choose_sort(chosen, _word(Sort, sort))
    with _hub() as (connection, _):
        found = rows.ask(connection, queue.page(chosen, Page(limit=limit, sort=order), now=now))
    if as_json:
        typer.echo(json.dumps([tabulation.told(task) for task in found], default=str))
        return
    typer.echo(tabulation.listed(found, now, limit=limit))


@app.command()
def show(task_id: _Id, reveal: _Reveal = False, as_json: _Json = False) -> None:
    """Show a task: what it is about, what each system says and where, and its history.

    Example: mdm task show 17
    """
    from golden_records import evidence, rows
    from mdm.stewardship import tabulation, tasks

    with _hub() as (connection, _):
        now = datetime.now(UTC)
        task = tasks.get(connection, task_id, now=now)
        asked = evidence.question(task.kind, task.subject_id)
        said = [each.shown(reveal=reveal) for each in (rows.ask(connection, asked) if asked else [])]
        history = rows.ask(connection, tasks.history(task_id))
    if as_json:
        told = tabulation.told(task) | {"says": said, "history": [tabulation.told(event) for event in history]}
        typer.echo(json.dumps(told, default=str))
        return
    typer.echo(tabulation.whole(task, said, history, now))


@app.command()
def summary(as_json: _Json = False) -> None:
    """Count what waits, by state, severity, owner, rule and kind.

    Example: mdm task summary
    """
    from golden_records import rows
    from mdm.stewardship import overview, queue, tabulation

    with _hub() as (connection, _):
        told = overview.of(rows.ask(connection, queue.summary(now=datetime.now(UTC))))
    typer.echo(json.dumps(told) if as_json else tabulation.overview(told))


@app.command("next")
def next_(
    count: Annotated[int, typer.Option(min=1, max=10_000, help="The most to claim.")] = 1,
    kind: _Kind = None,
    entity: _Entity = None,
    item: _Item = None,
    rule: _Rule = None,
    source: _Source = None,
    owner: _Owner = None,
    severity: _Severity = None,
    by: _By = None,
    as_json: _Json = False,
) -> None:
    """Claim the most urgent tasks that are free; several stewards at once never get the same one.

    Example: mdm task next --owner registration --count 5
    """
    from golden_records import rows
    from mdm import db
    from mdm.stewardship import queue, tabulation, tasks

    chosen = _filter(kind=kind, entity=entity, item=item, rule=rule, source=source, owner=owner, severity=severity)
    with _hub() as (connection, terms):
        deed = _deed(by)
        with db.transaction(connection):
            claimed = queue.claim_next(connection, chosen, limit=count, deed=deed, lasts=terms.claim)
        found = queue.by_urgency(rows.ask(connection, tasks.question(claimed, now=deed.at)))
    if as_json:
        typer.echo(json.dumps([tabulation.told(task) for task in found], default=str))
        return
    typer.echo(tabulation.listed(found, deed.at, limit=len(found) + 1))


@app.command()
def claim(task_id: _Id, version: _Seen = None, by: _By = None, as_json: _Json = False) -> None:
    """Claim a task, or one's own claim anew. It runs out after MDM_CLAIM_MINUTES.

    Example: mdm task claim 17
    """
    from mdm.stewardship import tasks

    def act(connection: "Connection", seen: int, deed: "Deed", terms: "Terms") -> None:
        tasks.claim(connection, task_id, version=seen, deed=deed, lasts=terms.claim)

    _change(task_id, version, _deed(by), act, as_json=as_json)


@app.command()
def release(task_id: _Id, version: _Seen = None, by: _By = None, as_json: _Json = False) -> None:
    """Give back a task that one has claimed or was assigned.

    Example: mdm task release 17
    """
    from mdm.stewardship import tasks

    def act(connection: "Connection", seen: int, deed: "Deed", _terms: "Terms") -> None:
        tasks.release(connection, task_id, version=seen, deed=deed)

    _change(task_id, version, _deed(by), act, as_json=as_json)


@app.command()
def assign(
    task_id: _Id,
    assignee: Annotated[str, typer.Argument(help="To whom.")],
    note: Annotated[str | None, typer.Option(help="What there is to say with it.")] = None,
    version: _Seen = None,
    by: _By = None,
    as_json: _Json = False,
) -> None:
    """Give a task to somebody, whoever has it; nobody else can claim it then.

    Example: mdm task assign 17 ben
    """
    from mdm.stewardship import tasks

    def act(connection: "Connection", seen: int, deed: "Deed", _terms: "Terms") -> None:
        tasks.assign(connection, task_id, version=seen, deed=deed, assignee=_said(assignee, "an assignee"))

    _change(task_id, version, _deed(by, note), act, as_json=as_json)


@app.command()
def comment(
    task_id: _Id,
    text: Annotated[str, typer.Argument(help="What there is to say.")],
    version: _Seen = None,
    by: _By = None,
    as_json: _Json = False,
) -> None:
    """Add a comment to a task's history.

    Example: mdm task comment 17 "the supplier looks it up"
    """
    from mdm.stewardship import tasks

    def act(connection: "Connection", seen: int, deed: "Deed", _terms: "Terms") -> None:
        tasks.comment(connection, task_id, version=seen, deed=deed)

    _change(task_id, version, _deed(by, _said(text, "a comment")), act, as_json=as_json)


@app.command()
def resolve(
    task_id: _Id,
    reason: _Reason,
    take: Annotated[str | None, typer.Option(help="Take the value of this source.")] = None,
    value: Annotated[list[str] | None, typer.Option(help="Enter a value: VALUE, or ITEM=VALUE for each.")] = None,
    accept_until: Annotated[str | None, typer.Option(help="Accept the difference until a day.")] = None,
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask the owner to correct: to what --take or --value says.")
    ] = False,
    dismissed: Annotated[bool, typer.Option("--dismiss", help="Dismiss it, as a decision that can be undone.")] = False,
    merge: Annotated[bool, typer.Option("--merge", help="Merge the two of a match into the older.")] = False,
    not_a_match: Annotated[bool, typer.Option("--not-a-match", help="Take the two of a match for two things.")] = False,
    expires: Annotated[str | None, typer.Option(help="The day on which the override ends by itself.")] = None,
    review: Annotated[str | None, typer.Option(help="The day on which somebody should look at it again.")] = None,
    version: _Seen = None,
    by: _By = None,
    as_json: _Json = False,
) -> None:
    """Settle a task by a decision, or close one that was settled elsewhere; the reason stays with it.

    Example: mdm task resolve 17 --take mss --reason "seen on site"
    """
    from mdm.deciding import choosing, desk
    from mdm.stewardship import tasks

    with desk.opened("task") as opened:
        item = tasks.get(opened.connection, task_id, now=datetime.now(UTC)).item
        wish = choosing.Wish(
            take=take,
            values=desk.values(value, item),
            accept_until=accept_until,
            ask=ask,
            dismiss=dismissed,
            merge=merge,
            not_a_match=not_a_match,
            expires=expires,
            review=review,
        )
        if not wish.is_empty:
            _decide(opened, opened.task(task_id, version), wish, maker=desk.maker(by, reason), as_json=as_json)
            return

    def act(connection: "Connection", seen: int, deed: "Deed", _terms: "Terms") -> None:
        tasks.resolve(connection, task_id, version=seen, deed=deed)

    _change(task_id, version, _deed(by, _said(reason, "a reason")), act, as_json=as_json)


def _decide(opened: "Desk", about: "About", wish: "Wish", *, maker: "Maker", as_json: bool) -> None:
    from mdm.deciding import applying, choosing, telling
    from mdm.deciding.orders import Order

    kind, terms = choosing.choose(wish)
    order = Order(kind=kind, about=about, terms=terms)
    made = opened.do(lambda connection: applying.decide(connection, order, maker, opened.policy))
    told = telling.of_decision(made, reveal=False)
    typer.echo(json.dumps(told, default=str) if as_json else telling.lines(told))


@app.command()
def dismiss(task_id: _Id, reason: _Reason, version: _Seen = None, by: _By = None, as_json: _Json = False) -> None:
    """Close a task that needs nothing done, with the reason; it is opened again when what it is about changes.

    Example: mdm task dismiss 17 --reason "a known spelling"
    """
    from mdm.stewardship import tasks

    def act(connection: "Connection", seen: int, deed: "Deed", _terms: "Terms") -> None:
        tasks.dismiss(connection, task_id, version=seen, deed=deed)

    _change(task_id, version, _deed(by, _said(reason, "a reason")), act, as_json=as_json)


_Act = Callable[["Connection", int, "Deed", "Terms"], None]


def _change(task_id: int, version: int | None, deed: "Deed", act: _Act, *, as_json: bool) -> None:
    """Change a task in one transaction, as it was seen or as it is now, and tell what it is then."""
    from mdm import db
    from mdm.stewardship import tabulation, tasks

    with _hub() as (connection, terms):
        with db.transaction(connection):
            seen = tasks.get(connection, task_id, now=deed.at).version if version is None else version
            act(connection, seen, deed, terms)
        task = tasks.get(connection, task_id, now=deed.at)
    typer.echo(json.dumps(tabulation.told(task), default=str) if as_json else tabulation.changed(task))


@contextmanager
def _hub() -> Iterator[tuple["Connection", "Terms"]]:
    from mdm import db, hub, settings
    from mdm.stewardship import terms

    chosen = settings.load()
    with db.connect(hub.initialise(chosen), application_name="mdm task") as connection:
        yield connection, terms.of(chosen)


def _deed(by: str | None, note: str | None = None) -> "Deed":
    from getpass import getuser

    from mdm.stewardship.tasks import Deed

    return Deed(by=_said(by or getuser(), "a name for --by"), at=datetime.now(UTC), note=note)


def _said(text: str, what: str) -> str:
    if not text.strip() or "\x00" in text:
        raise NotAFilter(f"It needs {what}: the text is empty. Say it in a few words.")
    return text.strip()


def _filter(*, state: str | None = None, kind: str | None = None, **chosen: object) -> "Filter":
    from golden_records.subjects import Kind
    from mdm.stewardship.queue import Filter
    from mdm.stewardship.tasks import State

    known = {"state": _word(State, state), "kind": _word(Kind, kind)}
    return Filter(**known, **chosen)  # type: ignore[arg-type]  # each option has its filter's type


def _word(kind: type[_Word], word: str | None) -> _Word | None:
    """Read one of the words of a closed set; raises NotAFilter, which names them."""
    if word is None or word in list(kind):
        return None if word is None else kind(word)
    raise NotAFilter(f"That is not one of the words for it. There are {', '.join(kind)}.")
