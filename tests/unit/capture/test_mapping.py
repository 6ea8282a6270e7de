import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm.batches import MappedBatch
from mdm.capture import mapping
from mdm.capture.compiled import SchemaBroken
from mdm.capture.frames import Relation
from mdm.capture.mapping import CHANGE_SCHEMA, RECORD_SCHEMA, REJECT_SCHEMA, TRANSACTION_SCHEMA, Mapper
from mdm.capture.sources import Source
from tests.unit.capture.factories import (
    DATE,
    MOMENT,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UNCHANGED,
    batch,
    change,
    relation,
    table_changes,
)

SOURCE = Source.model_validate(
    {
        "source": "market",
        "kind": "SMRS",
        "participant": "EELC",
        "slot": "mdm_market",
        "tables": {
            "public.supplier_period": {
                "key": ["mpan", "effective_from"],
                "records": [
                    {
                        "entity": "metering_point",
                        "group": "supplier",
                        "identity": {"mpan": "mpan"},
                        "effective_from": "effective_from",
                        "effective_to": "effective_to",
                        "items": {"supplier_mpid": "supplier_mpid", "supplier_to": "effective_to"},
                    }
                ],
            },
            "public.point": {
                "key": ["mpan"],
                "records": [
                    {
                        "entity": "metering_point",
                        "group": "metered",
                        "identity": {"mpan": "mpan"},
                        "items": {"metered_indicator": {"column": "metered", "map": {"Y": True, "N": False}}},
                    },
                    {
                        "entity": "address",
                        "group": "address",
                        "identity": "address",
                        "items": {"line_1": "line_1", "line_2": "line_2", "postcode": "postcode", "uprn": "uprn"},
                    },
                    {
                        "entity": "metering_point",
                        "group": "site",
                        "identity": {"mpan": "mpan"},
                        "references": {"address": True},
                    },
                ],
            },
            "public.link": {
                "key": ["mpan", "kind"],
                "records": [
                    {
                        "entity": "metering_point",
                        "group": "link",
                        "identity": {"mpan": "mpan"},
                        "items": {"linked_mpan": "other", "link_kind": "kind"},
                    }
                ],
            },
            "public.device": {
                "key": ["serial"],
                "records": [
                    {
                        "entity": "meter",
                        "group": "asset",
                        "identity": {"meter_id": "serial", "make": "make"},
                        "items": {
                            "meter_id": "serial",
                            "make": "make",
                            "meter_type": "kind",
                            "displayed_digits": "digits",
                            "installation_date": "fitted",
                        },
                        "references": {"metering_point": "mpan"},
                    }
                ],
            },
            "public.appointment": {
                "key": ["mpan", "since"],
                "records": [
                    {
                        "entity": "appointment",
                        "group": "appointment",
                        "identity": {"mpan": "mpan", "role": {"value": "MSS"}, "appointed_from": "since"},
                        "effective_from": "since",
                        "items": {"service_mpid": {"source": "participant"}, "appointed_from": "since"},
                        "references": {
                            "metering_point": "mpan",
                            "contract": {"supplier_mpid": "supplier", "reference": "reference"},
                        },
                    }
                ],
            },
        },
    }
)
PERIOD = relation(
    "supplier_period",
    {"mpan": TEXT, "effective_from": DATE, "effective_to": DATE, "supplier_mpid": TEXT},
    key=["mpan", "effective_from"],
)
POINT_COLUMNS = ["mpan", "metered", "line_1", "line_2", "postcode", "uprn", "note"]
POINT = relation("point", POINT_COLUMNS, key=["mpan"])
DEVICE = relation("device", ["serial", "make", "kind", "digits", "fitted", "mpan"], key=["serial"])
LINK = relation("link", ["mpan", "kind", "other"], key=["mpan", "kind"])
MPAN = "1012345678905"


