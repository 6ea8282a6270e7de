"""Possible matches in the store: the keys under which records are compared, the pairs and their state.

"Not a match" stands until the facts that were compared change. What is merged stands until it is split. An open match
that no longer holds is gone; it opens again when it holds again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from golden_records import address_likeness, meter_likeness
from golden_records.match_states import MatchKind
from golden_records.subjects import Kind

_LOCK = 0x6D646D6D  # "mdmm", a key of PostgreSQL's advisory locks


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A match as it is written; `candidates` says with how many others the two were compared."""

    kind: MatchKind
    entity: str
    left_id: int
    right_id: int
    score: int
    explanation: Mapping[str, Any]
    facts: str
    candidates: int
    is_limited: bool


def try_lock(connection: psycopg.Connection) -> bool:
    """Be the one run of matching until the transaction ends; False where another is at it."""
    row = connection.execute("select pg_try_advisory_xact_lock(%s)", [_LOCK]).fetchone()
    return row == (True,)


def list_ids(connection: psycopg.Connection, entity: str, *, after: int, limit: int) -> list[int]:
    """Return the next golden records of an entity by id."""
    found = connection.execute(
        f"select golden_id from golden.{entity} where golden_id > %s order by golden_id limit %s", [after, limit]
    )
    return [row[0] for row in found.fetchall()]


def count(connection: psycopg.Connection, entity: str) -> int:
    """Return how many golden records an entity has."""
    row = connection.execute(f"select count(*) from golden.{entity}").fetchone()
    return int(row[0]) if row else 0


_FACTS = {
    "address": f"""
        select golden_id, {", ".join(address_likeness.COLUMNS)} from golden.address where golden_id = any (%s)""",
    "meter": f"""
        select m.golden_id, {", ".join(f"m.{name}" for name in meter_likeness.COLUMNS)}, p.address_id
        from golden.meter m left join golden.metering_point p on p.golden_id = m.metering_point_id
        where m.golden_id = any (%s)""",
}


