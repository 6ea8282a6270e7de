"""What was done on each server while its stream was recorded."""

from dataclasses import dataclass, field

_WIDE = "repeat('x', 2100)"  # just too wide to stay in its row


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Tables made first, then statements that are recorded; a statement may span a transaction of its own."""

    tables: tuple[str, ...]
    statements: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)


CHANGES = Scenario(
    tables=(
        "create table keyed (id int primary key, note text, wide text)",
        "alter table keyed alter column wide set storage external",
        "create table whole (a text, b text)",
        "alter table whole replica identity full",
        "create type mood as enum ('well', 'ill')",
        "create table typed (id int primary key, at timestamptz, amount numeric(12, 3), mood mood, words text[])",
    ),
    statements=(
        f"begin; insert into keyed values (1, 'a', {_WIDE}), (2, '', null), (3, null, 'y'); commit",
        "update keyed set note = 'b' where id = 1",
        "update keyed set id = 4 where id = 2",
        "delete from keyed where id = 3",
        "begin; insert into whole values ('1', null); update whole set b = 'x'; delete from whole; commit",
        "insert into typed values (1, '2026-03-29 01:30:00+01', 1.5, 'ill', array['p', null])",
        "select pg_logical_emit_message(true, 'note', 'inside')",
        "select pg_logical_emit_message(false, 'note', 'outside')",
        "begin; insert into whole values ('2', 'z'); truncate whole, keyed; commit",
        "alter table whole add column c int default 7",
        "insert into whole values ('3', 'z')",
        "alter table whole drop column b",
        "update whole set c = 8",
    ),
)

STREAMED = Scenario(
    tables=("create table keyed (id int primary key, note text)",),
    statements=(
        """begin; insert into keyed select n, 'kept' from generate_series(1, 700) n; savepoint one;
        insert into keyed select n, 'undone' from generate_series(701, 1400) n; rollback to savepoint one;
        insert into keyed select n, 'kept' from generate_series(1401, 2100) n; commit""",
        "begin; insert into keyed select n, 'undone' from generate_series(3001, 3700) n; rollback",
        "insert into keyed values (4000, 'last')",
    ),
    options={"logical_decoding_work_mem": "64kB"},
)

SCENARIOS = {"changes": CHANGES, "streamed": STREAMED}
