"""mdm conflict: where copies differ from the value that survived, who is accountable, what every system says."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mdm.errors import MdmError

if TYPE_CHECKING:
    from golden_records.conflict_reading import Conflict, Query
    from mdm.db import Connection

app = typer.Typer()

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
_Reveal = Annotated[bool, typer.Option("--reveal", help="Show MPANs and what identifies a person, too.")]

_SPANS = {"m": 60, "h": 3_600, "d": 86_400}


class NoSuchConflict(MdmError):
    """There is no conflict of that id, or the filter cannot be read."""

    exit_code = 2


@app.command(name="list")
def list_(
    state: Annotated[str, typer.Option(help="open, accepted or closed.")] = "open",
    entity: Annotated[str | None, typer.Option(help="metering_point, meter, address, contract or appointment.")] = None,
    item: Annotated[str | None, typer.Option(help="An item of the catalogue.")] = None,
    source: Annotated[str | None, typer.Option(help="The system whose copy differs.")] = None,
    owner: Annotated[str | None, typer.Option(help="A kind of owner, or the MPID of the accountable party.")] = None,
    older_than: Annotated[str | None, typer.Option(help="By age: 30m, 4h or 2d.")] = None,
    golden_id: Annotated[int | None, typer.Option(help="Of one golden record.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most to list; open ones the oldest first.")] = 100,
    reveal: _Reveal = False,
    as_json: _Json = False,
) -> None:
    """List conflicts: what differs, in which system, from whose value, since when.

    Example: mdm conflict list --entity address --source mds --older-than 4h
    """
    from golden_records import conflict_reading
    from golden_records.conflict_reading import Filter, State

    if state not in {*State}:
        raise NoSuchConflict(f"There is no state {state}. Say --state {', '.join(State)}.")
    chosen = Filter(
        state=State(state),
        entity=entity,
        item=item,
        source=source,
        owner=owner,
        opened_before=_before(older_than),
        golden_id=golden_id,
    )
    with _hub() as connection:
        found = _read(connection, conflict_reading.list_page(chosen, after=None, limit=limit + 1))
    told = [each.describe(reveal=reveal) for each in found[:limit]]
    if as_json:
        typer.echo(json.dumps(told, default=str))
        return
    for each in told:
        typer.echo(_line(each))
    typer.echo(_summary(state, len(told), has_more=len(found) > limit))


@app.command()
def show(
    conflict_id: Annotated[int, typer.Argument(help="As 'mdm conflict list' shows it.")],
    reveal: _Reveal = False,
    as_json: _Json = False,
) -> None:
    """Show one conflict: what every system says, where that came from and when, and what was said before.

    Example: mdm conflict show 55
    """
    from golden_records import conflict_reading

    with _hub() as connection:
        found = _read(connection, conflict_reading.find(conflict_id))
        if not found:
            raise NoSuchConflict(f"There is no conflict {conflict_id}. 'mdm conflict list' shows those that are open.")
        values = connection.execute(*conflict_reading.list_values(found[0])).fetchall()
    told = conflict_reading.describe_fully(found[0], values, reveal=reveal)
    if as_json:
        typer.echo(json.dumps(told, default=str))
        return
    for line in _lines(told):
        typer.echo(line)


@contextmanager
def _hub() -> Iterator["Connection"]:
    from mdm import db, hub, settings

    with db.connect(hub.initialise(settings.load()), application_name="mdm conflict") as connection:
        yield connection


def _read(connection: "Connection", query: "Query") -> list["Conflict"]:
    from psycopg.rows import class_row

    from golden_records.conflict_reading import Conflict

    with connection.cursor(row_factory=class_row(Conflict)) as cursor:
        return cursor.execute(*query).fetchall()


def _before(older_than: str | None) -> datetime | None:
    if older_than is None:
        return None
    told = re.fullmatch(r"(\d{1,6})([mhd])", older_than)
    if told is None:
        raise NoSuchConflict(f"{older_than} is no age. Write minutes, hours or days, as in --older-than 4h.")
    return datetime.now(UTC) - timedelta(seconds=int(told[1]) * _SPANS[told[2]])


def _line(told: Mapping[str, Any]) -> str:
    copy, surviving = told["copy"], told["surviving"]
    accountable = f"{told['owner']} {told['owner_participant'] or ''}".strip()
    grace = ", in grace" if told["in_grace"] else ""
    return (
        f"{told['conflict_id']:>8}  {told['entity']} {told['golden_id']} {told['item']}: {copy['source']} says "
        f"{_shown(copy['value'])}, {surviving['source']} {_shown(surviving['value'])} "
        f"({accountable}, {_age(told['age_seconds'])}{grace})"
    )


def _summary(state: str, count: int, *, has_more: bool) -> str:
    if not count:
        return {
            "open": "No copy differs from its owner's value that fits.",
            "accepted": "No difference that fits is accepted.",
            "closed": "No conflict that fits has ended yet.",
        }[state]
    more = " There are more: raise --limit or narrow the filter." if has_more else ""
    return f"{count:,} {state}.{more} 'mdm conflict show ID' tells more."


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    skipped = {"copy", "surviving", "values", "history"}
    for name, value in told.items():
        if name not in skipped and value is not None:
            yield f"{name.replace('_', ' '):18} {value}"
    if told["surviving"]["is_fallback"]:
        yield f"{'fallback':18} the owner is silent: {told['surviving']['source']} is believed in its place"
    yield ""
    for each in told["values"]:
        place = f"{each['committed_at']} {each['relation']} {each['commit_lsn']}.{each['ordinal']}"
        yield f"  {each['source']:10} {_shown(each['value']):24} change {each['change_id']}, {place}"
    for former in told["history"]:
        said = f"{_shown(former['value'])} against {_shown(former['owner_value'])}"
        yield f"  until {former['until']}: {said}"


def _shown(value: Any) -> str:
    return "-" if value is None else str(value)


def _age(seconds: float) -> str:
    for span, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= span:
            return f"{seconds / span:.0f} {unit}"
    return f"{seconds:.0f} s"
