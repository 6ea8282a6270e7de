"""Possible matches as people see and settle them: listed, looked at, taken for no match, merged, open again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.rows import class_row

from golden_records import redirects
from golden_records.subjects import Kind

LARGEST = 2**63 - 1


class MatchKind(StrEnum):
    """Why two golden records are put beside each other."""

    POSSIBLE = "possible"
    DUPLICATE = "duplicate"
    CROSSED = "crossed"


class MatchState(StrEnum):
    """Where a match stands."""

    OPEN = "open"
    MERGED = "merged"
    NOT_A_MATCH = "not_a_match"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A match as it is kept. `explanation` holds no value of the records, only ids and how alike each part is."""

    match_id: int
    kind: str
    entity: str
    left_id: int
    right_id: int
    score: int
    explanation: dict[str, Any]
    facts: str
    state: str
    version: int
    candidates: int
    is_limited: bool
    found_at: datetime
    state_at: datetime

    def summary(self) -> dict[str, Any]:
        """Return the match as a list shows it."""
        return {
            "match_id": self.match_id,
            "kind": self.kind,
            "entity": self.entity,
            "left_id": self.left_id,
            "right_id": self.right_id,
            "score": self.score,
            "state": self.state,
            "version": self.version,
            "found_at": self.found_at,
            "state_at": self.state_at,
        }

    def document(self) -> dict[str, Any]:
        """Return the match with its explanation, and what limits left out."""
        compared = {"candidates": self.candidates, "is_limited": self.is_limited}
        return self.summary() | {"compared": compared} | {"explanation": self.explanation}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which matches to list; None leaves a condition out."""

    state: MatchState | None = MatchState.OPEN
    kind: MatchKind | None = None
    entity: str | None = None
    least_score: int = 0
    golden_id: int | None = None


LIST = """
select match_id, kind, entity, left_id, right_id, score, explanation, facts, state, version, candidates, is_limited,
       found_at, state_at
from golden.match
where (%(state)s::text is null or state = %(state)s) and (%(kind)s::text is null or kind = %(kind)s)
  and (%(entity)s::text is null or entity = %(entity)s) and score >= %(least)s
  and (%(golden_id)s::bigint is null or left_id = %(golden_id)s or right_id = %(golden_id)s)
  and (%(score)s::int is null or (score, match_id) < (%(score)s, %(match_id)s))
order by score desc, match_id desc limit %(limit)s
"""
"""The matches of a filter behind a place, the most alike first; see parameters()."""

FIND = """
select match_id, kind, entity, left_id, right_id, score, explanation, facts, state, version, candidates, is_limited,
       found_at, state_at
from golden.match where match_id = %s
"""


def parameters(chosen: Filter, *, after: tuple[int, int] | None, limit: int) -> dict[str, Any]:
    """Return the parameters of LIST; `after` is score and id of the last match that was listed."""
    score, match_id = after or (None, None)
    return {
        "state": chosen.state,
        "kind": chosen.kind,
        "entity": chosen.entity,
        "least": chosen.least_score,
        "golden_id": chosen.golden_id,
        "score": score,
        "match_id": match_id,
        "limit": limit,
    }


def list_matches(
    connection: psycopg.Connection, chosen: Filter, *, after: tuple[int, int] | None = None, limit: int
) -> list[Match]:
    """Return the matches of a filter, the most alike first."""
    with connection.cursor(row_factory=class_row(Match)) as cursor:
        return cursor.execute(LIST, parameters(chosen, after=after, limit=limit)).fetchall()


def find(connection: psycopg.Connection, match_id: int) -> Match | None:
    """Return one match, or None."""
    with connection.cursor(row_factory=class_row(Match)) as cursor:
        return cursor.execute(FIND, [match_id]).fetchone()


def list_by_id(connection: psycopg.Connection, match_ids: Sequence[int]) -> dict[int, Match]:
    """Return matches by their ids; those that there are not are left out."""
    query = FIND.replace("match_id = %s", "match_id = any (%s)")
    with connection.cursor(row_factory=class_row(Match)) as cursor:
        return {match.match_id: match for match in cursor.execute(query, [list(match_ids)])}


def list_apart(connection: psycopg.Connection, golden_ids: Sequence[int]) -> list[tuple[int, int]]:
    """Return the pairs among these golden records that a steward took for no match."""
    query = """
        select left_id, right_id from golden.match
        where state = 'not_a_match' and left_id = any (%(ids)s) and right_id = any (%(ids)s) order by 1, 2
    """
    return connection.execute(query, {"ids": list(golden_ids)}).fetchall()


_SET = f"""
with changed as (
    update golden.match m set state = %(state)s, state_at = %(now)s, version = version + 1
    where {{condition}}
    returning match_id, state
), noted as (
    insert into stage_subject (kind, subject_id, is_open) select '{Kind.MATCH}', match_id, state = 'open' from changed
)
select count(*) from changed
"""


def set_state(connection: psycopg.Connection, match_id: int, state: MatchState, *, version: int, now: datetime) -> bool:
    """Set one match: not_a_match stands until its facts change, open puts it back; False when it is at another version.

    The session has the temporary tables of mastering.
    """
    query = _SET.format(condition="match_id = %(match_id)s and version = %(version)s")
    told = {"match_id": match_id, "version": version, "state": state, "now": now}
    return connection.execute(query, told).fetchone() == (1,)


def note_merged(connection: psycopg.Connection, pairs: Sequence[tuple[int, int]], *, now: datetime) -> None:
    """Settle the matches of those that were merged, and let go of the others of what is retired."""
    matched = "(m.left_id, m.right_id) in (select least(r, s), greatest(r, s)"
    named = "from unnest(%(retired)s::bigint[], %(survivors)s::bigint[]) p (r, s))"
    told = {"retired": [retired for retired, _ in pairs], "survivors": [survivor for _, survivor in pairs], "now": now}
    settled = f"m.state in ('open', 'not_a_match') and m.kind <> 'crossed' and {matched} {named}"
    connection.execute(_SET.format(condition=settled), told | {"state": MatchState.MERGED})
    gone = "m.state = 'open' and (m.left_id = any (%(retired)s) or m.right_id = any (%(retired)s))"
    connection.execute(_SET.format(condition=gone), told | {"state": MatchState.GONE})


def note_decided(connection: psycopg.Connection, match_ids: Sequence[int], *, now: datetime) -> None:
    """Settle the matches that were merged by way of others, so that a split opens them again as it does the others."""
    told = {"match_ids": list(match_ids), "state": MatchState.MERGED, "now": now}
    condition = "m.match_id = any (%(match_ids)s) and m.state in ('open', 'gone')"
    connection.execute(_SET.format(condition=condition), told)


def note_split(connection: psycopg.Connection, golden_ids: Sequence[int], *, now: datetime) -> None:
    """Open again what merges had settled between these, with what is merged into them, and others."""
    parted = redirects.end_of("m.left_id") + " <> " + redirects.end_of("m.right_id")
    moved = """array(select unnest(%(golden_ids)s::bigint[]) union all
        select golden_id from golden.redirect where end_id = any (%(golden_ids)s) and undone_at is null)"""
    condition = f"m.state = 'merged' and (m.left_id = any ({moved}) or m.right_id = any ({moved})) and {parted}"
    told = {"golden_ids": list(golden_ids), "state": MatchState.OPEN, "now": now}
    connection.execute(_SET.format(condition=condition), told)