def map_changes(of: Relation, *changes: dict[str, Any], transactions: int = 1) -> MappedBatch:
    mapper = Mapper(source=SOURCE, source_id=7)
    return mapper.map(batch(table_changes(of, changes), transactions=transactions))


def only(frame: pl.DataFrame) -> dict[str, Any]:
    assert frame.height == 1
    return frame.row(0, named=True)


def values(record: dict[str, Any]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(record["item_values"])
    return parsed


def period(**columns: str | None) -> dict[str, str | None]:
    return {"mpan": MPAN, "effective_from": "2024-01-10", "effective_to": None, "supplier_mpid": "ABCD"} | columns


def point(**columns: str | None) -> dict[str, str | None]:
    return dict.fromkeys(POINT_COLUMNS) | {"mpan": MPAN, "metered": "Y"} | columns


def device(**columns: str | None) -> dict[str, str | None]:
    ordinary = {"serial": "E123", "make": "Elster", "kind": "S2A", "digits": "5", "fitted": "2020-02-29", "mpan": MPAN}
    return ordinary | columns


def test_an_insert_becomes_a_change_and_a_record() -> None:
    mapped = map_changes(PERIOD, change("c", period(supplier_mpid=" abcd ")))
    assert only(mapped.changes) == {
        "change_no": 1,
        "tx": 0,
        "ordinal": 1,
        "relation": "public.supplier_period",
        "op": "c",
        "source_key": f"public.supplier_period|{MPAN}|2024-01-10",
        "payload": f'{{"mpan":"{MPAN}","effective_from":"2024-01-10","effective_to":null,"supplier_mpid":" abcd "}}',
    }
    record = only(mapped.records)
    assert (record["op"], record["entity"], record["item_group"]) == ("u", "metering_point", "supplier")
    assert (record["key"], record["alt_key"], record["is_partial"]) == (MPAN, None, False)
    assert values(record) == {"supplier_mpid": "ABCD", "supplier_from": "2024-01-10", "supplier_to": None}
    assert mapped.rejects.is_empty()
    assert only(mapped.transactions) == {"tx": 0, "xid": 700, "commit_lsn": "0/1000", "committed_at": MOMENT}


def test_frames_have_the_canonical_columns_even_when_nothing_is_mapped() -> None:
    full = map_changes(POINT, change("c", point()), change("d", before={"mpan": MPAN}))
    empty = map_changes(relation("unknown", ["id"], key=["id"]), change("c", {"id": "1"}))
    for mapped in (full, empty):
        assert dict(mapped.transactions.schema) == dict(TRANSACTION_SCHEMA)
        assert dict(mapped.changes.schema) == dict(CHANGE_SCHEMA)
        assert dict(mapped.records.schema) == dict(RECORD_SCHEMA)
        assert dict(mapped.rejects.schema) == dict(REJECT_SCHEMA)
    assert empty.changes.is_empty()


@pytest.mark.parametrize(
    ("first", "last", "begin", "end"),
    [
        ("2024-03-31", "2024-03-31", datetime(2024, 3, 31, 0, tzinfo=UTC), datetime(2024, 3, 31, 23, tzinfo=UTC)),
        ("2024-10-27", "2024-10-27", datetime(2024, 10, 26, 23, tzinfo=UTC), datetime(2024, 10, 28, 0, tzinfo=UTC)),
        ("2024-01-10", "infinity", datetime(2024, 1, 10, 0, tzinfo=UTC), None),
        ("2024-07-01", "9999-12-31", datetime(2024, 6, 30, 23, tzinfo=UTC), None),
        ("-infinity", "2024-06-30", None, datetime(2024, 6, 30, 23, tzinfo=UTC)),
    ],
)
def test_local_days_become_half_open_utc_instants(
    first: str, last: str, begin: datetime | None, end: datetime | None
) -> None:
    mapped = map_changes(PERIOD, change("c", period(effective_from=first, effective_to=last)))
    record = only(mapped.records)
    assert (record["effective_from"], record["effective_to"]) == (begin, end)
    assert mapped.rejects.is_empty()


@given(st.dates(min_value=datetime(1900, 1, 1).date(), max_value=datetime(2100, 1, 1).date()))  # noqa: DTZ001
def test_every_day_begins_and_ends_at_local_midnight(day: Any) -> None:
    record = only(
        map_changes(PERIOD, change("c", period(effective_from=day.isoformat(), effective_to=day.isoformat()))).records
    )
    london = ZoneInfo("Europe/London")
    midnight = datetime.combine(day, datetime.min.time(), london).astimezone(UTC)
    following = datetime.combine(day + timedelta(days=1), datetime.min.time(), london).astimezone(UTC)
    assert (record["effective_from"], record["effective_to"]) == (midnight, following)


@pytest.mark.parametrize(
    ("oid", "text", "begin", "day"),
    [
        (TIMESTAMPTZ, "2024-07-01 23:30:00+00", datetime(2024, 7, 1, 23, 30, tzinfo=UTC), "2024-07-02"),
        (TIMESTAMP, "2024-07-01 23:30:00.5", datetime(2024, 7, 1, 22, 30, 0, 500000, tzinfo=UTC), "2024-07-01"),
        (TEXT, "2024-07-01", datetime(2024, 6, 30, 23, tzinfo=UTC), "2024-07-01"),
    ],
)
def test_a_beginning_is_read_by_its_columns_type(oid: int, text: str, begin: datetime, day: str) -> None:
    table = relation(
        "supplier_period",
        {"mpan": TEXT, "effective_from": oid, "effective_to": DATE, "supplier_mpid": TEXT},
        key=["mpan", "effective_from"],
    )
    record = only(map_changes(table, change("c", period(effective_from=text))).records)
    assert record["effective_from"] == begin
    assert values(record)["supplier_from"] == day


def test_a_delete_carries_its_key_and_no_values() -> None:
    mapped = map_changes(PERIOD, change("d", before={"mpan": MPAN, "effective_from": "2024-01-10"}))
    row, record = only(mapped.changes), only(mapped.records)
    assert row["payload"] == f'{{"mpan":"{MPAN}","effective_from":"2024-01-10"}}'
    assert record["op"] == "d"
    assert record["source_key"] == row["source_key"] == f"public.supplier_period|{MPAN}|2024-01-10"
    assert (record["key"], record["item_values"], record["effective_from"]) == (None, None, None)
    assert mapped.rejects.is_empty()


def test_a_changed_key_deletes_the_old_record_and_writes_the_new_one() -> None:
    before = {"mpan": MPAN, "effective_from": "2024-01-09"}
    mapped = map_changes(PERIOD, change("u", period(), before=before))
    deleted, written = mapped.records.sort("op").iter_rows(named=True)
    assert (deleted["op"], deleted["source_key"]) == ("d", f"public.supplier_period|{MPAN}|2024-01-09")
    assert (written["op"], written["source_key"]) == ("u", f"public.supplier_period|{MPAN}|2024-01-10")
    assert (deleted["change_no"], written["change_no"]) == (1, 1)
    assert only(mapped.changes)["op"] == "u"


def test_an_update_that_sends_its_old_row_but_keeps_its_key_deletes_nothing() -> None:
    mapped = map_changes(PERIOD, change("u", period(), before=period(supplier_mpid="WXYZ"), kind="O"))
    assert mapped.records["op"].to_list() == ["u"]


def test_a_truncate_is_a_change_without_records() -> None:
    mapped = map_changes(PERIOD, change("c", period()), change("t"))
    assert mapped.changes["op"].to_list() == ["c", "t"]
    assert mapped.changes.row(1, named=True)["source_key"] is None
    assert mapped.changes.row(1, named=True)["payload"] is None
    assert mapped.records["change_no"].to_list() == [1]


def test_an_unchanged_toast_value_is_absent_and_marks_the_record_as_partial() -> None:
    mapped = map_changes(POINT, change("u", point(line_1="1 High St", note=UNCHANGED, line_2=UNCHANGED)))
    payload = json.loads(only(mapped.changes)["payload"])
    assert "note" not in payload
    assert "line_2" not in payload
    assert payload["line_1"] == "1 High St"
    metered, address, site = mapped.records.sort("item_group", descending=True).iter_rows(named=True)
    metered, address, site = (
        next(row for row in (metered, address, site) if row["item_group"] == group)
        for group in ("metered", "address", "site")
    )
    assert not metered["is_partial"]
    assert address["is_partial"]
    assert values(address) == {"line_1": "1 High St", "postcode": None, "uprn": None}
    assert not site["is_partial"]


def test_an_unchanged_toast_value_is_taken_from_the_whole_old_row() -> None:
    full = relation("point", POINT_COLUMNS, key=["mpan"], identity="f")
    mapped = map_changes(
        full, change("u", point(line_2=UNCHANGED), before=point(line_2="2 Low St"), kind="O"), change("u", point())
    )
    address = mapped.records.filter(pl.col("item_group") == "address").row(0, named=True)
    assert (values(address)["line_2"], address["is_partial"]) == ("2 Low St", False)
    assert json.loads(mapped.changes.row(0, named=True)["payload"])["line_2"] == "2 Low St"


def test_rows_with_different_unchanged_values_each_keep_their_own() -> None:
    mapped = map_changes(
        POINT,
        change("u", point(line_1=UNCHANGED, line_2="b")),
        change("u", point(line_1="a", line_2=UNCHANGED)),
        change("u", point(line_1="a", line_2="b")),
    )
    addresses = mapped.records.filter(pl.col("item_group") == "address")
    present = [set(json.loads(text)) & {"line_1", "line_2"} for text in addresses["item_values"]]
    assert present == [{"line_2"}, {"line_1"}, {"line_1", "line_2"}]
    assert addresses["is_partial"].to_list() == [True, True, False]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"digits": "five"}, "column digits: not of the format of displayed_digits"),
        ({"digits": "99999999999"}, "column digits: not of the format of displayed_digits"),
        ({"digits": "NaN"}, "column digits: not of the format of displayed_digits"),
        ({"digits": "10"}, "column digits: not of the format of displayed_digits"),
        ({"fitted": "2024-02-30"}, "column fitted: not a date"),
        ({"fitted": "0044-03-15 BC"}, "column fitted: not a date"),
        ({"fitted": "yesterday"}, "column fitted: not a date"),
        ({"serial": "1234567890123"}, "column serial: not of the format of meter_id"),
        ({"kind": "SMETS2"}, "column kind: not of the format of meter_type"),
        ({"kind": "S-2"}, "column kind: not of the format of meter_type"),
    ],
)
def test_what_cannot_be_typed_is_rejected_with_its_column_and_never_its_value(
    columns: dict[str, str], reason: str
) -> None:
    mapped = map_changes(DEVICE, change("c", device()), change("c", device(serial="E9") | columns))
    assert only(mapped.rejects) == {"change_no": 2, "reason": reason}
    assert mapped.changes.height == 2
    assert mapped.records["change_no"].to_list() == [1]  # the last good value of the other stays


