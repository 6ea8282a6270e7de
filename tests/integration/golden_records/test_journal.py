"""The journal: what a load reads is kept in blocks, and shown and found change by change as all else is."""

from typing import Any

import orjson
import polars as pl
import psycopg
import pytest
from alembic import command

from golden_records import journal
from golden_records.staging import FEW
from mdm import db
from mdm.capture.mapping import CHANGE_SCHEMA, TRANSACTION_SCHEMA
from tests.factories import NOW
from tests.integration.golden_records.conftest import Hub

MANY = FEW + 101  # three blocks, the last of which is not full
SOURCE = 3
AWKWARD = ('say "so"', "back\\slash", "tab\tand\nline", "é £ ☃ 🏠", "", None)
_COLUMNS = "source_id, commit_lsn::text, ordinal, change_id, xid, committed_at, relation, op, source_key, payload"
_SHOWN = f"select {_COLUMNS} from golden.journal order by change_id"
_FOUND = f"""
select {_COLUMNS} from unnest(%s::bigint[]) with ordinality i (id, place) cross join lateral golden.journalled(i.id)
order by i.place
"""
_PART = "select change_id from golden.journal where kept_under between %s and %s order by change_id"
_IN_BLOCKS = "select coalesce(sum(jsonb_array_length(changes)), 0)::int from golden.journal_block"


def _changes(*, op: str = "r", count: int = MANY) -> list[tuple[Any, ...]]:
    """Return the changes of a part, with keys and payloads that JSON has to escape."""
    keys = [f"public.site|{number}" for number in range(count - len(AWKWARD))] + [*AWKWARD]
    return [
        (number, 0, 40 + number, "public.site", op, key, None if key == "" else orjson.dumps({"name": key}).decode())
        for number, key in enumerate(keys, start=1)
    ]


def _record(hub: Hub, changes: list[tuple[Any, ...]], *, is_whole: bool = True) -> int:
    """Journal them as a part; return its block."""
    with hub.connection.transaction():
        block = journal.next_block(hub.connection)
        journal.record(
            hub.connection,
            pl.DataFrame(changes, schema=CHANGE_SCHEMA, orient="row"),
            pl.DataFrame([(0, 5, "0/4D", NOW)], schema=TRANSACTION_SCHEMA, orient="row"),
            source_id=SOURCE,
            block=block,
            is_whole=is_whole,
        )
    return block


def _told(changes: list[tuple[Any, ...]], block: int) -> list[tuple[Any, ...]]:
    """Return the changes as the journal is to show them."""
    return [
        (SOURCE, "0/4D", ordinal, journal.change_id(block + number, SOURCE), 5, NOW, relation, op, key,
         None if payload is None else orjson.loads(payload))
        for number, _, ordinal, relation, op, key, payload in changes
    ]  # fmt: skip


def test_what_a_load_has_read_is_shown_and_found_change_by_change(hub: Hub) -> None:
    told = []
    for place, op in enumerate("ru"):
        changes = _moved(_changes(op=op), place)
        told += _told(changes, _record(hub, changes))
    assert hub.value(_IN_BLOCKS) == MANY
    assert hub.rows(_SHOWN) == told
    assert hub.rows(_FOUND, [row[3] for row in told]) == told


def test_what_is_not_there_is_not_found(hub: Hub) -> None:
    changes = _changes()
    ids = [row[3] for row in _told(changes, _record(hub, changes))]
    strangers = [
        ids[0] - 1,
        ids[0] + 1,
        ids[0] - (1 << journal.SOURCE_BITS),
        ids[-1] + (1 << journal.SOURCE_BITS),
        None,
    ]
    assert hub.rows(_FOUND, strangers) == []


def test_a_part_is_found_by_where_it_is_kept(hub: Hub) -> None:
    blocks = [_record(hub, _moved(_changes(op=op), place)) for place, op in enumerate("rur")]
    for block in blocks:
        first, last = (journal.change_id(block + number, SOURCE) for number in (1, MANY))
        assert [found for (found,) in hub.rows(_PART, first, last)] == [
            *range(first, last + 1, 1 << journal.SOURCE_BITS)
        ]


@pytest.mark.parametrize("is_whole", [True, False])
def test_what_was_read_stands_once(hub: Hub, *, is_whole: bool) -> None:
    _record(hub, _changes(), is_whole=is_whole)
    with pytest.raises(psycopg.errors.UniqueViolation):
        _record(hub, _changes(), is_whole=is_whole)
    assert hub.value("select count(*) from golden.journal") == MANY


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(_changes(op="u"), id="changed"),
        pytest.param(_changes()[:-1] + _changes(op="u")[-1:], id="not only read"),
        pytest.param(_changes()[:100] + _changes()[101:], id="not all"),
        pytest.param([*_changes()[:-1], (MANY, 0, 40 + MANY, "public.plot", "r", "1", "{}")], id="of two tables"),
        pytest.param(
            [*_changes()[:-1], (MANY, 0, 40 + MANY, "public.site", "r", "1", f'"{"x" * 100_000}"')], id="long"
        ),
        pytest.param(_changes(count=FEW), id="few"),
    ],
)
def test_what_is_not_a_run_of_rows_is_kept_one_by_one(hub: Hub, changes: list[tuple[Any, ...]]) -> None:
    told = _told(changes, _record(hub, changes))
    assert hub.value(_IN_BLOCKS) == 0
    assert hub.rows(_SHOWN) == told


def test_a_part_of_which_something_could_not_be_read_is_kept_one_by_one(hub: Hub) -> None:
    _record(hub, _changes(), is_whole=False)
    assert (hub.value(_IN_BLOCKS), hub.value("select count(*) from golden.journal_change")) == (0, MANY)


def test_text_that_no_journal_takes_is_refused_in_a_block_too(hub: Hub) -> None:
    changes = [*_changes()[:-1], (MANY, 0, 40 + MANY, "public.site", "r", "1", r'{"name":"\u0000"}')]
    with pytest.raises(psycopg.errors.UntranslatableCharacter):
        _record(hub, changes)
    assert hub.rows(_SHOWN) == []


def test_blocks_survive_the_migration_to_one_row_a_change_and_back(hub_dsn: str) -> None:
    with db.connect(hub_dsn, autocommit=True) as connection:
        hub = Hub(connection=connection, sources={})
        changes = _changes()
        told = _told(changes, _record(hub, changes))
        assert hub.value(_IN_BLOCKS) == MANY
        for revision in ("0016", "head"):
            with db.engine(hub_dsn).connect() as session:
                configuration = db.migrations()
                configuration.attributes["connection"] = session
                move = command.downgrade if revision == "0016" else command.upgrade
                move(configuration, revision)
                session.commit()
            assert hub.rows(_SHOWN) == told
        assert hub.value(_IN_BLOCKS) == 0


def _moved(changes: list[tuple[Any, ...]], place: int) -> list[tuple[Any, ...]]:
    """Give them other ordinals, so that they are other changes."""
    return [(number, tx, ordinal + place * 10_000, *rest) for number, tx, ordinal, *rest in changes]
