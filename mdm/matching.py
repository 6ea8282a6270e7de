"""Matching: golden records that may be one thing are found and proposed, outside of mastering and behind it.

A run compares what has changed since the last one, or everything. Each step is a transaction of its own: what was
compared is off the work list when what was found is kept. One run is at it at a time.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from golden_records import address_likeness, crossings, match_runs, matches, meter_likeness, unmatched
from golden_records.likeness import Candidate
from golden_records.match_runs import Run
from golden_records.match_states import MatchKind
from golden_records.matches import Compared, Found, Pairs
from golden_records.unmatched import ENTITIES
from mdm import db, mastering, parts
from mdm.stewardship import opening

LIMIT = 100
"""The most others under one key that a golden record is compared with, on either side."""

_AT_ONCE = 10_000
_PAIRED = (MatchKind.POSSIBLE, MatchKind.DUPLICATE)

Progress = Callable[[str, int, int], None]


def _never() -> bool:
    """Go on to the end."""
    return False


def _untold(_step: str, _done: int, _total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a run compares, and how; when it is over, a run ends after the step that it is at."""

    is_whole: bool = False
    limit: int = LIMIT
    progress: Progress = _untold
    is_over: Callable[[], bool] = _never


def run(connection: db.Connection, scope: Scope) -> Run | None:
    """Compare what has changed, or everything; return what was done, None where another run is at it."""
    started = datetime.now(UTC)
    steps = _run_whole(connection, scope) if scope.is_whole else _run_noted(connection, scope)
    total = Run(started_at=started, is_whole=scope.is_whole)
    for step in steps:
        if step is None:
            return None
        total = total.plus(step)
        if scope.is_over():
            break
    with db.transaction(connection):
        return match_runs.record(connection, replace(total, ended_at=datetime.now(UTC)))


def _run_noted(connection: db.Connection, scope: Scope) -> Iterator[Run | None]:
    left, done = unmatched.count(connection), 0
    while True:
        step = _compare_noted(connection, scope, _AT_ONCE)
        yield step
        if step is None or not step.noted:
            return
        done += step.noted
        scope.progress("comparing", done, max(left, done))


def _compare_noted(connection: db.Connection, scope: Scope, limit: int) -> Run | None:
    with db.transaction(connection):
        if not matches.try_lock(connection):
            return None
        noted = unmatched.take(connection, limit=limit)
        step = Run(started_at=datetime.now(UTC), noted=len(noted.note_ids))
        parts.prepare(connection)
        if noted.note_ids:
            for entity, golden_ids in noted.golden_ids.items():
                _key(connection, entity, golden_ids)
                step = step.plus(_compare(connection, entity, golden_ids, scope))
            unmatched.drop(connection, noted.note_ids)
        return _finish(connection, step.plus(_cross(connection)))


def _run_whole(connection: db.Connection, scope: Scope) -> Iterator[Run | None]:
    """Write all keys anew first, so that each golden record finds all others. What changes meanwhile is noted."""
    with db.transaction(connection):
        if not matches.try_lock(connection):
            yield None
            return
        unmatched.clear(connection)
        for entity in ENTITIES:
            for golden_ids in _told(connection, entity, scope, "keys of"):
                _key(connection, entity, golden_ids)
    connection.execute("analyze golden.match_key")
    for entity in ENTITIES:
        for golden_ids in _told(connection, entity, scope, "comparing"):
            with db.transaction(connection):
                parts.prepare(connection)
                yield _finish(connection, _compare(connection, entity, golden_ids, scope))
    with db.transaction(connection):
        parts.prepare(connection)
        yield _finish(connection, _cross(connection))


def _told(connection: db.Connection, entity: str, scope: Scope, step: str) -> Iterator[list[int]]:
    """Go through an entity by id, and tell how far."""
    total, done, after = matches.count(connection, entity), 0, 0
    while golden_ids := matches.list_ids(connection, entity, after=after, limit=_AT_ONCE):
        yield golden_ids
        after = golden_ids[-1]
        done += len(golden_ids)
        scope.progress(f"{step} {entity}", done, max(total, done))


