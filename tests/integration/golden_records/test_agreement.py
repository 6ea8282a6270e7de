"""Whatever systems tell, in whatever order: what mastering leaves open is what the audit finds."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from golden_records import verdicts
from rules import registry
from tests import factories
from tests.factories import Change, Transaction, appointment, contract, meter, mpan, point
from tests.integration.golden_records.conftest import Hub
from tests.integration.golden_records.market_facts import later_appointment, linked, provided, supplied
from tests.integration.golden_records.verdicts_of import audited, open_violations

NUMBERED = count(80_000)
_DAYS = st.sampled_from(["2025-01-01", "2025-01-02", "2025-03-30", "2025-06-01", "2026-01-15"])


@st.composite
def _changes(draw: st.DrawFn, first: int) -> list[tuple[str, Change]]:
    """Draw what systems tell of two points, right or wrong."""
    keys = mpan(first), mpan(first + 1)
    return [draw(_change(keys)) for _ in range(draw(st.integers(2, 7)))]


@st.composite
def _change(draw: st.DrawFn, keys: tuple[str, str]) -> tuple[str, Change]:
    key, other = draw(st.sampled_from([keys, keys[::-1]]))
    since, until = draw(_DAYS), draw(st.none() | _DAYS)
    source = draw(st.sampled_from(["smrs10", "smrs10", "smrs10", "mds", "mss"]))
    supplier = draw(st.sampled_from(["SUPA", "SUPB", "ZZZZ"]))
    serial = draw(st.sampled_from([f"L {key[4:12]}", f"L{key[4:12]}", f"L{keys[0][4:12]}", "UNKNOWN"]))
    changes: list[Any] = [
        lambda: point(
            key,
            mpan_status=draw(st.sampled_from("NRTX")),
            created_date=since,
            disconnection_date=draw(st.none() | _DAYS),
        ),
        lambda: point(key, "segment", market_segment=draw(st.sampled_from("SAU"))),
        lambda: point(key, "connection", connection_type=draw(st.sampled_from("WLU"))),
        lambda: point(key, "metered", metered_indicator=draw(st.booleans())),
        lambda: point(key, "direction", energy_direction=draw(st.sampled_from("IE"))),
        lambda: point(key, "energisation", energisation_status=draw(st.sampled_from("ED"))),
        lambda: point(key, "gsp", gsp_group=draw(st.sampled_from(["_A", "_P"])), gsp_from=since),
        lambda: point(key, "consent", consent_granularity=draw(st.sampled_from("HN"))),
        lambda: point(key, "profile", profile_class=draw(st.sampled_from(["1", "9", None])), ssc="0393"),
        lambda: point(key, "dcc", dcc_service_flag=draw(st.sampled_from("AN"))),
        lambda: point(key, "duos", row=since, at={"effective_from": _moment(since)}, duos_tariff="D01"),
        lambda: supplied(
            key,
            supplier,
            _moment(since),
            _moment(until) + timedelta(1) if until else None,
            op=draw(st.sampled_from("uud")),
        ),
        lambda: linked(key, draw(st.sampled_from([other, mpan(1)])), draw(st.sampled_from(["IMPORT", "SECONDARY"]))),
        lambda: linked(key, other, "EXPORT", op=draw(st.sampled_from("uud"))),
        lambda: later_appointment(
            key,
            draw(_DAYS | st.sampled_from(["2024-06-01", "2026-02-12", "2026-02-13"])),
            role=draw(st.sampled_from(["MSS", "MSA"])),
            status=draw(st.sampled_from(["proposed", "accepted", "active", "lapsed", "de-appointed"])),
            appointed_to=until,
            supplier_mpid=draw(st.sampled_from(["SUPA", "SUPB"])),
            agreed=draw(st.booleans()),
            op=draw(st.sampled_from("ccuud")),
        ),
        lambda: contract("C1", supplier="SUPB", segments=draw(st.sampled_from(["S", "SA"])), contract_to=until),
        lambda: meter(
            key,
            serial,
            make=draw(st.sampled_from(["LANDIS", "ELSTER"])),
            installation_date=since,
            removal_date=until,
            meter_type=draw(st.sampled_from(["N", "S2A", "ZZZ", None])),
            op=draw(st.sampled_from("uuud")),
        ),
        lambda: provided(key, f"L{key[4:12]}", since, draw(st.sampled_from(["MAPL", "ZZZZ"]))),
        lambda: factories.address(
            key,
            uprn=key[:12],
            text=draw(st.sampled_from(["1 HIGH ST", "UNKNOWN", "1, HIGH ST"])),
            postcode=draw(st.sampled_from(["BA1 1AA", "NONE"])),
        ),
    ]
    return source, draw(st.sampled_from(changes))()


def _moment(day_of: str) -> datetime:
    return datetime.fromisoformat(day_of).replace(tzinfo=UTC)


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_inline_and_audit_give_the_same_verdicts(shared_hub: Hub, data: st.DataObject) -> None:
    first = next(NUMBERED) * 2
    told = data.draw(_changes(first))
    if data.draw(st.booleans(), label="in one batch of each source"):
        for source in dict.fromkeys(source for source, _ in told):
            shared_hub.master(source, *(Transaction(changes=[change]) for named, change in told if named == source))
    else:
        for source, change in told:
            shared_hub.change(source, change)

    assert open_violations(shared_hub) == audited(shared_hub)


_LARGE = {
    "metering_point",
    "meter",
    "appointment",
    "address",
    "source_record",
    "crosswalk",
    "violation",
    "journal",
    "quarantine",
}


# What the random records left behind is what the planner counts on.
def test_the_verdicts_of_one_point_are_found_by_indexes(shared_hub: Hub, key: str) -> None:
    shared_hub.change("smrs10", point(key, mpan_status="R"), appointment(key), meter(key, f"L{key[3:12]}"))
    shared_hub.connection.execute("analyze")
    with shared_hub.connection.transaction():
        for statement in verdicts.statements(registry.edition()):
            plan = shared_hub.value(f"explain (format json) {statement}")
            scans = [*_scans(plan[0]["Plan"])]  # type: ignore[index]
            assert not [each for each in scans if not each[1]], json.dumps(scans)


def _scans(node: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield each scan of a large table, and whether an index finds its rows."""
    if node.get("Relation Name") in _LARGE and node.get("Schema", "golden") == "golden" and "Scan" in node["Node Type"]:
        yield node["Relation Name"], "Index Cond" in node or node["Node Type"] == "Bitmap Heap Scan"
    for child in node.get("Plans", ()):
        yield from _scans(child)
