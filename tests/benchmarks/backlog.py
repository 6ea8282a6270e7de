"""Changes that wait at the sources while no worker runs, and the slots that keep them for a second reader."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mdm import db
from mdm.demo import workload
from mdm.demo.market import Source
from tests.benchmarks.installation import Installation


def write(installation: Installation, changes: int, *, seed: int) -> Mapping[Source, int]:
    """Let the market change lawfully, by so many rows, as fast as it can; return the rows of each source."""
    return workload.run(installation.dsns, changes=changes, rate=None, seed=seed).changes_by_source


@contextmanager
def second_slot(installation: Installation, source: str) -> Iterator[str]:
    """Keep a slot of our own at a source from here on; give its name."""
    slot = f"bench_{source}"
    with db.connect(installation.dsns[source]) as connection:
        connection.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])
        try:
            yield slot
        finally:
            left = """select pg_terminate_backend(active_pid, 5000) from pg_replication_slots
                      where slot_name = %s and active_pid is not null"""
            connection.execute(left, [slot])
            connection.execute("select pg_drop_replication_slot(%s)", [slot])
