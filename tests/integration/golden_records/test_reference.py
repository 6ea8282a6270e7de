"""Reference data that ships with the package: written by every command that starts, side by side."""

import threading

from golden_records import reference, rows
from mdm import db
from mdm.embedded import EmbeddedServer
from tests import databases
from tests.acceptance import waiting


def test_two_commands_that_start_at_once_write_the_standing_data_one_after_the_other(hub_dsn: str) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        try:
            with db.connect(hub_dsn) as second, db.transaction(second):
                reference.write_standing(second)
        except BaseException as failure:  # noqa: BLE001 - told by the test
            failures.append(failure)

    thread = threading.Thread(target=start)
    with db.connect(hub_dsn) as first:
        with db.transaction(first):
            reference.write_standing(first)
            thread.start()
            waits = "select exists (select from pg_locks where not granted and (locktype = 'transactionid'"
            with db.connect(hub_dsn) as observer:
                query = f"{waits} or relation = 'golden.catalogue_item'::regclass))"
                waiting.until(lambda: rows.single(observer, query), seconds=20, what="a second that waits")
        thread.join(20)
        assert failures == []
        assert rows.single(first, "select count(*) from golden.catalogue_item") > 0


def test_a_new_hub_knows_every_distributors_area_and_no_participant(hub_server: EmbeddedServer) -> None:
    with databases.fresh(hub_server) as dsn:
        db.upgrade(dsn)
        with db.connect(dsn) as connection, db.transaction(connection):
            reference.write_standing(connection)
            assert rows.single(connection, "select count(distinct distributor) from golden.distributor_area") == 29
            assert rows.single(connection, "select count(*) from golden.participant") == 0
