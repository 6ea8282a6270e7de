"""A view holds the rows that its recipient may see, with the items that its contract names, and nothing else."""

import json
import random
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft202012Validator

from golden_records import reference
from mdm import db
from mdm.distribution import composition, contracts, feed, json_schemas
from tests.factories import mpan
from tests.integration.distribution import market as markets
from tests.integration.distribution.market import ADDRESSES, CONTRACTS, METERS, Market, canonical

VIEWS = [("mss", "BOLT"), ("mss", "KITE"), ("msa", "DART"), ("umso", "LAMP"), ("mds", "SETL")]


def whole_point(market: Market) -> int:
    """Write a point with everything around it."""
    market.put("address", ADDRESSES + 1, line_1='1 "High" Street \\ \u00e9', postcode="BA1 1AA", uprn="100")
    market.put(
        "contract",
        CONTRACTS + 1,
        reference="C1",
        supplier_mpid="ACRE",
        contract_from="2026-01-01",
        connection_types="W",
        segments="S",
    )
    point = market.add_point(1, address_id=ADDRESSES + 1, supplier_mpid="ACRE", domestic_premises=True, duos_tariff="1")
    market.put(
        "meter",
        METERS + 1,
        meter_id="L 1",
        meter_type="S2A",
        displayed_digits=5,
        installation_date="2026-01-02",
        metering_point_id=point,
    )
    market.appoint(point, contract_id=CONTRACTS + 1)
    return point


def test_appointment_message_has_the_founding_items(market: Market) -> None:
    point = whole_point(market)
    market.publish(point)
    ((_seq, operation, _key, body),) = market.entries("mss-appointment", "BOLT")
    assert operation == "upsert"
    assert body == {
        "mpan_core": mpan(1),
        "meter_id": "L 1",
        "contract_reference": "C1",
        "supplier_mpid": "ACRE",
        "appointed_from": "2026-01-01",
        "status": "active",
    }


def test_metering_point_has_address_meters_contract_and_appointment(market: Market) -> None:
    point = whole_point(market)
    market.publish(point)
    body = market.content("mss-metering-point", "BOLT")[point]
    assert body["address"] == {"line_1": '1 "High" Street \\ \u00e9', "postcode": "BA1 1AA", "uprn": "100"}
    assert body["meters"] == [
        {"meter_id": "L 1", "meter_type": "S2A", "displayed_digits": 5, "installation_date": "2026-01-02"}
    ]
    (appointment,) = body["appointments"]
    assert appointment["contract"] == {
        "reference": "C1",
        "contract_from": "2026-01-01",
        "connection_types": "W",
        "segments": "S",
    }
    assert body["domestic_premises"] is True
    assert "duos_tariff" not in body


def test_sender_is_the_registration_service_of_the_points_distributor(market: Market) -> None:
    for number, distributor in enumerate(("10", "20", "34"), start=1):
        market.appoint(market.add_point(number, distributor=distributor))
    market.publish(1, 2, 3)
    senders = market.rows(
        "select golden_id, sender from hub.feed join hub.view using (view_id) where name = %s", "mds-metering-point"
    )
    assert dict(senders) == {1: "EELC", 2: "SOUT", 3: composition.HUB_SENDER}


def test_every_participant_has_its_views_before_its_first_row(market: Market) -> None:
    market.publish(market.add_point(1))
    found = {(name, recipient) for name, recipient in market.rows("select name, recipient from hub.view")}
    assert {(f"{role}-{message}", who) for role, who in VIEWS for message in ("appointment", "metering-point")} <= found


def test_recipient_that_is_no_participant_has_views_from_its_first_appointment_on(market: Market) -> None:
    market.appoint(market.add_point(1), "NOVA")
    market.publish(1)
    assert len(market.content("mss-appointment", "NOVA")) == 1


def test_service_sees_only_points_that_it_is_appointed_to(market: Market) -> None:
    market.appoint(market.add_point(1), "BOLT")
    market.appoint(market.add_point(2), "KITE")
    market.appoint(market.add_point(3), "DART", role="MSA")
    market.publish(1, 2, 3)
    assert set(market.content("mss-metering-point", "BOLT")) == {1}
    assert set(market.content("mss-metering-point", "KITE")) == {2}
    assert set(market.content("msa-metering-point", "DART")) == {3}
    assert set(market.content("umso-metering-point", "LAMP")) == set()


