"""Bulk: one decision on all tasks of a filter, tried first if so wanted; all or nothing, and undone as one."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
import psycopg

from mdm.deciding import applying, kinds, looking, orders
from mdm.deciding.applying import Judged
from mdm.deciding.orders import Matter, Refused, Terms
from mdm.stewardship import decisions
from mdm.stewardship.approvals import Policy
from mdm.stewardship.decisions import Decision, Kind, Maker
from mdm.stewardship.queue import Filter

_EXAMPLES = 10
BULK_KINDS = (Kind.TAKE, Kind.ENTER, Kind.ACCEPT, Kind.ASK, Kind.DISMISS, Kind.RETIRE, Kind.REVIEW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One decision on whatever tasks a filter gives."""

    kind: Kind
    terms: Terms
    chosen: Filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A matter on which it cannot be decided so, and why."""

    matter: Matter
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a bulk decision would do: to how many tasks and items, some of them, and what would be refused."""

    tasks: int
    items: int
    refused: int
    wants_approval: str | None
    examples: Sequence[Judged]
    refusals: Sequence[Refusal]


def attempt(connection: psycopg.Connection, wanted: Wanted, maker: Maker, policy: Policy) -> Trial:
    """Say what a bulk decision would do, without doing it."""
    decided, refusals = _judge(connection, wanted, maker)
    return Trial(
        tasks=sum(len(matter.task_ids) for matter, _ in decided) + sum(len(each.matter.task_ids) for each in refusals),
        items=len(decided),
        refused=len(refusals),
        wants_approval=applying.wanting(policy, wanted.kind, decided, maker).wants_approval,
        examples=decided[:_EXAMPLES],
        refusals=refusals[:_EXAMPLES],
    )


def decide(connection: psycopg.Connection, wanted: Wanted, maker: Maker, policy: Policy) -> Decision:
    """Decide on all tasks of the filter that nobody else has; raises Refused, and does nothing, where one cannot be."""
    decided, refusals = _judge(connection, wanted, maker)
    if refusals:
        first = refusals[0]
        told = ", ".join(map(str, first.matter.task_ids[:3]))
        raise Refused(
            f"{len(refusals):,} of {len(decided) + len(refusals):,} items cannot be decided on so, the first for task "
            f"{told}: {first.why} Nothing was done. Narrow the filter; a dry run shows examples."
        )
    if not decided:
        raise Refused("The filter gives no task that is open and not another's. 'mdm task list' shows what there is.")
    bulk = _payload(wanted, decided)
    root = applying.write(
        connection, wanted.kind, decided, applying.wanting(policy, wanted.kind, decided, maker), bulk=bulk
    )
    return decisions.get(connection, root)


def _judge(connection: psycopg.Connection, wanted: Wanted, maker: Maker) -> tuple[list[Judged], list[Refusal]]:
    matters = looking.at_many(connection, wanted.chosen, deed=applying.deed_of(maker), source=wanted.terms.source)
    decided: list[Judged] = []
    refusals: list[Refusal] = []
    for matter in matters:
        try:
            judged = kinds.judge(connection, wanted.kind, matter, wanted.terms, maker.at)
        except (Refused, orders.Outdated) as error:
            refusals.append(Refusal(matter=matter, why=str(error)))
        else:
            decided.append((matter, orders.payload(wanted.terms, matter, judged)))
    return decided, refusals


def _payload(wanted: Wanted, decided: Sequence[Judged]) -> Mapping[str, Any]:
    chosen = {name: value for name, value in asdict(wanted.chosen).items() if value is not None}
    told: dict[str, Any] = {
        "bulk": {"filter": chosen, "items": len(decided), "tasks": sum(len(matter.task_ids) for matter, _ in decided)},
        "source": wanted.terms.source,
        "until": wanted.terms.until,
    }
    read: dict[str, Any] = orjson.loads(
        orjson.dumps({name: value for name, value in told.items() if value is not None})
    )
    return read
