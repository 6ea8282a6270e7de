"""Standing violations of golden and source records, what quarantine waits for, operators' areas.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OPEN = sa.text("closed_at is null")
_VIOLATION = "A rule that speaks against what is mastered: severity W passes so, severity E came to be wrong when something else changed. One open row a rule and golden record, or source record of it; the source record named is where the value comes from. Closed when the rule no longer speaks."
_VIOLATION_BEFORE = (
    "A value that passed although a rule of severity W speaks against it; closed when the source mends it."
)


def upgrade() -> None:
    op.create_table(
        "operator_area",
        sa.Column("mpid", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("distributor", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("mpid", "role", "distributor", "valid_from", name=op.f("operator_area_pk")),
        schema="golden",
        comment="Distributors for whose points an operator may be appointed in a role (UMSO): dated reference data.",
    )
    _upgrade_violations()
    op.add_column(
        "quarantine",
        sa.Column(
            "rules",
            sa.ARRAY(sa.Integer()),
            comment="All rules of severity E that speak against it; `rule` is the first.",
        ),
        schema="golden",
    )
    op.add_column(
        "quarantine",
        sa.Column("other_key", sa.Text(), comment="Entity and key of another record whose change may heal it."),
        schema="golden",
    )
    op.add_column("quarantine", sa.Column("note", sa.Text()), schema="golden")
    op.execute("update golden.quarantine set rules = array[rule] where rule is not null")
    op.create_index(
        "quarantine_other_ix",
        "quarantine",
        ["other_key"],
        schema="golden",
        postgresql_where=sa.text("closed_at is null and other_key is not null"),
    )
    op.create_index(
        "meter_serial_ix", "meter", [sa.text("upper(replace(meter_id, ' '::text, ''::text))")], schema="golden"
    )
    op.create_index(
        "metering_point_linked_mpan_ix",
        "metering_point",
        ["linked_mpan"],
        schema="golden",
        postgresql_where=sa.text("linked_mpan is not null"),
    )


def _upgrade_violations() -> None:
    """A violation that names no golden record is of a record that is mastered no more."""
    op.execute("delete from golden.violation where golden_id is null")
    op.add_column("violation", sa.Column("severity", sa.Text(), server_default="W", nullable=False), schema="golden")
    op.add_column(
        "violation",
        sa.Column(
            "subject",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="The source record, where the rule speaks of one; else empty.",
        ),
        schema="golden",
    )
    op.add_column("violation", sa.Column("note", sa.Text()), schema="golden")
    for column in ("severity", "subject"):
        op.alter_column("violation", column, server_default=None, schema="golden")
    for column in ("source_id", "source_key", "item_group", "change_id"):
        op.alter_column("violation", column, nullable=True, schema="golden")
    op.alter_column("violation", "golden_id", nullable=False, schema="golden")
    op.create_check_constraint(op.f("violation_severity_ck"), "violation", "severity in ('E', 'W')", schema="golden")
    op.drop_index("violation_open_uq", "violation", schema="golden")
    op.execute(
        "delete from golden.violation v where closed_at is null and exists ("
        " select from golden.violation o where o.closed_at is null and o.golden_id = v.golden_id and o.rule = v.rule"
        " and o.violation_id < v.violation_id)"
    )
    op.create_index(
        "violation_open_uq",
        "violation",
        ["golden_id", "rule", "subject"],
        unique=True,
        schema="golden",
        postgresql_where=_OPEN,
    )
    op.create_table_comment("violation", _VIOLATION, schema="golden")


def downgrade() -> None:
    op.drop_index("metering_point_linked_mpan_ix", "metering_point", schema="golden")
    op.drop_index("meter_serial_ix", "meter", schema="golden")
    op.drop_index("quarantine_other_ix", "quarantine", schema="golden")
    for column in ("note", "other_key", "rules"):
        op.drop_column("quarantine", column, schema="golden")
    _downgrade_violations()
    op.drop_table("operator_area", schema="golden")


def _downgrade_violations() -> None:
    op.create_table_comment("violation", _VIOLATION_BEFORE, schema="golden")
    op.drop_index("violation_open_uq", "violation", schema="golden")
    op.execute(
        "delete from golden.violation where source_id is null or source_key is null or item_group is null"
        " or change_id is null"
    )
    op.execute(
        "delete from golden.violation v where closed_at is null and exists ("
        " select from golden.violation o where o.closed_at is null and o.source_id = v.source_id"
        " and o.source_key = v.source_key and o.item_group = v.item_group and o.rule = v.rule"
        " and o.violation_id < v.violation_id)"
    )
    op.create_index(
        "violation_open_uq",
        "violation",
        ["source_id", "source_key", "item_group", "rule"],
        unique=True,
        schema="golden",
        postgresql_where=_OPEN,
    )
    op.drop_constraint(op.f("violation_severity_ck"), "violation", schema="golden", type_="check")
    op.alter_column("violation", "golden_id", nullable=True, schema="golden")
    for column in ("source_id", "source_key", "item_group", "change_id"):
        op.alter_column("violation", column, nullable=False, schema="golden")
    for column in ("note", "subject", "severity"):
        op.drop_column("violation", column, schema="golden")
