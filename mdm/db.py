"""Opening PostgreSQL: connections for queries, engines and the schema's upgrade for migrations.

Every session works in UTC. A transaction is opened with transaction(), at the edge (command, route, worker) and only
there. No message shows the password of a DSN.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import conninfo
from psycopg.pq import TransactionStatus

from mdm.errors import MdmError

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Engine

Connection = psycopg.Connection[tuple[Any, ...]]
Session = TypeVar("Session", bound=Connection)

_SESSION = "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres"
_PASSING = (
    "starting up",
    "not yet accepting connections",  # while it recovers from a crash
    "shutting down",
    "recovery mode",
    "too many clients",
    "connection slots",
)


class DatabaseError(MdmError):
    """The database cannot be used as it is."""


class InvalidDsn(DatabaseError):
    """The text is not a DSN."""


class DatabaseUnreachable(DatabaseError):
    """No session could be opened in the time that was given."""


class NestedTransaction(DatabaseError):
    """Code inside a transaction tried to open another: only the edge opens one."""


def connect(dsn: str, *, application_name: str = "mdm", wait: float = 10.0, autocommit: bool = True) -> Connection:
    """Open a session in UTC; try again for so many seconds while the server does not take connections.

    Raises InvalidDsn, or DatabaseUnreachable which says why and what to do.
    """
    return connect_as(Connection, dsn, application_name=application_name, wait=wait, autocommit=autocommit)


def connect_as(
    kind: type[Session], dsn: str, *, application_name: str = "mdm", wait: float = 10.0, autocommit: bool = True
) -> Session:
    """Open a session of a kind of its own, as connect() does."""
    parameters = _parameters(dsn)
    parameters["options"] = f"{parameters.get('options', '')} {_SESSION}".strip()
    parameters.setdefault("application_name", application_name)
    parameters.setdefault("connect_timeout", "10")
    deadline = time.monotonic() + wait
    while True:
        try:
            return kind.connect(**parameters, autocommit=autocommit, client_encoding="utf8")
        except psycopg.OperationalError as error:
            if time.monotonic() >= deadline or not _will_pass(error):
                raise _unreachable(dsn, error) from error
            time.sleep(0.1)


@contextmanager
def transaction(connection: Connection) -> Iterator[Connection]:
    """Open the one transaction of a piece of work: committed at the end, rolled back by an exception.

    Raises OperationalError where the connection is lost: to roll back on it fails in silence, so this may be the first
    to see it, as when work is tried again.
    """
    status = connection.info.transaction_status
    if status == TransactionStatus.UNKNOWN:
        raise psycopg.OperationalError("the connection is lost")
    if status != TransactionStatus.IDLE:
        raise NestedTransaction("A transaction is open already on this connection. Open one at the edge alone.")
    with connection.transaction():
        yield connection


@contextmanager
def trial(connection: Connection) -> Iterator[Connection]:
    """Open a transaction of which nothing stays: what is done in it is taken back at its end."""
    with transaction(connection), connection.transaction(force_rollback=True):
        yield connection


@contextmanager
def reading(connection: Connection) -> Iterator[Connection]:
    """Open a transaction that sees one state of the database and can change nothing in it."""
    with transaction(connection):
        connection.execute("set transaction isolation level repeatable read, read only")
        yield connection


def explain(error: psycopg.Error) -> str:
    """Say what PostgreSQL's error means and what to do, without its own text, which may hold a record's values."""
    match error:
        case psycopg.errors.DiskFull():
            return (
                "The disk of the PostgreSQL server is full. Free some space, then try again: what was committed stays."
            )
        case psycopg.errors.InsufficientPrivilege():
            return "The role of the database address may not do this. Grant it the right, or use another role."
        case psycopg.errors.ReadOnlySqlTransaction():
            return "The database is read-only: a stand-by, perhaps. Use the address of the primary server."
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn() | psycopg.errors.InvalidSchemaName():
            return (
                f"The hub's tables are not there, or are of another version (SQLSTATE {error.sqlstate}). Run 'mdm init'"
                " to bring them to this one, then try again; if that does not help, --debug says where it failed."
            )
        case psycopg.OperationalError():
            return "The connection to PostgreSQL was lost. Check that the server runs, then try again."
        case _:
            code = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
            name = type(error).__name__
            return f"unexpected {name}{code} from PostgreSQL. Run the command again with --debug to see where."


def redacted(dsn: str) -> str:
    """Describe where a DSN leads, fit to be printed: without password and options."""
    parts = _parameters(dsn)
    user = f"{parts['user']}@" if "user" in parts else ""
    port = f":{parts['port']}" if "port" in parts else ""
    return f"postgresql://{user}{parts.get('host', 'localhost')}{port}/{parts.get('dbname', '')}"


def engine(dsn: str) -> "Engine":
    """Return an SQLAlchemy engine without a pool, for migrations; its sessions are those of connect()."""
    from sqlalchemy import create_engine, pool  # noqa: PLC0415 - only migrations need SQLAlchemy's engine

    return create_engine(
        "postgresql+psycopg://", creator=lambda: connect(dsn, autocommit=False), poolclass=pool.NullPool
    )


def head() -> str:
    """Return the newest revision of the schema, by the files of the migrations, without importing Alembic."""
    return max(path.name.partition("_")[0] for path in _scripts().glob("versions/[0-9]*_*.py"))


def find_revision(connection: Connection) -> str | None:
    """Return the revision of the schema in a database, None where there is none."""
    try:
        row = connection.execute("select version_num from hub.alembic_version").fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return None
    return str(row[0]) if row else None


def upgrade(dsn: str) -> None:
    """Bring the hub's schema to the newest revision; two at once wait for each other.

    Most often it is there already: Alembic's import alone takes longer than all else that a worker does at its start.
    """
    with connect(dsn) as connection:
        if find_revision(connection) == head():
            return
    from alembic import command  # noqa: PLC0415 - only migrations need Alembic

    with engine(dsn).connect() as connection:
        configuration = migrations()
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "head")


def migrations() -> "Config":
    """Return the configuration of Alembic for the migrations of this installation: the wheel's or the checkout's."""
    from alembic.config import Config  # noqa: PLC0415 - only migrations need Alembic

    configuration = Config()
    configuration.set_main_option("script_location", str(_scripts()))
    return configuration


def _scripts() -> Path:
    package = Path(__file__).parent
    folder = package / "_alembic"
    return folder if folder.exists() else package.parent / "alembic"


def _parameters(dsn: str) -> dict[str, Any]:
    try:
        return dict(conninfo.conninfo_to_dict(dsn))
    except psycopg.ProgrammingError:
        # libpq's own message repeats the text, password included.
        raise InvalidDsn(
            "The database address is not valid. Write it as postgresql://user:password@host:port/database, with "
            "special characters of the password percent-encoded."
        ) from None


def _will_pass(error: psycopg.OperationalError) -> bool:
    """Tell a server that is not up yet from one that refuses this client."""
    said = str(error)
    return "FATAL" not in said or any(word in said for word in _PASSING)


def _unreachable(dsn: str, error: psycopg.OperationalError) -> DatabaseUnreachable:
    said = str(error).strip().splitlines()[0].removeprefix("connection failed: ").removeprefix("connection is bad: ")
    return DatabaseUnreachable(
        f"The database {redacted(dsn)} cannot be opened: {said}. Check that the server runs, that the address is right "
        "and that the role may connect, then try again."
    )
