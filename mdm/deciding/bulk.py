"""Bulk: one decision on all tasks of a filter, tried first if so wanted; all or nothing, and undone as one."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
import psycopg

from golden_records import match_states, merging
from mdm.deciding import applying, joining, kinds, looking, orders
from mdm.deciding.applying import Judged
from mdm.deciding.orders import Matter, Refused, Terms
from mdm.stewardship import decisions
from mdm.stewardship.approvals import Policy
from mdm.stewardship.decisions import Decision, Kind, Maker
from mdm.stewardship.queue import Filter

_EXAMPLES = 10
_ONE_BY_ONE = frozenset({Kind.SPLIT, Kind.UNDO})


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
    matters = _look(connection, wanted, maker)
    decided: list[Judged] = []
    refusals: list[Refusal] = []
    for matter in matters:
        try:
            judged = kinds.judge(connection, wanted.kind, matter, wanted.terms, maker.at)
        except (Refused, orders.Outdated) as error:
            refusals.append(Refusal(matter=matter, why=str(error)))
        else:
            decided.append((matter, orders.payload(wanted.terms, matter, judged)))
    if wanted.kind is Kind.MERGE:
        decided, apart = join(connection, decided)
        refusals += apart
    return decided, refusals


def _look(connection: psycopg.Connection, wanted: Wanted, maker: Maker) -> list[Matter]:
    if wanted.kind in _ONE_BY_ONE:
        raise Refused(f"Decide on one at a time to {wanted.kind}: the tasks of a filter cannot be decided on so.")
    deed = applying.deed_of(maker)
    if wanted.kind in looking.IDENTITY:
        return looking.at_matches(connection, wanted.chosen, deed=deed)
    return looking.at_many(connection, wanted.chosen, deed=deed, source=wanted.terms.source)


def join(connection: psycopg.Connection, decided: Sequence[Judged]) -> tuple[list[Judged], list[Refusal]]:
    """Let merges that share golden records go together, in order; refuse those that would join what is no match.

    A pair that the others join already is merged by them: it has no merge of its own.
    """
    decided, refusals = _standing(connection, decided)
    joined = joining.join([(payload["pair"][0], payload["pair"][1]) for _, payload in decided])
    group_of = {each: one.group for one in joined for each in decided[one.place][1]["pair"]}
    apart = {
        group_of[left]: (left, right)
        for left, right in match_states.list_apart(connection, sorted(group_of))
        if group_of[left] == group_of[right]
    }
    taken: list[Judged] = []
    for one in joined:
        matter, payload = decided[one.place]
        if one.group in apart:
            refusals.append(Refusal(matter=matter, why=_told_apart(*apart[one.group])))
        else:
            pair = None if one.merge is None else [one.merge.survivor, one.merge.retired]
            taken.append((matter, {**payload, "pair": pair, "into": one.group}))
    return taken, refusals


def _standing(connection: psycopg.Connection, decided: Sequence[Judged]) -> tuple[list[Judged], list[Refusal]]:
    """Leave out matches of which one side is merged away already, by a decision on another match."""
    known = merging.list_known(connection, sorted({each for _, payload in decided for each in payload["pair"]}))
    away = {each.golden_id: each.into_id for each in known.values() if each.into_id is not None}
    gone = [(matter, golden_id) for matter, payload in decided for golden_id in payload["pair"] if golden_id in away]
    told = [
        Refusal(matter=matter, why=f"Golden record {golden_id} is merged into {away[golden_id]} already.")
        for matter, golden_id in gone
    ]
    return [each for each in decided if away.keys().isdisjoint(each[1]["pair"])], told


def _told_apart(left: int, right: int) -> str:
    return (
        f"With the others it would make one of golden records {left} and {right}, which were taken for no match. "
        "Decide on these one by one."
    )


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
