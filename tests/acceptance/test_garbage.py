"""Rubbish at a source, end to end: held back with its reason, counted, mended; the good rows beside it pass."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from mdm import db
from tests.acceptance import golden_state, views
from tests.acceptance.installation import Installation
from tests.factories import mpan

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

SCHEMA = """
create table point (
    id int primary key, mpan text, status text, created text, gone date, note text);
create table tariff (
    mpan text, effective_from date, effective_to date, tariff text, primary key (mpan, effective_from));
create table power (mpan text primary key, since timestamptz, status text);
create table meter (
    id int primary key, mpan text, serial text, make text, model text, digits numeric, fitted date, removed timestamp,
    kind text);
create table loose (code text, mpan text, profile text);
alter table loose replica identity full;
create table site (
    mpan text primary key, line_1 text, line_2 text, postcode text, uprn text);
alter table site replica identity full;
create publication mdm for tables in schema public;
"""


def record(entity: str, group: str, identity: object, items: Mapping[str, object], **more: object) -> dict[str, Any]:
    """Return a record of a declaration."""
    return {"entity": entity, "group": group, "identity": identity, "items": dict(items)} | more


DECLARATION = {
    "source": "wild",
    "kind": "SMRS",
    "participant": "EELC",
    "distributors": ["10"],
    "dsn_setting": "MDM_SOURCE_WILD_DSN",
    "slot": "mdm_wild",
    "tables": {
        "public.point": {
            "key": ["id"],
            "records": [
                record(
                    "metering_point",
                    "registration",
                    {"mpan": "mpan"},
                    {"mpan": "mpan", "mpan_status": "status", "created_date": "created", "disconnection_date": "gone"},
                ),
                record("metering_point", "dcc", {"mpan": "mpan"}, {"dcc_service_flag": "note"}),
            ],
        },
        "public.tariff": {
            "key": ["mpan", "effective_from"],
            "records": [
                record(
                    "metering_point",
                    "duos",
                    {"mpan": "mpan"},
                    {"duos_tariff": "tariff"},
                    effective_from="effective_from",
                    effective_to="effective_to",
                )
            ],
        },
        "public.power": {
            "key": ["mpan"],
            "records": [
                record(
                    "metering_point",
                    "energisation",
                    {"mpan": "mpan"},
                    {"energisation_status": {"column": "status", "map": {"ON": "E", "OFF": "D"}}},
                    effective_from="since",
                )
            ],
        },
        "public.meter": {
            "key": ["id"],
            "records": [
                record(
                    "meter",
                    "asset",
                    {"meter_id": "serial", "make": "make"},
                    {
                        "meter_id": "serial",
                        "make": "make",
                        "model": "model",
                        "meter_type": "kind",
                        "displayed_digits": "digits",
                        "installation_date": "fitted",
                        "removal_date": "removed",
                    },
                    references={"metering_point": "mpan"},
                )
            ],
        },
        "public.loose": {
            "key": ["code"],
            "records": [record("metering_point", "profile", {"mpan": "mpan"}, {"profile_class": "profile"})],
        },
        "public.site": {
            "key": ["mpan"],
            "records": [
                record(
                    "address",
                    "address",
                    "address",
                    {"line_1": "line_1", "line_2": "line_2", "postcode": "postcode", "uprn": "uprn"},
                ),
                record("metering_point", "site", {"mpan": "mpan"}, {}, references={"address": True}),
            ],
        },
    },
}

WEIRD = 'O\'Brien "Ñ" \\N \\. \t \r \\ \u2028 \U0001f9ff \x01\x7f, ;'
ODD = (WEIRD, "\\.", '"', "\u00a0", "''", "\\u0000", "{a,b}", "%s $1 {} [] null", "x" * 40)


def noise(octets: int) -> str:
    """Return text of so many bytes that does not compress."""
    import random  # noqa: PLC0415

    return "".join(random.Random(octets).choices("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", k=octets))


@pytest.fixture
def wild(open_installation: Callable[..., Installation], tmp_path: Path) -> Iterator[Installation]:
    """A source without any check of its own, captured into an empty hub."""
    (tmp_path / "wild.yaml").write_text(yaml.safe_dump(DECLARATION))
    installed = open_installation(0, sources=("wild",))
    with db.connect(installed.market.dsn()) as connection:
        connection.execute("drop database if exists wild with (force)")
        connection.execute("create database wild")
    with installed.connect("wild") as connection:
        connection.execute(SCHEMA)
    installed.environment |= {"MDM_SOURCES": str(tmp_path), "MDM_SOURCE_WILD_DSN": installed.market.dsn("wild")}
    yield installed
    installed.stop_workers()


def held(installed: Installation) -> dict[str, str]:
    """Return what is in quarantine: source key without its table, and the reason."""
    with installed.connect_hub() as hub:
        rows = hub.execute("select source_key, reason from golden.quarantine where closed_at is null").fetchall()
    return {key.removeprefix("public."): reason for key, reason in rows}


def write(installed: Installation, *statements: tuple[str, tuple[object, ...]]) -> None:
    """Commit statements at the source in one transaction, and wait until the hub has mastered them."""
    with installed.connect("wild") as source, source.transaction():
        for statement, parameters in statements:
            source.execute(statement.encode(), parameters)
    installed.await_caught_up()


POINT = "insert into point values (%s, %s, %s, %s, %s, %s)"
TARIFF = "insert into tariff values (%s, %s, %s, %s)"
POWER = "insert into power values (%s, %s, %s)"
METER = "insert into meter values (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
LOOSE = "insert into loose values (%s, %s, %s)"
SITE = "insert into site values (%s, %s, %s, %s, %s)"

GOOD = mpan(1)
RUBBISH: tuple[tuple[str, tuple[object, ...], str, str], ...] = (
    # statement, row, source key, reason
    (POINT, (10, "1012345678901", "R", "2020-01-01", None, None), "point|10", "MPAN has 13 digits"),
    (
        POINT,
        (11, "".join(chr(0xFF10 + int(digit)) for digit in mpan(1)), "R", None, None, None),
        "point|11",
        "MPAN has 13 digits",
    ),
    (POINT, (12, "", "R", None, None, None), "point|12", "no key"),
    (POINT, (13, None, "R", None, None, None), "point|13", "no key"),
    (POINT, (14, WEIRD, "R", None, None, None), "point|14", "MPAN has 13 digits"),
    (POINT, (15, mpan(2), "R", "yesterday", None, None), "point|15", "created: not a date"),
    (POINT, (16, mpan(3), "R", "2020-02-30", None, None), "point|16", "created: not a date"),
    (POINT, (17, mpan(4), "R", "2020-01-01", "0044-03-15 BC", None), "point|17", "gone: not a date"),
    (POINT, (18, mpan(5), "R", "2020-01-01", "294276-12-31", None), "point|18", "gone: not a date"),
    (POINT, (19, mpan(6), "R", "2020-01-01", "5874897-12-31", None), "point|19", "gone: not a date"),
    (POINT, (20, mpan(7, distributor="20"), "R", None, None, None), "point|20", "distributor"),
    (POINT, (21, mpan(8), noise(9_000), "2020-01-01", None, None), "point|21", "not of the format"),
    (POINT, (22, noise(9_000), "R", "2020-01-01", None, None), "point|22", "bytes"),
    (TARIFF, (mpan(9), "0044-03-15 BC", None, "A01"), f"tariff|{mpan(9)}|0044-03-15 BC", "effective_from: not a date"),
    (TARIFF, (mpan(9), "294276-12-31", None, "A01"), f"tariff|{mpan(9)}|294276-12-31", "effective_from: not a date"),
    (POWER, (mpan(10), "294276-12-31 23:59:59.999999+00", "ON"), f"power|{mpan(10)}", "since: not a time"),
    (POWER, (mpan(11), "4713-01-01 00:00:00+00 BC", "ON"), f"power|{mpan(11)}", "since: not a time"),
    (POWER, (mpan(12), "2020-01-01", "PERHAPS"), f"power|{mpan(12)}", "status: not a known code"),
    (METER, (30, GOOD, "G1", "M", None, "NaN", None, None, None), "meter|30", "not of the format of displayed_digits"),
    (
        METER,
        (31, GOOD, "G2", "M", None, "Infinity", None, None, None),
        "meter|31",
        "not of the format of displayed_digits",
    ),
    (METER, (32, GOOD, "G3", "M", None, "4.5", None, None, None), "meter|32", "not of the format of displayed_digits"),
    (METER, (33, GOOD, "G4", "M", None, "1e30", None, None, None), "meter|33", "not of the format of displayed_digits"),
    (METER, (34, GOOD, "G5", "M", noise(6_500), 5, None, None, None), "meter|34", "not of the format"),
    (METER, (35, GOOD, noise(3_000), "M", None, 5, None, None, None), "meter|35", "not of the format"),
    (METER, (36, GOOD, "G6", "M", None, 5, "2020-01-02", "2020-01-01 00:00:00", None), "meter|36", "stand in order"),
    (METER, (37, GOOD, None, "M", None, 5, None, None, None), "meter|37", "no key"),
    (METER, (38, GOOD, "G7", "M", None, "3000000000", None, None, None), "meter|38", "digits"),
    (METER, (39, GOOD, "G8", "M", None, 5, None, None, noise(6_500)), "meter|39", "not of the format"),
    (SITE, (mpan(13), noise(2_900), noise(2_900), "BA1 1AA", None), f"site|{mpan(13)}", "not of the format"),
)


def test_rubbish_is_held_with_its_reason_and_the_good_rows_of_its_transaction_pass(wild: Installation) -> None:
    wild.start_workers()
    wild.await_caught_up()
    write(
        wild,
        (POINT, (1, GOOD, "R", "2020-01-01", None, None)),
        *((statement, row) for statement, row, _, _ in RUBBISH),
        (METER, (1, GOOD, "GOOD 1", "MAKER", "M", "5.00", "2021-01-01", None, None)),
        (TARIFF, (GOOD, "2020-01-01", "infinity", "A01")),
    )
    assert wild.ended("wild") is None, wild.said("wild")
    assert unexpected(held(wild)) == []
    assert told(wild) == []
    assert wild.one("select mpan_status from golden.metering_point where mpan = %s", GOOD) == "R"
    assert wild.one("select displayed_digits from golden.meter where meter_id = 'GOOD 1'") == 5
    assert wild.one("select duos_tariff from golden.metering_point where mpan = %s", GOOD) == "A01"
    assert whole(wild) == []


def unexpected(found: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return where what is held differs from the rubbish: the key, the reason expected, and that found."""
    expected = {key: reason for _, _, key, reason in RUBBISH}
    both = [(key, expected.get(key, "nothing"), found.get(key, "nothing")) for key in expected | dict(found)]
    return [(key, due, told) for key, due, told in both if due not in told]


