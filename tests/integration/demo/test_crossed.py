"""Meters that the simulated market crosses between neighbours are found as the pairs that they are."""

import threading
from collections import deque

from mdm import db, matching
from mdm.demo import faults
from mdm.demo.faults import Planter
from mdm.demo.market import Dsns
from mdm.demo.workload import Plan, Workload
from mdm.demo.writing import Writer
from mdm.matching import Scope
from tests.factories import Change, meter
from tests.integration.golden_records.conftest import Hub
from tests.integration.matching.conftest import hub

__all__ = ["hub"]  # the fixture

_FITTED = {
    "smrs10": "select mpan, meter_id, make from meter_detail where removed_on is null",
    "smrs20": "select mpan, meter_id, make from meter_detail where removed_on is null",
    "mss": "select mpxn, serial_no, manufacturer from device where removed_on is null",
    "msa": "select mpan_core::text, meter_serial, meter_make from meter where remove_date is null",
    "mds": "select mpan, meter_serial, null from settlement_meter where to_date is null",
}


def fitted(dsns: Dsns, source: str) -> list[Change]:
    with db.connect(dsns[source]) as connection:
        rows = connection.execute(_FITTED[source].encode()).fetchall()
    return [meter(mpan, serial, make=make) for mpan, serial, make in rows]


def test_every_pair_that_was_crossed_is_found_and_no_other(hub: Hub, market_dsns: Dsns) -> None:
    with Writer(market_dsns) as writer:
        workload = Workload(writer, Plan(seed=5, changes=300, rate=None, faults=1.0))
        workload._planter = Planter(_kinds=deque([faults._crossed_meters]))
        planted = workload.run(threading.Event()).faults
    for source in _FITTED:
        hub.change(source, *fitted(market_dsns, source))

    matching.run(hub.connection, Scope())

    found = hub.rows(
        "select l.key, r.key from golden.match m join golden.crosswalk l on l.golden_id = m.left_id"
        " join golden.crosswalk r on r.golden_id = m.right_id where m.kind = 'crossed' and m.state = 'open'"
    )
    assert len(planted) > 10
    assert {frozenset(map(str, pair)) for pair in found} == {frozenset(fault.mpans) for fault in planted}
