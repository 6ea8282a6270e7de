"""The databases of the simulated market: their names, their schemas, what they publish."""

from collections.abc import Mapping
from enum import StrEnum
from importlib import resources

from psycopg import sql

from mdm import db
from mdm.errors import MdmError


class Source(StrEnum):
    """The market's source systems; each has a database of this name."""

    SMRS10 = "smrs10"
    SMRS20 = "smrs20"
    MSS = "mss"
    MSA = "msa"
    UMSO = "umso"
    MDS = "mds"


REGISTRATIONS = {"10": Source.SMRS10, "20": Source.SMRS20}
PUBLICATION = "mdm"

Dsns = Mapping[str, str]  # source name -> DSN of its database


class MarketError(MdmError):
    """The simulated market cannot do what was asked; the message says what to do."""


def create(dsns: Dsns) -> None:
    """Create each source's schema in its database, which must exist; a database that has it stays as it is."""
    for source in Source:
        with db.connect(dsns[source]) as connection, db.transaction(connection):
            if not _has_tables(connection):
                connection.execute(_schema(source))


def publish(dsns: Dsns, *, publication: str = PUBLICATION) -> None:
    """Publish every table of every source to the hub; a publication that is there stays as it is."""
    for source in Source:
        with db.connect(dsns[source]) as connection:
            query = "select pubname from pg_publication where pubname = %s"
            if connection.execute(query, [publication]).fetchone() is None:
                connection.execute(
                    sql.SQL("create publication {} for tables in schema public").format(sql.Identifier(publication))
                )


def count_points(dsns: Dsns) -> int:
    """Return the number of metering points that the registrations hold."""
    return sum(_count(dsns[source]) for source in REGISTRATIONS.values())


def _count(dsn: str) -> int:
    with db.connect(dsn) as connection:
        row = connection.execute("select count(*) from metering_point").fetchone()
    return int(row[0]) if row else 0


def _has_tables(connection: db.Connection) -> bool:
    query = "select tablename from pg_tables where schemaname = 'public' limit 1"
    return connection.execute(query).fetchone() is not None


def _schema(source: Source) -> bytes:
    kind = "smrs" if source in REGISTRATIONS.values() else source.value
    return resources.files("mdm.demo").joinpath("schemas", f"{kind}.sql").read_bytes()
