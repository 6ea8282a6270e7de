"""Batches of all sources wait in one place, so that one worker can master them as one.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

from golden_records.tables import PgLsn

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inbox",
        sa.Column("put_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source_id", sa.SmallInteger(), nullable=False),
        sa.Column("worker", sa.BigInteger(), nullable=False, comment="The worker of the source that put it here."),
        sa.Column("commit_lsn", PgLsn(), nullable=False, comment="Where the source's checkpoint stands before it."),
        sa.Column("end_lsn", PgLsn(), nullable=False),
        sa.Column("reached_commit_lsn", PgLsn(), nullable=False, comment="Where it stands when the batch is mastered."),
        sa.Column("reached_end_lsn", PgLsn(), nullable=False),
        sa.Column("source_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("change_count", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Float(), nullable=False),
        sa.Column("put_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column(
            "is_returned",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="For its own worker.",
        ),
        sa.Column(
            "transactions",
            sa.LargeBinary(),
            nullable=False,
            comment="In Arrow's IPC format, as are the next three.",
        ),
        sa.Column("changes", sa.LargeBinary(), nullable=False),
        sa.Column("records", sa.LargeBinary(), nullable=False),
        sa.Column("rejects", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("put_no", name=op.f("inbox_pk")),
        schema="hub",
        comment="Batches that wait to be mastered together. Unlogged: after a crash of the server it is empty, and what "
        "stood in it comes again from the checkpoints.",
        prefixes=["UNLOGGED"],
    )
    for name in ("transactions", "changes", "records", "rejects"):  # compressed already
        op.execute(f"alter table hub.inbox alter column {name} set storage external")


def downgrade() -> None:
    op.drop_table("inbox", schema="hub")
