"""Records whose keys are known are copied, and come out as those whose keys are looked up."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings

from golden_records.known_keys import KnownKeys
from mdm import assembling, claiming, merging
from mdm.batches import MappedBatch
from mdm.merging import Decided, Merge
from tests import factories
from tests.factories import NOW, Change, Transaction, address, appointment, meter, mpan, point
from tests.integration.golden_records.conftest import Hub
from tests.integration.golden_records.test_first import Load, loads

KEY = mpan(1)
# Change ids are numbered by what was loaded before; the number within the part and the source are the same.
_RECORDS = """
select golden_id, item_group, source_id, source_key, own_id, effective_from, effective_to, item_values::text,
       (change_id >> 10) & 32767
from golden.source_record order by 3, 4, 2
"""
_HELD = """
select source_id, source_key, item_group, rules, reason, point_key, other_key, record ->> 'key'
from golden.quarantine order by 1, 2, 3
"""
_LISTED = """
select distinct pass, l.golden_id, point_id
from golden.loaded, unnest(golden_ids, point_ids) l (golden_id, point_id)
join golden.source_record r on r.golden_id = l.golden_id order by 1, 2, 3
"""
_DUMPED = (_RECORDS, _HELD, _LISTED, "select count(*) from golden.journal")


def _batch(hub: Hub, source: str, *changes: Change) -> MappedBatch:
    return factories.batch(hub.sources[source], Transaction(changes=changes))


def _claim(hub: Hub, keys: KnownKeys, batch: MappedBatch) -> None:
    marked = replace(batch, records=keys.mark(batch.records))
    chosen = keys.present_unknown(marked.records)
    if chosen.any():
        with hub.connection.transaction():
            owned = claiming.claim_loaded(hub.connection, marked, chosen.to_list())
        keys.learn(owned)


def _marked(keys: KnownKeys, batch: MappedBatch) -> MappedBatch:
    return replace(batch, records=keys.mark(batch.records))


def _load(hub: Hub, keys: KnownKeys, batch: MappedBatch) -> None:
    _claim(hub, keys, batch)
    with hub.connection.transaction():
        assembling.load(hub.connection, _marked(keys, batch))


def _loaded(hub: Hub, batches: Sequence[MappedBatch]) -> list[list[tuple[object, ...]]]:
    with hub.connection.transaction(force_rollback=True):
        for batch in batches:
            assembling.load(hub.connection, batch)
        return [hub.rows(query) for query in _DUMPED]


@given(loads=loads)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_marked_records_come_out_as_those_that_are_looked_up(hub: Hub, loads: Sequence[Load]) -> None:
    keys = KnownKeys()
    sources = sorted({source for source, _ in loads})
    batches = [_batch(hub, source, *(change for named, change in loads if named == source)) for source in sources]
    with hub.connection.transaction(force_rollback=True):
        for batch in batches:
            _claim(hub, keys, batch)
        claimed = hub.value("select count(*) from golden.crosswalk")

        marked = _loaded(hub, [_marked(keys, batch) for batch in batches])

        assert marked == _loaded(hub, batches)
        assert marked[0] or not claimed or marked[1]
        assert hub.value("select count(*) from golden.crosswalk") == claimed


def test_what_is_known_is_not_presented_again(hub: Hub) -> None:
    keys = KnownKeys()
    batch = _batch(hub, "smrs10", point(KEY, mpan_status="R"), meter(KEY, "L1"), address(KEY, uprn="1", text="1 A ST"))
    _claim(hub, keys, batch)

    marked = _marked(keys, batch)

    assert not keys.present_unknown(marked.records).any()
    assert marked.records["key_id"].null_count() == 0
    assert marked.records.filter(pl.col("point_key").is_not_null())["point_id"].null_count() == 0
    later = _batch(hub, "smrs10", meter(KEY, "L 1", make="OTHER"))
    assert keys.present_unknown(_marked(keys, later).records).all()


def test_what_is_beyond_the_most_that_is_remembered_is_looked_up(hub: Hub) -> None:
    keys = KnownKeys(most=1)
    first, second = (_batch(hub, "smrs10", point(key, mpan_status="R")) for key in (KEY, mpan(2)))
    assert not KnownKeys(most=1).are_full
    _claim(hub, keys, first)
    assert keys.are_full

    for batch in (first, second):
        with hub.connection.transaction():
            assembling.load(hub.connection, _marked(keys, batch))

    keyed = (
        "select key, count(r) from golden.crosswalk join golden.source_record r using (golden_id) group by 1 order by 1"
    )
    assert hub.rows(keyed) == [(KEY, 1), (mpan(2), 1)]


def test_a_key_that_a_rule_speaks_against_is_never_known(hub: Hub) -> None:
    keys = KnownKeys()
    batch = _batch(hub, "smrs10", point("1012345678900", mpan_status="R"), point(KEY, mpan_status="R"))

    _load(hub, keys, batch)

    assert hub.rows("select rules from golden.quarantine") == [([1],)]
    assert hub.rows("select key from golden.crosswalk") == [(KEY,)]
    assert hub.value("select count(*) from golden.source_record") == 1


def test_a_record_without_a_key_presents_none_and_is_held_back(hub: Hub) -> None:
    keys = KnownKeys()
    fitted = meter(KEY, "L1")
    keyless = replace(fitted, records=[record | {"key": None, "alt_key": None} for record in fitted.records])
    batch = _batch(hub, "mss", keyless, point(mpan(2), "energisation", energisation_status="D"))

    _load(hub, keys, batch)

    assert hub.rows("select distinct reason from golden.quarantine") == [("The record has no key",)]
    assert hub.rows("select key from golden.crosswalk") == [(mpan(2),)]
    assert hub.value("select count(*) from golden.source_record") == 1


def test_of_two_rows_under_one_key_the_first_stands(hub: Hub) -> None:
    keys = KnownKeys()
    twice = [point(KEY, mpan_status="R", row="1"), point(KEY, mpan_status="N", row="1")]
    batch = _batch(hub, "smrs10", *twice)

    _load(hub, keys, batch)

    assert hub.rows("select item_values ->> 'mpan_status' from golden.source_record") == [("R",)]
    assert hub.value("select count(*) from golden.journal") == 2


def test_of_two_rows_under_one_key_the_one_that_no_rule_speaks_against_stands(hub: Hub) -> None:
    keys = KnownKeys()
    wrong = {"effective_from": NOW, "effective_to": NOW - timedelta(days=1)}
    twice = [
        point(KEY, "segment", row="1", at=wrong, market_segment="S"),
        point(KEY, "segment", row="1", market_segment="A"),
    ]
    batch = _batch(hub, "smrs10", *twice)

    _load(hub, keys, batch)

    assert hub.rows("select item_values ->> 'market_segment' from golden.source_record") == [("A",)]
    assert hub.value("select count(*) from golden.quarantine where rule = 37") == 1


def test_what_was_held_back_and_is_loaded_again_is_no_longer_held(hub: Hub) -> None:
    keys = KnownKeys()
    wrong = {"effective_from": NOW, "effective_to": NOW - timedelta(days=1)}
    for at in (wrong, wrong | {"effective_to": None}):
        batch = _batch(hub, "smrs10", point(KEY, "segment", row="1", at=at, market_segment="S"))
        _load(hub, keys, batch)

    assert hub.rows("select rule, outcome from golden.quarantine") == [(37, "superseded")]
    assert hub.value("select count(*) from golden.source_record") == 1


def test_once_anything_was_merged_keys_are_looked_up(hub: Hub) -> None:
    keys = KnownKeys()
    batch = _batch(
        hub, "smrs10", address(KEY, uprn="1", text="1 HIGH ST"), address(mpan(2), uprn="2", text="1 HIGH ST")
    )
    hub.change("mds", address(KEY, uprn="1", text="1 HIGH ST"), address(mpan(2), uprn="2", text="1 HIGH ST"))
    _claim(hub, keys, batch)
    marked = _marked(keys, batch)
    ((first,), (second,)) = hub.rows("select golden_id from golden.crosswalk where left(key, 5) = 'UPRN:' order by key")
    with hub.connection.transaction():
        merging.merge(
            hub.connection, [Merge(survivor=int(str(first)), retired=int(str(second)))], decided=Decided(now=NOW)
        )

    with hub.connection.transaction():
        assembling.load(hub.connection, marked)

    loaded = "select golden_id, own_id from golden.source_record where source_id = %s and item_group = 'address'"
    assert {*hub.rows(loaded, hub.sources["smrs10"])} == {(first, None), (first, second)}


def test_a_value_that_looks_like_a_member_without_one_is_kept(hub: Hub) -> None:
    keys = KnownKeys()
    text = '{"line_1":null,} \\"x\\":null,'
    batch = _batch(hub, "smrs10", appointment(KEY, scenario=text, contract_reference="C1", appointed_to=None))

    _load(hub, keys, batch)

    ((said,),) = hub.rows(
        "select item_values - 'metering_point_id' from golden.source_record where item_group = 'appointment'"
    )
    assert isinstance(said, dict)
    assert said["scenario"] == text
    assert "appointed_to" not in said


def test_a_row_that_stands_already_is_refused(hub: Hub) -> None:
    keys = KnownKeys()
    batch = _batch(hub, "smrs10", point(KEY, mpan_status="R"))
    _load(hub, keys, batch)

    with pytest.raises(psycopg.errors.UniqueViolation), hub.connection.transaction():
        assembling.load(hub.connection, _marked(keys, batch))


_ENDED = {"effective_from": NOW, "effective_to": NOW - timedelta(days=1)}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        pytest.param(point(KEY, "supplier", supplier_mpid="NOBODY", supplier_from="2025-01-01"), 19, id="supplier"),
        pytest.param(appointment(KEY, service="NOBODY", contract_reference="C9", agreed=False), 19, id="appointment"),
        pytest.param(appointment(KEY, contract_reference=" "), 11, id="reference"),
        pytest.param(meter(KEY, "L1", meter_type="WRONG"), 29, id="meter"),
        pytest.param(point(KEY, "segment", at=_ENDED, market_segment="S"), 37, id="period"),
    ],
)
def test_rules_on_records_are_put_to_what_is_copied(hub: Hub, change: Change, rule: int) -> None:
    hub.connection.execute(
        "insert into golden.participant (mpid, role, name, valid_from) select 'SOME', role, 'Some', '2000-01-01'"
        " from unnest(array['SUPPLIER', 'MSS']) role on conflict do nothing"
    )
    keys = KnownKeys()
    batch = _batch(hub, "smrs10", change)

    _load(hub, keys, batch)

    assert (rule,) in hub.rows("select unnest(rules) from golden.quarantine")
    held = hub.rows("select source_key, item_group from golden.quarantine")
    assert not {*held} & {*hub.rows("select source_key, item_group from golden.source_record")}
