"""The tables of the API (schema `hub`): keys, and who has read what.

Law 11 is kept here: a key's secret is not stored, only its hash; every read of an identifying value is recorded, and
the record holds ids and positions, never the value.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from golden_records.metadata import metadata

SCHEMA = "hub"

_Moment = DateTime(timezone=True)

api_key = Table(
    "api_key",
    metadata,
    Column("key_id", Integer, Identity(always=True), primary_key=True),
    Column(
        "prefix", Text, nullable=False, unique=True, comment="The part of the key that may be shown; salts the hash."
    ),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("name", Text, nullable=False),
    Column("purpose", Text, nullable=False, comment="What its holder may use the values for."),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("role", Text, comment="With a recipient: the role in which it receives views."),
    Column("recipient", Text, comment="MPID of the organisation to whose views and points the key is confined."),
    Column("created_at", _Moment, nullable=False, server_default=text("now()")),
    Column("expires_at", _Moment),
    Column("revoked_at", _Moment),
    CheckConstraint("(role is null) = (recipient is null)", name="recipient"),
    schema=SCHEMA,
    comment="Keys of the API: scopes, and the one organisation that a service's key is confined to (law 11).",
)

access_log = Table(
    "access_log",
    metadata,
    Column("access_id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", _Moment, nullable=False, server_default=text("now()")),
    Column("key_id", Integer, nullable=False),
    Column("action", Text, nullable=False),
    Column("entity", Text),
    Column("golden_id", BigInteger),
    Column("kind", Text, comment="What else than a golden record was read: a kind of subject."),
    Column("subject_id", BigInteger),
    Column("view_id", Integer),
    Column("first_seq", BigInteger),
    Column("last_seq", BigInteger),
    Column("rows", BigInteger, nullable=False, server_default=text("1")),
    CheckConstraint("action in ('read', 'search', 'snapshot', 'changes')", name="action"),
    Index("access_log_golden_id_ix", "golden_id", "at", postgresql_where=text("golden_id is not null")),
    schema=SCHEMA,
    comment="Every read of identifying values: who, when, of which golden record or of which part of which view. "
    "Recorded before the values are given, without the values (law 11).",
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("key_id", Integer, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False, comment="Tells the request from another one under the same key."),
    Column("status", Integer),
    Column("body", LargeBinary),
    Column("tag", Text),
    Column("location", Text),
    Column("created_at", _Moment, nullable=False, server_default=text("now()")),
    Index("idempotency_key_created_at_ix", "created_at"),
    schema=SCHEMA,
    comment="Writes that were sent under an Idempotency-Key, with their answers: sent again, each is done once.",
)