@pytest.mark.parametrize("kind", ["S1", "2ADF", "LEAD_", "MAIN_", "RCAMR", "CHECK", "SPECL", "s2b"])
def test_a_meter_type_is_a_code_of_at_most_five_characters(kind: str) -> None:
    mapped = map_changes(DEVICE, change("c", device(kind=kind)))
    assert mapped.rejects.is_empty()
    assert values(only(mapped.records))["meter_type"] == kind.upper()


def test_a_link_is_of_one_of_four_kinds() -> None:
    kinds = ["IMPORT", "export", "PRIMARY", "SECONDARY", "OTHER"]
    mapped = map_changes(LINK, *(change("c", {"mpan": MPAN, "kind": kind, "other": MPAN}) for kind in kinds))
    assert only(mapped.rejects) == {"change_no": 5, "reason": "column kind: not of the format of link_kind"}
    known = [json.loads(text)["link_kind"] for text in mapped.records["item_values"]]
    assert known == ["IMPORT", "EXPORT", "PRIMARY", "SECONDARY"]


def test_a_code_that_the_map_lacks_is_rejected() -> None:
    mapped = map_changes(POINT, change("c", point(metered="X")), change("c", point(metered="N")), change("c", point()))
    assert only(mapped.rejects) == {"change_no": 1, "reason": "column metered: not a known code"}
    metered = mapped.records.filter(pl.col("item_group") == "metered")["item_values"].to_list()
    assert metered == ['{"metered_indicator":false}', '{"metered_indicator":true}']
    assert mapped.records.filter(pl.col("item_group") == "site")["change_no"].to_list() == [1, 2, 3]


