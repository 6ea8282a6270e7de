"""Conflicts with grace, acceptance, history and outcome; how many golden records two systems share.

Revision ID: 0005
Revises: 0004
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OPEN = sa.text("closed_at is null")
_CLOSED = sa.text("closed_at is not null")
_SIDES = "('owner', 'copy', 'hub')"
_CHECKS = {
    "opened_by": f"opened_by in {_SIDES}",
    "closed_by": f"closed_by in {_SIDES}",
    "outcome": "outcome in ('agreed', 'withdrawn', 'survived')",
}
_INDEXES = {
    "conflict_queue_ix": (["conflict_id"], _OPEN),
    "conflict_closed_ix": (["closed_at", "conflict_id"], _CLOSED),
    "conflict_golden_id_ix": (["golden_id", "conflict_id"], _CLOSED),
}
_COMMENT = "A copy that differs from the surviving value, and who is accountable for the item (law 4)."
_LONGER = " One row from the moment they differ until they agree again, whatever the values become meanwhile."


def _added() -> list[sa.Column[Any]]:
    return [
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "owner_participant",
            sa.Text(),
            nullable=True,
            comment="MPID of the party that is accountable for the item at this record.",
        ),
        sa.Column(
            "is_fallback",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="The owner is silent: the value that survived is another system's.",
        ),
        sa.Column(
            "holders",
            postgresql.ARRAY(sa.SmallInteger()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="The systems that hold the item of this golden record.",
        ),
        sa.Column(
            "opened_by",
            sa.Text(),
            server_default=sa.text("'hub'"),
            nullable=False,
            comment="Whose change made them differ.",
        ),
        sa.Column(
            "visible_from",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="opened_at and the grace.",
        ),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When one of the values last changed while they differed.",
        ),
        sa.Column(
            "history",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
            comment="The values before, the last 20.",
        ),
        sa.Column(
            "accepted_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="A decision lets them differ until then; ends when a value changes.",
        ),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("closed_in_grace", sa.Boolean(), nullable=True),
    ]


def upgrade() -> None:
    for column in _added():
        op.add_column("conflict", column, schema="golden")
    op.execute("update golden.conflict set visible_from = opened_at")
    for name, condition in _CHECKS.items():
        op.create_check_constraint(op.f(f"conflict_{name}_ck"), "conflict", condition, schema="golden")
    for index, (columns, where) in _INDEXES.items():
        op.create_index(index, "conflict", columns, schema="golden", postgresql_where=where)
    op.create_table_comment("conflict", _COMMENT + _LONGER, existing_comment=_COMMENT, schema="golden")
    op.add_column(
        "catalogue_item",
        sa.Column("held_by", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        schema="golden",
    )
    op.add_column(
        "catalogue_item",
        sa.Column("comparison", sa.Text(), server_default=sa.text("'code'"), nullable=False),
        schema="golden",
    )
    op.add_column(
        "catalogue_item",
        sa.Column("grace", sa.Interval(), server_default=sa.text("'5 minutes'"), nullable=False),
        schema="golden",
    )
    op.create_table(
        "consistency",
        sa.Column("item_group", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("source_id", sa.SmallInteger(), nullable=False),
        sa.Column("other_source_id", sa.SmallInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("source_id < other_source_id", name=op.f("consistency_pair_ck")),
        sa.PrimaryKeyConstraint("item_group", "item", "source_id", "other_source_id", name=op.f("consistency_pk")),
        schema="golden",
        comment="How many golden records two systems both hold an item of, counted now and then; on how many of them they differ is counted from the open conflicts.",
    )


def downgrade() -> None:
    op.drop_table("consistency", schema="golden")
    for column in ("grace", "comparison", "held_by"):
        op.drop_column("catalogue_item", column, schema="golden")
    op.create_table_comment("conflict", _COMMENT, existing_comment=_COMMENT + _LONGER, schema="golden")
    for index, (_, where) in _INDEXES.items():
        op.drop_index(index, table_name="conflict", schema="golden", postgresql_where=where)
    for name in _CHECKS:
        op.drop_constraint(op.f(f"conflict_{name}_ck"), "conflict", schema="golden", type_="check")
    for column in reversed(_added()):
        op.drop_column("conflict", column.name, schema="golden")