def test_market_wide_service_sees_every_point_and_every_appointment(market: Market) -> None:
    market.add_point(1)
    market.appoint(market.add_point(2), "DART", role="MSA")
    market.publish(1, 2)
    assert set(market.content("mds-metering-point", "SETL")) == {1, 2}
    (appointment,) = market.content("mds-appointment", "SETL").values()
    assert (appointment["role"], appointment["service_mpid"]) == ("MSA", "DART")


@pytest.mark.parametrize("status", ["proposed", "lapsed", "de-appointed"])
def test_appointment_that_is_not_in_force_is_in_no_view(market: Market, status: str) -> None:
    market.appoint(market.add_point(1), status=status)
    market.publish(1)
    assert market.content("mss-appointment", "BOLT") == {}
    assert market.content("mss-metering-point", "BOLT") == {}


def test_appointment_is_in_its_views_until_its_last_day(market: Market) -> None:
    today = datetime.now(ZoneInfo("Europe/London")).date()
    market.appoint(market.add_point(1), appointed_to=today)
    market.appoint(market.add_point(2), appointed_to=today - timedelta(days=1))
    market.publish(1, 2)
    assert set(market.content("mss-metering-point", "BOLT")) == {1}
    assert len(market.content("mss-appointment", "BOLT")) == len(market.content("mds-appointment", "SETL")) == 1


def test_point_that_leaves_the_scope_becomes_a_delete(market: Market) -> None:
    point = market.add_point(1)
    appointment = market.appoint(point)
    market.publish(point)
    market.appoint(point, status="de-appointed")
    market.publish(point)
    assert market.entries("mss-metering-point", "BOLT")[-1] == (2, "delete", point, None)
    assert market.entries("mss-appointment", "BOLT")[-1] == (2, "delete", appointment, None)
    assert set(market.content("mds-metering-point", "SETL")) == {point}


def test_point_that_moves_to_another_service_leaves_one_view_and_enters_the_other(market: Market) -> None:
    point = market.add_point(1)
    market.appoint(point, "BOLT")
    market.publish(point)
    market.appoint(point, "KITE")
    market.publish(point)
    assert market.content("mss-metering-point", "BOLT") == {}
    assert set(market.content("mss-metering-point", "KITE")) == {point}


def test_point_that_ceases_to_exist_leaves_every_view(market: Market) -> None:
    point = market.add_point(1)
    appointment = market.appoint(point)
    market.publish(point)
    market.remove("appointment", appointment)
    market.remove("metering_point", point)
    market.publish(point)
    for name, recipient in (
        ("mss-metering-point", "BOLT"),
        ("mds-metering-point", "SETL"),
        ("mds-appointment", "SETL"),
    ):
        assert market.content(name, recipient) == {}


def test_service_sees_its_own_appointments_alone(market: Market) -> None:
    point = market.add_point(1)
    market.appoint(point, "BOLT", status="active")
    market.appoint(point, "KITE", status="accepted", number=1, appointed_from="2026-03-01")
    market.publish(point)
    own = market.content("mss-metering-point", "KITE")[point]["appointments"]
    assert [appointment["appointed_from"] for appointment in own] == ["2026-03-01"]
    everybody = market.content("mds-metering-point", "SETL")[point]["appointments"]
    assert [appointment["service_mpid"] for appointment in everybody] == ["BOLT", "KITE"]


def test_change_of_an_address_reaches_all_its_points(market: Market) -> None:
    market.put("address", ADDRESSES + 1, line_1="before")
    for number in (1, 2):
        market.appoint(market.add_point(number, address_id=ADDRESSES + 1))
    market.publish(1, 2)
    market.put("address", ADDRESSES + 1, line_1="after")
    market.publish(ADDRESSES + 1)
    for body in market.content("mss-metering-point", "BOLT").values():
        assert body["address"]["line_1"] == "after"


def test_change_of_a_contract_reaches_its_points(market: Market) -> None:
    point = whole_point(market)
    market.publish(point)
    market.put("contract", CONTRACTS + 1, segments="SA")
    market.publish(CONTRACTS + 1)
    assert market.content("mss-metering-point", "BOLT")[point]["appointments"][0]["contract"]["segments"] == "SA"


