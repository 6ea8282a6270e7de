"""mdm correction: what owners are asked to correct, and what they reply."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

app = typer.Typer()

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
_Reveal = Annotated[bool, typer.Option("--reveal", help="Show MPANs and what identifies a person, too.")]


@app.command(name="list")
def list_(
    state: Annotated[str | None, typer.Option(help="open, accepted, rejected, corrected or withdrawn.")] = None,
    owner: Annotated[str | None, typer.Option(help="Those to this owner: its MPID.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The most to list.")] = 50,
    reveal: _Reveal = False,
    as_json: _Json = False,
) -> None:
    """List correction requests, the newest first.

    Example: mdm correction list --state open --owner EELC
    """
    from golden_records import rows
    from mdm.deciding import desk, telling
    from mdm.deciding.orders import Refused
    from mdm.stewardship import corrections
    from mdm.stewardship.corrections import State

    if state is not None and state not in list(State):
        raise Refused(f"That is not one of the words for it. There are {', '.join(State)}.")
    asked = corrections.question(limit=limit, state=None if state is None else State(state), recipient=owner)
    with desk.opened("correction") as opened:
        found = rows.ask(opened.connection, asked)
    if as_json:
        typer.echo(json.dumps([telling.of_correction(each, reveal=reveal) for each in found], default=str))
        return
    typer.echo("\n".join(telling.correction_line(each) for each in found) or "There are no such requests.")


@app.command()
def reply(
    reference: Annotated[str, typer.Argument(help="As 'mdm correction list' shows it.")],
    sender_reference: Annotated[str, typer.Option(help="The owner's own reference, never used before.")],
    accept: Annotated[bool, typer.Option("--accept/--reject", help="Whether the owner corrects its value.")],
    text: Annotated[str | None, typer.Option(help="What the owner says to it.")] = None,
    as_json: _Json = False,
) -> None:
    """Note what an owner replied by another way than HTTP. What it rejects is the steward's task again.

    Example: mdm correction reply CR-000000042 --accept --sender-reference EELC-117 --text "on Monday"
    """
    from mdm.db import Connection
    from mdm.deciding import desk, replying, telling
    from mdm.stewardship import corrections
    from mdm.stewardship.corrections import Correction, Reply, State

    said = Reply(state=State.ACCEPTED if accept else State.REJECTED, sender_reference=sender_reference, text=text)

    def act(connection: Connection) -> Correction:
        replying.reply(connection, corrections.get(connection, reference), said, at=datetime.now(UTC))
        return corrections.get(connection, reference)

    with desk.opened("correction") as opened:
        told = telling.of_correction(opened.do(act), reveal=False)
    typer.echo(json.dumps(told, default=str) if as_json else telling.lines(told))
