"""A batch tells whether its worker catches up, so that what was made at one time is mastered together.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("truncate hub.inbox, hub.inbox_transaction, hub.inbox_change, hub.inbox_record, hub.inbox_reject")
    op.add_column(
        "inbox",
        sa.Column(
            "is_behind",
            sa.Boolean(),
            nullable=False,
            comment="More was there already when its worker began to stream.",
        ),
        schema="hub",
    )


def downgrade() -> None:
    op.drop_column("inbox", "is_behind", schema="hub")