def told(installed: Installation) -> list[object]:
    """Return which values of the rubbish stand in the worker's log or in what is held."""
    said = installed.log("wild").read_text() + "".join(held(installed).values())
    values = {value for _, row, _, _ in RUBBISH for value in row if isinstance(value, str) and len(value) > 8}
    return [value[:20] for value in values if value in said or json.dumps(value)[1:-1] in said]


def whole(installed: Installation) -> list[str]:
    """Return what is not whole in the hub."""
    with installed.connect_hub() as hub:
        return [*golden_state.differences(hub), *views.differences(hub)]


def test_rubbish_in_the_first_load_is_held_as_that_in_the_stream(wild: Installation) -> None:
    with wild.connect("wild") as source:
        for statement, row, _, _ in RUBBISH:
            source.execute(statement.encode(), row)
        source.execute(POINT.encode(), (1, GOOD, "R", "2020-01-01", None, None))
    wild.start_workers()
    wild.await_caught_up()
    assert unexpected(held(wild)) == []
    assert wild.one("select mpan_status from golden.metering_point where mpan = %s", GOOD) == "R"
    assert whole(wild) == []


def test_what_is_mended_at_the_source_is_mastered_and_no_longer_held(wild: Installation) -> None:
    wild.start_workers()
    wild.await_caught_up()
    write(wild, *((statement, row) for statement, row, _, _ in RUBBISH))
    count = len(held(wild))
    write(
        wild,
        ("update point set mpan = %s, created = '2020-01-01' where id = 10", (mpan(30),)),
        ("update point set id = 110, created = '2020-01-01' where id = 15", ()),
        ("update point set gone = null where id between 17 and 19", ()),
        ("update point set status = 'R' where id = 21", ()),
        ("delete from point where id in (11, 12, 22)", ()),
        ("update tariff set effective_from = '2020-01-01' where effective_from < '0001-01-01'", ()),
        ("update power set since = '2020-01-01', status = 'OFF'", ()),
        ("update meter set digits = 5, model = null, serial = 'OK' || id, kind = null, removed = null", ()),
        ("update site set line_1 = '1 High Street', line_2 = null", ()),
    )
    assert held(wild).keys() == {"point|13", "point|14", "point|16", "point|20", f"tariff|{mpan(9)}|294276-12-31"}
    outcomes = "select array_agg(distinct outcome order by outcome) from golden.quarantine where closed_at is not null"
    assert wild.one(outcomes) == ["superseded", "withdrawn"]
    assert wild.one("select count(*) from golden.quarantine where closed_at is not null") >= count - 5
    assert wild.one("select count(*) from golden.meter") == 10
    assert wild.one("select count(*) from golden.address") == 1
    assert wild.one("select created_date::text from golden.metering_point where mpan = %s", mpan(2)) == "2020-01-01"
    assert whole(wild) == []


