"""The tables of the audit (schema `hub`): its runs and what each found.

Law 11 is kept here: a result names records by the hub's own ids, never by a value or a source's key.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

from golden_records.metadata import metadata

SCHEMA = "hub"

_Moment = DateTime(timezone=True)

audit_run = Table(
    "audit_run",
    metadata,
    Column("run_id", Integer, Identity(always=True), primary_key=True),
    Column("started_at", _Moment, nullable=False),
    Column("finished_at", _Moment, nullable=False),
    Column("asked_for", JSONB, nullable=False, comment="Source, view, entity, size of the sample, threshold."),
    Column("by", Text, nullable=False),
    Column("passed", Boolean, nullable=False),
    Index("audit_run_started_at_ix", "started_at"),
    schema=SCHEMA,
    comment="Each run of the batch audit: what was asked for, and whether it passed.",
)

audit_result = Table(
    "audit_result",
    metadata,
    Column("run_id", ForeignKey(audit_run.c.run_id, ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("place", Text, primary_key=True, comment="golden, source NAME, or view NAME/RECIPIENT."),
    Column(
        "rule", Integer, primary_key=True, autoincrement=False, comment="0: whether the view equals the golden records."
    ),
    Column("rule_version", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, comment="Why the rule could not be looked for at this place."),
    Column("looked_at", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("inline", BigInteger, comment="How many the inline checks found; null where they look at no such place."),
    Column("differing", BigInteger, nullable=False, comment="How many one of the two found and the other did not."),
    Column("sample", ARRAY(Text), nullable=False, comment="Some that failed or differ, as kind and id."),
    Column("seconds", Double, nullable=False),
    CheckConstraint("outcome in ('passed', 'failed', 'not looked for')", name="outcome"),
    Index("audit_result_rule_ix", "rule", "run_id"),
    schema=SCHEMA,
    comment="What an audit found by place and rule: counts and ids of the hub's own, without personal values (law 11).",
)
