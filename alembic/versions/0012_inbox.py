"""Batches of all sources wait in one place, so that one worker can master them as one.

Revision ID: 0012
Revises: 0011
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from golden_records.tables import PgLsn

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


_MOMENT = sa.DateTime(timezone=True)
_NUMBERS: list[tuple[str, Any, bool]] = [("change_no", sa.BigInteger(), False), ("tx", sa.Integer(), False)]
_ROWS: dict[str, tuple[str, list[tuple[str, Any, bool]]]] = {
    "inbox_transaction": (
        "The transactions of the batches in hub.inbox.",
        [
            ("tx", sa.Integer(), False),
            ("xid", sa.BigInteger(), True),
            ("commit_lsn", PgLsn(), False),
            ("committed_at", _MOMENT, False),
        ],
    ),
    "inbox_change": (
        "The changes of the batches in hub.inbox, as the journal is to hold them.",
        [
            *_NUMBERS,
            ("ordinal", sa.BigInteger(), False),
            ("relation", sa.Text(), False),
            ("op", sa.Text(), False),
            ("source_key", sa.Text(), True),
            ("payload", postgresql.JSONB(astext_type=sa.Text()), True),
        ],
    ),
    "inbox_record": (
        "What the changes of the batches in hub.inbox say of golden records, in the canonical form.",
        [
            *_NUMBERS,
            *((name, sa.Text(), False) for name in ("op", "entity", "item_group")),
            *((name, sa.Text(), True) for name in ("key", "alt_key", "source_key")),
            ("effective_from", _MOMENT, True),
            ("effective_to", _MOMENT, True),
            ("is_partial", sa.Boolean(), False),
            ("item_values", postgresql.JSONB(astext_type=sa.Text()), True),
            *((name, sa.Text(), True) for name in ("point_key", "address_key", "contract_key")),
        ],
    ),
    "inbox_reject": (
        "The changes of the batches in hub.inbox that could not be typed.",
        [("change_no", sa.BigInteger(), False), ("reason", sa.Text(), False)],
    ),
}


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
        sa.Column("source_at", _MOMENT, nullable=False),
        sa.Column("change_count", sa.Integer(), nullable=False),
        sa.Column("transaction_count", sa.Integer(), nullable=False),
        sa.Column("is_partial", sa.Boolean(), nullable=False, comment="Values are left out that did not change."),
        sa.Column("rate", sa.Float(), nullable=False),
        sa.Column("put_at", _MOMENT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column(
            "is_returned",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="For its own worker.",
        ),
        sa.PrimaryKeyConstraint("put_no", name=op.f("inbox_pk")),
        schema="hub",
        comment="Batches that wait to be mastered together. Unlogged: after a crash of the server it is empty, and what "
        "stood in it comes again from the checkpoints.",
        prefixes=["UNLOGGED"],
    )
    for name, (comment, columns) in _ROWS.items():
        op.create_table(
            name,
            sa.Column("put_no", sa.BigInteger(), nullable=False),
            *(sa.Column(column, kind, nullable=nullable) for column, kind, nullable in columns),
            schema="hub",
            comment=comment,
            prefixes=["UNLOGGED"],
        )
        op.create_index(f"{name}_put_no_ix", name, ["put_no"], schema="hub")


def downgrade() -> None:
    for name in ("inbox", *_ROWS):
        op.drop_table(name, schema="hub")