def _finish(connection: db.Connection, step: Run) -> Run:
    """Let whoever keeps tasks see what was opened and closed."""
    opening.follow(connection)
    mastering.finish(connection)
    return step


def _key(connection: db.Connection, entity: str, golden_ids: Sequence[int]) -> None:
    known = matches.read_facts(connection, entity, golden_ids)
    matches.write_keys(connection, golden_ids, _keys(entity, known))


def _keys(entity: str, known: Mapping[int, Mapping[str, Any]]) -> Iterator[tuple[str, int, bool]]:
    for golden_id, items in known.items():
        if entity == "address":
            said = dict(address_likeness.keys(address_likeness.parse(golden_id, items)))
        else:
            said = dict(meter_likeness.keys(meter_likeness.parse(golden_id, items)))
        yield from ((key, golden_id, is_derived) for key, is_derived in said.items())


def _compare(connection: db.Connection, entity: str, golden_ids: Sequence[int], scope: Scope) -> Run:
    pairs = matches.pair(connection, golden_ids, limit=scope.limit, is_whole=scope.is_whole)
    known = matches.read_facts(connection, entity, sorted({each for pair in pairs.pairs for each in pair}))
    there = [(left, right) for left, right in pairs.pairs if left in known and right in known]
    found = [*_proposed(entity, _score(entity, there, known), pairs)]
    settled = [golden_id for golden_id in golden_ids if golden_id not in pairs.limited]
    compared = Compared(kinds=_PAIRED, lefts=settled, rights=() if scope.is_whole else settled)
    opened, closed = matches.write(connection, found, compared, now=datetime.now(UTC))
    return Run(
        started_at=datetime.now(UTC),
        compared=len(golden_ids),
        pairs=len(there),
        opened=opened,
        closed=closed,
        cut_blocks=pairs.cut_blocks,
        cut_pairs=pairs.cut_pairs,
    )


def _score(
    entity: str, pairs: Sequence[tuple[int, int]], known: Mapping[int, Mapping[str, Any]]
) -> Iterable[Candidate]:
    if entity == "address":
        places = {golden_id: address_likeness.parse(golden_id, items) for golden_id, items in known.items()}
        return address_likeness.compare([(places[left], places[right]) for left, right in pairs])
    devices = {golden_id: meter_likeness.parse(golden_id, items) for golden_id, items in known.items()}
    return meter_likeness.compare([(devices[left], devices[right]) for left, right in pairs])


def _proposed(entity: str, candidates: Iterable[Candidate], pairs: Pairs) -> Iterator[Found]:
    """Yield those that are alike enough; with how many each was compared stands beside."""
    counted = Counter(golden_id for pair in pairs.pairs for golden_id in pair)
    least = address_likeness.PROPOSED_FROM if entity == "address" else meter_likeness.PROPOSED_FROM
    for one in candidates:
        if one.is_against or one.score < least:
            continue
        is_limited = not pairs.limited.isdisjoint((one.left_id, one.right_id))
        yield Found(
            kind=MatchKind.DUPLICATE if one.has_equal_key else MatchKind.POSSIBLE,
            entity=entity,
            left_id=one.left_id,
            right_id=one.right_id,
            score=one.score,
            explanation={"parts": [part.as_json() for part in one.parts]},
            facts=one.facts,
            candidates=max(counted[one.left_id], counted[one.right_id]),
            is_limited=is_limited,
        )


def _cross(connection: db.Connection) -> Run:
    found = crossings.find(connection)
    compared = Compared(kinds=(MatchKind.CROSSED,), is_all=True)
    opened, closed = matches.write(connection, found, compared, now=datetime.now(UTC))
    return Run(started_at=datetime.now(UTC), opened=opened, closed=closed)
