"""Hub schema.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from golden_records.tables import PgLsn

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence("change_block", schema="golden", data_type=sa.BigInteger())))
    op.execute(sa.schema.CreateSequence(sa.Sequence("golden_id", schema="golden", data_type=sa.BigInteger())))
    op.execute("create aggregate golden.merge(jsonb) (sfunc = jsonb_concat, stype = jsonb, initcond = '{}')")
    op.create_table(
        "address",
        sa.Column("golden_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("line_1", sa.Text(), nullable=True, comment="Address line 1"),
        sa.Column("line_2", sa.Text(), nullable=True, comment="Address line 2"),
        sa.Column("line_3", sa.Text(), nullable=True, comment="Address line 3"),
        sa.Column("line_4", sa.Text(), nullable=True, comment="Address line 4"),
        sa.Column("line_5", sa.Text(), nullable=True, comment="Address line 5"),
        sa.Column("line_6", sa.Text(), nullable=True, comment="Address line 6"),
        sa.Column("line_7", sa.Text(), nullable=True, comment="Address line 7"),
        sa.Column("line_8", sa.Text(), nullable=True, comment="Address line 8"),
        sa.Column("line_9", sa.Text(), nullable=True, comment="Address line 9"),
        sa.Column("postcode", sa.Text(), nullable=True, comment="Postcode"),
        sa.Column("uprn", sa.Text(), nullable=True, comment="Unique property reference number"),
        sa.Column("lineage", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("golden_id", name=op.f("address_pk")),
        schema="golden",
        comment="Golden records: A place at which a metering point lies. Written by mastering alone.",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_table(
        "appointment",
        sa.Column("golden_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("mpan", sa.Text(), nullable=True, comment="MPAN Core of the metering point"),
        sa.Column("metering_point_id", sa.BigInteger(), nullable=True, comment="Golden metering point"),
        sa.Column("role", sa.Text(), nullable=True, comment="Role of the metering service"),
        sa.Column("service_mpid", sa.Text(), nullable=True, comment="Metering service appointed"),
        sa.Column("supplier_mpid", sa.Text(), nullable=True, comment="Supplier that appoints"),
        sa.Column(
            "contract_reference", sa.Text(), nullable=True, comment="Contract reference under which it is appointed"
        ),
        sa.Column("contract_id", sa.BigInteger(), nullable=True, comment="Golden contract"),
        sa.Column("appointed_from", sa.Date(), nullable=True, comment="First day of the appointment"),
        sa.Column("appointed_to", sa.Date(), nullable=True, comment="Last day of the appointment"),
        sa.Column("status", sa.Text(), nullable=True, comment="Where the appointment stands"),
        sa.Column("scenario", sa.Text(), nullable=True, comment="Why it was made: change of supplier and the like"),
        sa.Column("lineage", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("golden_id", name=op.f("appointment_pk")),
        schema="golden",
        comment="Golden records: A supplier's appointment of a metering service to a metering point, for a role, from a day on. Written by mastering alone.",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("appointment_contract_id_ix", "appointment", ["contract_id"], unique=False, schema="golden")
    op.create_index(
        "appointment_metering_point_id_ix", "appointment", ["metering_point_id"], unique=False, schema="golden"
    )
    op.create_table(
        "catalogue_item",
        sa.Column("item_group", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("classification", sa.Text(), nullable=False),
        sa.Column("is_atomic", sa.Boolean(), nullable=False),
        sa.Column("is_dated", sa.Boolean(), nullable=False),
        sa.Column("survivorship", sa.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("item_group", "item", name=op.f("catalogue_item_pk")),
        schema="golden",
        comment="The catalogue as the queries of mastering read it; written from catalogue.yaml at upgrade.",
    )
    op.create_table(
        "conflict",
        sa.Column("conflict_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("golden_id", sa.BigInteger(), nullable=False),
        sa.Column("item_group", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("source_id", sa.SmallInteger(), nullable=False),
        sa.Column("change_id", sa.BigInteger(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("owner_source_id", sa.SmallInteger(), nullable=False),
        sa.Column("owner_change_id", sa.BigInteger(), nullable=False),
        sa.Column("owner_value", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("conflict_id", name=op.f("conflict_pk")),
        schema="golden",
        comment="A copy that differs from the surviving value, and who is accountable for the item (law 4).",
    )
    op.create_index(
        "conflict_open_uq",
        "conflict",
        ["golden_id", "item", "source_id"],
        unique=True,
        schema="golden",
        postgresql_where=sa.text("closed_at is null"),
    )
    op.create_table(
        "contract",
        sa.Column("golden_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True, comment="Reference of the agreement"),
        sa.Column("supplier_mpid", sa.Text(), nullable=True, comment="Supplier that is a party to it"),
        sa.Column("service_mpid", sa.Text(), nullable=True, comment="Metering service that is a party to it"),
        sa.Column("role", sa.Text(), nullable=True, comment="Role of the metering service"),
        sa.Column("contract_from", sa.Date(), nullable=True, comment="First day of the contract"),
        sa.Column("contract_to", sa.Date(), nullable=True, comment="Last day of the contract"),
        sa.Column("connection_types", sa.Text(), nullable=True, comment="Connection types covered, as letters"),
        sa.Column("segments", sa.Text(), nullable=True, comment="Market segments covered, as letters"),
        sa.Column("lineage", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("golden_id", name=op.f("contract_pk")),
        schema="golden",
        comment="Golden records: An agreement between a supplier and a metering service. Written by mastering alone.",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_table(
        "crosswalk",
        sa.Column("crosswalk_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("golden_id", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unlinked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("origin in ('AUTO', 'MANUAL')", name=op.f("crosswalk_origin_ck")),
        sa.PrimaryKeyConstraint("crosswalk_id", name=op.f("crosswalk_pk")),
        schema="golden",
        comment="Which key is which golden record, dated. A live key belongs to one golden record: the claim that makes it safe that many sources present the same new thing at once.",
    )
    op.create_index("crosswalk_golden_id_ix", "crosswalk", ["golden_id"], unique=False, schema="golden")
    op.create_index(
        "crosswalk_live_uq",
        "crosswalk",
        ["entity", "key"],
        unique=True,
        schema="golden",
        postgresql_where=sa.text("unlinked_at is null"),
    )
    op.create_table(
        "distributor_area",
        sa.Column("distributor", sa.Text(), nullable=False),
        sa.Column("gsp_group", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("distributor", "gsp_group", "valid_from", name=op.f("distributor_area_pk")),
        schema="golden",
        comment="Which GSP groups a distributor's points may lie in: dated reference data, never a formula.",
    )
    op.create_table(
        "due",
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("golden_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item_group", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("due_at", "golden_id", "item_group", name=op.f("due_pk")),
        schema="golden",
        comment="When a value dated ahead comes into force or runs out, so that mastering looks at it again then.",
    )
    op.create_table(
        "golden_record",
        sa.Column("golden_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("golden_id", name=op.f("golden_record_pk")),
        schema="golden",
        comment="Every golden id ever given; its row is locked while the golden record is being mastered.",
    )
    op.create_table(
        "golden_version",
        sa.Column("golden_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("op", sa.Text(), nullable=False),
        sa.Column("source_id", sa.SmallInteger(), nullable=False),
        sa.Column("change_id", sa.BigInteger(), nullable=False),
        sa.Column("commit_lsn", PgLsn(), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("lineage", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "candidates",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Where several sources spoke: group -> change ids, the survivor first.",
        ),
        sa.Column("policy_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("golden_id", "version", name=op.f("golden_version_pk")),
        schema="golden",
        comment="One row a golden record and source transaction that changed it, versions dense from 1: what changed (item -> value) and where each value came from (item -> change_id).",
    )
    op.create_table(
        "journal",
        sa.Column("source_id", sa.SmallInteger(), nullable=False),
        sa.Column("commit_lsn", PgLsn(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("change_id", sa.BigInteger(), nullable=False),
        sa.Column("xid", sa.BigInteger(), nullable=True),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("op", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=True),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("source_id", "commit_lsn", "ordinal", name=op.f("journal_pk")),
        sa.UniqueConstraint("change_id", name=op.f("journal_change_id_uq")),
        schema="golden",
        comment="Every change, once: the primary key refuses a change that comes twice (law 1).",
    )
    op.create_table(
        "loaded",
        sa.Column("pass", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("golden_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source_id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("pass", "golden_id", "source_id", name=op.f("loaded_pk")),
        schema="golden",
        comment="Golden records whose source records an initial load took in and that are not assembled yet. Whoever assembles one does so for all sources; a pass begins when the one before it has nothing left.",
    )
    op.create_table(
        "meter",
        sa.Column("golden_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "meter_id",
            sa.Text(),
            nullable=True,
            comment="Serial number as the owner writes it (ten characters and what spaces some put between them)",
        ),
        sa.Column("meter_type", sa.Text(), nullable=True, comment="Meter type code"),
        sa.Column("make", sa.Text(), nullable=True, comment="Manufacturer"),
        sa.Column("model", sa.Text(), nullable=True, comment="Manufacturer's type"),
        sa.Column("esme_id", sa.Text(), nullable=True, comment="Id of the smart electricity metering equipment"),
        sa.Column("location", sa.Text(), nullable=True, comment="Where the meter is fitted: one letter"),
        sa.Column("displayed_digits", sa.Integer(), nullable=True, comment="Digits that the register displays, 0 to 9"),
        sa.Column("installation_date", sa.Date(), nullable=True, comment="Day on which the meter was installed"),
        sa.Column("removal_date", sa.Date(), nullable=True, comment="Day on which the meter was removed"),
        sa.Column(
            "metering_point_id",
            sa.BigInteger(),
            nullable=True,
            comment="Golden metering point at which the meter is fitted",
        ),
        sa.Column("asset_provider_mpid", sa.Text(), nullable=True, comment="Meter asset provider"),
        sa.Column("asset_provider_from", sa.Date(), nullable=True, comment="First day of the meter asset provider"),
        sa.Column("lineage", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("golden_id", name=op.f("meter_pk")),
        schema="golden",
        comment="Golden records: A physical device that measures energy at a metering point. Written by mastering alone.",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("meter_metering_point_id_ix", "meter", ["metering_point_id"], unique=False, schema="golden")
    op.create_table(
        "metering_point",
        sa.Column("golden_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "mpan",
            sa.Text(),
            nullable=True,
            comment="MPAN Core, the key of the metering point: 13 digits, the last a check digit",
        ),
        sa.Column(
            "mpan_status",
            sa.Text(),
            nullable=True,
            comment="Status of the MPAN: new, registered, terminated, disconnected",
        ),
        sa.Column(
            "registration_status",
            sa.Text(),
            nullable=True,
            comment="Status of the registration: current, objected, terminated",
        ),
        sa.Column("created_date", sa.Date(), nullable=True, comment="Day on which the metering point was created"),
        sa.Column(
            "disconnection_date", sa.Date(), nullable=True, comment="Day on which the metering point was disconnected"
        ),
        sa.Column(
            "connection_type",
            sa.Text(),
            nullable=True,
            comment="Whole current, low-voltage CT, high, extra-high voltage or unmetered",
        ),
        sa.Column("connection_from", sa.Date(), nullable=True, comment="First day of the connection type"),
        sa.Column("energy_direction", sa.Text(), nullable=True, comment="Import or export"),
        sa.Column("direction_from", sa.Date(), nullable=True, comment="First day of the energy direction"),
        sa.Column("metered_indicator", sa.Boolean(), nullable=True, comment="Whether a meter measures the point"),
        sa.Column("metered_from", sa.Date(), nullable=True, comment="First day of the metered indicator"),
        sa.Column("gsp_group", sa.Text(), nullable=True, comment="Grid supply point group that the point lies in"),
        sa.Column("gsp_from", sa.Date(), nullable=True, comment="First day in the GSP group"),
        sa.Column("duos_tariff", sa.Text(), nullable=True, comment="Distribution use of system tariff"),
        sa.Column("duos_from", sa.Date(), nullable=True, comment="First day of the DUoS tariff"),
        sa.Column("market_segment", sa.Text(), nullable=True, comment="Smart, advanced or unmetered segment"),
        sa.Column("segment_from", sa.Date(), nullable=True, comment="First day in the market segment"),
        sa.Column("energisation_status", sa.Text(), nullable=True, comment="Energised, de-energised or unknown"),
        sa.Column("energisation_from", sa.Date(), nullable=True, comment="First day of the energisation status"),
        sa.Column("domestic_premises", sa.Boolean(), nullable=True, comment="Whether the premises are domestic"),
        sa.Column("domestic_from", sa.Date(), nullable=True, comment="First day of the domestic premises indicator"),
        sa.Column("profile_class", sa.Text(), nullable=True, comment="Profile class, one or two digits"),
        sa.Column("ssc", sa.Text(), nullable=True, comment="Standard settlement configuration, four digits"),
        sa.Column("profile_from", sa.Date(), nullable=True, comment="First day of profile class and SSC"),
        sa.Column(
            "consent_granularity",
            sa.Text(),
            nullable=True,
            comment="Finest granularity of data the customer consents to: half-hourly, daily, monthly, none",
        ),
        sa.Column("consent_from", sa.Date(), nullable=True, comment="First day of the consent granularity"),
        sa.Column("dcc_service_flag", sa.Text(), nullable=True, comment="DCC service: active, inactive, none"),
        sa.Column("dcc_from", sa.Date(), nullable=True, comment="First day of the DCC service flag"),
        sa.Column("supplier_mpid", sa.Text(), nullable=True, comment="Registered supplier"),
        sa.Column("supplier_from", sa.Date(), nullable=True, comment="First day of the supplier's registration"),
        sa.Column("supplier_to", sa.Date(), nullable=True, comment="Last day of the supplier's registration"),
        sa.Column("address_id", sa.BigInteger(), nullable=True, comment="Golden address of the metering point"),
        sa.Column("linked_mpan", sa.Text(), nullable=True, comment="Linked or related metering point"),
        sa.Column(
            "link_kind",
            sa.Text(),
            nullable=True,
            comment="Kind of the relationship: import/export link or primary/secondary",
        ),
        sa.Column("lineage", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("golden_id", name=op.f("metering_point_pk")),
        schema="golden",
        comment="Golden records: A point at which electricity enters or leaves the distribution network and is measured or estimated. Written by mastering alone.",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("metering_point_address_id_ix", "metering_point", ["address_id"], unique=False, schema="golden")
    op.create_index("metering_point_mpan_ix", "metering_point", ["mpan"], unique=False, schema="golden")
    op.create_table(
        "participant",
        sa.Column("mpid", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("mpid", "role", "valid_from", name=op.f("participant_pk")),
        schema="golden",
        comment="Market participants by role: reference data.",
    )
    op.create_table(
        "policy",
        sa.Column("policy_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("catalogue", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("rules", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("policy_id", name=op.f("policy_pk")),
        sa.UniqueConstraint("digest", name=op.f("policy_digest_uq")),
        schema="golden",
        comment="The catalogue and the rules that golden values were mastered by; each version of a golden record names its policy (law 7).",
    )
    op.create_table(
        "quarantine",
        sa.Column("quarantine_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source_id", sa.SmallInteger(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("item_group", sa.Text(), nullable=False),
        sa.Column("change_id", sa.BigInteger(), nullable=False),
        sa.Column("commit_lsn", PgLsn(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("record", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("point_key", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("quarantined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.CheckConstraint("outcome in ('mastered', 'superseded', 'withdrawn')", name=op.f("quarantine_outcome_ck")),
        sa.PrimaryKeyConstraint("quarantine_id", name=op.f("quarantine_pk")),
        schema="golden",
        comment="What could not be mastered, with its position and reason; the payload stands in the journal (law 6). Open rows can be put through again.",
    )
    op.create_index(
        "quarantine_open_uq",
        "quarantine",
        ["source_id", "source_key", "item_group"],
        unique=True,
        schema="golden",
        postgresql_where=sa.text("closed_at is null"),
    )
    op.create_index(
        "quarantine_point_ix",
        "quarantine",
        ["point_key"],
        unique=False,
        schema="golden",
        postgresql_where=sa.text("closed_at is null"),
    )
    op.create_table(
        "source_rank",
        sa.Column("source_id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("item_group", sa.Text(), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("participant", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("source_id", "item_group", name=op.f("source_rank_pk")),
        schema="golden",
        comment="Survivorship as a ranking of sources by group, from the catalogue; participant stands where the metering service appointed on the date comes first.",
    )
    op.create_table(
        "source_record",
        sa.Column("golden_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item_group", sa.Text(), nullable=False),
        sa.Column("source_id", sa.SmallInteger(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("effective_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("effective_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("item_values", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("change_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("golden_id", "item_group", "source_id", "source_key", name=op.f("source_record_pk")),
        sa.UniqueConstraint(
            "source_id", "source_key", "item_group", name=op.f("source_record_source_id_source_key_item_group_uq")
        ),
        schema="golden",
        comment="What each source says now about each golden record: the candidates of survivorship, losers included.",
        postgresql_with={"fillfactor": "85"},
    )
    op.create_table(
        "source_system",
        sa.Column("source_id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("participant", sa.Text(), nullable=True),
        sa.Column("distributors", sa.ARRAY(sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("source_id", name=op.f("source_system_pk")),
        sa.UniqueConstraint("name", name=op.f("source_system_name_uq")),
        schema="golden",
        comment="Systems that the hub captures; source 0 is the hub itself (retries, due dates, decisions).",
    )
    op.create_table(
        "violation",
        sa.Column("violation_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("rule", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.SmallInteger(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("item_group", sa.Text(), nullable=False),
        sa.Column("golden_id", sa.BigInteger(), nullable=True),
        sa.Column("change_id", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("violation_id", name=op.f("violation_pk")),
        schema="golden",
        comment="A value that passed although a rule of severity W speaks against it; closed when the source mends it.",
    )
    op.create_index(
        "violation_open_uq",
        "violation",
        ["source_id", "source_key", "item_group", "rule"],
        unique=True,
        schema="golden",
        postgresql_where=sa.text("closed_at is null"),
    )
    op.create_table(
        "access_log",
        sa.Column("access_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=True),
        sa.Column("golden_id", sa.BigInteger(), nullable=True),
        sa.Column("view_id", sa.Integer(), nullable=True),
        sa.Column("first_seq", sa.BigInteger(), nullable=True),
        sa.Column("last_seq", sa.BigInteger(), nullable=True),
        sa.Column("rows", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("action in ('read', 'search', 'snapshot', 'changes')", name=op.f("access_log_action_ck")),
        sa.PrimaryKeyConstraint("access_id", name=op.f("access_log_pk")),
        schema="hub",
        comment="Every read of identifying values: who, when, of which golden record or of which part of which view. Recorded before the values are given, without the values (law 11).",
    )
    op.create_index(
        "access_log_golden_id_ix",
        "access_log",
        ["golden_id", "at"],
        unique=False,
        schema="hub",
        postgresql_where=sa.text("golden_id is not null"),
    )
    op.create_table(
        "api_key",
        sa.Column("key_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "prefix", sa.Text(), nullable=False, comment="The part of the key that may be shown; salts the hash."
        ),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False, comment="What its holder may use the values for."),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("role", sa.Text(), nullable=True, comment="With a recipient: the role in which it receives views."),
        sa.Column(
            "recipient",
            sa.Text(),
            nullable=True,
            comment="MPID of the organisation to whose views and points the key is confined.",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(role is null) = (recipient is null)", name=op.f("api_key_recipient_ck")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("api_key_pk")),
        sa.UniqueConstraint("prefix", name=op.f("api_key_prefix_uq")),
        schema="hub",
        comment="Keys of the API: scopes, and the one organisation that a service's key is confined to (law 11).",
    )
    op.create_table(
        "checkpoint",
        sa.Column("source_id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column(
            "worker",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Counts workers; the last one writes.",
        ),
        sa.Column("system_identifier", sa.Text(), nullable=True),
        sa.Column("timeline", sa.Integer(), nullable=True),
        sa.Column(
            "era",
            sa.SmallInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Counts clusters that stood here.",
        ),
        sa.Column(
            "commit_lsn",
            PgLsn(),
            nullable=True,
            comment="Commit LSN of the last source transaction that is mastered.",
        ),
        sa.Column(
            "end_lsn",
            PgLsn(),
            nullable=True,
            comment="Up to here the hub needs nothing more; the slot is confirmed no further.",
        ),
        sa.Column("source_at", sa.DateTime(timezone=True), nullable=True, comment="The source's clock at end_lsn."),
        sa.Column("changes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("rate", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "assembled",
            sa.BigInteger(),
            nullable=True,
            comment="How far what was loaded is assembled; null when all is.",
        ),
        sa.Column(
            "reload_requested_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Set while a reload of the whole source is asked for.",
        ),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column(
            "failed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Set while a person is needed: capture stands still, nothing is dropped.",
        ),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state in ('new', 'loading', 'assembling', 'streaming', 'reloading')", name=op.f("checkpoint_state_ck")
        ),
        sa.CheckConstraint("commit_lsn <= end_lsn", name=op.f("checkpoint_order_ck")),
        sa.PrimaryKeyConstraint("source_id", name=op.f("checkpoint_pk")),
        schema="hub",
        comment="How far each source is mastered. Written in the hub transaction that masters the changes, before the slot is confirmed, and it only moves forward (law 1). Where a source was replaced or set back, its positions go on in a new era: era * 2^56 is added to its LSNs.",
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "feed",
        sa.Column("view_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("golden_id", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column(
            "body",
            sa.Text(),
            nullable=True,
            comment="The message without sender and date, as compact JSON; null for a delete.",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source_committed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(operation = 'upsert') = (body is not null)", name=op.f("feed_body_ck")),
        sa.CheckConstraint("operation in ('upsert', 'delete')", name=op.f("feed_operation_ck")),
        sa.PrimaryKeyConstraint("view_id", "seq", name=op.f("feed_pk")),
        schema="hub",
        comment="Each view's entries, dense from 1, in the order in which they were committed (law 3). An entry is written once and never changed; one that a later entry supersedes may be pruned.",
    )
    op.create_table(
        "snapshot_chunk",
        sa.Column("source_id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("chunk_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partition_schema", sa.Text(), nullable=False),
        sa.Column(
            "partition",
            sa.Text(),
            nullable=False,
            comment="The table that holds the rows: the relation or a part of it.",
        ),
        sa.Column(
            "filenode",
            sa.BigInteger(),
            nullable=True,
            comment="Its file; when the table has been rewritten, block ranges mean nothing.",
        ),
        sa.Column(
            "first_block", sa.BigInteger(), nullable=True, comment="Null: the whole partition, for one without blocks."
        ),
        sa.Column("last_block", sa.BigInteger(), nullable=True, comment="Exclusive; null: to the end."),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("commit_lsn", PgLsn(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("source_id", "relation", "chunk_no", name=op.f("snapshot_chunk_pk")),
        schema="hub",
        comment="The chunks that a load is made of. A chunk is done in the hub transaction that masters its rows, so that a killed load goes on where it stood (law 1).",
    )
    op.create_table(
        "table_load",
        sa.Column("source_id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "replaces", sa.Boolean(), nullable=False, comment="Source records that the load does not see are removed."
        ),
        sa.Column(
            "start_lsn",
            PgLsn(),
            nullable=True,
            comment="Every row that is there has shown itself at or after this position.",
        ),
        sa.Column("rows", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('waiting', 'loading', 'done')", name=op.f("table_load_state_ck")),
        sa.PrimaryKeyConstraint("source_id", "relation", name=op.f("table_load_pk")),
        schema="hub",
        comment="The last load of each captured table: waiting (asked for: by the worker at first, by the reload command later), loading (its chunks are planned), done. The worker sets the last two.",
    )
    op.create_table(
        "view",
        sa.Column("view_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="The name of its contract."),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False, comment="MPID of the organisation whose view it is."),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("contract", sa.Text(), nullable=False, comment="Digest of the contract by which its rows were made."),
        sa.PrimaryKeyConstraint("view_id", name=op.f("view_pk")),
        sa.UniqueConstraint("name", "recipient", name=op.f("view_name_recipient_uq")),
        schema="hub",
        comment="Views: a contract and the one organisation that may see these rows (law 11).",
    )
    op.create_table(
        "view_row",
        sa.Column("view_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("golden_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("point_id", sa.BigInteger(), nullable=False, comment="The metering point that the row is of."),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="The feed entry that holds the row's content."),
        sa.Column("digest", postgresql.BIT(length=256), nullable=False),
        sa.PrimaryKeyConstraint("view_id", "golden_id", name=op.f("view_row_pk")),
        schema="hub",
        comment="What is in each view now: the projection of the golden records, kept in the transaction that changes them. The content of a row stands in the feed, once.",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("view_row_point_id_ix", "view_row", ["point_id"], unique=False, schema="hub")
    op.create_table(
        "view_head",
        sa.Column("view_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "retained_after",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="The feed is whole after it.",
        ),
        sa.Column("row_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "digest", postgresql.BIT(length=256), server_default=sa.text("repeat('0', 256)::bit(256)"), nullable=False
        ),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("retained_after <= last_seq", name=op.f("view_head_retained_ck")),
        sa.ForeignKeyConstraint(["view_id"], ["hub.view.view_id"], name=op.f("view_head_view_id_fk")),
        sa.PrimaryKeyConstraint("view_id", name=op.f("view_head_pk")),
        schema="hub",
        comment="Where each view stands: its last sequence number, and the count and digest of its rows as of it (law 10). Moves only forward, in the transaction that changes the golden records (law 1).",
        postgresql_with={"fillfactor": "50"},
    )


def downgrade() -> None:
    op.drop_table("view_head", schema="hub")
    op.drop_index("view_row_point_id_ix", table_name="view_row", schema="hub")
    op.drop_table("view_row", schema="hub")
    op.drop_table("view", schema="hub")
    op.drop_table("table_load", schema="hub")
    op.drop_table("snapshot_chunk", schema="hub")
    op.drop_table("feed", schema="hub")
    op.drop_table("checkpoint", schema="hub")
    op.drop_table("api_key", schema="hub")
    op.drop_index(
        "access_log_golden_id_ix",
        table_name="access_log",
        schema="hub",
        postgresql_where=sa.text("golden_id is not null"),
    )
    op.drop_table("access_log", schema="hub")
    op.drop_index(
        "violation_open_uq", table_name="violation", schema="golden", postgresql_where=sa.text("closed_at is null")
    )
    op.drop_table("violation", schema="golden")
    op.drop_table("source_system", schema="golden")
    op.drop_table("source_record", schema="golden")
    op.drop_table("source_rank", schema="golden")
    op.drop_index(
        "quarantine_point_ix", table_name="quarantine", schema="golden", postgresql_where=sa.text("closed_at is null")
    )
    op.drop_index(
        "quarantine_open_uq", table_name="quarantine", schema="golden", postgresql_where=sa.text("closed_at is null")
    )
    op.drop_table("quarantine", schema="golden")
    op.drop_table("policy", schema="golden")
    op.drop_table("participant", schema="golden")
    op.drop_index("metering_point_mpan_ix", table_name="metering_point", schema="golden")
    op.drop_index("metering_point_address_id_ix", table_name="metering_point", schema="golden")
    op.drop_table("metering_point", schema="golden")
    op.drop_index("meter_metering_point_id_ix", table_name="meter", schema="golden")
    op.drop_table("meter", schema="golden")
    op.drop_table("loaded", schema="golden")
    op.drop_table("journal", schema="golden")
    op.drop_table("golden_version", schema="golden")
    op.drop_table("golden_record", schema="golden")
    op.drop_table("due", schema="golden")
    op.drop_table("distributor_area", schema="golden")
    op.drop_index(
        "crosswalk_live_uq", table_name="crosswalk", schema="golden", postgresql_where=sa.text("unlinked_at is null")
    )
    op.drop_index("crosswalk_golden_id_ix", table_name="crosswalk", schema="golden")
    op.drop_table("crosswalk", schema="golden")
    op.drop_table("contract", schema="golden")
    op.drop_index(
        "conflict_open_uq", table_name="conflict", schema="golden", postgresql_where=sa.text("closed_at is null")
    )
    op.drop_table("conflict", schema="golden")
    op.drop_table("catalogue_item", schema="golden")
    op.drop_index("appointment_metering_point_id_ix", table_name="appointment", schema="golden")
    op.drop_index("appointment_contract_id_ix", table_name="appointment", schema="golden")
    op.drop_table("appointment", schema="golden")
    op.drop_table("address", schema="golden")
    op.execute("drop aggregate golden.merge(jsonb)")
    op.execute(sa.schema.DropSequence(sa.Sequence("golden_id", schema="golden")))
    op.execute(sa.schema.DropSequence(sa.Sequence("change_block", schema="golden")))