def test_what_passes_once_the_hub_is_mended_is_mastered_by_a_retry(wild: Installation) -> None:
    foreign = mpan(40, distributor="99")
    wild.start_workers()
    wild.await_caught_up()
    write(wild, (POINT, (1, foreign, "R", "2020-01-01", None, None)), (TARIFF, (foreign, "2020-01-01", None, "A01")))
    assert len(held(wild)) == 2
    wild.stop_workers()
    with wild.connect_hub() as hub:
        hub.execute("insert into golden.distributor_area values ('99', '_A', '2020-01-01', null)")
        hub.execute("update golden.source_system set distributors = '{10,99}' where name = 'wild'")
    wild.run("quarantine", "retry")
    assert held(wild) == {}
    assert wild.one("select duos_tariff from golden.metering_point where mpan = %s", foreign) == "A01"
    assert whole(wild) == []


def test_odd_but_lawful_text_arrives_as_it_was_written(wild: Installation) -> None:
    odd = {str(number): text for number, text in enumerate(ODD, start=101)}
    with wild.connect("wild") as source:
        for uprn, text in odd.items():
            source.execute(SITE.encode(), (mpan(int(uprn)), text, None, "BA1 1AA", uprn))
    wild.start_workers()
    wild.await_caught_up()
    streamed = {f"9{uprn}": text for uprn, text in odd.items()}
    write(wild, *((SITE, (mpan(int(uprn)), text, None, "BA1 1AA", uprn)) for uprn, text in streamed.items()))
    assert held(wild) == {}
    with wild.connect_hub() as hub:
        known: dict[str, str] = dict(hub.execute("select uprn, line_1 from golden.address").fetchall())
    assert known == {uprn: text.strip() or None for uprn, text in (odd | streamed).items()}
    assert whole(wild) == []


