"""List what initial loads took in as arrays, cut into batches.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table golden.loaded rename to loaded_before")
    op.execute("alter index golden.loaded_pk rename to loaded_before_pk")
    op.create_table(
        "loaded",
        sa.Column("loaded_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("pass", sa.SmallInteger(), nullable=False),
        sa.Column("is_batch", sa.Boolean(), nullable=False),
        sa.Column("golden_ids", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("loaded_id", name=op.f("loaded_pk")),
        schema="golden",
        comment="Golden records whose source records an initial load took in and that are not assembled yet: as each part of a load listed them, then cut into batches. A pass begins when the one before it has nothing left.",
    )
    op.execute(
        "insert into golden.loaded (pass, is_batch, golden_ids)"
        " select pass, false, array_agg(golden_id) from golden.loaded_before group by pass"
    )
    op.drop_table("loaded_before", schema="golden")


def downgrade() -> None:
    op.execute("alter table golden.loaded rename to loaded_after")
    op.execute("alter index golden.loaded_pk rename to loaded_after_pk")
    op.create_table(
        "loaded",
        sa.Column("pass", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("golden_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source_id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("pass", "golden_id", "source_id", name=op.f("loaded_pk")),
        schema="golden",
        comment="Golden records whose source records an initial load took in and that are not assembled yet. Whoever assembles one does so for all sources; a pass begins when the one before it has nothing left.",
    )
    op.execute(
        "insert into golden.loaded (pass, golden_id, source_id)"
        " select distinct pass, unnest(golden_ids), 0 from golden.loaded_after"
    )
    op.drop_table("loaded_after", schema="golden")
