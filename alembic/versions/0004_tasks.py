"""Tasks of stewards and their histories; reads of what is no golden record in the access log.

Revision ID: 0004
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_FILTERED = ["kind", "entity", "item", "rule", "source_id", "owner", "assignee"]


def upgrade() -> None:
    op.create_table(
        "task",
        sa.Column("task_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=True),
        sa.Column("golden_id", sa.BigInteger(), nullable=True),
        sa.Column("item_group", sa.Text(), nullable=True),
        sa.Column("item", sa.Text(), nullable=True),
        sa.Column("rule", sa.Integer(), nullable=True),
        sa.Column("source_id", sa.SmallInteger(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=False, comment="Who is accountable for what the task is about."),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column(
            "facts",
            sa.BigInteger(),
            nullable=False,
            comment="Digest of what the subject says: a task that a steward has closed is opened again when it changes.",
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "assignee",
            sa.Text(),
            nullable=True,
            comment="Who holds the claim; of an open task, to whom it is assigned.",
        ),
        sa.Column(
            "claimed_until",
            _MOMENT,
            nullable=True,
            comment="When a claim runs out: from then on the task counts as open.",
        ),
        sa.Column("due_at", _MOMENT, nullable=False),
        sa.Column("visible_from", _MOMENT, nullable=False, comment="The end of the item's grace; hidden until then."),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("opened_at", _MOMENT, nullable=False),
        sa.Column("closed_at", _MOMENT, nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("decision_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True, comment="Why it was closed or opened again."),
        sa.CheckConstraint("state in ('open', 'claimed', 'resolved', 'dismissed')", name=op.f("task_state_ck")),
        sa.CheckConstraint("severity in ('E', 'W')", name=op.f("task_severity_ck")),
        sa.CheckConstraint(
            "(state in ('resolved', 'dismissed')) = (closed_at is not null)", name=op.f("task_closed_ck")
        ),
        sa.CheckConstraint("(closed_at is null) = (outcome is null)", name=op.f("task_outcome_ck")),
        sa.CheckConstraint(
            "state <> 'claimed' or (assignee is not null and claimed_until is not null)", name=op.f("task_claim_ck")
        ),
        sa.PrimaryKeyConstraint("task_id", name=op.f("task_pk")),
        sa.UniqueConstraint("kind", "subject_id", name=op.f("task_kind_subject_id_uq")),
        schema="hub",
        comment="What a steward may have to settle: one task a subject (conflict, violation, quarantined record, possible match, override), opened again when its subject comes back. The version moves with every change.",
        postgresql_with={"fillfactor": "80"},
    )
    live = sa.text("closed_at is null")
    op.create_index("task_golden_id_ix", "task", ["golden_id"], schema="hub")
    op.create_index(
        "task_decision_id_ix",
        "task",
        ["decision_id"],
        schema="hub",
        postgresql_where=sa.text("decision_id is not null"),
    )
    op.create_index(
        "task_closed_at_ix",
        "task",
        ["closed_at", "task_id"],
        schema="hub",
        postgresql_where=sa.text("closed_at is not null"),
    )
    for column in ("due_at", "opened_at"):
        op.create_index(
            f"task_{column}_ix", "task", ["severity", column, "task_id"], schema="hub", postgresql_where=live
        )
    op.create_index(
        "task_claimed_until_ix", "task", ["claimed_until"], schema="hub", postgresql_where=sa.text("state = 'claimed'")
    )
    for column in _FILTERED:
        op.create_index(f"task_{column}_ix", "task", ["severity", column], schema="hub", postgresql_where=live)
    op.create_table(
        "task_event",
        sa.Column("task_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column(
            "assignee",
            sa.Text(),
            nullable=True,
            comment="Who claimed it or to whom it was assigned; whose claim ran out.",
        ),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("decision_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("task_id", "version", name=op.f("task_event_pk")),
        schema="hub",
        comment="The history of each task, dense: the event that made each of its versions. Added to, never changed.",
    )
    op.add_column(
        "access_log",
        sa.Column(
            "kind", sa.Text(), nullable=True, comment="What else than a golden record was read: a kind of subject."
        ),
        schema="hub",
    )
    op.add_column("access_log", sa.Column("subject_id", sa.BigInteger(), nullable=True), schema="hub")


def downgrade() -> None:
    op.drop_column("access_log", "subject_id", schema="hub")
    op.drop_column("access_log", "kind", schema="hub")
    op.drop_table("task_event", schema="hub")
    op.drop_table("task", schema="hub")
