"""What a worker captures, and with what: the same for all its parts."""

from dataclasses import dataclass
from pathlib import Path

from psycopg import conninfo

from golden_records import rows
from mdm import db
from mdm.capture import chunks
from mdm.capture.crashes import Passing, pass_by
from mdm.capture.mapping import Mapper
from mdm.capture.refusals import Request
from mdm.capture.sources import Source
from mdm.db import Connection
from mdm.stewardship.terms import USUAL, Terms

_KEEPALIVE = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
_STAGED = "24MB"  # what is staged of a part fits; a session touches all of its buffers in time, and keeps them
_CLIENT_KEEPALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 11_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """A source that is captured into a hub.

    `hub_id` tells this hub's own sessions at the source from another hub's. `batch_rows` is the most that mastering
    takes at once, `linger` the seconds that a batch waits to be filled, `chunk_rows` what is read at once in a load;
    superseded entries stay in the views' feeds for `feed_days`; `terms` say when the tasks that follow are due.
    """

    source: Source
    source_id: int
    source_dsn: str
    hub_dsn: str
    hub_id: str
    spool_folder: Path
    batch_rows: int = 20_000
    linger: float = 0.05
    feed_days: float = 30
    terms: Terms = USUAL
    readers: int = 2
    chunk_rows: int = chunks.ROWS
    at: Passing = pass_by

    @property
    def name(self) -> str:
        """The source's name."""
        return self.source.source

    @property
    def request(self) -> Request:
        """What is asked of the source."""
        return request(self.source)

    @property
    def stream_name(self) -> str:
        """What the source shows as the name of this hub's stream."""
        return f"mdm {self.hub_id} {self.name}"[:63]

    @property
    def stream_dsn(self) -> str:
        """The source's address for the stream, under its name."""
        return conninfo.make_conninfo(self.source_dsn, application_name=self.stream_name)

    def mapper(self, offset: int) -> Mapper:
        """Return a mapper; each thread has one of its own."""
        return Mapper(source=self.source, source_id=self.source_id, offset=offset)

    def connect_hub(self, purpose: str = "capture", *, staged: str = _STAGED) -> Connection:
        """Open a session at the hub in which both ends notice within seconds when the other is gone.

        What is staged has that much memory there (temp_buffers).
        """
        return connect_hub(self.hub_dsn, f"mdm {purpose} {self.name}", staged=staged)


def request(source: Source) -> Request:
    """Return what is asked of a source."""
    return Request(source=source.source, slot=source.slot, publications=(source.publication,))


def connect_hub(dsn: str, application_name: str, *, staged: str = _STAGED) -> Connection:
    """Open a session at the hub in which both ends notice within seconds when the other is gone."""
    parameters = conninfo.conninfo_to_dict(dsn)
    options = f"{parameters.get('options') or ''} {_KEEPALIVE} -c temp_buffers={staged}".strip()
    return db.connect(
        conninfo.make_conninfo(dsn, options=options, **_CLIENT_KEEPALIVE), application_name=application_name
    )


def hub_id(connection: Connection) -> str:
    """Return what tells this hub's database from any other."""
    known: str = rows.single(
        connection,
        "select left(md5(s.system_identifier || '/' || d.oid), 8) from pg_control_system() s, pg_database d"
        " where d.datname = current_database()",
    )
    return known
