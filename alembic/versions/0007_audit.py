"""Runs of the batch audit and what each found.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_run",
        sa.Column("run_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "asked_for",
            postgresql.JSONB(),
            nullable=False,
            comment="Source, view, entity, size of the sample, threshold.",
        ),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("audit_run_pk")),
        schema="hub",
        comment="Each run of the batch audit: what was asked for, and whether it passed.",
    )
    op.create_index("audit_run_started_at_ix", "audit_run", ["started_at"], schema="hub")
    op.create_table(
        "audit_result",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False, comment="golden, source NAME, or view NAME/RECIPIENT."),
        sa.Column("rule", sa.Integer(), nullable=False, comment="0: whether the view equals the golden records."),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why the rule could not be looked for at this place."),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column(
            "inline",
            sa.BigInteger(),
            nullable=True,
            comment="How many the inline checks found; null where they look at no such place.",
        ),
        sa.Column(
            "differing", sa.BigInteger(), nullable=False, comment="How many one of the two found and the other did not."
        ),
        sa.Column(
            "sample", postgresql.ARRAY(sa.Text()), nullable=False, comment="Some that failed or differ, as kind and id."
        ),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.CheckConstraint("outcome in ('passed', 'failed', 'not looked for')", name=op.f("audit_result_outcome_ck")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["hub.audit_run.run_id"], name=op.f("audit_result_run_id_fk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "place", "rule", name=op.f("audit_result_pk")),
        schema="hub",
        comment="What an audit found by place and rule: counts and ids of the hub's own, without personal values (law 11).",
    )
    op.create_index("audit_result_rule_ix", "audit_result", ["rule", "run_id"], schema="hub")


def downgrade() -> None:
    op.drop_index("audit_result_rule_ix", table_name="audit_result", schema="hub")
    op.drop_table("audit_result", schema="hub")
    op.drop_index("audit_run_started_at_ix", table_name="audit_run", schema="hub")
    op.drop_table("audit_run", schema="hub")
