"""mdm override: the values of stewards that stand, what they hide, and their end or review."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mdm.stewardship.decisions import Kind

app = typer.Typer()

_Id = Annotated[int, typer.Argument(help="As 'mdm override list' shows it.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
_Reveal = Annotated[bool, typer.Option("--reveal", help="Show MPANs and what identifies a person, too.")]
_By = Annotated[str | None, typer.Option("--by", help="Who does it. [default: the operating system's user]")]
_Reason = Annotated[str, typer.Option("--reason", help="Why; it stays with the decision.")]
_Seen = Annotated[
    int | None, typer.Option("--version", help="Refuse unless it is at this version. [default: as it is now]")
]


@app.command(name="list")
def list_(
    hides_changed: Annotated[
        bool, typer.Option("--hides-changed", help="Those whose owners say another value by now.")
    ] = False,
    due: Annotated[bool, typer.Option("--due", help="Those that wait to be reviewed.")] = False,
    retired: Annotated[bool, typer.Option("--retired", help="Also those that no longer stand.")] = False,
    golden_id: Annotated[int | None, typer.Option(help="On which golden record.")] = None,
    item: Annotated[str | None, typer.Option(help="As market_segment.")] = None,
    author: Annotated[str | None, typer.Option(help="Who made them.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The most to list.")] = 50,
    as_json: _Json = False,
) -> None:
    """List the overrides that stand, the newest first.

    Example: mdm override list --hides-changed
    """
    from golden_records import overridden, rows
    from golden_records.overridden import Chosen
    from mdm.deciding import desk, telling

    chosen = Chosen(
        hides_changed=True if hides_changed else None,
        is_due=True if due else None,
        golden_id=golden_id,
        item=item,
        author=author,
        retired=retired,
    )
    with desk.opened("override") as opened:
        found = rows.ask(opened.connection, overridden.page(chosen, limit=limit))
    if as_json:
        typer.echo(json.dumps([telling.of_override(each, reveal=False) for each in found], default=str))
        return
    typer.echo("\n".join(telling.override_line(each) for each in found) or "No such override stands.")


@app.command()
def show(override_id: _Id, reveal: _Reveal = False, as_json: _Json = False) -> None:
    """Show an override: its value, what it hid, and what the owner says now.

    Example: mdm override show 5
    """
    from golden_records import overridden, rows
    from mdm.deciding import desk, telling
    from mdm.deciding.orders import OverrideUnknown

    with desk.opened("override") as opened:
        found = rows.ask(opened.connection, overridden.question(override_id))
    if not found:
        raise OverrideUnknown(f"There is no override {override_id}. 'mdm override list --retired' shows what there is.")
    told = telling.of_override(found[0], reveal=reveal)
    typer.echo(json.dumps(told, default=str) if as_json else telling.lines(told))


@app.command()
def retire(override_id: _Id, reason: _Reason, version: _Seen = None, by: _By = None, as_json: _Json = False) -> None:
    """End an override, so that the owner's value stands again: a decision, which can be undone.

    Example: mdm override retire 5 --reason "the owner has corrected it"
    """
    from mdm.stewardship.decisions import Kind

    _decide(Kind.RETIRE, override_id, reason, version=version, by=by, as_json=as_json)


@app.command()
def review(
    override_id: _Id,
    reason: _Reason,
    next_on: Annotated[str | None, typer.Option("--next", help="The day of the next review.")] = None,
    version: _Seen = None,
    by: _By = None,
    as_json: _Json = False,
) -> None:
    """Let an override stand over what the owner says now, until the next review: a decision, which can be undone.

    Example: mdm override review 5 --next 2027-01-31 --reason "asked the site again"
    """
    from mdm.stewardship.decisions import Kind

    _decide(Kind.REVIEW, override_id, reason, version=version, by=by, as_json=as_json, next_on=next_on)


def _decide(
    kind: "Kind",
    override_id: int,
    reason: str,
    *,
    version: int | None,
    by: str | None,
    as_json: bool,
    next_on: str | None = None,
) -> None:
    from mdm.deciding import applying, desk, looking, telling
    from mdm.deciding.orders import About, Order, Terms

    maker, terms = desk.maker(by, reason), Terms(review_at=desk.moment(next_on))
    with desk.opened("override") as opened:
        seen = looking.version_of(opened.connection, override_id) if version is None else version
        order = Order(kind=kind, about=About(override_id=override_id, version=seen), terms=terms)
        made = opened.do(lambda connection: applying.decide(connection, order, maker, opened.policy))
    told = telling.of_decision(made, reveal=False)
    typer.echo(json.dumps(told, default=str) if as_json else telling.lines(told))
