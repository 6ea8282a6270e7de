"""What is asked of a source fits its version, and its names are quoted twice over."""

import pytest

from mdm.capture import replication
from mdm.capture.errors import SourceRefused
from mdm.capture.lsn import Lsn
from mdm.capture.refusals import Request

REQUEST = Request(source="smrs10", slot="mdm_smrs10", publications=("mdm", 'it\'s "odd"'))


def test_publication_names_are_quoted_as_identifiers_within_a_text() -> None:
    command = replication._command(REQUEST, Lsn.parse("16/B374D848"), 150018)
    assert command == (
        "START_REPLICATION SLOT \"mdm_smrs10\" LOGICAL 16/B374D848 (proto_version '2', "
        "publication_names '\"mdm\", \"it''s \"\"odd\"\"\"', messages 'true', streaming 'on')"
    )


def test_the_origin_is_named_where_the_server_knows_it() -> None:
    local = Request(source="smrs10", slot="s", publications=("mdm",), origin="none")
    assert "origin 'none'" in replication._command(local, Lsn(0), 160000)
    with pytest.raises(SourceRefused, match="older than PostgreSQL 16"):
        replication._command(local, Lsn(0), 150018)


def test_a_server_that_cannot_stream_is_refused() -> None:
    with pytest.raises(SourceRefused, match="older than PostgreSQL 14"):
        replication._command(REQUEST, Lsn(0), 130000)
