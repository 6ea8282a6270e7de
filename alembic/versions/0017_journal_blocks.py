"""What loads have read is journalled in blocks; a view shows the whole journal, a function finds one change in it.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from golden_records.tables import PgLsn

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# A change id is a number, and below it ten bits for the source: each change of a block has the next number.
_VIEW = """
create view golden.journal as
select source_id, commit_lsn, ordinal, change_id, xid, committed_at, recorded_at, relation, op, source_key, payload,
       change_id as kept_under
from golden.journal_change
union all
select b.source_id, b.commit_lsn, b.first_ordinal + e.place - 1, b.first_change_id + ((e.place - 1) << 10), b.xid,
       b.committed_at, b.recorded_at, b.relation, 'r', e.change ->> 0, nullif(e.change -> 1, 'null'), b.first_change_id
from golden.journal_block b cross join lateral jsonb_array_elements(b.changes) with ordinality e (change, place)
"""

# The ids of a block's changes stand together, so that the last block that begins before an id is the one.
_FUNCTION = """
create function golden.journalled(of_change bigint) returns setof golden.journal language sql stable as $$
select source_id, commit_lsn, ordinal, change_id, xid, committed_at, recorded_at, relation, op, source_key, payload,
       change_id
from golden.journal_change where change_id = of_change
union all
select b.source_id, b.commit_lsn, b.first_ordinal + p.place, of_change, b.xid, b.committed_at, b.recorded_at,
       b.relation, 'r', c.change ->> 0, nullif(c.change -> 1, 'null'), b.first_change_id
from (select * from golden.journal_block where first_change_id <= of_change order by first_change_id desc limit 1) b
cross join lateral (select (of_change - b.first_change_id) >> 10 as place) p
cross join lateral (select b.changes -> p.place::int as change) c
where of_change <= b.last_change_id and of_change & 1023 = b.source_id
$$
"""

_UNPACK = """
insert into golden.journal_change (source_id, commit_lsn, ordinal, change_id, xid, committed_at, recorded_at, relation,
                                   op, source_key, payload)
select source_id, commit_lsn, ordinal, change_id, xid, committed_at, recorded_at, relation, op, source_key, payload
from golden.journal where kept_under in (select first_change_id from golden.journal_block)
"""


def _rename(old: str, new: str) -> None:
    op.rename_table(old, new, schema="golden")
    for constraint in ("pk", "change_id_uq"):
        op.execute(f"alter table golden.{new} rename constraint {old}_{constraint} to {new}_{constraint}")


def upgrade() -> None:
    _rename("journal", "journal_change")
    op.create_table_comment(
        "journal_change",
        "Every change but those in golden.journal_block, once: the primary key refuses a change that comes twice "
        "(law 1). golden.journal shows both.",
        existing_comment="Every change, once: the primary key refuses a change that comes twice (law 1).",
        schema="golden",
    )
    op.create_table(
        "journal_block",
        sa.Column("source_id", sa.SmallInteger(), nullable=False),
        sa.Column("commit_lsn", PgLsn(), nullable=False),
        sa.Column("first_ordinal", sa.BigInteger(), nullable=False),
        sa.Column("first_change_id", sa.BigInteger(), nullable=False),
        sa.Column("last_change_id", sa.BigInteger(), nullable=False),
        sa.Column("xid", sa.BigInteger(), nullable=True),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column(
            "changes", JSONB(), nullable=False, comment="For each change, in order, its source key and its payload."
        ),
        sa.PrimaryKeyConstraint("source_id", "commit_lsn", "first_ordinal", name=op.f("journal_block_pk")),
        sa.UniqueConstraint("first_change_id", name=op.f("journal_block_first_change_id_uq")),
        schema="golden",
        comment="What loads have read, of one table each, many changes to a row; golden.journal shows them one by one.",
    )
    # To compress a block takes longer than to write it whole.
    op.execute(
        "alter table golden.journal_block alter column changes set storage external, alter changes set statistics 0"
    )
    op.execute(_VIEW)
    op.execute(
        "comment on view golden.journal is 'Every change, once. One is found by golden.journalled(change_id), those of a"
        " part by kept_under, where a block is named by its first change: by change_id all blocks are gone through.'"
    )
    op.execute(_FUNCTION)


def downgrade() -> None:
    op.execute(_UNPACK)
    op.execute("drop function golden.journalled(bigint)")
    op.execute("drop view golden.journal")
    op.drop_table("journal_block", schema="golden")
    _rename("journal_change", "journal")
    op.create_table_comment(
        "journal",
        "Every change, once: the primary key refuses a change that comes twice (law 1).",
        existing_comment=None,
        schema="golden",
    )
