"""Overrides: a steward's value stands above survivorship, neither lost nor forgotten (law 5).

A live override is a source record of the hub's own, so survivors, lineage, candidates, conflicts and versions follow
from it as from any other. Whoever makes, retires or revives one has its golden record mastered anew in the same
transaction; `settle` then notes what it hides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
import psycopg
from psycopg.rows import kwargs_row
from psycopg.types.json import Jsonb

from golden_records import journal, redirects, survivorship
from golden_records.targets import Target

KEY = "override|"


class Why(StrEnum):
    """Why an override no longer stands."""

    EXPIRED = "expired"
    EQUAL = "equal"
    """The owner says the same."""
    GONE = "gone"
    """No source has its golden record any longer."""
    REPLACED = "replaced"
    UNDONE = "undone"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An override to be made. `item` is empty where `value` holds all items of an atomic group."""

    golden_id: int
    entity: str
    item_group: str
    item: str
    value: Mapping[str, Any]
    author: str
    reason: str
    decision_id: int
    expires_at: datetime | None = None
    review_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Equal:
    """An override retired because its owner says the same: its golden record is to be mastered anew, as of then."""

    golden_id: int
    committed_at: datetime


_MAKE = f"""
with made as (
    insert into golden.override (golden_id, entity, item_group, item, value, author, reason, made_at, expires_at,
                                 review_at, decision_id)
    select golden_id, entity, item_group, item, value, author, reason, %(made_at)s, expires_at, review_at, decision_id
    from jsonb_to_recordset(%(drafts)s::jsonb) d (
        golden_id bigint, entity text, item_group text, item text, value jsonb, author text, reason text,
        expires_at timestamptz, review_at timestamptz, decision_id bigint)
    order by decision_id
    returning *
), told as (
    insert into golden.source_record (golden_id, item_group, source_id, source_key, effective_to, item_values,
                                      change_id)
    select golden_id, item_group, {journal.HUB}, '{KEY}' || override_id, expires_at, value, %(change_id)s from made
), reviewed as (
    insert into golden.due (due_at, golden_id, item_group)
    select distinct review_at, golden_id, item_group from made where review_at is not null on conflict do nothing
)
select override_id, decision_id from made
"""

_RETIRE = f"""
with retired as (
    update golden.override set retired_at = %(at)s, retired_why = %(why)s, version = version + 1
    where override_id = any (%(override_ids)s) and retired_at is null
    returning override_id
), taken as (
    delete from golden.source_record r using retired o
    where r.source_id = {journal.HUB} and r.source_key = '{KEY}' || o.override_id
    returning r.change_id, o.override_id
)
select override_id, change_id from retired left join taken using (override_id)
"""

_REVIVE = f"""
with revived as (
    update golden.override o set retired_at = null, retired_why = null, version = version + 1
    from unnest(%(override_ids)s::bigint[], %(change_ids)s::bigint[]) r (override_id, change_id)
    where o.override_id = r.override_id and o.retired_at is not null
        and coalesce(o.expires_at, 'infinity') > %(at)s
    returning o.*, r.change_id
), told as (
    insert into golden.source_record (golden_id, own_id, item_group, source_id, source_key, effective_to, item_values,
                                      change_id)
    select e.end_id, nullif(o.golden_id, e.end_id), o.item_group, {journal.HUB}, '{KEY}' || o.override_id,
           o.expires_at, o.value, o.change_id
    from revived o cross join lateral (select {redirects.end_of("o.golden_id")} as end_id) e
), reviewed as (
    insert into golden.due (due_at, golden_id, item_group)
    select distinct review_at, golden_id, item_group from revived where review_at > %(at)s on conflict do nothing
)
select override_id from revived
"""


def make(
    connection: psycopg.Connection, drafts: Sequence[Draft], *, change_id: int, made_at: datetime
) -> dict[int, int]:
    """Make overrides, said by the hub's change of this id; return their ids by those of their decisions.

    Raises UniqueViolation where an item has a live one: it is retired first.
    """
    told = orjson.dumps([asdict(draft) for draft in drafts]).decode()
    made = connection.execute(_MAKE, {"drafts": told, "change_id": change_id, "made_at": made_at})
    return {decision_id: override_id for override_id, decision_id in made}


def retire(connection: psycopg.Connection, override_ids: Sequence[int], *, why: Why, at: datetime) -> dict[int, int]:
    """Take live overrides back; return the ids of those that were live, each with the change that had said it."""
    parameters = {"override_ids": list(override_ids), "why": why.value, "at": at}
    return dict(connection.execute(_RETIRE, parameters).fetchall())


