"""A population of the simulated market as golden records, with copies of some spoiled as people spoil them.

Every premises and meter of the population is another one, so that only a copy and its original are truly one thing.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import psycopg

from mdm.demo import population

ADDRESSES, METERS, POINTS = 1_000_000, 2_000_000, 3_000_000
COPIES = 500_000
_LINES = [f"line_{number}" for number in range(1, 10)]
_PLACE = [*_LINES, "postcode", "uprn"]
_DEVICE = ["meter_id", "make", "model", "meter_type", "esme_id"]
_SHORT = {"Street": "St", "Road": "Rd", "Lane": "Ln", "Avenue": "Ave", "Close": "Cl", "Drive": "Dr", "Court": "Ct"}

Row = dict[str, Any]
Spoiling = Callable[[Row, random.Random], Row | None]


def abbreviated(row: Row, _: random.Random) -> Row | None:
    """Write the kinds of way and building short."""
    short = dict(row)
    for line in _LINES:
        for word, abbreviation in _SHORT.items():
            if short[line] and short[line].endswith(f" {word}"):
                short[line] = short[line].removesuffix(word) + abbreviation
    return short if short != row else None


def misspelt(row: Row, chance: random.Random) -> Row | None:
    """Leave out, double or change one letter of the street."""
    text = row["line_4"]
    places = [place for place, letter in enumerate(text) if letter.isalpha()]
    place = chance.choice(places[1:])
    changed = chance.choice([text[:place] + text[place + 1 :], text[:place] + text[place] + text[place:]])
    return row | {"line_4": changed}


def in_one_line(row: Row, _: random.Random) -> Row | None:
    """Write the lines one behind the other, apart by commas, and drop the county."""
    text = ", ".join(row[line] for line in _LINES[:7] if row[line])
    return dict.fromkeys(_LINES) | {"line_1": text, "postcode": row["postcode"], "uprn": None}


def moved_up(row: Row, _: random.Random) -> Row | None:
    """Leave no line empty."""
    told = [row[line] for line in _LINES if row[line]]
    return row | dict.fromkeys(_LINES) | dict(zip(_LINES, told, strict=False)) | {"line_8": None}


def without_postcode(row: Row, _: random.Random) -> Row | None:
    """Leave the postcode out."""
    return row | {"postcode": None}


def with_wrong_postcode(row: Row, chance: random.Random) -> Row | None:
    """Mistake the last letter of the postcode."""
    return row | {"postcode": row["postcode"][:-1] + chance.choice("BDEFG")}


def without_district(row: Row, _: random.Random) -> Row | None:
    """Leave out what lies between street and town, and the county."""
    return row | {"line_6": None, "line_8": None}


def as_apartment(row: Row, _: random.Random) -> Row | None:
    """Call a flat an apartment."""
    flat = row["line_1"] or ""
    return row | {"line_1": flat.replace("Flat", "Apartment")} if flat.startswith("Flat ") else None


def with_number_before_building(row: Row, _: random.Random) -> Row | None:
    """Write the number of a flat before its building, without the word."""
    flat = row["line_1"] or ""
    if not flat.startswith("Flat "):
        return None
    return row | {"line_1": f"{flat.removeprefix('Flat ')} {row['line_2']}", "line_2": None}


ADDRESS_SPOILINGS: tuple[Spoiling, ...] = (
    abbreviated,
    misspelt,
    in_one_line,
    moved_up,
    without_postcode,
    with_wrong_postcode,
    without_district,
    as_apartment,
    with_number_before_building,
)


def with_year_behind(row: Row, chance: random.Random) -> Row | None:
    """Write a year behind the serial number; the meter is somewhere else by this copy."""
    return row | {"meter_id": f"{row['meter_id']}{chance.randint(10, 25)}", "metering_point_id": None}


def with_year_before(row: Row, chance: random.Random) -> Row | None:
    """Write a year before the serial number."""
    return row | {"meter_id": f"{chance.randint(10, 25)}{row['meter_id']}"}


def misread(row: Row, chance: random.Random) -> Row | None:
    """Mistake one digit; a copy that does not know the maker."""
    serial = row["meter_id"]
    place = chance.choice([place for place, letter in enumerate(serial) if letter.isdigit()])
    digit = chance.choice([digit for digit in "0123456789" if digit != serial[place]])
    return row | {
        "meter_id": serial[:place] + digit + serial[place + 1 :],
        "make": None,
        "model": None,
        "esme_id": None,
    }


def transposed(row: Row, chance: random.Random) -> Row | None:
    """Write two digits that follow each other the other way round."""
    serial = row["meter_id"]
    places = [p for p in range(len(serial) - 1) if serial[p : p + 2].isdigit() and serial[p] != serial[p + 1]]
    if not places:
        return None
    place = chance.choice(places)
    return row | {"meter_id": serial[:place] + serial[place + 1] + serial[place] + serial[place + 2 :]}


def of_another_maker(row: Row, _: random.Random) -> Row | None:
    """Name another maker."""
    return row | {"make": "Pri", "model": None, "esme_id": None}


METER_SPOILINGS: tuple[Spoiling, ...] = (with_year_behind, with_year_before, misread, transposed, of_another_maker)


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Which golden records are one thing, by how the copy was spoiled: (original, copy)."""

    address: Mapping[str, set[tuple[int, int]]] = field(default_factory=dict)
    meter: Mapping[str, set[tuple[int, int]]] = field(default_factory=dict)


