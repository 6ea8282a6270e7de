"""Merges that can be undone, links of single source records, possible matches.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_OWN = "Whose it is of its own, where that one is merged into golden_id."


def upgrade() -> None:
    for table in ("crosswalk", "source_record"):
        op.add_column(table, sa.Column("own_id", sa.BigInteger(), nullable=True, comment=_OWN), schema="golden")
    op.create_table(
        "redirect",
        sa.Column("redirect_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("golden_id", sa.BigInteger(), nullable=False),
        sa.Column("into_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "end_id",
            sa.BigInteger(),
            nullable=False,
            comment="Where the chain of standing redirects from here ends.",
        ),
        sa.Column("decision_id", sa.BigInteger(), nullable=True),
        sa.Column("redirected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("golden_id <> into_id", name=op.f("redirect_elsewhere_ck")),
        sa.PrimaryKeyConstraint("redirect_id", name=op.f("redirect_pk")),
        schema="golden",
        comment="Golden records that were merged into others; a split ends the redirect and leaves its row. All mastering reads this table first, so whoever locks it is alone.",
    )
    _standing("redirect_standing_uq", "redirect", ["golden_id"], "undone_at", unique=True)
    _standing("redirect_into_id_ix", "redirect", ["into_id"], "undone_at")
    op.create_table(
        "record_link",
        sa.Column("link_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source_id", sa.SmallInteger(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("golden_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "key", sa.Text(), nullable=False, comment="The key in the crosswalk that stands for the record's own."
        ),
        sa.Column("from_id", sa.BigInteger(), nullable=False, comment="Whose the record was when it was linked."),
        sa.Column(
            "said_key",
            sa.Text(),
            nullable=True,
            comment="The key that its source has said since, under which it goes back.",
        ),
        sa.Column("decision_id", sa.BigInteger(), nullable=True),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unlinked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("link_id", name=op.f("record_link_pk")),
        schema="golden",
        comment="Source records that a steward took for another thing than their keys say; later changes respect it.",
    )
    _standing(
        "record_link_standing_uq", "record_link", ["source_id", "source_key", "entity"], "unlinked_at", unique=True
    )
    _standing("record_link_golden_id_ix", "record_link", ["golden_id"], "unlinked_at")
    _create_matches()


def _create_matches() -> None:
    op.create_table(
        "match",
        sa.Column("match_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("left_id", sa.BigInteger(), nullable=False),
        sa.Column("right_id", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.SmallInteger(), nullable=False),
        sa.Column("explanation", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "facts", sa.Text(), nullable=False, comment="Digest of the facts compared: others make it a new proposal."
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("candidates", sa.Integer(), nullable=False),
        sa.Column(
            "is_limited",
            sa.Boolean(),
            nullable=False,
            comment="Whether a limit kept further candidates from comparison.",
        ),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("left_id < right_id", name=op.f("match_ordered_ck")),
        sa.CheckConstraint("kind in ('possible', 'duplicate', 'crossed')", name=op.f("match_kind_ck")),
        sa.CheckConstraint("state in ('open', 'merged', 'not_a_match', 'gone')", name=op.f("match_state_ck")),
        sa.PrimaryKeyConstraint("match_id", name=op.f("match_pk")),
        schema="golden",
        comment="Golden records that may be one thing, or whose meters seem crossed. What is no match stays so until the facts change.",
    )
    op.create_index("match_pair_uq", "match", ["left_id", "right_id", "kind"], unique=True, schema="golden")
    op.create_index("match_right_id_ix", "match", ["right_id"], schema="golden")
    op.create_index(
        "match_open_ix",
        "match",
        ["entity", "score", "match_id"],
        schema="golden",
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "unmatched",
        sa.Column("note_id", sa.BigInteger(), sa.Identity(always=True, cache=100), nullable=False),
        sa.Column("golden_id", sa.BigInteger(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("note_id", name=op.f("unmatched_pk")),
        schema="golden",
        comment="Golden records that have changed and are yet to be compared; mastering only ever adds rows.",
    )
    op.create_table(
        "match_key",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("golden_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "is_derived", sa.Boolean(), nullable=False, comment="Two that share it only as derived are not compared."
        ),
        sa.PrimaryKeyConstraint("key", "golden_id", name=op.f("match_key_pk")),
        schema="golden",
        comment="Under which keys golden records are compared with others; written by runs of matching alone.",
    )
    op.create_index("match_key_golden_id_ix", "match_key", ["golden_id"], schema="golden")
    op.create_table(
        "match_run",
        sa.Column("run_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_whole", sa.Boolean(), nullable=False),
        sa.Column("compared", sa.BigInteger(), nullable=False, comment="Golden records looked at."),
        sa.Column("pairs", sa.BigInteger(), nullable=False, comment="Pairs that were scored."),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.BigInteger(), nullable=False),
        sa.Column("cut_blocks", sa.BigInteger(), nullable=False, comment="Blocks with more members than the limit."),
        sa.Column("cut_pairs", sa.BigInteger(), nullable=False, comment="Pairs that the limit kept from being scored."),
        sa.PrimaryKeyConstraint("run_id", name=op.f("match_run_pk")),
        schema="golden",
        comment="What each run of matching did, with what its limits left out.",
    )


def _standing(name: str, table: str, columns: list[str], ended: str, *, unique: bool = False) -> None:
    """Index the rows that have not ended."""
    condition = sa.text(f"{ended} is null")
    op.create_index(name, table, columns, unique=unique, schema="golden", postgresql_where=condition)


def downgrade() -> None:
    for table in ("match_run", "match_key", "unmatched", "match", "record_link", "redirect"):
        op.drop_table(table, schema="golden")
    for table in ("crosswalk", "source_record"):
        op.drop_column(table, "own_id", schema="golden")
