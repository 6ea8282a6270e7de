"""What is mastered of many sources at once is judged right after, by a session beside.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unjudged",
        sa.Column("note_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("golden_ids", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column(
            "committed_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Of the last transaction that it was noted for.",
        ),
        sa.PrimaryKeyConstraint("note_id", name=op.f("unjudged_pk")),
        schema="golden",
        comment="Golden records that have been mastered and are yet to be judged by the rules.",
    )


def downgrade() -> None:
    op.drop_table("unjudged", schema="golden")
