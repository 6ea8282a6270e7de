"""DSNs are shown without what is secret, and refused in plain words."""

import psycopg
import pytest
from alembic.script import ScriptDirectory

from mdm import db
from mdm.db import DatabaseUnreachable, InvalidDsn


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("postgresql://mdm:secret@db.example:5433/hub", "postgresql://mdm@db.example:5433/hub"),
        ("host=db.example user=mdm password=secret dbname=hub", "postgresql://mdm@db.example/hub"),
        ("postgresql:///hub?passfile=secret", "postgresql://localhost/hub"),
    ],
)
def test_redacted_shows_no_secret(dsn: str, shown: str) -> None:
    assert db.redacted(dsn) == shown


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        ("connection refused", True),
        ("FATAL:  the database system is starting up", True),
        ("FATAL:  the database system is not yet accepting connections", True),
        ("FATAL:  the database system is in recovery mode", True),
        ("FATAL:  the database system is shutting down", True),
        ("FATAL:  sorry, too many clients already", True),
        ('FATAL:  database "nowhere" does not exist', False),
        ('FATAL:  password authentication failed for user "mdm"', False),
    ],
)
def test_what_passes_by_itself_is_waited_for(said: str, *, passes: bool) -> None:
    assert db._will_pass(psycopg.OperationalError(f"connection failed: {said}")) == passes


def test_the_newest_revision_is_known_without_alembic() -> None:
    assert db.head() == ScriptDirectory.from_config(db.migrations()).get_current_head()


def test_a_text_that_is_no_dsn_is_not_repeated() -> None:
    with pytest.raises(InvalidDsn) as caught:
        db.connect("postgres//mdm:secret@db/hub")
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_server_that_does_not_answer_is_named_with_what_to_do() -> None:
    with pytest.raises(DatabaseUnreachable, match="Check that the server runs") as caught:
        db.connect("postgresql://mdm:secret@127.0.0.1:1/hub", wait=0)
    assert "secret" not in str(caught.value)
