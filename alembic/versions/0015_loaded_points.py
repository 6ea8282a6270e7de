"""What loads took in is listed with the point at which it stands, so that both are assembled together.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_LISTED_AGAIN = """
with listed as (
    delete from golden.loaded returning golden_ids
)
insert into golden.loaded (pass, is_batch, golden_ids{columns})
select pass, false, array_agg(golden_id){values}
from (select case {passes} end as pass, golden_id
      from (select distinct unnest(golden_ids) as golden_id from listed) l
      left join golden.golden_record using (golden_id)) p
group by pass
"""

# No plan asks what stands in these, and to sort a sample of them is half of what it costs to analyze their tables.
_DOCUMENTS = (
    ("source_record", "item_values"),
    ("journal", "payload"),
    ("golden_version", "changed"),
    ("golden_version", "lineage"),
    ("golden_version", "candidates"),
    ("metering_point", "lineage"),
    ("meter", "lineage"),
    ("address", "lineage"),
    ("appointment", "lineage"),
    ("contract", "lineage"),
)


def _sample(target: int) -> None:
    for table, column in _DOCUMENTS:
        op.execute(f"alter table golden.{table} alter column {column} set statistics {target}")


def upgrade() -> None:
    _sample(0)
    op.add_column(
        "loaded",
        sa.Column(
            "point_ids",
            ARRAY(sa.BigInteger()),
            nullable=False,
            server_default="{}",
            comment="The metering point at which each stands, null where at none. Batches have none.",
        ),
        schema="golden",
    )
    op.alter_column("loaded", "point_ids", server_default=None, schema="golden")
    # Written and read once: not worth being compressed.
    op.execute(
        "alter table golden.loaded alter column golden_ids set storage external, "
        "alter column point_ids set storage external"
    )
    op.execute(
        _LISTED_AGAIN.format(
            columns=", point_ids",
            values=", array_agg(null::bigint)",
            passes="when entity in ('contract', 'address') then 0 when entity = 'meter' then 2 else 1",
        )
    )


def downgrade() -> None:
    _sample(-1)
    op.execute(
        _LISTED_AGAIN.format(
            columns=", point_ids",
            values=", '{}'::bigint[]",
            passes="entity when 'contract' then 0 when 'appointment' then 1 when 'metering_point' then 3 else 2",
        )
    )
    op.drop_column("loaded", "point_ids", schema="golden")
    op.execute("alter table golden.loaded alter column golden_ids set storage extended")
