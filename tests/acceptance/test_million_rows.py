"""A source transaction too large for memory: visible at once or not at all, and the worker stays small (law 2).

However many rows it changes (MDM_TEST_ROWS), it is streamed while in progress, spooled, and mastered in parts.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from psycopg import errors

from tests.acceptance import bulk, oracle
from tests.acceptance.bulk import ROWS
from tests.acceptance.installation import Installation

POINTS = 1_000  # of the market; smrs10 has about half of them, and changes each many times
MOST_OCTETS = 500 * 2**20
SOURCE = "smrs10"

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(2 * bulk.PATIENCE)]

# Each round changes the tariff of every point: the last one is what everybody must see in the end. In the middle stands
# a round that is rolled back to a savepoint.
_CHANGE = """
do $body$
begin
    for round in 1 .. {rounds} loop
        update duos_tariff set tariff_id = case when round = {rounds} then '{tariff}' else 'T' || round % 90 end;
        if round = {rounds} / 2 then
            begin
                update duos_tariff set tariff_id = 'T99';
                raise exception 'not this round';
            exception when raise_exception then null;
            end;
        end if;
    end loop;
    {end}
end
$body$
"""
_SEEN = """
select (select count(*) from golden.metering_point where duos_tariff = %(tariff)s),
       (select sum(last_seq)::bigint from hub.view_head),
       exists (select from golden.journal where source_id = %(source)s and commit_lsn > %(since)s::pg_lsn)
"""
_JOURNALLED = "select count(*) from golden.journal where op = 'u'"

_ROLLED_BACK = """
select (select count(*) from golden.journal where payload ->> 'tariff_id' = 'T99')
       + (select count(*) from golden.golden_version where changed ->> 'duos_tariff' = 'T99')
"""

Seen = tuple[int, int, bool]


@dataclass(slots=True, kw_only=True)
class Watch:
    """What another session saw of golden records, feeds and journal, and what became of the worker meanwhile."""

    installed: Installation
    tariff: str
    seen: set[Seen] = field(default_factory=set)
    octets: int = 0
    spooled: bool = False
    began: threading.Event = field(default_factory=threading.Event)

    def look(self, stop: threading.Event) -> None:
        """Look until told to stop, and once more then."""
        since = "select commit_lsn::text from hub.checkpoint join golden.source_system using (source_id) where name = "
        known = {
            "tariff": self.tariff,
            "source": self.installed.one("select source_id from golden.source_system where name = %s", SOURCE),
            "since": self.installed.one(f"{since}%s", SOURCE),
        }
        with self.installed.connect_hub() as hub:
            is_over = False
            while not is_over:
                is_over = stop.wait(0.05)
                self.seen.update(hub.execute(_SEEN, known).fetchall())
                self.spooled |= spools(self.installed) > 0
                self.began.set()


@pytest.fixture(scope="module")
def installed(open_installation: Callable[..., Installation]) -> Iterator[Installation]:
    """A hub level with its sources, one of which streams what is in progress from the first kilobytes on."""
    installed = open_installation(POINTS, sources=(SOURCE, "mds"))
    with installed.connect(SOURCE) as source:
        source.execute(f"alter database {SOURCE} set logical_decoding_work_mem = '64kB'".encode())
    installed.environment |= {"MDM_BATCH_ROWS": str(min(20_000, ROWS // 8))}
    installed.start_workers()
    installed.await_caught_up()
    bulk.widen(installed, SOURCE)
    installed.await_caught_up()
    yield installed
    installed.stop_workers()


@contextmanager
def watching(installed: Installation, tariff: str) -> Iterator[Watch]:
    """Look all the while from a session of its own."""
    watch, stop = Watch(installed=installed, tariff=tariff), threading.Event()
    thread = threading.Thread(target=watch.look, args=(stop,), name="watch")
    thread.start()
    try:
        assert watch.began.wait(60)
        yield watch
    finally:
        stop.set()
        thread.join(60)
        watch.octets = peak(installed.process(SOURCE).pid)


def peak(pid: int) -> int:
    """Return the most memory that a process has held so far, in octets."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def spools(installed: Installation) -> int:
    """Return how many transactions in progress the worker keeps on the disk."""
    folder, count = str(installed.folder / "spool"), 0
    for descriptor in Path(f"/proc/{installed.process(SOURCE).pid}/fd").iterdir():
        try:
            count += str(descriptor.readlink()).startswith(folder)
        except FileNotFoundError:  # closed meanwhile
            continue
    return count


def change(installed: Installation, tariff: str, *, end: str = "") -> int:
    """Change ROWS rows in one transaction, or a few more; return how many."""
    rows, rounds = bulk.rounds(installed, SOURCE)
    with installed.connect(SOURCE) as source:
        source.execute(_CHANGE.format(rounds=rounds, tariff=tariff, end=end).encode())
    return rows * rounds


def test_a_large_transaction_becomes_visible_at_once(
    installed: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    before, began = installed.one(_JOURNALLED), time.monotonic()
    with watching(installed, "ZZZ") as watch:
        changed, written = change(installed, "ZZZ"), time.monotonic()
        installed.await_caught_up(seconds=bulk.PATIENCE)
    took = time.monotonic() - written
    with capsys.disabled():
        print(  # noqa: T201 - whoever runs it should see it
            f"\n{changed:,} rows in one transaction: written in {written - began:.0f} s, mastered {took:.0f} s later, "
            f"the worker held {watch.octets >> 20} MB at most"
        )
    assert watch.spooled
    assert watch.octets < MOST_OCTETS
    assert len(watch.seen) == 2, sorted(watch.seen)
    (none, first, is_begun), (every, last, is_done) = sorted(watch.seen)
    assert (none, is_begun, is_done) == (0, False, True)
    assert every == installed.one("select count(*) from golden.metering_point where duos_tariff is not null")
    assert last > first
    assert installed.one(_ROLLED_BACK) == 0
    assert installed.one(_JOURNALLED) - before == changed
    assert spools(installed) == 0
    oracle.assert_equal(installed)


def test_a_large_transaction_that_is_rolled_back_leaves_no_trace(installed: Installation) -> None:
    before = installed.one(_JOURNALLED)
    with watching(installed, "YYY") as watch:
        with pytest.raises(errors.RaiseException):
            change(installed, "YYY", end="raise exception 'not after all';")
        installed.await_caught_up()
    assert watch.spooled
    assert watch.octets < MOST_OCTETS
    assert len(watch.seen) == 1
    assert installed.one(_JOURNALLED) == before
    assert spools(installed) == 0
    oracle.assert_equal(installed)
