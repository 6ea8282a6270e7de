"""What PostgreSQL refuses, although mapping and rules let it pass: held back alone, wherever it comes from."""

from tests.acceptance import golden_state
from tests.integration.capture.worker.rig import Rig, mpan_list, wait_for
from tests.refusing import refusing

REFUSE = refusing("golden.source_record", "new.item_values ->> 'duos_tariff' = 'BAD'", on="insert or update")
REFUSE_PAYLOAD = refusing("golden.journal_change", "new.payload ->> 'tariff' = 'BAD'", sqlstate="54000")


def held(rig: Rig) -> list[tuple[str, str]]:
    return rig.hub.execute("select source_key, reason from golden.quarantine where closed_at is null").fetchall()


def test_a_change_that_is_refused_is_held_back_and_all_others_of_its_transaction_pass(rig: Rig) -> None:
    rig.fill(60)
    running = rig.start()
    rig.await_agreement()
    rig.hub.execute(REFUSE)
    bad = mpan_list(0, 60)[17]
    with rig.source.transaction():
        rig.source.execute("update tariff set tariff = 'OLD' where effective_from = '2021-01-01'")
        rig.source.execute("update tariff set tariff = 'NEW' where effective_from = '2021-01-01'")
        rig.source.execute("update tariff set tariff = 'BAD' where effective_from = '2021-01-01' and mpan = %s", [bad])
        rig.source.execute("delete from area where mpan = %s", [bad])
    wait_for(lambda: held(rig), seconds=30)
    assert rig.one("select count(*) from golden.metering_point where duos_tariff = 'NEW'") == 60
    assert rig.one("select count(*) from golden.golden_version where changed ->> 'duos_tariff' = 'OLD'") == 0
    assert held(rig) == [
        (f"public.tariff|{bad}|2021-01-01", "refused by PostgreSQL: NumericValueOutOfRange (SQLSTATE 22003)")
    ]
    rig.source.execute("update tariff set tariff = 'OK' where mpan = %s", [bad])
    rig.await_agreement()
    assert held(rig) == []
    assert running.failure == []


def test_a_row_that_is_refused_in_the_first_load_is_held_back(rig: Rig) -> None:
    rig.fill(40)
    bad = mpan_list(0, 40)[3]
    rig.source.execute("update tariff set tariff = 'BAD' where effective_from = '2021-01-01' and mpan = %s", [bad])
    rig.hub.execute(REFUSE)
    rig.start()
    wait_for(lambda: rig.state() == "streaming", seconds=30)
    assert [key for key, _ in held(rig)] == [f"public.tariff|{bad}|2021-01-01"]
    assert rig.one("select count(*) from golden.source_record where source_id = %s", rig.captured.source_id) == 119


def test_a_change_that_no_journal_takes_is_held_without_its_payload(rig: Rig) -> None:
    rig.fill(20)
    running = rig.start()
    rig.await_agreement()
    rig.hub.execute(REFUSE_PAYLOAD)
    bad = mpan_list(0, 20)[5]
    with rig.source.transaction():
        rig.source.execute("update tariff set tariff = 'NEW' where effective_from = '2021-01-01' and mpan <> %s", [bad])
        rig.source.execute("update tariff set tariff = 'BAD' where effective_from = '2021-01-01' and mpan = %s", [bad])
    wait_for(lambda: held(rig), seconds=30)
    assert rig.one("select count(*) from golden.metering_point where duos_tariff = 'NEW'") == 19
    assert held(rig) == [
        (
            f"public.tariff|{bad}|2021-01-01",
            "refused by PostgreSQL: ProgramLimitExceeded (SQLSTATE 54000), payload included",
        )
    ]
    assert rig.one("select count(*) from golden.journal where op = 'u' and payload is null") == 1
    assert list(golden_state.differences(rig.hub)) == []
    assert running.failure == []
