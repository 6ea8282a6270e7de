"""Decisions, overrides, accepted differences and correction requests.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "acceptance",
        sa.Column("acceptance_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("conflict_id", sa.BigInteger(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("owner_value", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("accepted_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decision_id", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("acceptance_id", name=op.f("acceptance_pk")),
        schema="golden",
        comment="Differences that a steward accepts until a date: the conflict stands, but is nobody's task until then, or until one of the two values is another.",
    )
    op.create_index(
        "acceptance_live_uq",
        "acceptance",
        ["conflict_id"],
        unique=True,
        schema="golden",
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_table(
        "override",
        sa.Column("override_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("golden_id", sa.BigInteger(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("item_group", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False, comment="Empty where an atomic group is overridden as a whole."),
        sa.Column(
            "value",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Item -> value; all items of an atomic group together.",
        ),
        sa.Column(
            "hidden_value",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="What the owner said when the override was made or last reviewed.",
        ),
        sa.Column("hidden_change_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "owner_value",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="What the owner says now; {} where it says nothing.",
        ),
        sa.Column("owner_change_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Since when the owner says another value than the one that was hidden.",
        ),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("review_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "due_since", sa.DateTime(timezone=True), nullable=True, comment="Since when it waits to be reviewed."
        ),
        sa.Column("decision_id", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_why", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("reason <> ''", name=op.f("override_reason_ck")),
        sa.CheckConstraint(
            "retired_why in ('expired', 'equal', 'gone', 'replaced', 'undone', 'ended') and (retired_why is null) = (retired_at is null)",
            name=op.f("override_retired_ck"),
        ),
        sa.PrimaryKeyConstraint("override_id", name=op.f("override_pk")),
        schema="golden",
        comment="Values of stewards, which stand above survivorship until they expire, are ended, or equal what the owner says (law 5). A live one is a source record of the hub's own, under the key override|ID.",
    )
    op.create_index(
        "override_changed_ix",
        "override",
        ["override_id"],
        unique=False,
        schema="golden",
        postgresql_where=sa.text("retired_at is null and changed_at is not null"),
    )
    op.create_index(
        "override_live_uq",
        "override",
        ["golden_id", "item_group", "item"],
        unique=True,
        schema="golden",
        postgresql_where=sa.text("retired_at is null"),
    )
    op.create_index(
        "override_review_at_ix",
        "override",
        ["review_at"],
        unique=False,
        schema="golden",
        postgresql_where=sa.text("retired_at is null"),
    )
    op.create_table(
        "correction",
        sa.Column("correction_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column(
            "recipient", sa.Text(), nullable=False, comment="MPID of the participant whose system holds the item."
        ),
        sa.Column("source_id", sa.SmallInteger(), nullable=False),
        sa.Column("golden_id", sa.BigInteger(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("item_group", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column(
            "held_value",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="What the owner's system said when it was asked.",
        ),
        sa.Column("asked_value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reply", sa.Text(), nullable=True),
        sa.Column("sender_reference", sa.Text(), nullable=True, comment="The owner's own, of its last reply."),
        sa.Column("replied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "state in ('open', 'accepted', 'rejected', 'corrected', 'withdrawn')", name=op.f("correction_state_ck")
        ),
        sa.PrimaryKeyConstraint("correction_id", name=op.f("correction_pk")),
        sa.UniqueConstraint("reference", name=op.f("correction_reference_uq")),
        schema="hub",
        comment="What owners are asked to correct, and what they said to it. It closes itself when the owner's system says the value that was asked for.",
    )
    op.create_index(
        "correction_awaited_ix",
        "correction",
        ["golden_id"],
        unique=False,
        schema="hub",
        postgresql_where=sa.text("closed_at is null"),
    )
    op.create_table(
        "correction_entry",
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("correction_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "sender_reference",
            sa.Text(),
            nullable=True,
            comment="Of the owner's reply: never used twice by one sender (MSG1006).",
        ),
        sa.PrimaryKeyConstraint("recipient", "seq", name=op.f("correction_entry_pk")),
        sa.UniqueConstraint(
            "recipient", "sender_reference", name=op.f("correction_entry_recipient_sender_reference_uq")
        ),
        schema="hub",
        comment="The view of corrections of each owner's system: one entry a change of a correction's state.",
    )
    op.create_table(
        "correction_head",
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("recipient", name=op.f("correction_head_pk")),
        schema="hub",
        comment="Where each owner's view of corrections stands; its row is locked by whoever adds to it, until the commit, so that the numbers are dense and none is passed over.",
    )
    op.create_table(
        "decision",
        sa.Column("decision_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True, comment="The bulk decision that it is a part of."),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("golden_id", sa.BigInteger(), nullable=True),
        sa.Column("item_group", sa.Text(), nullable=True),
        sa.Column("item", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wants_approval", sa.Text(), nullable=True, comment="Why another person has to approve it."),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_by", sa.Text(), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_because", sa.Text(), nullable=True),
        sa.Column("undoes", sa.BigInteger(), nullable=True),
        sa.Column("undone_by", sa.BigInteger(), nullable=True),
        sa.Column(
            "payload",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="What was decided, as it is carried out.",
        ),
        sa.Column(
            "effect",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="What it did, as it is taken back: ids and changes, no values.",
        ),
        sa.Column("change_id", sa.BigInteger(), nullable=True, comment="The hub's change in the journal."),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("(state = 'undone') = (undone_by is not null)", name=op.f("decision_undone_ck")),
        sa.CheckConstraint("reason <> ''", name=op.f("decision_reason_ck")),
        sa.CheckConstraint("state in ('proposed', 'applied', 'rejected', 'undone')", name=op.f("decision_state_ck")),
        sa.CheckConstraint("approved_by <> decided_by", name=op.f("decision_four_eyes_ck")),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("decision_pk")),
        schema="hub",
        comment="What stewards decided, why, and what it did. Proposed, applied or rejected, undone: each state is entered once; whoever proposed does not approve.",
    )
    op.create_index(
        "decision_golden_id_ix",
        "decision",
        ["golden_id", "decision_id"],
        unique=False,
        schema="hub",
        postgresql_where=sa.text("golden_id is not null"),
    )
    op.create_index(
        "decision_parent_id_ix",
        "decision",
        ["parent_id", "decision_id"],
        unique=False,
        schema="hub",
        postgresql_where=sa.text("parent_id is not null"),
    )
    op.create_index(
        "decision_proposed_ix",
        "decision",
        ["decision_id"],
        unique=False,
        schema="hub",
        postgresql_where=sa.text("state = 'proposed'"),
    )
    op.create_index(
        "decision_task_id_ix",
        "decision",
        ["task_id"],
        unique=False,
        schema="hub",
        postgresql_where=sa.text("task_id is not null"),
    )
    op.create_index(
        "decision_undoes_uq",
        "decision",
        ["undoes"],
        unique=True,
        schema="hub",
        postgresql_where=sa.text("undoes is not null and state <> 'rejected'"),
    )


def downgrade() -> None:
    op.drop_index(
        "decision_undoes_uq",
        table_name="decision",
        schema="hub",
        postgresql_where=sa.text("undoes is not null and state <> 'rejected'"),
    )
    op.drop_index(
        "decision_task_id_ix", table_name="decision", schema="hub", postgresql_where=sa.text("task_id is not null")
    )
    op.drop_index(
        "decision_proposed_ix", table_name="decision", schema="hub", postgresql_where=sa.text("state = 'proposed'")
    )
    op.drop_index(
        "decision_parent_id_ix", table_name="decision", schema="hub", postgresql_where=sa.text("parent_id is not null")
    )
    op.drop_index(
        "decision_golden_id_ix", table_name="decision", schema="hub", postgresql_where=sa.text("golden_id is not null")
    )
    op.drop_table("decision", schema="hub")
    op.drop_table("correction_head", schema="hub")
    op.drop_table("correction_entry", schema="hub")
    op.drop_index(
        "correction_awaited_ix", table_name="correction", schema="hub", postgresql_where=sa.text("closed_at is null")
    )
    op.drop_table("correction", schema="hub")
    op.drop_index(
        "override_review_at_ix", table_name="override", schema="golden", postgresql_where=sa.text("retired_at is null")
    )
    op.drop_index(
        "override_live_uq", table_name="override", schema="golden", postgresql_where=sa.text("retired_at is null")
    )
    op.drop_index(
        "override_changed_ix",
        table_name="override",
        schema="golden",
        postgresql_where=sa.text("retired_at is null and changed_at is not null"),
    )
    op.drop_table("override", schema="golden")
    op.drop_index(
        "acceptance_live_uq", table_name="acceptance", schema="golden", postgresql_where=sa.text("ended_at is null")
    )
    op.drop_table("acceptance", schema="golden")
