"""mdm quarantine: what could not be mastered, why, and putting it through again."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mdm.errors import MdmError

if TYPE_CHECKING:
    from golden_records.held import Held
    from mdm.db import Connection

app = typer.Typer()

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
_Reveal = Annotated[bool, typer.Option("--reveal", help="Show MPANs and what identifies a person, too.")]

_AT_ONCE = 5_000
_ATTEMPTS = 5


class NotHeld(MdmError):
    """Nothing of that id is held back."""

    exit_code = 2


@app.command(name="list")
def list_(
    closed: Annotated[bool, typer.Option("--closed", help="List also what is no longer held back.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="The most to list, the newest first.")] = 100,
    reveal: _Reveal = False,
    as_json: _Json = False,
) -> None:
    """List what is held back, and why.

    Example: mdm quarantine list
    """
    from golden_records import held

    with _hub() as connection:
        found = held.list_held(connection, limit=limit, closed=closed)
        count = held.count_open(connection)
    if as_json:
        typer.echo(json.dumps([_summary(each, reveal=reveal) for each in found], default=str))
        return
    for each in found:
        rule = f"rule {each.rule}" if each.rule else "no rule"
        state = "" if each.is_open else f" ({each.outcome})"
        typer.echo(f"{each.quarantine_id:>8}  {each.source:8} {rule:8} {each.key(reveal=reveal)}: {each.reason}{state}")
    typer.echo(f"{count:,} held back. 'mdm quarantine show ID' tells more." if count else "Nothing is held back.")


@app.command()
def show(
    quarantine_id: Annotated[int, typer.Argument(help="As 'mdm quarantine list' shows it.")],
    reveal: _Reveal = False,
    as_json: _Json = False,
) -> None:
    """Show one record that is held back: where it came from, which rule it breaks, what mends it, what it says.

    Example: mdm quarantine show 17
    """
    with _hub() as connection:
        found = _get(connection, quarantine_id)
    told = _described(found, reveal=reveal)
    if as_json:
        typer.echo(json.dumps(told, default=str))
        return
    items = told.pop("items")
    for name, value in told.items():
        if value is not None:
            typer.echo(f"{name.replace('_', ' '):15} {value}")
    for name, value in items.items():
        typer.echo(f"  {name:20} {'-' if value is None else value}")


@app.command()
def retry(
    quarantine_ids: Annotated[
        list[int] | None, typer.Argument(help="Which to put through again; all by default.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Put records through again: what passes now is mastered, the rest stays held back.

    It helps when something else was mended since, as a point's market segment or a rule. A record whose source
    sends it anew is looked at again by itself.

    Example: mdm quarantine retry 17 18
    """
    from golden_records import held
    from mdm import mastering, settings
    from mdm.stewardship import terms

    with _hub() as connection:
        mastering.tune(connection, terms=terms.of(settings.load()))
        for quarantine_id in quarantine_ids or []:
            _refuse_unless_retriable(_get(connection, quarantine_id))
        tried = _retry(connection, [[each] for each in quarantine_ids]) if quarantine_ids else _retry_all(connection)
        mastered, left = held.count_mastered(connection, tried), held.count_open(connection)
    if as_json:
        typer.echo(json.dumps({"tried": len(tried), "mastered": mastered, "held": left}))
        return
    typer.echo(f"{len(tried):,} put through again: {mastered:,} mastered. {left:,} held back.")


@contextmanager
def _hub() -> Iterator["Connection"]:
    from mdm import db, hub, settings

    with db.connect(hub.initialise(settings.load()), application_name="mdm quarantine") as connection:
        yield connection


def _get(connection: "Connection", quarantine_id: int) -> "Held":
    from golden_records import held

    found = held.find_held(connection, quarantine_id)
    if found is None:
        raise NotHeld(f"Quarantine has no {quarantine_id}. 'mdm quarantine list --closed' shows what there is.")
    return found


def _refuse_unless_retriable(found: "Held") -> None:
    if not found.is_open:
        raise NotHeld(f"{found.quarantine_id} is no longer held back: it is {found.outcome}. Leave it out.")
    if found.record is None:
        raise NotHeld(
            f"{found.quarantine_id} cannot be put through again, for its values could not be typed ({found.reason}). "
            "Have the source send the row anew."
        )


def _retry_all(connection: "Connection") -> list[int]:
    from golden_records import held

    tried: list[int] = []
    while chunk := held.list_retriable(connection, after=tried[-1] if tried else 0, limit=_AT_ONCE):
        tried += _retry(connection, [chunk])
    return tried


def _retry(connection: "Connection", chunks: Sequence[Sequence[int]]) -> list[int]:
    """Put ids that follow each other through again, each chunk in a transaction; return all of them."""
    from psycopg.errors import DeadlockDetected, SerializationFailure

    from mdm import db, mastering

    for chunk in chunks:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with db.transaction(connection):
                    mastering.retry(connection, now=datetime.now(UTC), after=chunk[0] - 1, limit=len(chunk))
                    mastering.finish(connection)
                break
            except (DeadlockDetected, SerializationFailure):  # the workers master meanwhile: it passes later
                if attempt == _ATTEMPTS:
                    raise
    return [each for chunk in chunks for each in chunk]


def _summary(found: "Held", *, reveal: bool) -> dict[str, Any]:
    return {
        "quarantine_id": found.quarantine_id,
        "source": found.source,
        "source_key": found.key(reveal=reveal),
        "group": found.item_group or None,
        "rule": found.rule,
        "reason": found.reason,
        "attempts": found.attempts,
        "quarantined_at": found.quarantined_at,
        "closed_at": found.closed_at,
        "outcome": found.outcome,
    }


def _described(found: "Held", *, reveal: bool) -> dict[str, Any]:
    from rules import registry

    rule = registry.RULES.get(found.rule or 0)
    return _summary(found, reveal=reveal) | {
        "commit_lsn": found.commit_lsn,
        "ordinal": found.ordinal,
        "change_id": found.change_id,
        "explanation": rule.explanation if rule else None,
        "owner": rule.owner if rule else None,
        "mend": rule.mend if rule else "The source sends the row anew with values of their types.",
        "items": found.items(reveal=reveal),
    }