def test_a_number_may_come_as_a_numeric_and_an_infinite_date_is_open() -> None:
    record = only(map_changes(DEVICE, change("c", device(digits="7.00", fitted="infinity"))).records)
    assert values(record)["displayed_digits"] == 7
    assert values(record)["installation_date"] is None


@pytest.mark.parametrize(
    ("serial", "make", "key", "alternative"),
    [
        ("L yyp 12345", " elster  Ltd ", "LYYP12345|ELSTER LTD", "LYYP12345|*"),
        ("LYYP12345", None, "LYYP12345|*", None),
        ("LYYP12345", " ", "LYYP12345|*", None),
        (" ", "Elster", None, None),
    ],
)
def test_a_meter_is_known_by_serial_and_manufacturer(
    serial: str, make: str | None, key: str | None, alternative: str | None
) -> None:
    record = only(map_changes(DEVICE, change("c", device(serial=serial, make=make))).records)
    assert (record["key"], record["alt_key"], record["point_key"]) == (key, alternative, MPAN)


@pytest.mark.parametrize(
    ("columns", "key", "alternative"),
    [
        ({"uprn": "000123", "line_1": "1, High St.", "postcode": "ab1 2cd"}, "UPRN:123", "AT:AB12CD|1 HIGH ST"),
        ({"uprn": "123"}, "UPRN:123", None),
        ({"uprn": "?", "line_1": "F", "line_2": "O'Neill's  Ct", "postcode": "A1 2C"}, "AT:A12C|F ONEILLS CT", None),
        ({"line_1": "Plot 4"}, f"AT:|PLOT 4|public.point|{MPAN}", None),
        ({"line_1": " - ", "postcode": "AB1 2CD"}, None, None),
        ({}, None, None),
    ],
)  # fmt: skip
def test_an_address_is_known_by_uprn_else_by_postcode_and_building(
    columns: dict[str, str], key: str | None, alternative: str | None
) -> None:
    mapped = map_changes(POINT, change("c", point(**columns)))
    address = mapped.records.filter(pl.col("item_group") == "address").row(0, named=True)
    site = mapped.records.filter(pl.col("item_group") == "site").row(0, named=True)
    assert (address["key"], address["alt_key"]) == (key, alternative)
    assert (site["key"], site["address_key"], site["item_values"]) == (MPAN, key, "{}")