def test_main_meter_is_no_check_meter_and_the_last_installed(market: Market) -> None:
    point = market.add_point(1)
    fitted = [("CHECK", "2026-03-01"), ("S2A", "2026-01-01"), ("S2A", "2026-02-01")]
    for number, (kind, day) in enumerate(fitted):
        market.put(
            "meter",
            METERS + number,
            meter_id=f"M{number}",
            meter_type=kind,
            installation_date=day,
            metering_point_id=point,
        )
    market.put("meter", METERS + 9, meter_id="GONE", removal_date="2026-01-01", metering_point_id=point)
    market.appoint(point)
    market.publish(point)
    ((_seq, _operation, _key, body),) = market.entries("mss-appointment", "BOLT")
    assert body is not None
    assert body["meter_id"] == "M2"
    assert [meter["meter_id"] for meter in market.content("mss-metering-point", "BOLT")[point]["meters"]] == [
        "M2",
        "M1",
        "M0",
    ]


def test_an_appointment_is_in_no_view_before_its_contract_reference_is_known(market: Market) -> None:
    point = market.add_point(1)
    market.appoint(point, contract_reference=None)
    market.publish(point)
    assert market.content("mss-appointment", "BOLT") == market.content("mss-metering-point", "BOLT") == {}
    assert market.content("mds-metering-point", "SETL")[point]["appointments"] == []
    market.appoint(point)
    market.publish(point)
    assert [body["contract_reference"] for body in market.content("mss-appointment", "BOLT").values()] == ["C1"]


def test_market_wide_service_that_comes_late_gets_every_point(market: Market) -> None:
    market.add_point(1)
    market.add_point(2)
    market.publish(1)
    market.rows(
        "insert into golden.participant (mpid, role, name, valid_from)"
        " values ('LATE', 'MDS', 'late', '2026-01-01') returning 1"
    )
    market.publish(1)
    assert set(market.content("mds-metering-point", "LATE")) == {1, 2}


def test_body_is_what_any_json_library_writes(market: Market) -> None:
    text = "".join(chr(code) for code in range(1, 0x300)) + "\u2028\ufffd\N{GRINNING FACE}"
    market.put("address", ADDRESSES + 1, line_1=text)
    market.appoint(market.add_point(1, address_id=ADDRESSES + 1))
    market.publish(1)
    for (body,) in market.rows("select body from hub.feed where body is not null"):
        assert json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False) == body


def test_bodies_keep_to_their_schemas(market: Market) -> None:
    whole_point(market)
    market.appoint(market.add_point(2, metered_indicator=False), "LAMP", role="UMSO")
    market.appoint(market.add_point(3), "DART", role="MSA", status="accepted")
    market.publish(1, 2, 3)
    stored = market.rows("select name, body from hub.feed join hub.view using (view_id)")
    assert {name for name, _ in stored} == set(contracts.load())
    for name, body in stored:
        metadata = {"data_sender_id": "EELC", "data_created_date": "2026-01-15T12:00:00.000000Z"}
        schema = json_schemas.of_message(contracts.get_contract(name))
        Draft202012Validator(schema).validate(metadata | json.loads(body))


def expected(market: Market, role: str, recipient: str) -> dict[int, list[Any]]:
    """Work out which points a recipient sees, and of each what changes in the test of many steps."""
    points = dict(market.rows("select golden_id, energisation_status from golden.metering_point"))
    lines = dict(
        market.rows(
            "select p.golden_id, a.line_1 from golden.metering_point p"
            " join golden.address a on a.golden_id = p.address_id"
        )
    )
    meters: dict[int, list[str]] = {}
    for point, meter in market.rows("select metering_point_id, meter_id from golden.meter where removal_date is null"):
        meters.setdefault(point, []).append(meter)
    appointed = market.rows(
        "select metering_point_id, contract_reference from golden.appointment"
        " where status in ('accepted', 'active') and (%s = 'MDS' or role = %s and service_mpid = %s)",
        role,
        role,
        recipient,
    )
    own: dict[int, list[str]] = {}
    for point, contract in appointed:
        own.setdefault(point, []).append(contract)
    return {
        point: [status, lines.get(point), sorted(meters.get(point, [])), sorted(own.get(point, []))]
        for point, status in points.items()
        if role == "MDS" or point in own
    }


