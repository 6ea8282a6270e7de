"""The tables of distribution (schema `hub`): views, where each stands, what is in it, and its feed.

Law 3 is kept here: a view's sequence is dense (primary key view_id, seq; numbered under the lock on projection, which
is held until the commit), so a reader sees a gap and never skips an entry that committed late. Law 10: the head's
digest is the exclusive or of the digests of the view's rows.

Rows and feed carry no foreign keys and no index but what their readers need: both are written for every change.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import BIT

from golden_records.metadata import metadata

SCHEMA = "hub"

_Moment = DateTime(timezone=True)
_Digest = BIT(256)

view = Table(
    "view",
    metadata,
    Column("view_id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, comment="The name of its contract."),
    Column("message", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("recipient", Text, nullable=False, comment="MPID of the organisation whose view it is."),
    Column("created_at", _Moment, nullable=False, server_default=text("now()")),
    Column("contract", Text, nullable=False, comment="Digest of the contract by which its rows were made."),
    UniqueConstraint("name", "recipient"),
    schema=SCHEMA,
    comment="Views: a contract and the one organisation that may see these rows (law 11).",
)

view_head = Table(
    "view_head",
    metadata,
    Column("view_id", ForeignKey(view.c.view_id), primary_key=True, autoincrement=False),
    Column("last_seq", BigInteger, nullable=False, server_default=text("0")),
    Column(
        "retained_after", BigInteger, nullable=False, server_default=text("0"), comment="The feed is whole after it."
    ),
    Column("row_count", BigInteger, nullable=False, server_default=text("0")),
    Column("digest", _Digest, nullable=False, server_default=text("repeat('0', 256)::bit(256)")),
    Column("updated_at", _Moment, nullable=False, server_default=text("now()")),
    CheckConstraint("retained_after <= last_seq", name="retained"),
    schema=SCHEMA,
    comment="Where each view stands: its last sequence number, and the count and digest of its rows as of it (law 10). "
    "Moves only forward, in the transaction that changes the golden records (law 1).",
    postgresql_with={"fillfactor": "50"},
)

view_row = Table(
    "view_row",
    metadata,
    Column("view_id", Integer, primary_key=True, autoincrement=False),
    Column("golden_id", BigInteger, primary_key=True, autoincrement=False),
    Column("point_id", BigInteger, nullable=False, comment="The metering point that the row is of."),
    Column("seq", BigInteger, nullable=False, comment="The feed entry that holds the row's content."),
    Column("digest", _Digest, nullable=False),
    Index("view_row_point_id_ix", "point_id"),
    schema=SCHEMA,
    comment="What is in each view now: the projection of the golden records, kept in the transaction that changes "
    "them. The content of a row stands in the feed, once.",
    postgresql_with={"fillfactor": "80"},
)

feed = Table(
    "feed",
    metadata,
    Column("view_id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("golden_id", BigInteger, nullable=False),
    Column("operation", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("body", Text, comment="The message without sender and date, as compact JSON; null for a delete."),
    Column("created_at", _Moment, nullable=False),
    Column("source_committed_at", _Moment),
    CheckConstraint("(operation = 'upsert') = (body is not null)", name="body"),
    CheckConstraint("operation in ('upsert', 'delete')", name="operation"),
    schema=SCHEMA,
    comment="Each view's entries, dense from 1, in the order in which they were committed (law 3). An entry is written "
    "once and never changed; one that a later entry supersedes may be pruned.",
)