def note_touched(connection: psycopg.Connection, override_ids: Sequence[int]) -> None:
    """Note, after their golden records were mastered anew, that these were retired or reviewed."""
    connection.execute(
        "insert into stage_subject (kind, subject_id, is_open) select 'override', unnest(%s::bigint[]), false",
        [list(override_ids)],
    )


def revive(connection: psycopg.Connection, said: Mapping[int, int], *, at: datetime) -> list[int]:
    """Let overrides stand again, each said by the change it was said by; return which did: none that has expired.

    Raises UniqueViolation where another override stands on the item meanwhile.
    """
    parameters = {"override_ids": [*said], "change_ids": [*said.values()], "at": at}
    return [row[0] for row in connection.execute(_REVIVE, parameters)]


_PLAIN = "upper(replace({}::text, ' ', ''))"  # as conflicts compare values
_OWNER_IS_OTHER = (
    f"{_PLAIN.format('s.owner_value')} not in"
    f" ({_PLAIN.format('coalesce(o.hidden_value, s.owner_value)')}, {_PLAIN.format('o.value')})"
)

# Of how many staged records are the hub's nothing is known beforehand: asked for with "<=" they are taken for many.
_SETTLE = f"""
with own as materialized (
    select golden_id, item_group, source_key from stage_existing where source_id <= {journal.HUB}
    union select golden_id, item_group, source_key from stage_version where source_id <= {journal.HUB} and op <> 'd'
), survivor as materialized (
    select distinct on (s.golden_id, s.item_group) s.golden_id, s.item_group, t.committed_at,
           coalesce(c.copies, array[s.item_values]) as copies, coalesce(c.change_ids, array[s.change_id]) as candidates
    from stage_survivor s join stage_tx t using (tx)
    left join {survivorship.COPIES} c using (golden_id, item_group, tx)
    where not s.is_aside and exists (
        select from own where own.golden_id = s.golden_id and own.item_group = s.item_group)
    order by s.golden_id, s.item_group, s.tx desc
), seen as materialized (
    select o.override_id, v.golden_id, own.source_key, v.committed_at, coalesce(said.value, '{{}}') as owner_value,
           said.change_id as owner_change_id
    from own
    join survivor v using (golden_id, item_group)
    cross join lateral (select override_id, item from golden.override o
                        where o.override_id = substr(own.source_key, {len(KEY) + 1})::bigint
                            and o.retired_at is null offset 0) o
    left join lateral (
        select case o.item when '' then c.copy else jsonb_build_object(o.item, c.copy -> o.item) end as value,
               c.change_id
        from unnest(v.copies, v.candidates) with ordinality c (copy, change_id, place)
        where {journal.SOURCE_OF.format(change_id="c.change_id")} <> {journal.HUB} and (o.item = '' or c.copy ? o.item)
        order by c.place desc limit 1
    ) said on true
), judged as materialized (
    select s.*, case when s.golden_id in (select golden_id from stage_removed) then '{Why.GONE}'
                     when o.expires_at <= s.committed_at then '{Why.EXPIRED}'
                     when o.value = s.owner_value then '{Why.EQUAL}' end as why,
           case when {_OWNER_IS_OTHER} then
               case when o.changed_at is null or o.owner_value <> s.owner_value then s.committed_at
                    else o.changed_at end end as changed_at,
           case when o.review_at <= s.committed_at then coalesce(o.due_since, s.committed_at) end as due_since
    from seen s join golden.override o using (override_id)
), written as (
    update golden.override o
    set owner_value = j.owner_value, owner_change_id = j.owner_change_id, changed_at = j.changed_at,
        due_since = j.due_since,
        hidden_value = coalesce(o.hidden_value, j.owner_value),
        hidden_change_id = case when o.hidden_value is null then j.owner_change_id else o.hidden_change_id end,
        retired_why = j.why, retired_at = case when j.why is not null then j.committed_at end,
        version = o.version + case when o.owner_value is null then 0 else 1 end
    from judged j
    where o.override_id = j.override_id
        and (o.owner_value is distinct from j.owner_value or o.changed_at is distinct from j.changed_at
             or o.owner_change_id is distinct from j.owner_change_id or o.due_since is distinct from j.due_since
             or j.why is not null)
    returning o.override_id
), taken as (
    delete from golden.source_record r using judged j
    where j.why is not null and r.source_id = {journal.HUB} and r.source_key = j.source_key
), noted as (
    insert into stage_subject (kind, subject_id, is_open)
    select 'override', override_id, why is null and coalesce(changed_at, due_since) is not null from judged
    where override_id in (select override_id from written)
)
select golden_id, committed_at from judged where why = '{Why.EQUAL}'
"""


