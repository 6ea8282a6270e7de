"""Source records that a steward took for another thing stay with it, whatever is sent; undone, they go back."""

from collections.abc import Sequence

import pytest

from golden_records import redirects
from golden_records.record_links import RecordName
from mdm import merging
from mdm.merging import Decided, IdentityRefused
from tests.factories import NOW, Change, address, meter, mpan
from tests.integration.golden_records import worlds
from tests.integration.golden_records.conftest import Hub

KEY, OTHER = mpan(1), mpan(2)


def ids(hub: Hub, entity: str) -> list[int]:
    return [int(str(row[0])) for row in hub.rows(f"select golden_id from golden.{entity} order by golden_id")]


def name(hub: Hub, source: str, change: Change) -> RecordName:
    return RecordName(source_id=hub.sources[source], source_key=f"{change.relation}|{change.key}")


def separate(hub: Hub, golden_id: int, records: Sequence[RecordName]) -> int:
    return worlds.act(
        hub, lambda: merging.separate(hub.connection, records, golden_id=golden_id, decided=Decided(now=NOW))
    )


def rejoin(hub: Hub, golden_id: int) -> int:
    return worlds.act(hub, lambda: merging.rejoin(hub.connection, golden_id, decided=Decided(now=NOW)))


def owners(hub: Hub, source: str) -> list[tuple[object, ...]]:
    return hub.rows(
        "select distinct g.entity, golden_id from golden.source_record join golden.golden_record g using (golden_id)"
        " where source_id = %s order by 1, 2",
        hub.sources[source],
    )


def test_a_separated_meter_stays_apart_whatever_its_source_sends(hub: Hub) -> None:
    mine, theirs = meter(KEY, "S1", model="M1"), meter(OTHER, "S1", model="M2")
    hub.change("smrs10", mine)
    hub.change("mss", theirs)
    (together,) = ids(hub, "meter")
    apart = separate(hub, together, [name(hub, "mss", theirs)])
    hub.change("mss", theirs)
    hub.change("mss", meter(OTHER, "S1", model="M3"))
    assert hub.rows("select golden_id, model from golden.meter order by 1") == [(together, "M1"), (apart, "M3")]
    assert hub.rows("select key, origin from golden.crosswalk where golden_id = %s", apart) == [
        (f"LINK:{apart}", "MANUAL")
    ]


def test_a_separated_address_is_what_its_own_row_refers_to(hub: Hub) -> None:
    shared = [address(key, uprn=None, text="1 HIGH ST") for key in (KEY, OTHER)]
    hub.change("smrs10", *shared)
    (together,) = ids(hub, "address")
    apart = separate(hub, together, [name(hub, "smrs10", shared[1])])
    hub.change("smrs10", address(OTHER, uprn=None, text="1 HIGH ST", line_2="FLAT 2"))
    hub.change("smrs10", address(mpan(3), uprn=None, text="1 HIGH ST"))
    assert hub.rows(
        "select address_id from golden.metering_point p join golden.crosswalk using (golden_id) order by key"
    ) == [(together,), (apart,), (together,)]
    assert hub.rows("select line_2 from golden.address where golden_id = %s", apart) == [("FLAT 2",)]


def test_an_undone_separation_leaves_what_was_before_and_its_id_leads_back(hub: Hub) -> None:
    shared = [address(key, uprn=None, text="1 HIGH ST") for key in (KEY, OTHER)]
    hub.change("smrs10", *shared)
    before = worlds.state(hub)
    (together,) = ids(hub, "address")
    apart = separate(hub, together, [name(hub, "smrs10", shared[1])])
    hub.change("smrs10", shared[1])
    rejoin(hub, apart)
    assert worlds.state(hub) == before
    assert redirects.list_ends(hub.connection, [apart]) == {apart: together}


def test_a_record_whose_key_has_changed_meanwhile_goes_back_to_what_its_key_says(hub: Hub) -> None:
    hub.change("smrs10", meter(KEY, "S1"), meter(OTHER, "S2"))
    hub.change("mss", meter(KEY, "S1"))
    first, second = ids(hub, "meter")
    apart = separate(hub, first, [name(hub, "mss", meter(KEY, "S1"))])
    mistaken = meter(KEY, "S2")
    moved = Change(relation=mistaken.relation, key=meter(KEY, "S1").key, records=mistaken.records)
    hub.change("mss", moved)
    assert ids(hub, "meter") == [first, second, apart]
    rejoin(hub, apart)
    assert ("meter", second) in owners(hub, "mss")
    assert ids(hub, "meter") == [first, second]


def test_a_separated_record_can_be_merged_and_split_as_any_other(hub: Hub) -> None:
    hub.change("smrs10", meter(KEY, "S1"))
    hub.change("mss", meter(KEY, "S1"))
    (together,) = ids(hub, "meter")
    apart = separate(hub, together, [name(hub, "mss", meter(KEY, "S1"))])
    worlds.merge(hub, together, apart)
    hub.change("mss", meter(KEY, "S1", model="M9"))
    assert ids(hub, "meter") == [together]
    worlds.split(hub, apart)
    assert hub.rows("select model from golden.meter where golden_id = %s", apart) == [("M9",)]


def test_a_separation_of_everything_or_of_what_is_not_there_is_refused(hub: Hub) -> None:
    hub.change("smrs10", meter(KEY, "S1"))
    (only,) = ids(hub, "meter")
    with pytest.raises(IdentityRefused, match="Nothing would be left"):
        separate(hub, only, [name(hub, "smrs10", meter(KEY, "S1"))])
    with pytest.raises(IdentityRefused, match="do not stand under"):
        separate(hub, only, [name(hub, "mss", meter(KEY, "S1"))])
    with pytest.raises(IdentityRefused, match="not separated"):
        rejoin(hub, only)