def populate(connection: psycopg.Connection, *, points: int, seed: int, share: float = 0.1) -> Truth:
    """Write the golden addresses, points and meters of a population, and spoiled copies of a share of them."""
    chance = random.Random(seed)
    frame = pl.concat([chunk.points for chunk in population.chunks(points, seed=seed)])
    frame = frame.with_row_index("place")
    places = frame.unique(_PLACE, keep="first", maintain_order=True)
    address_ids = {
        tuple(row[name] for name in _PLACE): ADDRESSES + place
        for place, row in enumerate(places.select(_PLACE).iter_rows(named=True))
    }
    addresses = [dict(zip(_PLACE, known, strict=True)) | {"golden_id": i} for known, i in address_ids.items()]
    fitted = frame.filter(pl.col("meter_id").is_not_null())
    meters = [
        {name: row[name] for name in _DEVICE}
        | {"golden_id": METERS + row["place"], "metering_point_id": POINTS + row["place"]}
        | {"installation_date": row["installed"], "removal_date": row["gone"]}
        for row in fitted.iter_rows(named=True)
    ]
    points_at = [
        {"golden_id": POINTS + row["place"], "address_id": address_ids[tuple(row[name] for name in _PLACE)]}
        for row in frame.iter_rows(named=True)
    ]
    address_truth, address_copies = _spoil(addresses, ADDRESS_SPOILINGS, chance, share)
    address_copies = [copy | {"uprn": None} for copy in address_copies]
    meter_truth, meter_copies = _spoil(meters, METER_SPOILINGS, chance, share)
    _write(connection, "address", [*addresses, *address_copies])
    _write(connection, "metering_point", points_at)
    _write(connection, "meter", [*meters, *meter_copies])
    return Truth(address=address_truth, meter=meter_truth)


def _spoil(
    rows: list[Row], spoilings: tuple[Spoiling, ...], chance: random.Random, share: float
) -> tuple[dict[str, set[tuple[int, int]]], list[Row]]:
    truth: dict[str, set[tuple[int, int]]] = {each.__name__: set() for each in spoilings}
    copies = []
    for row in chance.sample(rows, round(len(rows) * share)):
        spoiling = chance.choice(spoilings)
        copy = spoiling({name: value for name, value in row.items() if name != "golden_id"}, chance)
        if copy is not None and copy | {"golden_id": row["golden_id"]} != row:
            copy["golden_id"] = row["golden_id"] + COPIES
            truth[spoiling.__name__].add((row["golden_id"], copy["golden_id"]))
            copies.append(copy)
    return truth, copies


def _write(connection: psycopg.Connection, entity: str, rows: list[Row]) -> None:
    names = [*rows[0]]
    statement = f"copy golden.{entity} ({', '.join(names)}, version, lineage, updated_at) from stdin"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([*(row[name] for name in names), 1, "{}", "2026-01-15"])