def settle(connection: psycopg.Connection) -> psycopg.Cursor:
    """Note what the owners now say under the overrides of this part, and retire what is over.

    An override stands however often the owner sends the same or another value. It is retired on its day, with its
    golden record, and when its owner says the same: list_equal() gives those, to be mastered anew.
    """
    return connection.execute(_SETTLE)


def list_equal(settled: psycopg.Cursor) -> list[Equal]:
    """Return which golden records settle() found to be the owners' again."""
    return [Equal(*row) for row in settled]


_BLOCKING = """
select distinct l.decision_id from golden.override o
join golden.override l on l.golden_id = o.golden_id and l.item_group = o.item_group and l.item = o.item
    and l.retired_at is null and l.override_id <> all (%(made)s)
where o.override_id = any (%(made)s || %(retired)s)
union
select coalesce((select max(n.decision_id) from golden.override n
                 where n.golden_id = o.golden_id and n.item_group = o.item_group and n.item = o.item
                     and n.override_id > o.override_id), 0)
from golden.override o
where o.override_id = any (%(made)s) and o.retired_why in ('replaced', 'ended')
"""

_REVIEW = """
with before as (
    select override_id, hidden_value, hidden_change_id, changed_at, due_since, review_at from golden.override
    where override_id = any (%(ids)s) and retired_at is null
), reviewed as (
    update golden.override o
    set hidden_value = coalesce(o.owner_value, o.hidden_value), changed_at = null, due_since = null,
        hidden_change_id = coalesce(o.owner_change_id, o.hidden_change_id), review_at = %(review_at)s,
        version = o.version + 1
    from before where o.override_id = before.override_id
    returning o.golden_id, o.item_group, o.review_at
), reviewed_again as (
    insert into golden.due (due_at, golden_id, item_group)
    select distinct review_at, golden_id, item_group from reviewed where review_at is not null on conflict do nothing
)
select to_jsonb(before) from before
"""

_RESTORE = """
with before as (
    select override_id, hidden_value, hidden_change_id, changed_at, due_since, review_at from golden.override
    where override_id in (select override_id from jsonb_populate_recordset(null::golden.override, %(before)s))
), restored as (
    update golden.override o
    set hidden_value = r.hidden_value, hidden_change_id = r.hidden_change_id, changed_at = r.changed_at,
        due_since = r.due_since, review_at = r.review_at, version = o.version + 1
    from jsonb_populate_recordset(null::golden.override, %(before)s) r where r.override_id = o.override_id
)
select to_jsonb(before) from before
"""


def find_target(connection: psycopg.Connection, override_id: int) -> Target | None:
    """Return what an override is about, whether it still stands or not; None where there is none of this id.

    That is what its golden record was merged into, where it was.
    """
    query = f"""
        select {redirects.end_of("o.golden_id")} as golden_id, item_group, item from golden.override o
        where override_id = %s
    """
    with connection.cursor(row_factory=kwargs_row(Target)) as cursor:
        return cursor.execute(query, [override_id]).fetchone()


def list_golden_ids(connection: psycopg.Connection, override_ids: Sequence[int]) -> list[int]:
    """Return which golden records these overrides stand on, ascending: those that they were merged into."""
    query = f"select distinct {redirects.end_of('o.golden_id')} from golden.override o where override_id = any (%s)"
    return sorted(row[0] for row in connection.execute(query, [list(override_ids)]))


def list_blocking(connection: psycopg.Connection, *, made: Sequence[int], retired: Sequence[int]) -> list[int]:
    """Return the decisions because of which these overrides cannot be taken back, or let stand again.

    It is 0 for one that has merely ended an override.
    """
    asked = {"made": list(made), "retired": list(retired)}
    return sorted(row[0] for row in connection.execute(_BLOCKING, asked))


def review(
    connection: psycopg.Connection, override_ids: Sequence[int], *, review_at: datetime | None
) -> list[dict[str, Any]]:
    """Let overrides stand on what their owners say now, until the next review; return how each was before."""
    asked = {"ids": list(override_ids), "review_at": review_at}
    return [row[0] for row in connection.execute(_REVIEW, asked)]


def restore(connection: psycopg.Connection, before: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give overrides back what a review changed; return how each was before that."""
    return [row[0] for row in connection.execute(_RESTORE, {"before": Jsonb(list(before))})]
