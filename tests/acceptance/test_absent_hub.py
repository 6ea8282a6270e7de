"""A hub that was away while its sources wrote, and tables that were altered meanwhile: in the end all is level.

A source changes MDM_TEST_ROWS rows meanwhile: half of them in one transaction, half in many.
"""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance import bulk, journal_audit, oracle, waiting
from tests.acceptance.installation import Installation
from tests.acceptance.load import Load

SOURCES = ("smrs10", "mss", "mds")
OF_ALL_KINDS = 2_000  # changes that the demo's workload makes meanwhile

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(2 * bulk.PATIENCE)]

_MANY = """
do $body$
begin
    for round in 1 .. {rounds} loop
        update duos_tariff set tariff_id = 'T' || round % 90;
        {end}
    end loop;
end
$body$
"""


@pytest.fixture(scope="module")
def market(open_installation: Callable[..., Installation]) -> Installation:
    return open_installation(600, sources=SOURCES)


@pytest.fixture
def streaming(market: Installation) -> Iterator[Installation]:
    """A market whose sources are being streamed."""
    market.start_workers()
    market.await_caught_up()
    yield market
    market.stop_workers()


def write_of_all_kinds(installed: Installation, *, seed: int) -> None:
    """Let the market change as it does, in small transactions."""
    with Load(installed, seed=seed, rate=None) as load:
        waiting.until(lambda: load.changes > OF_ALL_KINDS, seconds=120, what="changes of the market")


def write_many(installed: Installation) -> int:
    """Change ROWS rows of one table, half of them in one transaction and half in many; return how many."""
    bulk.widen(installed, "smrs10")
    rows, rounds = bulk.rounds(installed, "smrs10")
    with installed.connect("smrs10") as source:
        source.execute(_MANY.format(rounds=rounds // 2, end="").encode())
        source.execute(_MANY.format(rounds=rounds // 2, end="commit;").encode())
    return rows * (rounds // 2) * 2


def test_a_hub_and_workers_that_were_away_while_the_sources_wrote_catch_up(
    streaming: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    streaming.stop_workers()
    streaming.kill_server(streaming.hub)
    write_of_all_kinds(streaming, seed=51)
    changed = write_many(streaming)
    streaming.revive_hub()
    began = time.monotonic()
    streaming.start_workers()
    streaming.await_caught_up(seconds=bulk.PATIENCE)
    with capsys.disabled():
        print(f"\n{changed:,} rows were written meanwhile, mastered in {time.monotonic() - began:.0f} s")  # noqa: T201
    oracle.assert_equal(streaming)


def test_workers_outlive_a_hub_that_was_killed_and_catch_up(streaming: Installation) -> None:
    streaming.kill_server(streaming.hub)
    write_of_all_kinds(streaming, seed=53)
    assert all(streaming.ended(source) is None for source in SOURCES)
    streaming.revive_hub()
    streaming.await_caught_up()
    oracle.assert_equal(streaming)


def test_columns_may_be_added_and_dropped_while_the_hub_is_away(streaming: Installation) -> None:
    streaming.stop_workers()
    with Load(streaming, seed=57, rate=300), streaming.connect("mss") as source:
        source.execute("update site set access_note = 'before'")
        source.execute("alter table site add column letter_box text default 'front'")
        source.execute("update site set access_note = 'between', letter_box = 'back'")
        source.execute("alter table site drop column access_note")
        source.execute("alter table site alter column address_line_1 type text")
        source.execute("update site set letter_box = 'none'")
    streaming.start_workers()
    streaming.await_caught_up()
    oracle.assert_equal(streaming)
    payload = "select payload from golden.journal where relation = 'public.site' order by change_id desc limit 1"
    assert streaming.one(payload)["letter_box"] == "none"


def test_a_mapped_column_that_is_renamed_stops_its_source_alone_and_nothing_is_lost(streaming: Installation) -> None:
    with streaming.connect("mss") as source:
        source.execute("alter table device rename column serial_no to serial_number")
        source.execute("update device set model = model")
        refusal = streaming.await_refusal("mss")
        assert "public.device no longer has the mapped column serial_no" in refusal
        held = streaming.one("select count(*) from golden.meter")
        source.execute("alter table device rename column serial_number to serial_no")
    assert streaming.ended("smrs10") is None
    streaming.start_worker("mss")
    refusal = streaming.await_refusal("mss")
    assert "mdm source reload mss --new-slot" in refusal
    streaming.run("source", "reload", "mss", "--new-slot")
    streaming.start_worker("mss")
    streaming.await_caught_up()
    assert streaming.one("select count(*) from golden.meter") == held
    with streaming.connect("mss") as source:
        loaded = {"mss": journal_audit.newest(source)}
    with Load(streaming, seed=59, rate=300) as load:
        waiting.until(lambda: load.changes > 300, seconds=60, what="changes of the market")
    streaming.await_caught_up()
    oracle.assert_equal(streaming, loaded=loaded)
