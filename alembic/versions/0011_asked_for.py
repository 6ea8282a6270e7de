"""Find what a source said of an appointment before, while that was held back: it asked for its first day.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "quarantine_asked_ix",
        "quarantine",
        ["source_id", "source_key"],
        schema="golden",
        postgresql_where=sa.text("item_group = 'appointment' and outcome = 'superseded'"),
    )


def downgrade() -> None:
    op.drop_index("quarantine_asked_ix", table_name="quarantine", schema="golden")