def test_a_thousand_meters_that_come_together_at_one_point_do_not_stop_the_worker(wild: Installation) -> None:
    wild.start_workers()
    wild.await_caught_up()
    numbers = range(1, 1_001)
    write(
        wild,
        (POINT, (1, GOOD, "R", "2020-01-01", None, None)),
        *((METER, (each, GOOD, f"G{each}", noise(60), noise(60), 5, None, None, "MAIN_")) for each in numbers),
    )
    assert wild.ended("wild") is None, wild.said("wild")
    assert held(wild) == {}
    assert wild.one("select count(*) from golden.meter where length(model) = 60") == len(numbers)
    assert whole(wild) == []


def test_rows_without_a_key_are_held(wild: Installation) -> None:
    with wild.connect("wild") as source:
        source.execute(LOOSE.encode(), (None, mpan(1), "1"))
    wild.start_workers()
    wild.await_caught_up()
    write(
        wild,
        (POINT, (1, mpan(4), "R", None, None, None)),
        (LOOSE, (None, mpan(2), "2")),
        (LOOSE, (None, mpan(3), "3")),
        (LOOSE, ("K", mpan(4), "4")),
    )
    assert wild.ended("wild") is None, wild.said("wild")
    assert wild.one("select profile_class from golden.metering_point where mpan = %s", mpan(4)) == "4"
    assert held(wild) == {"loose|\\N": "column code: not given, though it tells the rows apart"}
    assert wild.one("select count(*) from golden.journal where relation = 'public.loose'") == 4
    assert whole(wild) == []


def test_a_held_value_that_is_not_sent_again_does_not_vanish(wild: Installation) -> None:
    """A long value that did not change is not in the stream; what was held for it must stay held."""
    wild.start_workers()
    wild.await_caught_up()
    with wild.connect("wild") as source:
        source.execute("alter table point alter column status set storage external")
    write(wild, (POINT, (1, GOOD, noise(9_000), "2020-01-01", None, None)))
    assert list(held(wild)) == ["point|1"]
    write(wild, ("update point set note = 'A' where id = 1", ()))
    assert list(held(wild)) == ["point|1"]
    write(wild, ("update point set status = 'R' where id = 1", ()))
    assert held(wild) == {}
    assert wild.one("select mpan_status from golden.metering_point where mpan = %s", GOOD) == "R"


def test_a_truncate_takes_what_is_held_with_it(wild: Installation) -> None:
    wild.start_workers()
    wild.await_caught_up()
    rubbish = [(statement, row) for statement, row, _, _ in RUBBISH if statement == POINT]
    write(wild, *rubbish)
    write(wild, ("truncate point", ()), (POINT, (50, "5", "R", None, None, None)))
    assert list(held(wild)) == ["point|50"]


def test_rubbish_that_is_truncated_in_its_own_transaction_is_not_held(wild: Installation) -> None:
    wild.start_workers()
    wild.await_caught_up()
    untyped = [(statement, row) for statement, row, _, reason in RUBBISH if statement == METER and "digits" in reason]
    write(wild, *untyped, ("truncate meter", ()), (METER, (50, GOOD, "G1", "M", None, "NaN", None, None, None)))
    assert list(held(wild)) == ["meter|50"]
    write(wild, (POINT, (1, GOOD, "R", None, None, None)), ("truncate point", ()))
    assert wild.one("select count(*) from golden.source_record where item_group = 'registration'") == 0
