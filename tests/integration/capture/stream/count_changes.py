"""Count a slot's changes up to the message that ends a test; print them, and by how many octets memory grew."""

import resource
import sys
from pathlib import Path

import polars as pl

from mdm.capture import replication, stream
from mdm.capture.lsn import Lsn
from mdm.capture.refusals import Request


def main(dsn: str, slot: str, at: str, spool: str) -> None:
    """Take batches as a worker does, one after the other."""
    pl.DataFrame({"warm": ["up"]}).with_columns(pl.col("warm").str.len_bytes())
    request = Request(source="test", slot=slot, publications=("mdm",))
    connection = replication.connect(dsn)
    before, rows, ended = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0, False
    with stream.start(connection, request, at=Lsn.parse(at), spool_folder=Path(spool)) as opened:
        while not ended:
            batch = opened.next_batch(timeout=30)
            if batch is None:
                break
            rows += sum(table.meta.height for table in batch.tables)
            ended = any(message.prefix == "end of test" for message in batch.messages)
    print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)  # noqa: T201 - read by the test


if __name__ == "__main__":
    main(*sys.argv[1:])
