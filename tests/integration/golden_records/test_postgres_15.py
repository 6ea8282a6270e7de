"""The golden store on the oldest PostgreSQL that it promises to run on."""

from golden_records import reference
from mdm import db, mastering
from tests.factories import address, appointment, meter, mpan, point
from tests.integration.golden_records.conftest import SYSTEMS, Hub

KEY = mpan(1)


def test_changes_are_mastered_held_back_and_put_through_again(postgres15: str) -> None:
    db.upgrade(postgres15)
    with db.connect(postgres15) as connection:
        mastering.tune(connection)
        with db.transaction(connection):
            reference.write_standing(connection)
            sources = {system.name: reference.register(connection, system) for system in SYSTEMS}
        hub = Hub(connection=connection, sources=sources)

        hub.change("smrs10", point(KEY, mpan_status="R"), point(KEY, "segment", market_segment="A"))
        hub.change("smrs10", appointment(KEY), address(KEY, uprn="1", text="1 HIGH ST"), meter(KEY, "S1"))
        assert hub.rows("select rule from golden.quarantine where closed_at is null") == [(14,)]
        hub.change("smrs10", point(KEY, "segment", market_segment="S"))
        hub.change("mds", meter(KEY, "S 1", make=None, location="A"))

        assert hub.rows("select outcome from golden.quarantine") == [("mastered",)]
        assert hub.rows("select mpan, market_segment from golden.metering_point") == [(KEY, "S")]
        assert hub.value("select count(*) from golden.meter") == 1
        assert hub.value("select count(*) from hub.feed") > 0  # type: ignore[operator]