def shown(market: Market, role: str, recipient: str) -> dict[int, list[Any]]:
    """Return the same of what the view holds."""
    return {
        point: [
            body["energisation_status"],
            body.get("address", {}).get("line_1"),
            sorted(meter["meter_id"] for meter in body["meters"]),
            sorted(appointment["contract_reference"] for appointment in body["appointments"]),
        ]
        for point, body in market.content(f"{role.lower()}-metering-point", recipient).items()
    }


def step(market: Market, chance: random.Random) -> list[int]:
    """Change something; return what is touched by it."""
    point = chance.randint(1, 12)
    match chance.randint(0, 6):
        case 0:
            market.add_point(point, energisation_status=chance.choice("EDU"))
        case 1:
            market.put("address", ADDRESSES + chance.randint(1, 3), line_1=chance.choice("abc"))
            return [ADDRESSES + 1, ADDRESSES + 2, ADDRESSES + 3]
        case 2:
            market.connection.execute(
                "update golden.metering_point set address_id = %s where golden_id = %s",
                [ADDRESSES + chance.randint(1, 3), point],
            )
        case 3:
            meter = METERS + chance.randint(1, 5)
            before = market.rows("select metering_point_id from golden.meter where golden_id = %s", meter)
            market.put("meter", meter, meter_id=f"M{meter % 10}", metering_point_id=point)
            return [point, *(row[0] for row in before)]
        case 4:
            market.remove("metering_point", point)
        case _:
            service, role = chance.choice([("BOLT", "MSS"), ("KITE", "MSS"), ("DART", "MSA")])
            status = chance.choice(["accepted", "active", "lapsed"])
            reference = chance.choice(["C1", "C2"])
            market.appoint(
                point, service, role=role, status=status, contract_reference=reference, number=chance.randint(0, 2)
            )
    return [point]


@pytest.mark.parametrize("seed", range(3))
def test_views_equal_the_golden_records_after_any_changes(market: Market, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(40):
        with db.transaction(market.connection):
            for _ in range(chance.randint(1, 6)):
                market.touch(*step(market, chance))
            feed.publish(market.connection)
        for role, recipient in (("MSS", "BOLT"), ("MSS", "KITE"), ("MSA", "DART"), ("MDS", "SETL")):
            assert shown(market, role, recipient) == expected(market, role, recipient)
    for name, recipient in market.rows("select name, recipient from hub.view"):
        content = market.content(name, recipient)
        assert market.replay(name, recipient) == content
        seq, count, digest = market.head(name, recipient)
        assert [entry[0] for entry in market.entries(name, recipient)] == list(range(1, seq + 1))
        assert (count, digest) == (len(content), canonical(content))


def test_projection_enters_large_tables_by_their_indexes(market: Market) -> None:
    market.connection.execute(
        "insert into golden.metering_point (golden_id, version, mpan, address_id, lineage, updated_at)"
        " select n, 1, '10' || lpad(n::text, 11, '0'), 1000000 + n, '{}', now() from generate_series(1, 20000) n"
    )
    market.connection.execute(
        "insert into golden.appointment"
        " (golden_id, version, metering_point_id, role, service_mpid, status, lineage, updated_at)"
        " select 4000000 + n, 1, n, 'MSS', 'BOLT', 'active', '{}', now() from generate_series(1, 20000) n"
    )
    market.connection.execute("analyze golden.metering_point, golden.appointment")
    with db.transaction(market.connection):
        market.touch(*range(1, 500))
        lines = market.rows(f"explain {composition.rows(list(contracts.load().values()))}")
    plan = "\n".join(line for (line,) in lines)
    for table in ("metering_point", "appointment"):
        assert f"Seq Scan on {table}" not in plan


def test_views_stand_on_debians_15(postgres15: str) -> None:
    db.upgrade(postgres15)
    with db.connect(postgres15) as connection:
        with db.transaction(connection):
            reference.write_standing(connection)
        market = markets.open_market(postgres15, connection)
        market.publish(whole_point(market))
        content = market.content("mss-metering-point", "BOLT")
        assert market.head("mss-metering-point", "BOLT") == (1, 1, canonical(content))
