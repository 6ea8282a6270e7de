"""First versions come out as the general way makes them, which a batch goes that has one golden record not new."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdm import assembling, mastering
from tests import factories
from tests.factories import NOW, Change, Transaction, address, appointment, meter, mpan, point, record
from tests.integration.golden_records.conftest import Hub

POINTS = [*map(mpan, range(1, 4)), "1012345678900"]
OLD = [*map(mpan, range(101, 104))]
ALONE = len(OLD)  # golden records in a batch: what is old has the lowest ids, so it is alone in the first batches
TOGETHER = 10_000
Load = tuple[str, Change]

_VIEW = "(select (v.name, v.recipient) from hub.view v where v.view_id = t.view_id)"
_DUMPED = {
    "golden.metering_point": "t.*",
    "golden.meter": "t.*",
    "golden.address": "t.*",
    "golden.contract": "t.*",
    "golden.appointment": "t.*",
    "golden.golden_version": "golden_id, version, entity, op, source_id, committed_at, change_id, changed, lineage,"
    " candidates, policy_id",
    "golden.source_record": "t.*",
    "golden.conflict": "golden_id, item_group, item, source_id, change_id, value, owner_source_id, owner_change_id,"
    " owner_value, owner, closed_at",
    "golden.violation": "rule, source_id, source_key, item_group, golden_id, change_id, closed_at",
    "golden.quarantine": "source_id, source_key, item_group, change_id, rule, reason, record, point_key, outcome",
    "golden.due": "t.*",
    "hub.feed": f"{_VIEW}, golden_id, operation, sender, body, source_committed_at",
    "hub.view_row": f"{_VIEW}, golden_id, point_id, digest",
    "hub.view_head": f"{_VIEW}, last_seq, row_count, digest",
}

sources = st.sampled_from(["smrs10", "mss", "msa", "mds"])
keys = st.sampled_from(POINTS)
moments = st.sampled_from([None, NOW - timedelta(days=400), NOW - timedelta(days=3), NOW + timedelta(days=30)])
rows = st.sampled_from(["1", "2"])
groups = st.sampled_from(
    [
        ("registration", "mpan_status", "NRT"),
        ("registration", "created_date", ["2020-01-01", "2025-06-01"]),
        ("segment", "market_segment", "SAU"),
        ("connection", "connection_type", "WU"),
        ("energisation", "energisation_status", "ED"),
        ("profile", "ssc", ["0393", None]),
    ]
)


@st.composite
def point_changes(draw: st.DrawFn) -> Change:
    group, item, values = draw(groups)
    at = {"effective_from": draw(moments), "effective_to": draw(moments)}
    said: dict[str, Any] = {item: draw(st.sampled_from(values))}
    return point(draw(keys), group, row=draw(rows), at=at, **said)


@st.composite
def appointments(draw: st.DrawFn) -> Change:
    return appointment(
        draw(keys),
        role=draw(st.sampled_from(["MSS", "MSA"])),
        service=draw(st.sampled_from(["SMAR", "ADVA"])),
        status=draw(st.sampled_from(["proposed", "active", "de-appointed"])),
        appointed_to=draw(st.sampled_from([None, "2025-12-31"])),
        scenario=draw(st.sampled_from([None, "NEW"])),
    )


@st.composite
def meters(draw: st.DrawFn) -> Change:
    fitted = meter(
        draw(keys),
        draw(st.sampled_from(["L1", "L 1", "L2"])),
        make=draw(st.sampled_from(["LANDIS", None])),
        location=draw(st.sampled_from(["B", "K", None])),
        installation_date=draw(st.sampled_from([None, "2023-01-01", "2025-02-01"])),
        removal_date=draw(st.sampled_from([None, "2024-01-01"])),
    )
    asset = fitted.records[0]
    at = {"point_key": asset["point_key"], "alt_key": asset["alt_key"], "effective_from": draw(moments)}
    provider = record(
        "meter", "provider", asset["key"], at=at, asset_provider_mpid=draw(st.sampled_from(["MAPA", None]))
    )
    return Change(relation=fitted.relation, key=fitted.key, records=[asset, provider])


@st.composite
def addresses(draw: st.DrawFn) -> Change:
    return address(
        draw(keys),
        uprn=draw(st.sampled_from(["1", "2", None])),
        text=draw(st.sampled_from(["1 HIGH ST", "2 HIGH ST"])),
        postcode=draw(st.sampled_from(["BA1 1AA", "NONE"])),
        row=draw(rows),
    )


@st.composite
def suppliers(draw: st.DrawFn) -> Change:
    periods = [(-800, -400), (-400, None), (-300, -100), (-500, -3)]
    first_day, last_day = draw(st.sampled_from(periods))
    at = {
        "effective_from": NOW + timedelta(days=first_day),
        "effective_to": NOW + timedelta(days=last_day) if last_day else None,
    }
    return point(draw(keys), "supplier", row=draw(rows), at=at, supplier_mpid=draw(st.sampled_from(["SUPA", "SUPB"])))


@st.composite
def links(draw: st.DrawFn) -> Change:
    kind = draw(st.sampled_from(["IMPORT", "EXPORT", "PRIMARY", "SECONDARY"]))
    return point(draw(keys), "link", row=draw(rows), link_kind=kind, linked_mpan=draw(keys))


loads = st.lists(
    st.tuples(
        sources,
        st.one_of(
            point_changes(), point_changes(), appointments(), meters(), meters(), addresses(), suppliers(), links()
        ),
    ),
    max_size=40,
    unique_by=lambda load: (load[0], load[1].relation, load[1].key),
)


@given(loads=loads)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_first_versions_are_those_of_the_general_way(hub: Hub, loads: Sequence[Load]) -> None:
    _bring_old(hub)

    with hub.connection.transaction(force_rollback=True):
        for source in sorted({source for source, _ in loads} | {"mss"}):
            _take_in(hub, source, loads)

        assert _assembled(hub, limit=ALONE) == _assembled(hub, limit=TOGETHER)


def _bring_old(hub: Hub) -> None:
    if hub.value("select count(*) from golden.golden_version") == 0:
        for number, key in enumerate(OLD, start=1):
            hub.change("smrs10", appointment(key, contract_reference=f"OLD{number}"))
        for number, key in enumerate(OLD, start=1):
            hub.change("smrs10", address(key, uprn=f"10{number}", text=f"{number} OLD ST"), meter(key, f"OLD{number}"))
        hub.change("smrs10", *(point(key, mpan_status="R") for key in OLD))


def _take_in(hub: Hub, source: str, loads: Sequence[Load]) -> None:
    changes = [change for named, change in loads if named == source]
    if source == "mss":
        for number, key in enumerate(OLD, start=1):
            changes += [meter(key, f"OLD{number}", location="B"), appointment(key, contract_reference=f"OLD{number}")]
    assembling.load(hub.connection, factories.batch(hub.sources[source], Transaction(changes=changes)))


def _assembled(hub: Hub, *, limit: int) -> dict[str, list[tuple[object, ...]]]:
    """Assemble what was loaded and return all that came of it; leave nothing behind."""
    with hub.connection.transaction(force_rollback=True):
        _assemble(hub, limit, now=NOW)
        mastering.finish(hub.connection)
        return {
            table: hub.rows(f"select {_texts(columns)} from {table} t order by 1") for table, columns in _DUMPED.items()
        }


def _assemble(hub: Hub, limit: int, now: datetime) -> None:
    after: int | None = 0
    while after is not None:
        after = assembling.assemble(hub.connection, after=after, limit=limit, now=now)


def _texts(columns: str) -> str:
    return "t::text" if columns == "t.*" else f"row({columns})::text"
