"""A writer has connections to all sources, or to none."""

import gc

import pytest

from mdm.db import DatabaseUnreachable
from mdm.demo.market import Source
from mdm.demo.writing import Writer
from mdm.embedded import EmbeddedServer


def test_writer_that_cannot_reach_a_source_leaves_nothing_open(
    market_dsn: str, market_server: EmbeddedServer, recwarn: pytest.WarningsRecorder
) -> None:
    *_, last = Source
    dsns = dict.fromkeys(Source, market_dsn) | {last: market_server.dsn("nowhere")}
    with pytest.raises(DatabaseUnreachable):
        Writer({source.value: dsn for source, dsn in dsns.items()})
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []
