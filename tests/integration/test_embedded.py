"""The embedded server: starts, survives, recovers, and says what to do when it cannot."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest

from mdm import cluster, db, embedded, hub
from mdm.embedded import EmbeddedError, EmbeddedServer
from mdm.settings import Settings

Start = Callable[[str], EmbeddedServer]


def setting(server: EmbeddedServer, name: str) -> str:
    with db.connect(server.dsn()) as connection:
        row = connection.execute("select current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def test_server_is_ready_for_logical_replication(hub_server: EmbeddedServer) -> None:
    assert setting(hub_server, "wal_level") == "logical"
    assert setting(hub_server, "max_replication_slots") == "32"
    assert setting(hub_server, "synchronous_commit") == "on"
    assert setting(hub_server, "data_checksums") == "on"
    assert setting(hub_server, "server_encoding") == "UTF8"


def test_text_is_ordered_by_code_point_and_upper_knows_unicode(hub_server: EmbeddedServer) -> None:
    with db.connect(hub_server.dsn()) as connection:
        row = connection.execute("select 'a' < 'B', upper('straße é')").fetchone()
    assert row == (False, "STRAßE É")


def test_tcp_asks_for_the_password(hub_server: EmbeddedServer) -> None:
    with psycopg.connect(hub_server.tcp_dsn()) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(hub_server.tcp_dsn().replace(hub_server.password, "wrong"))


def test_password_is_open_to_the_owner_alone(hub_server: EmbeddedServer) -> None:
    assert hub_server.password not in hub_server.dsn()
    assert (hub_server.folder / "password").stat().st_mode & 0o077 == 0


def test_starting_twice_gives_the_same_server(start_durable: Start) -> None:
    first, second = start_durable("twice"), start_durable("twice")
    assert (first.pid, first.port) == (second.pid, second.port)
    assert first.started_here
    assert not second.started_here


def test_rows_and_port_are_kept_between_runs(start_durable: Start) -> None:
    first = start_durable("kept")
    dsn = first.ensure_database("kept")
    with db.connect(dsn) as connection:
        connection.execute("create table seen (at int)")
    first.stop()
    assert not first.is_running()
    second = start_durable("kept")
    assert second.port == first.port
    with db.connect(second.ensure_database("kept")) as connection:
        assert connection.execute("select count(*) from seen").fetchone() == (0,)


def test_committed_rows_survive_a_kill_of_the_postmaster(start_durable: Start) -> None:
    server = start_durable("killed")
    with db.connect(server.dsn()) as connection:
        connection.execute("create table seen as select generate_series(1, 1000) as n")
        os.kill(server.pid, signal.SIGKILL)
    revived = start_durable("killed")
    assert revived.pid != server.pid
    with db.connect(revived.dsn()) as connection:
        assert connection.execute("select count(*) from seen").fetchone() == (1000,)


def test_a_busy_orphan_of_a_killed_server_does_not_keep_the_next_from_starting(start_durable: Start) -> None:
    server = start_durable("orphan")
    with closing(db.connect(server.dsn())) as connection:
        backend = connection.info.backend_pid
        connection.pgconn.send_query(b"do $$ declare n bigint := 0; begin loop n := n + 1; end loop; end $$")
        os.kill(server.pid, signal.SIGKILL)
        assert start_durable("orphan").pid != server.pid
        assert not psutil.pid_exists(backend)


def test_a_lock_file_with_a_strangers_process_id_is_not_believed(start_durable: Start) -> None:
    server = start_durable("stale")
    lock = (server.folder / "postmaster.pid").read_text().splitlines()
    server.stop()
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with stranger:
        (server.folder / "postmaster.pid").write_text("\n".join([str(stranger.pid), *lock[1:]]))
        assert start_durable("stale").is_running()
        assert stranger.poll() is None


def test_a_taken_port_is_exchanged_for_a_free_one(start_durable: Start) -> None:
    server = start_durable("port")
    server.stop()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", server.port))
        taken.listen()
        assert start_durable("port").port != server.port


def test_a_server_started_elsewhere_is_left_running_by_the_context_manager(start_durable: Start) -> None:
    server = start_durable("shared")
    with start_durable("shared"):
        pass
    assert server.is_running()
    with server:
        pass
    assert not server.is_running()


def test_a_server_outlives_the_process_that_started_it(start_durable: Start) -> None:
    server = start_durable("outlives")
    server.stop()
    program = f"from mdm import embedded; from pathlib import Path; embedded.start(Path({str(server.folder)!r}))"
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert embedded.find(server.folder)


def test_an_interrupted_creation_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / ".begun.unfinished").mkdir()
    (tmp_path / ".begun.unfinished" / "PG_VERSION").write_text("18\n")
    with embedded.start(tmp_path / "begun") as server:
        assert server.is_running()


def test_a_path_too_long_for_a_socket_is_served_from_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / "hub"
    with embedded.start(folder) as server:
        assert server.socket_folder != server.folder
        assert setting(server, "port") == str(server.port)
    assert not server.socket_folder.exists()


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear reader")
    with pytest.raises(EmbeddedError, match="MDM_DATA_FOLDER"):
        embedded.start(tmp_path)


def test_a_fault_of_the_server_is_told_with_its_own_words(start_durable: Start) -> None:
    server = start_durable("fault")
    server.stop()
    with pytest.raises(EmbeddedError, match="unrecognized configuration parameter"):
        embedded.start(server.folder, settings={"no_such_setting": "1"})


def test_stopping_what_does_not_run_says_so(tmp_path: Path) -> None:
    assert not embedded.stop(tmp_path / "nothing")
    assert embedded.find(tmp_path / "nothing") is None


def test_the_log_holds_no_statement_and_no_value(start_durable: Start) -> None:
    server = start_durable("log")
    with db.connect(server.dsn()) as connection:
        connection.execute("create table point (mpan text constraint one primary key)")
        connection.execute("insert into point values ('1012345678901')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("insert into point values ('1012345678901')")
    log = cluster.log(server.folder).read_text()
    assert "violates unique constraint" in log
    assert "1012345678901" not in log


def test_a_15_takes_the_same_settings(server_15: EmbeddedServer) -> None:
    assert setting(server_15, "server_version_num").startswith("15")
    assert setting(server_15, "wal_level") == "logical"


def test_a_server_without_a_hub_in_it_sends_to_init(tmp_path: Path) -> None:
    chosen = Settings(data_folder=tmp_path, database_url=None)
    with embedded.start(chosen.hub_folder) as server:
        with pytest.raises(hub.HubAbsent, match="run 'mdm init'"):
            hub.running_dsn(chosen)
        server.ensure_database(hub.DATABASE)
        assert hub.running_dsn(chosen) == server.dsn(hub.DATABASE)
