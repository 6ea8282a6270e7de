"""The tables of identity beside the crosswalk: merges, links of single source records, possible matches.

Law 9 is kept here: a merge is a row of golden.redirect and a split its end. Whose golden record a source record or a
key is of its own never changes by either; where that one leads is worked out from the rows that stand.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from golden_records.metadata import metadata
from golden_records.tables import SCHEMA, Moment

redirect = Table(
    "redirect",
    metadata,
    Column("redirect_id", BigInteger, Identity(always=True), primary_key=True),
    Column("golden_id", BigInteger, nullable=False),
    Column("into_id", BigInteger, nullable=False),
    Column("end_id", BigInteger, nullable=False, comment="Where the chain of standing redirects from here ends."),
    Column("decision_id", BigInteger),
    Column("redirected_at", Moment, nullable=False),
    Column("undone_at", Moment),
    CheckConstraint("golden_id <> into_id", name="elsewhere"),
    Index("redirect_standing_uq", "golden_id", unique=True, postgresql_where=text("undone_at is null")),
    Index("redirect_into_id_ix", "into_id", postgresql_where=text("undone_at is null and into_id is not null")),
    schema=SCHEMA,
    comment="Golden records that were merged into others; a split ends the redirect and leaves its row. All mastering "
    "reads this table first, so whoever locks it is alone.",
)

record_link = Table(
    "record_link",
    metadata,
    Column("link_id", BigInteger, Identity(always=True), primary_key=True),
    Column("source_id", SmallInteger, nullable=False),
    Column("source_key", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("golden_id", BigInteger, nullable=False),
    Column("key", Text, nullable=False, comment="The key in the crosswalk that stands for the record's own."),
    Column("from_id", BigInteger, nullable=False, comment="Whose the record was when it was linked."),
    Column("said_key", Text, comment="The key that its source has said since, under which it goes back."),
    Column("decision_id", BigInteger),
    Column("linked_at", Moment, nullable=False),
    Column("unlinked_at", Moment),
    Index(
        "record_link_standing_uq",
        "source_id",
        "source_key",
        "entity",
        unique=True,
        postgresql_where=text("unlinked_at is null"),
    ),
    Index(
        "record_link_golden_id_ix", "golden_id", postgresql_where=text("unlinked_at is null and golden_id is not null")
    ),
    schema=SCHEMA,
    comment="Source records that a steward took for another thing than their keys say; later changes respect it.",
)

match = Table(
    "match",
    metadata,
    Column("match_id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("left_id", BigInteger, nullable=False),
    Column("right_id", BigInteger, nullable=False),
    Column("score", SmallInteger, nullable=False),
    Column("explanation", JSONB, nullable=False),
    Column("facts", Text, nullable=False, comment="Digest of the facts compared: others make it a new proposal."),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("candidates", Integer, nullable=False),
    Column("is_limited", Boolean, nullable=False, comment="Whether a limit kept further candidates from comparison."),
    Column("found_at", Moment, nullable=False),
    Column("state_at", Moment, nullable=False),
    CheckConstraint("left_id < right_id", name="ordered"),
    CheckConstraint("kind in ('possible', 'duplicate', 'crossed')", name="kind"),
    CheckConstraint("state in ('open', 'merged', 'not_a_match', 'gone')", name="state"),
    Index("match_pair_uq", "left_id", "right_id", "kind", unique=True),
    Index("match_right_id_ix", "right_id"),
    Index("match_open_ix", "entity", "score", "match_id", postgresql_where=text("state = 'open'")),
    schema=SCHEMA,
    comment="Golden records that may be one thing, or whose meters seem crossed. What is no match stays so until the "
    "facts change.",
)

unmatched = Table(
    "unmatched",
    metadata,
    Column("note_id", BigInteger, Identity(always=True, cache=100), primary_key=True),
    Column("golden_id", BigInteger, nullable=False),
    Column("entity", Text, nullable=False),
    schema=SCHEMA,
    comment="Golden records that have changed and are yet to be compared; mastering only ever adds rows.",
)

match_key = Table(
    "match_key",
    metadata,
    Column("key", Text, primary_key=True),
    Column("golden_id", BigInteger, primary_key=True, autoincrement=False),
    Column("is_derived", Boolean, nullable=False, comment="Two that share it only as derived are not compared."),
    Index("match_key_golden_id_ix", "golden_id"),
    schema=SCHEMA,
    comment="Under which keys golden records are compared with others; written by runs of matching alone.",
)

match_run = Table(
    "match_run",
    metadata,
    Column("run_id", BigInteger, Identity(always=True), primary_key=True),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment, nullable=False),
    Column("is_whole", Boolean, nullable=False),
    Column("compared", BigInteger, nullable=False, comment="Golden records looked at."),
    Column("pairs", BigInteger, nullable=False, comment="Pairs that were scored."),
    Column("opened", BigInteger, nullable=False),
    Column("closed", BigInteger, nullable=False),
    Column("cut_blocks", BigInteger, nullable=False, comment="Blocks with more members than the limit."),
    Column("cut_pairs", BigInteger, nullable=False, comment="Pairs that the limit kept from being scored."),
    schema=SCHEMA,
    comment="What each run of matching did, with what its limits left out.",
)
