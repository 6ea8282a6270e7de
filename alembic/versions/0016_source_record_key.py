"""Source records are unique by what their source calls them; those of a golden record are found by a short index.

Revision ID: 0016
Revises: 0015
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_UNIQUE = "source_record_source_id_source_key_item_group_uq"
_SHORT = "source_record_golden_id_item_group_ix"


def upgrade() -> None:
    op.create_index(_SHORT, "source_record", ["golden_id", "item_group"], schema="golden")
    op.drop_constraint("source_record_pk", "source_record", schema="golden")
    op.drop_constraint(_UNIQUE, "source_record", schema="golden")
    op.create_primary_key(
        "source_record_pk", "source_record", ["source_id", "source_key", "item_group"], schema="golden"
    )
    op.alter_column("source_record", "golden_id", nullable=False, schema="golden")


def downgrade() -> None:
    op.drop_constraint("source_record_pk", "source_record", schema="golden")
    op.create_primary_key(
        "source_record_pk", "source_record", ["golden_id", "item_group", "source_id", "source_key"], schema="golden"
    )
    op.create_unique_constraint(_UNIQUE, "source_record", ["source_id", "source_key", "item_group"], schema="golden")
    op.drop_index(_SHORT, "source_record", schema="golden")
