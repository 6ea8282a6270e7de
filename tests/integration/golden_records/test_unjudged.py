"""What was mastered together is judged afterwards, as it stands then, and by one at a time."""

import threading
from collections.abc import Callable

import psycopg
import pytest

from golden_records import unjudged
from mdm import mastering
from mdm.capture import judging
from tests import factories
from tests.factories import Transaction, mpan, point
from tests.integration.golden_records.conftest import Hub
from tests.integration.golden_records.market_facts import linked
from tests.integration.golden_records.test_together import master, put, take
from tests.integration.golden_records.verdicts_of import audited, open_violations
from tests.refusing import refusing


def master_together(hub: Hub, lsn: int, *changes: factories.Change) -> None:
    """Master changes of one source as the lane does."""
    with hub.connection.transaction():
        put(hub, [("smrs10", Transaction(lsn=lsn, changes=list(changes)))])
        master(hub, take(hub))


def doubtful(hub: Hub, *keys: str) -> None:
    """Master points against which a rule speaks once they change: their links lead nowhere."""
    master_together(hub, 100, *(linked(key, mpan(599), "SECONDARY") for key in keys))
    master_together(hub, 200, *(direction(key, "E") for key in keys))


def direction(key: str, energy_direction: str) -> factories.Change:
    return point(key, "direction", energy_direction=energy_direction)


def test_what_is_mastered_together_is_judged_afterwards(hub: Hub) -> None:
    doubtful(hub, mpan(501))
    assert open_violations(hub) == set()
    assert unjudged.count(hub.connection) > 0
    judging.judge(hub.connection)
    assert open_violations(hub) == audited(hub) != set()
    assert unjudged.count(hub.connection) == 0
    assert hub.value("select count(*) from hub.task where kind = 'violation'") == len(open_violations(hub))


def test_nothing_is_judged_while_another_judges_what_it_masters(open_hub: Callable[[], Hub]) -> None:
    hub, other = open_hub(), open_hub()
    doubtful(hub, mpan(502))
    with other.connection.transaction():
        mastering.apply(other.connection, factories.batch(other.sources["smrs10"], Transaction(lsn=7, changes=[])))
        other.connection.execute(unjudged.HOLD_OFF)
        with pytest.raises(psycopg.errors.LockNotAvailable), hub.connection.transaction():
            mastering.judge(hub.connection, notes=50)
        judging.judge(hub.connection)
        assert unjudged.are_any(hub.connection)
    judging.judge(hub.connection)
    assert not unjudged.are_any(hub.connection)
    assert open_violations(hub) == audited(hub)


def test_whoever_judges_what_it_masters_waits_for_what_is_being_judged(open_hub: Callable[[], Hub]) -> None:
    hub, other = open_hub(), open_hub()
    key = mpan(503)
    doubtful(hub, key)
    judged = threading.Event()

    def withdraw() -> None:
        with other.connection.transaction():
            change = direction(key, "I")
            mastering.apply(
                other.connection, factories.batch(other.sources["smrs10"], Transaction(lsn=9_000, changes=[change]))
            )
        judged.set()

    with hub.connection.transaction():
        assert mastering.judge(hub.connection, notes=50)
        waiting = threading.Thread(target=withdraw)
        waiting.start()
        assert not judged.wait(0.5)
    waiting.join(10)
    assert judged.is_set()
    assert open_violations(hub) == audited(hub)


def test_a_record_that_cannot_be_judged_is_named_in_the_log_and_the_rest_is_judged(
    hub: Hub, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [mpan(510 + place) for place in range(4)]
    doubtful(hub, *keys)
    refused = hub.value("select min(golden_id) from golden.metering_point")
    hub.connection.execute(refusing("golden.violation", f"new.golden_id = {refused}"))
    judging.judge(hub.connection)
    assert not unjudged.are_any(hub.connection)
    against = {golden_id for _, golden_id, *_ in open_violations(hub)}
    assert refused not in against
    assert len(against) == len(keys) - 1
    said = caplog.text + capsys.readouterr().out
    assert "verdict.refused" in said
    assert str(refused) in said