def read_facts(connection: psycopg.Connection, entity: str, golden_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return what is compared of these golden records."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_FACTS[entity], [list(golden_ids)]).fetchall()
    return {row["golden_id"]: row for row in found}


def write_keys(
    connection: psycopg.Connection, golden_ids: Sequence[int], keys: Iterable[tuple[str, int, bool]]
) -> None:
    """Let these golden records be found under these keys (key, golden id, whether it is derived) and no others."""
    connection.execute("delete from golden.match_key where golden_id = any (%s)", [list(golden_ids)])
    with (
        connection.cursor() as cursor,
        cursor.copy("copy golden.match_key (key, golden_id, is_derived) from stdin") as copy,
    ):
        for row in keys:
            copy.write_row(row)


# The nearest by id on either side are compared; of a whole run only those behind, so that each pair comes once.
_PAIRS = """
select distinct least(a.golden_id, b.golden_id), greatest(a.golden_id, b.golden_id)
from golden.match_key a
cross join lateral (
    (select golden_id from golden.match_key b
     where b.key = a.key and b.golden_id > a.golden_id and not (a.is_derived and b.is_derived)
     order by b.golden_id limit %(limit)s)
    union all
    (select golden_id from golden.match_key b
     where not %(is_whole)s and b.key = a.key and b.golden_id < a.golden_id and not (a.is_derived and b.is_derived)
     order by b.golden_id desc limit %(limit)s)
) b
where a.golden_id = any (%(golden_ids)s)
"""

_CUT = """
with large as (
    select distinct a.key from golden.match_key a
    where a.golden_id = any (%(golden_ids)s)
      and (select count(*) from (select from golden.match_key b where b.key = a.key limit %(limit)s + 2) b)
          > %(limit)s + 1
), member as (
    select key, golden_id, is_derived, row_number() over ordered as place, count(*) over whole as size,
           count(*) filter (where not is_derived) over ordered as plain_place,
           count(*) filter (where not is_derived) over whole as plain
    from golden.match_key join large using (key)
    window ordered as (partition by key order by golden_id), whole as (partition by key)
), others as (
    select key, golden_id, case when is_derived then plain - plain_place else size - place end as behind,
           case when %(is_whole)s then 0 when is_derived then plain_place else place - 1 end as ahead
    from member where golden_id = any (%(golden_ids)s)
)
select array_agg(golden_id), sum(greatest(behind - %(limit)s, 0) + greatest(ahead - %(limit)s, 0))::bigint
from others group by key having bool_or(behind > %(limit)s or ahead > %(limit)s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """What is to be compared, and what a limit keeps from it."""

    pairs: Sequence[tuple[int, int]]
    limited: frozenset[int]
    cut_blocks: int
    cut_pairs: int


def pair(connection: psycopg.Connection, golden_ids: Sequence[int], *, limit: int, is_whole: bool) -> Pairs:
    """Return the pairs that share a key with these golden records; of more than `limit` others, the nearest by id.

    A whole run compares each golden record with those behind it.
    """
    parameters = {"golden_ids": list(golden_ids), "limit": limit, "is_whole": is_whole}
    pairs = connection.execute(_PAIRS, parameters).fetchall()
    cut = connection.execute(_CUT, parameters).fetchall()
    return Pairs(
        pairs=[(left, right) for left, right in pairs],
        limited=frozenset(golden_id for members, _ in cut for golden_id in members),
        cut_blocks=len(cut),
        cut_pairs=sum(left_out for _, left_out in cut),
    )


_NOTE_SUBJECTS = (
    f"insert into stage_subject (kind, subject_id, is_open) select '{Kind.MATCH}', match_id, state = 'open'"
)

_WRITE = f"""
with found as (
    select * from jsonb_to_recordset(%(found)s) f (
        kind text, entity text, left_id bigint, right_id bigint, score int, explanation jsonb, facts text,
        candidates int, is_limited boolean)
), written as (
    insert into golden.match as m (kind, entity, left_id, right_id, score, explanation, facts, state, candidates,
                                   is_limited, found_at, state_at)
    select kind, entity, left_id, right_id, score, explanation, facts, 'open', candidates, is_limited, %(now)s, %(now)s
    from found order by left_id, right_id, kind
    on conflict (left_id, right_id, kind) do update
    set score = excluded.score, explanation = excluded.explanation, facts = excluded.facts,
        candidates = excluded.candidates, is_limited = excluded.is_limited, version = m.version + 1,
        state_at = case when m.state = 'open' then m.state_at else excluded.state_at end, state = 'open'
    where m.facts <> excluded.facts or m.state = 'gone'
    returning match_id, state
), noted as (
    {_NOTE_SUBJECTS} from written
)
select count(*) from written
"""

_GONE = f"""
with gone as (
    update golden.match m set state = 'gone', state_at = %(now)s, version = version + 1
    where m.state = 'open' and m.kind = any (%(kinds)s)
      and (m.left_id = any (%(lefts)s) or m.right_id = any (%(rights)s) or %(is_all)s)
      and not exists (
        select from jsonb_to_recordset(%(found)s) f (kind text, left_id bigint, right_id bigint)
        where f.kind = m.kind and f.left_id = m.left_id and f.right_id = m.right_id)
    returning match_id, state
), noted as (
    {_NOTE_SUBJECTS} from gone
)
select count(*) from gone
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Of which matches it is known now whether they hold: those of these kinds with these ids at their sides."""

    kinds: Sequence[MatchKind]
    lefts: Sequence[int] = ()
    rights: Sequence[int] = ()
    is_all: bool = False


def write(
    connection: psycopg.Connection, found: Sequence[Found], compared: Compared, *, now: datetime
) -> tuple[int, int]:
    """Keep what was found, and let go of what was open among what was compared and was not found again.

    Returns how many were opened or have changed, and how many are gone.
    """
    told = Jsonb(
        [
            {
                "kind": one.kind.value,
                "entity": one.entity,
                "left_id": one.left_id,
                "right_id": one.right_id,
                "score": one.score,
                "explanation": one.explanation,
                "facts": one.facts,
                "candidates": one.candidates,
                "is_limited": one.is_limited,
            }
            for one in found
        ]
    )
    parameters = {
        "found": told,
        "now": now,
        "kinds": [kind.value for kind in compared.kinds],
        "lefts": list(compared.lefts),
        "rights": list(compared.rights),
        "is_all": compared.is_all,
    }
    opened = connection.execute(_WRITE, parameters).fetchone() or (0,)
    gone = connection.execute(_GONE, parameters).fetchone() or (0,)
    return opened[0], gone[0]
