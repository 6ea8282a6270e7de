"""Idempotency keys of the API's writes.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotency_key",
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "digest", sa.Text(), nullable=False, comment="Tells the request from another one under the same key."
        ),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("tag", sa.Text(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "key", name=op.f("idempotency_key_pk")),
        schema="hub",
        comment="Writes that were sent under an Idempotency-Key, with their answers: sent again, each is done once.",
    )
    op.create_index("idempotency_key_created_at_ix", "idempotency_key", ["created_at"], schema="hub")


def downgrade() -> None:
    op.drop_index("idempotency_key_created_at_ix", table_name="idempotency_key", schema="hub")
    op.drop_table("idempotency_key", schema="hub")