def test_an_appointment_names_its_point_and_contract() -> None:
    table = relation("appointment", ["mpan", "since", "supplier", "reference"], key=["mpan", "since"])
    row = {"mpan": MPAN, "since": "2024-05-01", "supplier": "abcd", "reference": " R1 "}
    mapped = map_changes(table, change("c", row), change("c", row | {"reference": None}))
    first, second = mapped.records.iter_rows(named=True)
    assert (first["key"], first["point_key"], first["contract_key"]) == (f"{MPAN}|MSS|2024-05-01", MPAN, "ABCD|R1")
    assert second["contract_key"] is None
    assert values(first) == {"service_mpid": "EELC", "appointed_from": "2024-05-01"}


def test_changes_of_several_tables_are_numbered_in_commit_order() -> None:
    periods = table_changes(
        PERIOD, [change("c", period(), tx=0), change("c", period(effective_from="2024-02-01"), tx=1)]
    )
    devices = table_changes(DEVICE, [change("c", device(), tx=0), change("c", device(), tx=1)], first_ordinal=2)
    mapped = Mapper(source=SOURCE, source_id=7).map(batch(devices, periods, transactions=2))
    order = mapped.changes.select("change_no", "tx", "ordinal", "relation").rows()
    assert order == [
        (1, 0, 1, "public.supplier_period"),
        (2, 0, 2, "public.device"),
        (3, 1, 1, "public.supplier_period"),
        (4, 1, 2, "public.device"),
    ]
    assert mapped.records["change_no"].to_list() == [1, 2, 3, 4]


