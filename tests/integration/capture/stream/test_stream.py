"""The connection stays alive whatever the consumer does, lets WAL go, and goes on exactly where the hub stands."""

import itertools
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mdm import db
from mdm.capture import replication, slots, stream
from mdm.capture.backlog import Limits
from mdm.capture.errors import SourceDisconnected, StreamClosed
from mdm.capture.frames import Batch
from mdm.capture.lsn import Lsn
from mdm.capture.stream import ChangeStream
from tests.clusters import Clusters
from tests.integration.capture.stream.source_under_test import SMALL_MEMORY, Source, up_to_end, wait_until
from tests.unit.capture import flat

IMPATIENT = {"wal_sender_timeout": "1s"}


def next_changes(opened: ChangeStream) -> Batch:
    for _ in range(100):
        batch = opened.next_batch(timeout=0.3)
        if batch is not None and batch.tables:
            return batch
    raise AssertionError("no change came")


def test_a_consumer_slower_than_the_senders_patience_is_waited_for(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    with source.stream(options=IMPATIENT) as opened:
        source.execute("insert into point values ('1')")
        next_changes(opened)
        time.sleep(2.5)  # the consumer masters; nothing but the passing of time can show that nobody hangs up
        source.execute("insert into point values ('2')")
        assert next_changes(opened).tables[0].after["mpan"].to_list() == ["2"]


def not_awaited(opened: ChangeStream, *, looks: int = 4) -> list[Batch]:
    """Return the batches with changes that come although nobody awaits them."""
    batches = [opened.next_batch(timeout=0.3, is_awaited=lambda: False) for _ in range(looks)]
    return [batch for batch in batches if batch is not None and batch.tables]


def test_few_changes_gather_until_they_are_awaited_and_many_do_not_wait(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    with source.stream() as opened:
        source.execute("insert into point values ('1')")
        kept = not_awaited(opened)
        source.execute("insert into point values ('2')")
        kept += not_awaited(opened)
        gathered = next_changes(opened).tables[0].after["mpan"].to_list()
        source.execute("insert into point select n::text from generate_series(3, 2500) n")
        wait_until(lambda: bool(not_awaited(opened, looks=1)))
    assert (kept, gathered) == ([], ["1", "2"])


def test_changes_gather_the_longer_the_longer_the_last_batch_took(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    with source.stream() as opened:
        source.execute("insert into point values ('1')")
        next_changes(opened)
        time.sleep(0.4)  # the consumer masters
        at_once = [opened.next_batch(timeout=0.0)]
        source.execute("insert into point values ('2')")
        began = time.monotonic()
        next_changes(opened)
        waited = time.monotonic() - began
        source.execute("insert into point values ('3')")
        began = time.monotonic()
        next_changes(opened)
        next_waited = time.monotonic() - began
    assert [batch for batch in at_once if batch is not None and batch.tables] == []
    assert (waited >= 0.24, next_waited < 0.2) == (True, True), (waited, next_waited)


def test_a_full_queue_holds_the_source_back_and_keeps_it_patient(source: Source) -> None:
    source.publish("create table point (mpan text primary key, note text)")
    source.execute("insert into point select n::text, repeat('x', 1000) from generate_series(1, 5000) n")
    connection = replication.connect(f"{source.dsn}&options=-c%20wal_sender_timeout%3D1s")
    opened = replication.start(connection, source.request, at=source.at, queue_octets=100_000)
    time.sleep(2.5)  # as above
    octets = [0]
    while octets[-1] < 5_000_000:
        arrival = opened.take(timeout=5)
        assert arrival is not None
        octets.append(octets[-1] + arrival.wire.size)
    opened.close()
    assert max(after - before for before, after in itertools.pairwise(octets)) < 2_000_000


def test_an_idle_source_gets_its_wal_back(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_BETWEEN_IDLE_BATCHES", 0.2)
    source.publish("create table point (mpan text primary key)", "create unlogged table elsewhere (id int)")
    source.execute("drop publication mdm", "create publication mdm for table point")
    with source.stream() as opened:
        source.execute("create table busy as select n from generate_series(1, 10000) n")
        end = source.wal_end()
        batch = None
        while batch is None or batch.end_lsn < end:
            batch = opened.next_batch(timeout=1) or batch
            if batch is not None:
                assert batch.complete
                assert batch.tables == ()
                opened.confirm(batch.end_lsn)
        wait_until(lambda: (source.slot().confirmed_flush_lsn or 0) >= end)


def test_nothing_is_let_go_while_a_batch_is_not_confirmed(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_BETWEEN_IDLE_BATCHES", 0.05)
    monkeypatch.setattr(replication, "_LONGEST_SILENCE", 0.05)
    source.publish("create table point (mpan text primary key)")
    with source.stream() as opened:
        source.execute("insert into point values ('1')")
        batch = next_changes(opened)
        before = source.slot().confirmed_flush_lsn
        source.execute("create table busy as select n from generate_series(1, 1000) n")
        while (idle := opened.next_batch(timeout=1)) is None:
            pass
        assert idle.end_lsn > batch.end_lsn
        assert source.slot().confirmed_flush_lsn == before


def test_what_is_confirmed_reaches_the_slot_and_never_moves_back(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    with source.stream() as opened:
        source.execute("insert into point values ('1')")
        batch = next_changes(opened)
        opened.confirm(batch.end_lsn)
        opened.confirm(Lsn(1))
        wait_until(lambda: source.slot().confirmed_flush_lsn == batch.end_lsn)


def test_the_last_confirmation_is_sent_before_the_stream_is_closed(source: Source) -> None:
    source.publish("create table point (mpan text primary key)")
    with source.stream() as opened:
        source.execute("insert into point values ('1')")
        end = next_changes(opened).end_lsn
        opened.confirm(end)
    wait_until(lambda: not source.slot().is_active)
    assert source.slot().confirmed_flush_lsn == end
    with pytest.raises(StreamClosed):
        opened.next_batch(timeout=1)


def test_a_stream_opened_again_and_again_gives_every_change_once(source: Source) -> None:
    source.publish("create table point (mpan text primary key, by text)")
    dice = random.Random(7)
    for number in range(60):
        rows = dice.choice([1, 2, 30, 1500])
        source.execute(f"insert into point select '{number}-' || n, '{number}' from generate_series(1, {rows}) n")
    source.execute("select pg_logical_emit_message(false, 'end of test', '')")
    found: list[Batch] = []
    for committed in _until_ended(source, dice):
        found += committed
    expected = source.connection.execute("select mpan, by from point order by by::int, split_part(mpan, '-', 2)::int")
    changes = flat.changes(found)
    assert [change.after for change in changes] == expected.fetchall()
    assert len({(change.commit_lsn, change.ordinal) for change in changes}) == len(changes)


def _until_ended(source: Source, dice: random.Random) -> Iterator[list[Batch]]:
    """Take what a worker would have committed that dies after a few batches, perhaps before it confirms."""
    while True:
        parts: list[Batch] = []
        with source.stream(limits=Limits(rows=500), options=dice.choice([SMALL_MEMORY, {}])) as opened:
            for batch in itertools.islice(up_to_end(opened), dice.randint(1, 12)):
                parts.append(batch)
                if batch.complete:
                    yield parts
                    parts, source.at = [], batch.end_lsn
                    if dice.random() < 0.5:
                        opened.confirm(batch.end_lsn)
                    if any(message.prefix == "end of test" for message in batch.messages):
                        return
        wait_until(lambda: not source.slot().is_active)


def test_a_snapshot_and_the_stream_behind_it_make_up_every_row_once(source: Source) -> None:
    source.execute("create table point (mpan text primary key)", "create publication mdm for table point")
    source.execute("insert into point values ('before')")
    with slots.create(replication.connect(source.dsn), source.request) as made:
        source.execute("insert into point values ('after')")
        with db.connect(source.dsn) as reader, reader.transaction():
            reader.execute("set transaction isolation level repeatable read")
            reader.execute(f"set transaction snapshot '{made.snapshot}'".encode())
            assert reader.execute("select mpan from point").fetchall() == [("before",)]
        source.at = made.consistent_point
    assert [change.after for change in source.changes()] == [("after",)]


def test_a_source_that_shuts_down_is_let_go_at_once(session_clusters: Clusters, tmp_path: Path) -> None:
    server = session_clusters.start("closing")
    with db.connect(server.dsn()) as connection:
        source = Source(dsn=server.dsn(), spool=tmp_path, connection=connection)
        source.publish("create table point (mpan text primary key)")
        opened = stream.start(replication.connect(source.dsn), source.request, at=source.at, spool_folder=tmp_path)
        source.execute("insert into point values ('1')")
    consumer = threading.Thread(target=_confirm_everything, args=[opened])
    consumer.start()
    started = time.monotonic()
    session_clusters.remove("closing")
    assert time.monotonic() - started < 15  # wal_sender_timeout is a minute
    consumer.join()


def _confirm_everything(opened: ChangeStream) -> None:
    with suppress(SourceDisconnected), opened:
        while True:
            batch = opened.next_batch(timeout=0.1)
            if batch is not None:
                opened.confirm(batch.end_lsn)


def test_a_million_rows_in_one_transaction_take_little_memory(source_18: Source) -> None:
    source_18.publish("create table point (id int primary key, mpan text, note text, at timestamptz, flag bool)")
    source_18.execute(
        """insert into point select n, '10' || lpad(n::text, 11, '0'), 'a note of some length', now(), true
        from generate_series(1, 1000000) n""",
        "select pg_logical_emit_message(false, 'end of test', '')",
    )
    script = Path(__file__).with_name("count_changes.py")
    arguments = [source_18.dsn, source_18.request.slot, str(source_18.at), str(source_18.spool)]
    ended = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=True)
    rows, growth = map(int, ended.stdout.split())
    assert rows == 1_000_000
    assert growth < 100 << 20
    assert list(source_18.spool.iterdir()) == []
