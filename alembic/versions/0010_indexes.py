"""Indexes of live rows by a second key serve only who asks for that key.

The planner takes the live rows of a table that was never analysed for very few, and went through all of them instead
of looking one golden record up.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_INDEXES = (
    ("conflict", "conflict_queue_ix", "conflict_id", "closed_at is null", "conflict_id > 0"),
    ("redirect", "redirect_into_id_ix", "into_id", "undone_at is null", "into_id is not null"),
    ("record_link", "record_link_golden_id_ix", "golden_id", "unlinked_at is null", "golden_id is not null"),
    ("override", "override_review_at_ix", "review_at", "retired_at is null", "review_at is not null"),
    ("quarantine", "quarantine_point_ix", "point_key", "closed_at is null", "point_key is not null"),
)


def upgrade() -> None:
    for table, name, column, is_live, asked in _INDEXES:
        _create(table, name, column, f"{is_live} and {asked}")
    _create_visible_from()


def downgrade() -> None:
    op.drop_index("conflict_visible_from_ix", table_name="conflict", schema="golden")
    for table, name, column, is_live, _ in reversed(_INDEXES):
        _create(table, name, column, is_live)


def _create_visible_from() -> None:
    """Find the conflicts whose grace has ended lately: they have their tasks from then on."""
    op.create_index(
        "conflict_visible_from_ix",
        "conflict",
        ["visible_from"],
        schema="golden",
        postgresql_where=sa.text("closed_at is null and visible_from is not null"),
    )


def _create(table: str, name: str, column: str, where: str) -> None:
    op.drop_index(name, table_name=table, schema="golden")
    op.create_index(name, table, [column], schema="golden", postgresql_where=sa.text(where))