def test_a_missing_mapped_column_is_refused_with_table_column_and_remedy() -> None:
    renamed = relation("device", ["serial", "make", "kind", "digit_count", "fitted", "mpan"], key=["serial"])
    with pytest.raises(SchemaBroken, match=r"public\.device no longer has the mapped column digits.*mapping"):
        map_changes(renamed, change("c", {"serial": "E1"}))


def test_a_key_that_deletes_would_not_carry_is_refused() -> None:
    other_key = relation("device", ["serial", "make", "kind", "digits", "fitted", "mpan"], key=["mpan"])
    with pytest.raises(SchemaBroken, match="replica identity full"):
        map_changes(other_key, change("c", device()))


def test_a_new_column_passes_in_the_payload_alone() -> None:
    wider = relation("device", ["serial", "make", "kind", "digits", "fitted", "mpan", "colour"], key=["serial"])
    mapped = map_changes(wider, change("c", device() | {"colour": "grey"}))
    assert json.loads(only(mapped.changes)["payload"])["colour"] == "grey"
    assert "colour" not in values(only(mapped.records))


def test_the_parts_of_a_split_batch_are_numbered_from_one() -> None:
    mapped = map_changes(
        PERIOD, *(change("c", period(mpan=str(number)), tx=number) for number in range(5)), transactions=5
    )
    parts = list(mapping.split(mapped, rows=2))
    assert [part.changes["change_no"].to_list() for part in parts] == [[1, 2], [1, 2], [1]]
    assert [part.records["key"].to_list() for part in parts] == [["0", "1"], ["2", "3"], ["4"]]
    assert [part.transactions["tx"].to_list() for part in parts] == [[0, 1], [2, 3], [4]]


def test_a_batch_is_cut_at_a_transaction() -> None:
    mapped = map_changes(
        PERIOD, *(change("c", period(mpan=str(number)), tx=number) for number in range(3)), transactions=3
    )
    first, rest = mapping.until(mapped, 0), mapping.after(mapped, 0)
    assert (first.records["key"].to_list(), rest.records["key"].to_list()) == (["0"], ["1", "2"])
    assert rest.changes["change_no"].to_list() == [1, 2]


GARBAGE = st.none() | st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)


@given(st.lists(st.tuples(*[GARBAGE] * len(DEVICE.columns)), min_size=1, max_size=6))
def test_nothing_raises_on_garbage_and_every_row_is_kept(rows: list[tuple[str | None, ...]]) -> None:
    names = [column.name for column in DEVICE.columns]
    mapped = map_changes(DEVICE, *(change("c", dict(zip(names, row, strict=True))) for row in rows))
    assert mapped.changes.height == len(rows)
    kept = set(mapped.records["change_no"]) | set(mapped.rejects["change_no"])
    assert kept == set(range(1, len(rows) + 1))
    for payload, row in zip(mapped.changes["payload"], rows, strict=True):
        assert json.loads(payload) == dict(zip(names, row, strict=True))
    for text in mapped.records["item_values"]:
        json.loads(text)
